//! What guests charge for: operations of the runtime, priced by the profile.

use sim_core::profile::{Bandwidth, Confidence, Profile, Sourced};
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
    /// A scheduler prepares a payload of its cores, which it has never touched before.
    Assign,
    /// An AICPU thread fills a byte of device memory.
    Fill,
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
            6 => Operation::Assign,
            7 => Operation::Fill,
            _ => return None,
        })
    }
}

/// The price of each operation, and how far to trust it.
#[derive(Clone, Debug)]
pub struct OperationCosts {
    submit: Price,
    dispatch: Price,
    complete: Price,
    resolve: Price,
    resolve_per_consumer: Price,
    setup: Price,
    handshake: Price,
    assign: Price,
    assign_payloads: u64,
    fill: Sourced<Bandwidth>,
}

/// What one operation costs.
#[derive(Clone, Copy, Debug)]
struct Price {
    cost: SimDuration,
    confidence: Confidence,
}

impl From<&Sourced<SimDuration>> for Price {
    fn from(value: &Sourced<SimDuration>) -> Self {
        Price { cost: value.value, confidence: value.confidence }
    }
}

impl OperationCosts {
    /// The prices of a profile.
    pub fn new(profile: &Profile) -> Self {
        let aicpu = &profile.aicpu;
        // Threads that are spread over both clusters of the AICPU take longer for all they do together.
        let spread = |value: &Sourced<SimDuration>| {
            let price = Price::from(value);
            Price { cost: SimDuration::from_ps(aicpu.cluster_spread.of(price.cost.as_ps())), ..price }
        };
        OperationCosts {
            submit: spread(&aicpu.submit),
            dispatch: spread(&aicpu.dispatch),
            complete: spread(&aicpu.complete),
            resolve: spread(&aicpu.resolve),
            resolve_per_consumer: spread(&aicpu.resolve_per_consumer),
            setup: Price::from(&profile.aicore.setup),
            handshake: spread(&aicpu.handshake),
            assign: Price::from(&aicpu.assign_clusters),
            assign_payloads: u64::from(*aicpu.assign_payloads),
            fill: aicpu.memset_bandwidth.clone(),
        }
    }

    /// What `count` operations cost together.
    ///
    /// Consumers are resolved in one walk: the walk costs what it costs for two, and each one beyond adds its share.
    pub fn of(&self, operation: Operation, count: u32) -> SimDuration {
        let count = u64::from(count);
        match operation {
            Operation::Submit => self.submit.cost * count,
            Operation::Dispatch => self.dispatch.cost * count,
            Operation::Complete => self.complete.cost * count,
            Operation::Resolve if count == 0 => SimDuration::ZERO,
            Operation::Resolve => self.resolve.cost + self.resolve_per_consumer.cost * count.saturating_sub(2),
            Operation::Setup => self.setup.cost * count,
            Operation::Handshake => self.handshake.cost * count,
            Operation::Assign => SimDuration::from_ps((self.assign.cost * count).as_ps() / self.assign_payloads),
            Operation::Fill => self.fill.time_for(count),
        }
    }

    /// How far to trust that: as far as the least trusted price in it.
    pub fn confidence(&self, operation: Operation, count: u32) -> Confidence {
        match operation {
            Operation::Submit => self.submit.confidence,
            Operation::Dispatch => self.dispatch.confidence,
            Operation::Complete => self.complete.confidence,
            Operation::Resolve if count <= 2 => self.resolve.confidence,
            Operation::Resolve => self.resolve.confidence.max(self.resolve_per_consumer.confidence),
            Operation::Setup => self.setup.confidence,
            Operation::Handshake => self.handshake.confidence,
            Operation::Assign => self.assign.confidence,
            Operation::Fill => self.fill.confidence,
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
        assert_eq!((Operation::from_code(7), Operation::from_code(8)), (Some(Operation::Fill), None));
    }

    #[test]
    fn how_long_do_first_touches_and_fills_take() {
        let costs = |arch| OperationCosts::new(&Profile::load(arch).unwrap());
        let cost = |arch, operation, count| costs(arch).of(operation, count).as_ns();
        assert_eq!(cost(Arch::A2a3, Operation::Assign, 48), 115_200);
        assert_eq!(cost(Arch::A2a3, Operation::Assign, 6), 14_400);
        assert_eq!(cost(Arch::A5, Operation::Assign, 42), 318_800);
        // Silicon takes 52 to 55 us.
        assert_eq!(cost(Arch::A2a3, Operation::Fill, 262_144), 53_498);
    }

    #[test]
    fn do_threads_on_both_clusters_take_longer_for_what_they_do_together() {
        let profile = Profile::load(Arch::A2a3).unwrap();
        let spread = profile.with_overrides(&["aicpu.cluster_spread=1.07".parse().unwrap()]).unwrap();
        let costs = OperationCosts::new(&spread);
        let of = |operation| costs.of(operation, 1).as_ps();
        assert_eq!([of(Operation::Submit), of(Operation::Setup)], [738_300, 170_000]);
    }

    #[test]
    fn is_a_long_walk_trusted_no_further_than_its_least_trusted_part() {
        let costs = OperationCosts::new(&Profile::load(Arch::A2a3).unwrap());
        let confidence = |count| costs.confidence(Operation::Resolve, count);
        assert_eq!([confidence(2), confidence(3)], [Confidence::Measured, Confidence::Inferred]);
    }
}
