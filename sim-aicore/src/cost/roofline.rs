//! The roofline: how fast a task's bytes can move at best.
//!
//! Two limits hold at once, and the tighter one counts:
//!
//! ```text
//! engine = max(instruction_floor × instructions, memory_latency + (read + written) / bandwidth)     of aicore
//! shared = read / (read_bandwidth / active_cores) + written / (write_bandwidth / active_cores)      of hbm
//! bound  = max(engine, shared)
//! ```
//!
//! *engine* is the core's own transfer engine. Single copy instructions of 16, 32 and 64 KiB take 392, 519 and 776 cycles
//! on a2a3, that is 264 cycles and 128 B per cycle (hw-native-sys/pto-isa, TLOAD reference cycles); copies of 128 B each
//! never take less than 11.15 ns apiece on a2a3, 23.9 ns on a5 (CANN asc-devkit, DataCopy best practice).
//!
//! *engine* is known before the kernel starts. What it really takes with the memory to itself depends on where its bytes
//! are: one core reads 32 B a cycle from the HBM and 110 from the L2 ([`Roofline::ports`]). That, and what others at the
//! same memory add to it, is found while it runs (`sim_hbm::bandwidth`). *bound* is the short form of it, for cores that all move the same.
//!
//! *shared* is the core's part of the HBM. All cores together read 1.49 TB/s on a2a3 and 1.627 TB/s on a5 (same source);
//! cube and vector cores see one and the same HBM, so all that transfer share it alike. Reads and writes take turns on
//! it, so their times add up. The number of cores is that at the kernel's start: who joins or leaves later does not
//! change a cost that is already on its way.
//!
//! Compute is not in it, nor are hits in the L2 cache: the bound is too low for the one and too high for the other.

use sim_core::profile::{Bandwidth, Profile};
use sim_core::time::SimDuration;
use sim_hbm::bandwidth::Traffic;

/// What a task asks of the memory system.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KernelDemand {
    /// Bytes of the tensors it reads.
    pub bytes_read: u64,
    /// Bytes of the tensors it writes.
    pub bytes_written: u64,
    /// Copy instructions: at least one for each tensor, more if the kernel is known to copy in pieces.
    pub instructions: u64,
    /// Cores that transfer at that moment, this one included.
    pub active_cores: u32,
}

impl KernelDemand {
    /// Bytes in all.
    pub fn bytes(&self) -> u64 {
        self.bytes_read.saturating_add(self.bytes_written)
    }
}

/// The limits of a device's memory system.
#[derive(Clone, Debug)]
pub struct Roofline {
    instruction_floor: SimDuration,
    latency: SimDuration,
    core_bandwidth: Bandwidth,
    hbm_port: Bandwidth,
    l2_port: Bandwidth,
    write_port: Bandwidth,
    read_bandwidth: Bandwidth,
    write_bandwidth: Bandwidth,
}

impl Roofline {
    /// The limits of a device with `profile`.
    pub fn new(profile: &Profile) -> Self {
        Roofline {
            instruction_floor: *profile.aicore.instruction_floor,
            latency: *profile.aicore.memory_latency,
            core_bandwidth: *profile.aicore.bandwidth,
            hbm_port: *profile.aicore.hbm_port,
            l2_port: *profile.aicore.l2_port,
            write_port: *profile.aicore.write_port,
            read_bandwidth: *profile.hbm.read_bandwidth,
            write_bandwidth: *profile.hbm.write_bandwidth,
        }
    }

    /// What the core's own transfer engine takes for so many bytes in so many instructions.
    pub fn engine(&self, bytes: u64, instructions: u64) -> SimDuration {
        (self.instruction_floor * instructions).max(self.latency + self.core_bandwidth.time_for(bytes))
    }

