//! The facts of a chip that are needed to read its trace.

use sim_core::time::{Frequency, SimDuration};

/// What a trace means on one architecture: where task tokens travel, and how its counter ticks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChipDescription {
    /// `a2a3` or `a5`.
    pub arch: String,
    /// Rate of the system counter, the unit of raw cycles in files.
    pub counter: Frequency,
    /// Offset of the register through which a core receives task tokens.
    pub data_main_base: u32,
    /// Offset of the register through which a core reports them back.
    pub cond: u32,
    /// What the profile charges the AICPU for handling one task.
    pub costs: SchedulingCosts,
}

/// The charges from which the extent of scheduler and orchestrator phases is known; zero gives phases without extent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SchedulingCosts {
    /// The orchestrator submits one task; the submission is recorded at its end.
    pub submit: SimDuration,
    /// A scheduler builds one payload, then stores the token.
    pub dispatch: SimDuration,
    /// A scheduler handles one finished task, having read its completion.
    pub complete: SimDuration,
}

/// The value of a core's COND or DATA_MAIN_BASE register.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TokenWord(pub u32);

impl TokenWord {
    const FINISHED: u32 = 0x8000_0000;
    const EXIT: u32 = 0x7fff_fff0;

    /// The task token, unless the word stands for idle or exit.
    pub fn token(self) -> Option<u32> {
        Some(self.0 & !Self::FINISHED).filter(|token| *token < Self::EXIT)
    }

    /// Whether the word says that the task has finished.
    pub fn is_finished(self) -> bool {
        self.0 & Self::FINISHED != 0
    }
}
