//! Everything a run leaves behind: the summary, the files of `--out`, the table on the terminal, the fault report.
//!
//! The raw material is the trace. [`statistics::RunStatistics`] consumes its events one at a time in memory that does
//! not grow with their number, so that every run has a [`summary::RunSummary`], however long it was. Only when the
//! events were kept is there a [`timeline::Timeline`], in which the stores, reads and kernels that belong to one
//! execution of one task are joined; the trace, swimlane and dependency files are views of it.
//!
//! ```text
//!   TraceEvent ──▶ RunStatistics ──▶ RunSummary ──▶ --json, report.json, table
//!        └─ kept ─▶ Timeline ──▶ trace.json, chip_swimlane_records.json, deps.json
//!                      └──▶ Attribution ──▶ report.json, critical_path.json, the HTML timeline
//! ```
//!
//! Files are written beside their final place and renamed, so that a reader never sees half of one. Two runs with the
//! same trace hash on the same engine leave the same bytes in all of them, but for the host times in report.json and
//! the host's side of the records in loads.json.
//!
//! Beside results stands [`stall::StallText`]: who waits for what when a run cannot go on.

pub mod attribution;
pub mod chip;
pub mod dependencies;
pub mod explained;
#[cfg(test)]
pub(crate) mod fixture;
pub mod html;
pub mod names;
pub mod output;
pub mod perfetto;
pub mod record;
pub mod stall;
pub mod statistics;
pub mod summary;
pub mod swimlane;
pub mod table;
pub mod tasks;
pub mod timeline;
