//! What got slower between two runs: two report.json, compared by phase, actor, kernel and cause.
//!
//! ```text
//!   A/report.json, B/report.json ──▶ RunDocument ──▶ Difference ──▶ table, JSON, exit code
//!         read and checked             what both have    changes, the largest first
//! ```
//!
//! Only virtual times are compared; what a run cost the host is no property of the device. Since runs are deterministic,
//! a difference is one of the program, the model or the settings, never of chance.

mod compare;
mod document;
mod table;

pub use compare::{Change, Difference, Group, Rise};
pub use document::{CostSources, CostTime, DocumentError, Phases, RunDocument};
pub use table::DifferenceTable;
