//! One case with many settings: the product of several axes of values.
//!
//! ```text
//!   Axis, Axis, ... ──▶ Grid ──▶ SweepPlan ──▶ NamespacePool::map ──▶ [Row] ──▶ table, CSV, JSON
//!     key=a..b:n          points   all checked    several at once        one per point
//! ```
//!
//! Every point is checked before the first one runs: a key that does not exist, a unit that does not fit or a value out of
//! range in any of them ends the sweep before it has begun. Points are independent; what a row says of virtual time is what
//! `npusim run` says with the same values.

mod axis;
mod decimal;
mod grid;
mod plan;
mod report;
mod row;
mod table;

pub use axis::{Axis, AxisError, AxisKind};
pub use grid::{Grid, GridError, MOST_POINTS};
pub use plan::{SweepError, SweepPlan};
pub(crate) use report::exit_of;
pub use report::{SCHEMA, SweepReport, csv};
pub use row::{Row, RowDevice};
pub use table::SweepTable;
