//! What guests charge for: operations of the runtime, priced by the profile.

use sim_core::profile::Profile;
use sim_core::time::SimDuration;

/// An operation that a guest charges to its own time (`NPUSIM_CHARGE_*`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operation {
    /// The orchestrator submits a task.
    Submit,
    /// A scheduler builds the payload of a task and publishes it.
    Dispatch,
    /// A scheduler handles a finished task.
    Complete,
    /// A consumer of a finished task is released.
    Resolve,
    /// An AICore prepares a received task.
    Setup,
    /// A thread's share of the start-up handshake.
    Handshake,
}

impl Operation {
    /// By the number that guests use.
    pub fn from_code(code: u32) -> Option<Operation> {
        Some(match code {
            0 => Operation::Submit,
            1 => Operation::Dispatch,
            2 => Operation::Complete,
            3 => Operation::Resolve,
            4 => Operation::Setup,
            5 => Operation::Handshake,
            _ => return None,
        })
    }
}

/// The price of each operation.
#[derive(Clone, Copy, Debug)]
pub struct OperationCosts {
    submit: SimDuration,
    dispatch: SimDuration,
    complete: SimDuration,
    resolve: SimDuration,
    resolve_per_consumer: SimDuration,
    setup: SimDuration,
    handshake: SimDuration,
}

impl OperationCosts {
    /// The prices of a profile.
    pub fn new(profile: &Profile) -> Self {
        OperationCosts {
            submit: *profile.aicpu.submit,
            dispatch: *profile.aicpu.dispatch,
            complete: *profile.aicpu.complete,
            resolve: *profile.aicpu.resolve,
            resolve_per_consumer: *profile.aicpu.resolve_per_consumer,
            setup: *profile.aicore.setup,
            handshake: *profile.aicpu.handshake,
        }
    }

    /// What `count` operations cost together.
    ///
    /// Consumers are resolved in one walk: the walk costs what it costs for two, and each one beyond adds its share.
    pub fn of(&self, operation: Operation, count: u32) -> SimDuration {
        let count = u64::from(count);
        match operation {
            Operation::Submit => self.submit * count,
            Operation::Dispatch => self.dispatch * count,
            Operation::Complete => self.complete * count,
            Operation::Resolve if count == 0 => SimDuration::ZERO,
            Operation::Resolve => self.resolve + self.resolve_per_consumer * count.saturating_sub(2),
            Operation::Setup => self.setup * count,
            Operation::Handshake => self.handshake * count,
        }
    }
}

#[cfg(test)]
mod tests {
    use sim_core::profile::Arch;

    use super::*;

    #[test]
    fn does_a_walk_over_fifty_consumers_cost_five_microseconds() {
        let costs = OperationCosts::new(&Profile::load(Arch::A2a3).unwrap());
        let walks = [0, 1, 2, 50].map(|consumers| costs.of(Operation::Resolve, consumers));
        assert_eq!(walks, [0, 500, 500, 5000].map(SimDuration::from_ns));
    }

    #[test]
    fn is_an_unknown_operation_refused() {
        assert_eq!((Operation::from_code(5), Operation::from_code(6)), (Some(Operation::Handshake), None));
    }
}
