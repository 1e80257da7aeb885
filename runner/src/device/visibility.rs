//! What guests did not see of registers and memory, or too late.

use serde::Serialize;
use sim_aicpu::split_store::TornRead;
use sim_hbm::coherence::CoherenceFinding;

/// Something that a program takes for seen and that is not, on silicon or here. It changes no code and no time.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, displaydoc::Display)]
#[serde(untagged)]
pub enum VisibilityFinding {
    /// {0}
    Registers(TornRead),
    /// {0}
    Memory(CoherenceFinding),
}
