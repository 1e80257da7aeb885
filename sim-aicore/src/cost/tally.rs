//! Costs of kernels added up, by where they came from.

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use sim_core::time::SimDuration;
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
    #[serde(rename = "time_ns", serialize_with = "as_nanoseconds", deserialize_with = "from_nanoseconds")]
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

/// Whole nanoseconds as an integer, others as a decimal fraction.
fn as_nanoseconds<S: Serializer>(span: &SimDuration, serializer: S) -> Result<S::Ok, S::Error> {
    if span.as_ps().is_multiple_of(1000) {
        serializer.serialize_u64(span.as_ns())
    } else {
        serializer.serialize_f64(span.as_ns_f64())
    }
}

fn from_nanoseconds<'de, D: Deserializer<'de>>(deserializer: D) -> Result<SimDuration, D::Error> {
    f64::deserialize(deserializer).map(|ns| SimDuration::from_ps((ns * 1e3).round() as u64))
}
