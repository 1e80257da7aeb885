//! Costs of kernels added up, by where they came from.

use serde::{Deserialize, Serialize};
use sim_core::time::{SimDuration, nanoseconds};
use sim_core::trace::CostSource;

use super::KernelCost;

/// How many kernels had their cost from each source, and how long they took in all.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CostTally {
    /// The table of the case or profile.
    pub table: CostShare,
    /// The instruction pipelines.
    pub pipes: CostShare,
    /// Bytes over bandwidth.
    pub roofline: CostShare,
    /// The profile's floor.
    pub default: CostShare,
}

/// Kernels with costs from one source.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CostShare {
    /// How many.
    pub count: u64,
    /// How long in all.
    #[serde(rename = "time_ns", with = "nanoseconds")]
    pub time: SimDuration,
}

impl CostTally {
    /// One more kernel.
    pub fn add(&mut self, cost: KernelCost) {
        let share = match cost.source {
            CostSource::Table => &mut self.table,
            CostSource::Pipes => &mut self.pipes,
            CostSource::Roofline => &mut self.roofline,
            CostSource::Default => &mut self.default,
        };
        share.count += 1;
        share.time += cost.duration;
    }

    /// With the kernels of another run.
    pub fn plus(&self, other: &CostTally) -> CostTally {
        let sum = |one: CostShare, other: CostShare| CostShare {
            count: one.count + other.count,
            time: one.time + other.time,
        };
        CostTally {
            table: sum(self.table, other.table),
            pipes: sum(self.pipes, other.pipes),
            roofline: sum(self.roofline, other.roofline),
            default: sum(self.default, other.default),
        }
    }
}
