//! What a kernel costs: how long it occupies its core in virtual time.
//!
//! What a kernel costs alone is known before it starts, from the first of these that knows it:
//!
//! 1. the [`KernelTable`] of the case, by kernel name: what somebody measured or assumed;
//! 2. the pipes of the core, for a kernel that says what it does ([`crate::pipes`]);
//! 3. the [`Roofline`]: the bytes of the task's tensors through the core's own transfer engine, a lower bound;
//! 4. for a kernel without tensors, the profile's `aicore.kernel_floor`, a placeholder.
//!
//! The second and the third share the memory with all that run at the same time, so that their ends move while they run
//! (`sim_hbm::bandwidth`). A table's cost holds whatever its kernel waited for when it was measured.
//!
//! Every cost carries its [`CostSource`], which is stamped on the kernel's event. What the executor does around a kernel
//! (`aicore.setup` before, `aicore.flush` after) is not part of it.

mod roofline;
mod table;
mod tally;

pub use roofline::{KernelDemand, Roofline};
pub use table::KernelTable;
pub use tally::{CostShare, CostTally};

use sim_core::profile::{Bandwidth, Confidence, Profile, Sourced};
use sim_core::time::SimDuration;
use sim_core::trace::CostSource;
use sim_hbm::bandwidth::{Pace, Traffic};

use crate::pipes::library::KnownProgram;
use crate::pipes::{CoreKind, L2Share, MemoryRates, PipeModel};
use crate::ports::CorePorts;

/// How long a kernel occupies its core, and who says so.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KernelCost {
    /// From the kernel's start to its end, with the memory to itself.
    pub duration: SimDuration,
    /// Which part of the model knew.
    pub source: CostSource,
    /// How far to trust it: as far as the least trusted constant that went into it.
    pub confidence: Confidence,
}

impl KernelCost {
    /// Whether others at the same memory slow the kernel down.
    pub fn shares_memory(&self) -> bool {
        match self.source {
            CostSource::Pipes | CostSource::Roofline => true,
            CostSource::Table | CostSource::Default => false,
        }
    }
}

/// The costs of all kernels of a run.
#[derive(Clone, Debug)]
pub struct CostModel {
    table: KernelTable,
    roofline: Roofline,
    roofline_confidence: Confidence,
    floor: Sourced<SimDuration>,
    cube: PipeModel,
    vector: PipeModel,
    ports: CorePorts,
}

impl CostModel {
    /// The model of a device with `profile`, in which kernels named by `table` cost what it says.
    pub fn new(profile: &Profile, table: KernelTable) -> Self {
        let (aicore, hbm) = (&profile.aicore, &profile.hbm);
        let constants = [
            aicore.instruction_floor.confidence,
            aicore.memory_latency.confidence,
            aicore.bandwidth.confidence,
            hbm.read_bandwidth.confidence,
            hbm.write_bandwidth.confidence,
        ];
        CostModel {
            table,
            roofline: Roofline::new(profile),
            roofline_confidence: constants.into_iter().max().unwrap_or(Confidence::Placeholder),
            floor: aicore.kernel_floor.clone(),
            cube: PipeModel::of(profile, CoreKind::Aic),
            vector: PipeModel::of(profile, CoreKind::Aiv),
            ports: CorePorts::of(profile),
        }
    }

    /// What the kernel `name` costs alone on a task with this `demand`.
    pub fn cost(&self, name: &str, demand: &KernelDemand) -> KernelCost {
        if let Some(cost) = self.table.find(name) {
            return KernelCost { duration: cost.value, source: CostSource::Table, confidence: cost.confidence };
        }
        match demand.bytes() {
            0 => KernelCost {
                duration: self.floor.value,
                source: CostSource::Default,
                confidence: self.floor.confidence,
            },
            bytes => KernelCost {
                duration: self.roofline.engine(bytes, demand.instructions),
                source: CostSource::Roofline,
                confidence: self.roofline_confidence,
            },
        }
    }

