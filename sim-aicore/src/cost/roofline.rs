//! The roofline: how fast a task's bytes can move at best through the core's own transfer engine.
//!
//! ```text
//! engine = max(instruction_floor × instructions, memory_latency + (read + written) / bandwidth)     of aicore
//! ```
//!
//! Single copy instructions of 16, 32 and 64 KiB take 392, 519 and 776 cycles on a2a3, that is 264 cycles and 128 B per
//! cycle (hw-native-sys/pto-isa, TLOAD reference cycles); copies of 128 B each never take less than 11.15 ns apiece on
//! a2a3, 23.9 ns on a5 (CANN asc-devkit, DataCopy best practice).
//!
//! What a kernel really takes with the memory to itself depends on where its bytes are: one core reads 32 B a cycle from
//! the HBM and 110 from the L2 ([`Roofline::ports`]). That, and what others at the same memory add to it, is found while
//! it runs (`sim_hbm::bandwidth`). Compute is not in it: for that the bound is too low.

use sim_core::profile::{Bandwidth, Profile};
use sim_core::time::SimDuration;
use sim_hbm::bandwidth::Traffic;

use crate::ports::CorePorts;

/// What a task asks of the memory system.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KernelDemand {
    /// Bytes of the tensors it reads.
    pub bytes_read: u64,
    /// Bytes of the tensors it writes.
    pub bytes_written: u64,
    /// Copy instructions: at least one for each tensor, more if the kernel is known to copy in pieces.
    pub instructions: u64,
}

impl KernelDemand {
    /// Bytes in all.
    pub fn bytes(&self) -> u64 {
        self.bytes_read.saturating_add(self.bytes_written)
    }
}

/// The limits of a core's transfer engine.
#[derive(Clone, Debug)]
pub struct Roofline {
    instruction_floor: SimDuration,
    latency: SimDuration,
    bandwidth: Bandwidth,
    ports: CorePorts,
}

impl Roofline {
    /// The limits of a core of a device with `profile`.
    pub fn new(profile: &Profile) -> Self {
        Roofline {
            instruction_floor: *profile.aicore.instruction_floor,
            latency: *profile.aicore.memory_latency,
            bandwidth: *profile.aicore.bandwidth,
            ports: CorePorts::of(profile),
        }
    }

    /// What the transfer engine takes for so many bytes in so many instructions.
    pub fn engine(&self, bytes: u64, instructions: u64) -> SimDuration {
        (self.instruction_floor * instructions).max(self.latency + self.bandwidth.time_for(bytes))
    }

    /// What `traffic` takes at least at the core's ports, with the memory to itself.
    pub fn ports(&self, traffic: &Traffic, instructions: u64) -> SimDuration {
        let CorePorts { hbm, l2, write } = self.ports;
        let read = hbm.time_for(traffic.hbm_read) + l2.time_for(traffic.l2_hits);
        let moved = self.latency + read + write.time_for(traffic.hbm_written);
        moved.max(self.engine(traffic.bytes(), instructions))
    }
}

#[cfg(test)]
mod tests {
    use sim_core::profile::Arch;

    use super::*;

    fn engine_ps(arch: Arch, bytes: u64, instructions: u64) -> u64 {
        Roofline::new(&Profile::load(arch).unwrap()).engine(bytes, instructions).as_ps()
    }

    #[test]
    fn does_one_copy_take_latency_and_128_bytes_a_cycle() {
        // 264 + 512 cycles of 1.85 GHz are 419.46 ns; of 1.65 GHz, 470.30 ns.
        assert_eq!(engine_ps(Arch::A2a3, 65_536, 1), 142_703 + 276_757);
        assert_eq!(engine_ps(Arch::A5, 65_536, 1), 160_000 + 310_304);
    }

    #[test]
    fn do_many_small_copies_take_their_instructions() {
        assert_eq!(engine_ps(Arch::A2a3, 128 * 1000, 1000), 11_150_000);
        assert_eq!(engine_ps(Arch::A5, 128 * 1000, 1000), 23_900_000);
    }
}
