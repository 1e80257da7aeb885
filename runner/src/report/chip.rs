//! The facts of a chip that are needed to read its trace.

use sim_core::profile::Profile;
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

impl ChipDescription {
    /// The chip of a profile.
    pub fn of_profile(profile: &Profile) -> Self {
        ChipDescription {
            arch: profile.arch.to_string(),
            counter: *profile.clock.system_counter,
            data_main_base: *profile.registers.data_main_base,
            cond: *profile.registers.cond,
            costs: SchedulingCosts {
                submit: *profile.aicpu.submit,
                dispatch: *profile.aicpu.dispatch,
                complete: *profile.aicpu.complete,
            },
        }
    }
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

#[cfg(test)]
mod tests {
    use sim_core::profile::Arch;

    use super::*;

    #[test]
    fn where_do_tokens_travel_on_each_architecture() {
        let facts = Arch::ALL.map(|arch| {
            let chip = ChipDescription::of_profile(&Profile::load(arch).unwrap());
            (chip.arch, chip.counter.as_hz(), chip.data_main_base, chip.cond)
        });
        let expected = [("a2a3".to_owned(), 50_000_000, 0xa0, 0x4c8), ("a5".to_owned(), 1_000_000_000, 0xd0, 0x5108)];
        assert_eq!(facts, expected);
    }

    #[test]
    fn are_idle_and_exit_tokens_of_tasks() {
        let tokens = [0, 5, 0x8000_0005, 0x7fff_fff0, 0x7fff_ffff, 0xffff_ffff].map(|word| TokenWord(word).token());
        assert_eq!(tokens, [Some(0), Some(5), Some(5), None, None, None]);
    }
}
