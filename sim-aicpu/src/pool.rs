//! The pool: which of the launched AICPU threads work.
//!
//! A launch starts one thread per user slot of the AICPU; the runtime wants fewer. The first ones to reach the gate
//! pass it, and the others leave at once. Under virtual time the order of arrival is the order of launch.

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

use sim_core::profile::Topology;

/// The AICPU threads of a device.
#[derive(Debug)]
pub struct AicpuPool {
    launched: u32,
    active: u32,
    schedulers: u32,
    arrived: AtomicU32,
    /// Threads that have touched the payloads of their cores, a bit for each number.
    warm: AtomicU64,
}

impl AicpuPool {
    /// The pool of a device with this topology.
    pub fn new(topology: &Topology) -> Self {
        AicpuPool {
            launched: *topology.aicpu_launched,
            active: *topology.aicpu_active,
            schedulers: *topology.schedulers,
            arrived: AtomicU32::new(0),
            warm: AtomicU64::new(0),
        }
    }

    /// How many threads a launch starts.
    pub fn launched(&self) -> u32 {
        self.launched
    }

    /// How many pass the gate.
    pub fn active(&self) -> u32 {
        self.active
    }

    /// How many of those schedule.
    pub fn schedulers(&self) -> u32 {
        self.schedulers
    }

    /// A launch begins: nobody has arrived.
    pub fn open_gate(&self) {
        self.arrived.store(0, Ordering::Relaxed);
    }

    /// The thread with this number in its launch prepares the payloads of its cores: whether they are cold. They stay
    /// warm from launch to launch.
    pub fn is_cold(&self, thread: u16) -> bool {
        let bit = 1 << (thread % 64);
        self.warm.fetch_or(bit, Ordering::Relaxed) & bit == 0
    }

    /// A thread arrives at the gate: its number among the active ones, `None` if it has to leave.
    pub fn pass_gate(&self) -> Option<u32> {
        let number = self.arrived.fetch_add(1, Ordering::Relaxed);
        (number < self.active).then_some(number)
    }
}

#[cfg(test)]
mod tests {
    use sim_core::profile::{Arch, Profile};

    use super::*;

    #[test]
    fn do_four_of_six_threads_pass_the_gate_on_each_launch() {
        let pool = AicpuPool::new(&Profile::load(Arch::A2a3).unwrap().topology);
        for _ in 0..2 {
            pool.open_gate();
            let passed: Vec<Option<u32>> = (0..pool.launched()).map(|_| pool.pass_gate()).collect();
            assert_eq!(passed, [Some(0), Some(1), Some(2), Some(3), None, None]);
        }
    }
}