    /// What `traffic` takes at least at the core's ports, with the memory to itself.
    pub fn ports(&self, traffic: &Traffic, instructions: u64) -> SimDuration {
        let read = self.hbm_port.time_for(traffic.hbm_read) + self.l2_port.time_for(traffic.l2_hits);
        let moved = self.latency + read + self.write_port.time_for(traffic.hbm_written);
        moved.max(self.engine(traffic.bytes(), instructions))
    }

    /// The least time that `demand` takes; `None` if it moves nothing, of which a roofline knows nothing.
    pub fn bound(&self, demand: &KernelDemand) -> Option<SimDuration> {
        let bytes = demand.bytes();
        if bytes == 0 {
            return None;
        }
        let engine = self.engine(bytes, demand.instructions);
        // A share of the bandwidth takes as long as all of it takes for everybody's bytes.
        let cores = u64::from(demand.active_cores.max(1));
        let shared = self.read_bandwidth.time_for(demand.bytes_read.saturating_mul(cores))
            + self.write_bandwidth.time_for(demand.bytes_written.saturating_mul(cores));
        Some(engine.max(shared))
    }
}

#[cfg(test)]
mod tests {
    use sim_core::profile::Arch;

    use super::*;

    fn bound_ps(arch: Arch, demand: KernelDemand) -> Option<u64> {
        Roofline::new(&Profile::load(arch).unwrap()).bound(&demand).map(SimDuration::as_ps)
    }

    #[test]
    fn does_one_copy_on_a_quiet_device_take_latency_and_128_bytes_a_cycle() {
        let copy = KernelDemand { bytes_read: 65_536, bytes_written: 0, instructions: 1, active_cores: 1 };
        // 264 + 512 cycles of 1.85 GHz are 419.46 ns; of 1.65 GHz, 470.30 ns.
        assert_eq!(bound_ps(Arch::A2a3, copy), Some(142_703 + 276_757));
        assert_eq!(bound_ps(Arch::A5, copy), Some(160_000 + 310_304));
    }

    #[test]
    fn do_many_small_copies_take_their_instructions() {
        let copies = KernelDemand { bytes_read: 128 * 1000, bytes_written: 0, instructions: 1000, active_cores: 1 };
        assert_eq!(bound_ps(Arch::A2a3, copies), Some(11_150_000));
        assert_eq!(bound_ps(Arch::A5, copies), Some(23_900_000));
    }

    #[test]
    fn do_48_cores_share_the_hbm() {
        let copy = KernelDemand { bytes_read: 1_490_000, bytes_written: 0, instructions: 1, active_cores: 48 };
        assert_eq!(bound_ps(Arch::A2a3, copy), Some(48_000_000));
    }

    #[test]
    fn do_reads_and_writes_take_turns_on_the_hbm() {
        let copy = KernelDemand { bytes_read: 1_490_000, bytes_written: 1_420_800, instructions: 2, active_cores: 72 };
        assert_eq!(bound_ps(Arch::A2a3, copy), Some(2 * 72_000_000));
    }

    #[test]
    fn does_the_published_copy_of_302_mb_take_what_was_measured() {
        // 12288 × 12288 halves over 48 vector cores of a2a3 took 202.66 us.
        let share = KernelDemand { bytes_read: 301_989_888 / 48, bytes_written: 0, instructions: 48, active_cores: 48 };
        assert_eq!(bound_ps(Arch::A2a3, share), Some(202_677_778));
    }

    #[test]
    fn is_nothing_known_of_a_task_that_moves_nothing() {
        let demand = KernelDemand { bytes_read: 0, bytes_written: 0, instructions: 0, active_cores: 1 };
        assert_eq!(bound_ps(Arch::A2a3, demand), None);
    }

    #[test]
    fn does_a_core_that_forgot_to_count_itself_get_all_of_the_hbm() {
        let copy = KernelDemand { bytes_read: 65_536, bytes_written: 0, instructions: 1, active_cores: 0 };
        assert_eq!(bound_ps(Arch::A2a3, copy), bound_ps(Arch::A2a3, KernelDemand { active_cores: 1, ..copy }));
    }
}
