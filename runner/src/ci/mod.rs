//! A matrix of runs in one process: cases on runtimes on generations.
//!
//! ```text
//!   Selection ──▶ [Entry] ──▶ Matrix::run ──▶ [EntryResult] ──▶ table, report.json, junit.xml
//!     names, patterns          N threads, each with a worker (device::pool)
//! ```
//!
//! Entries are independent: each has a device of its own, made in the namespace of whichever worker takes it. What a run
//! says of virtual time does not depend on who that is, on what ran there before, or on what runs beside it; so results
//! are the same for every number of threads, and the same as those of `npusim run`.

pub mod junit;
pub mod matrix;
pub mod report;
pub mod result;
pub mod selection;
pub mod table;
