//! What a kernel costs: how long it occupies its core in virtual time.
//!
//! A kernel's cost is known before it starts, from the first of these that knows it:
//!
//! 1. the [`KernelTable`] of the case, by kernel name: what somebody measured or assumed;
//! 2. the pipes of the core, for a kernel that says what it does ([`crate::pipes`]);
//! 3. the [`Roofline`]: the bytes of the task's tensors over the memory system, a lower bound;
//! 4. for a kernel without tensors, the profile's `aicore.kernel_floor`, a placeholder.
//!
//! Every cost carries its [`CostSource`], which is stamped on the kernel's event. What the executor does around a kernel
//! (`aicore.setup` before, `aicore.flush` after) is not part of it.

mod roofline;
mod table;

pub use roofline::{KernelDemand, Roofline};
pub use table::KernelTable;

use sim_core::profile::{Bandwidth, Profile};
use sim_core::time::SimDuration;
use sim_core::trace::CostSource;

use crate::pipes::library::KnownProgram;
use crate::pipes::{CoreKind, MemoryRates, PipeModel};

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
    cube: PipeModel,
    vector: PipeModel,
    read_bandwidth: Bandwidth,
    write_bandwidth: Bandwidth,
}

impl CostModel {
    /// The model of a device with `profile`, in which kernels named by `table` cost what it says.
    pub fn new(profile: &Profile, table: KernelTable) -> Self {
        CostModel {
            table,
            roofline: Roofline::new(profile),
            floor: *profile.aicore.kernel_floor,
            cube: PipeModel::of(profile, CoreKind::Aic),
            vector: PipeModel::of(profile, CoreKind::Aiv),
            read_bandwidth: *profile.hbm.read_bandwidth,
            write_bandwidth: *profile.hbm.write_bandwidth,
        }
    }

    /// The pipes of a kind of core.
    pub fn pipes(&self, core: CoreKind) -> &PipeModel {
        match core {
            CoreKind::Aic => &self.cube,
            CoreKind::Aiv => &self.vector,
        }
    }

    /// What the table says of the kernel `name`.
    pub fn named(&self, name: &str) -> Option<KernelCost> {
        self.table.get(name).map(|duration| KernelCost { duration, source: CostSource::Table })
    }

    /// What a kernel with this program costs while so many cores, this one included, are at work: each has its part of
    /// the HBM, from the kernel's start to its end. The only place where a program becomes a span of time.
    pub fn program(&self, program: &KnownProgram, active_cores: u32) -> KernelCost {
        let cores = u64::from(active_cores.max(1));
        let part = |all: Bandwidth| Bandwidth::from_bytes_per_s((all.as_bytes_per_s() / cores).max(1));
        let rates =
            MemoryRates { read: part(self.read_bandwidth), write: part(self.write_bandwidth), ..MemoryRates::alone() };
        KernelCost { duration: program.timeline(&rates).duration, source: CostSource::Pipes }
    }

    /// What the kernel `name` costs on a task with this `demand`, if it does not say what it does.
    pub fn cost(&self, name: &str, demand: &KernelDemand) -> KernelCost {
        if let Some(cost) = self.named(name) {
            return cost;
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
