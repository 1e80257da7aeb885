//! What a kernel costs: how long it occupies its core in virtual time.
//!
//! A kernel's cost is known before it starts, from the first of these that knows it:
//!
//! 1. the [`KernelTable`] of the case, by kernel name: what somebody measured or assumed;
//! 2. the [`Roofline`]: the bytes of the task's tensors over the memory system, a lower bound;
//! 3. for a kernel without tensors, the profile's `aicore.kernel_floor`, a placeholder.
//!
//! Every cost carries its [`CostSource`], which is stamped on the kernel's event. What the executor does around a kernel
//! (`aicore.setup` before, `aicore.flush` after) is not part of it.

mod roofline;
mod table;

pub use roofline::{KernelDemand, Roofline};
pub use table::KernelTable;

use sim_core::profile::Profile;
use sim_core::time::SimDuration;
use sim_core::trace::CostSource;

/// How long a kernel occupies its core, and who says so.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KernelCost {
    /// From the kernel's start to its end.
    pub duration: SimDuration,
    /// Which part of the model knew.
    pub source: CostSource,
}

/// The costs of all kernels of a run.
#[derive(Clone, Debug)]
pub struct CostModel {
    table: KernelTable,
    roofline: Roofline,
    floor: SimDuration,
}

impl CostModel {
    /// The model of a device with `profile`, in which kernels named by `table` cost what it says.
    pub fn new(profile: &Profile, table: KernelTable) -> Self {
        CostModel { table, roofline: Roofline::new(profile), floor: *profile.aicore.kernel_floor }
    }

    /// What the kernel `name` costs on a task with this `demand`.
    pub fn cost(&self, name: &str, demand: &KernelDemand) -> KernelCost {
        if let Some(duration) = self.table.get(name) {
            return KernelCost { duration, source: CostSource::Table };
        }
        match self.roofline.bound(demand) {
            Some(duration) => KernelCost { duration, source: CostSource::Roofline },
            None => KernelCost { duration: self.floor, source: CostSource::Default },
        }
    }
}

#[cfg(test)]
mod tests {
    use sim_core::profile::Arch;

    use super::*;

    fn model(table: &str) -> CostModel {
        let profile = Profile::load(Arch::A2a3).unwrap();
        CostModel::new(&profile, KernelTable::from_json("costs.json", table, *profile.clock.aicore).unwrap())
    }

    const ADD: KernelDemand =
        KernelDemand { bytes_read: 131_072, bytes_written: 65_536, instructions: 3, active_cores: 1 };

    #[test]
    fn does_the_table_come_before_the_roofline() {
        let model = model(r#"{"kernel_add": {"value": 2.1, "unit": "us", "source": "a test"}}"#);
        let table = KernelCost { duration: SimDuration::from_ns(2_100), source: CostSource::Table };
        assert_eq!(model.cost("kernel_add", &ADD), table);
        assert_eq!(model.cost("kernel_mul", &ADD).source, CostSource::Roofline);
    }

    #[test]
    fn does_a_kernel_without_tensors_cost_the_floor() {
        let floor = KernelCost { duration: SimDuration::from_us(1), source: CostSource::Default };
        let demand = KernelDemand { bytes_read: 0, bytes_written: 0, instructions: 0, active_cores: 72 };
        assert_eq!(model("{}").cost("kernel_empty", &demand), floor);
    }
}
