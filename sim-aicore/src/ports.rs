//! The ports of a core to the memory system: the most that one core moves, however much of the memory is left.

use sim_core::profile::{Bandwidth, Profile};

/// What one core moves at most.
#[derive(Clone, Copy, Debug)]
pub struct CorePorts {
    /// Reads from the HBM.
    pub hbm: Bandwidth,
    /// Reads from the L2.
    pub l2: Bandwidth,
    /// Writes.
    pub write: Bandwidth,
}

impl CorePorts {
    /// Those of a core of a device with `profile`.
    pub fn of(profile: &Profile) -> CorePorts {
        let aicore = &profile.aicore;
        CorePorts { hbm: *aicore.hbm_port, l2: *aicore.l2_port, write: *aicore.write_port }
    }
}