    /// What a kernel with this program costs alone.
    pub fn program(&self, program: &KnownProgram) -> KernelCost {
        let timeline = program.timeline(&MemoryRates::alone());
        KernelCost { duration: timeline.duration, source: CostSource::Pipes, confidence: timeline.confidence }
    }

    /// How fast a kernel with this program moves what it wants, which costs the memory as much as `moved`. What it gets
    /// of the memory holds for reads and for writes alike; the ports of its core limit each by itself.
    pub fn pace(&self, program: &KnownProgram, wanted: &Traffic, moved: &Traffic) -> Pace {
        let through = CostModel::through(wanted);
        Pace::of_durations(moved.bytes(), self.fastest(wanted, moved), |rate| {
            let rates = MemoryRates { read: Some(rate), write: Some(rate), through: Some(through) };
            program.timeline(&rates).duration
        })
    }

    /// How much of what it reads comes from the L2.
    pub fn through(wanted: &Traffic) -> L2Share {
        L2Share::of(wanted.l2_hits, wanted.hbm_read.saturating_add(wanted.l2_hits))
    }

    /// The rate beyond which only the core's ports hold a kernel up, in bytes that the memory moves.
    pub fn fastest(&self, wanted: &Traffic, moved: &Traffic) -> Bandwidth {
        let CorePorts { hbm, l2, write } = self.ports;
        let parts = [
            (hbm, wanted.hbm_read, moved.hbm_read),
            (l2, wanted.l2_hits, moved.l2_hits),
            (write, wanted.hbm_written, moved.hbm_written),
        ];
        let rate = |(port, wanted, moved): (Bandwidth, u64, u64)| {
            let moved = u128::from(port.as_bytes_per_s()) * u128::from(moved);
            u64::try_from(moved.div_ceil(u128::from(wanted.max(1)))).unwrap_or(u64::MAX)
        };
        let fastest = parts.into_iter().filter(|(_, wanted, _)| *wanted > 0).map(rate).max();
        fastest.and_then(Bandwidth::from_bytes_per_s).unwrap_or(hbm)
    }

    /// The pipes of a kind of core.
    pub fn pipes(&self, core: CoreKind) -> &PipeModel {
        match core {
            CoreKind::Aic => &self.cube,
            CoreKind::Aiv => &self.vector,
        }
    }

    /// The limits of the memory system.
    pub fn roofline(&self) -> &Roofline {
        &self.roofline
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

    const ADD: KernelDemand = KernelDemand { bytes_read: 131_072, bytes_written: 65_536, instructions: 3 };

    #[test]
    fn does_the_table_come_before_the_roofline() {
        let model = model(r#"{"kernel_add": {"value": 2.1, "unit": "us", "source": "a test"}}"#);
        let table = KernelCost {
            duration: SimDuration::from_ns(2_100),
            source: CostSource::Table,
            confidence: Confidence::Placeholder,
        };
        assert_eq!(model.cost("kernel_add", &ADD), table);
        // Latency and 192 KiB at 128 B per cycle of 1.85 GHz.
        let roofline = KernelCost {
            duration: SimDuration::from_ps(142_703 + 830_271),
            source: CostSource::Roofline,
            confidence: Confidence::Inferred,
        };
        assert_eq!(model.cost("kernel_mul", &ADD), roofline);
        assert!(roofline.shares_memory() && !table.shares_memory());
    }

    #[test]
    fn does_a_kernel_without_tensors_cost_the_floor() {
        let floor = KernelCost {
            duration: SimDuration::from_us(1),
            source: CostSource::Default,
            confidence: Confidence::Placeholder,
        };
        let demand = KernelDemand { bytes_read: 0, bytes_written: 0, instructions: 0 };
        assert_eq!(model("{}").cost("kernel_empty", &demand), floor);
    }
}
