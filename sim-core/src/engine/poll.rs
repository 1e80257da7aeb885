//! Polling: recognising iterations that change nothing.
//!
//! A core waits by reading one register and giving a spin hint, over and over. Once two iterations in a row were just
//! that, executing more of them tells nothing new: the core is *parked* and leaves the queue. Its register reads would
//! fall on a grid, one per period; when a store reaches its register block at time `w`, the core resumes in the
//! iteration whose read is the first at or after `w` (a store's effect comes before actors of the same instant). What
//! it does from there on is exactly what it would have done when polling on, which the naive mode proves.
//!
//! AICPU schedulers are really executed. With fast-forward (opt-in, since guests may count their idle iterations), an
//! AICPU thread whose last iterations made the same calls with the same results may skip whole iterations, up to the
//! next entry in the queue that is not such a poller: nothing can change before that.

use crate::time::{SimDuration, SimTime};

/// Two equal iterations are the proof of a pure poller.
const ITERATIONS_BEFORE_REST: u32 = 2;

/// How an actor's polling is treated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PollPolicy {
    /// Every iteration is executed.
    Execute,
    /// Parked when the iterations are pure.
    Park,
    /// Whole iterations are skipped when they are equal.
    FastForward,
}

/// The iteration that an actor is in.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Iteration {
    /// When it began.
    start: SimTime,
    /// Register-base accesses made in it, and what the last one cost.
    accesses: u32,
    access_cost: SimDuration,
    /// Anything else was done in it.
    impure: bool,
    /// Mixed over every call and its result.
    signature: u64,
    /// Signature and length of the iteration before.
    previous: (u64, SimDuration),
    /// How many in a row were pure (for parking) or equal (for fast-forward).
    streak: u32,
}

/// A parked poller.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Parked {
    /// When its next iteration would begin.
    pub(super) base: SimTime,
    /// From the beginning of an iteration to its read.
    pub(super) read_after: SimDuration,
    /// The length of an iteration.
    pub(super) period: SimDuration,
}

impl Iteration {
    /// The actor's time jumped; an iteration that is under way moves along.
    pub(super) fn shift(&mut self, by: SimDuration) {
        self.start += by;
    }

    /// How long it has been going on.
    pub(super) fn length(&self, now: SimTime) -> SimDuration {
        now.since(self.start)
    }

    /// A register-base access.
    pub(super) fn access(&mut self, cost: SimDuration) {
        self.accesses += 1;
        self.access_cost = cost;
    }

    /// Something that is not polling.
    pub(super) fn work(&mut self) {
        self.impure = true;
        self.streak = 0;
    }

    /// A call of a poller that reads: it may be repeated for ever with the same result.
    pub(super) fn read(&mut self, what: u64, result: u64) {
        let mixed = (self.signature ^ what).wrapping_mul(0xff51_afd7_ed55_8ccd) ^ result;
        self.signature = mixed.rotate_left(23).wrapping_mul(0xc4ce_b9fe_1a85_ec53);
    }

    /// The iteration ends with a spin hint of cost `spin` at `end`. Returns how to rest, if it may.
    pub(super) fn end(&mut self, policy: PollPolicy, spin: SimDuration, end: SimTime) -> Option<Rest> {
        let length = end.since(self.start);
        let restful = match policy {
            PollPolicy::Execute => false,
            PollPolicy::Park => !self.impure && self.accesses == 1,
            PollPolicy::FastForward => !self.impure && self.previous == (self.signature, length),
        };
        self.streak = if restful { self.streak + 1 } else { 0 };
        let rest = (self.streak >= ITERATIONS_BEFORE_REST).then(|| match policy {
            PollPolicy::Park => {
                let period = self.access_cost + spin;
                Rest::Park(Parked { base: end, read_after: self.access_cost, period })
            }
            PollPolicy::Execute | PollPolicy::FastForward => Rest::Repeat { period: length },
        });
        *self =
            Iteration { start: end, previous: (self.signature, length), streak: self.streak, ..Iteration::default() };
        rest
    }

    /// A parked actor resumes.
    pub(super) fn resume(&mut self, at: SimTime) {
        *self = Iteration { start: at, ..Iteration::default() };
    }
}

/// What an actor may do instead of polling on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Rest {
    /// Leave the queue until a store.
    Park(Parked),
    /// Skip whole iterations of this length.
    Repeat {
        /// The length.
        period: SimDuration,
    },
}

impl Parked {
    /// When the iteration begins whose read is the first at or after `store`, and how many were skipped.
    pub(super) fn resume_for(&self, store: SimTime) -> (SimTime, u64) {
        let first_read = self.base + self.read_after;
        let late = store.since(first_read);
        let skipped = late.as_ps().div_ceil(self.period.as_ps());
        (self.base + self.period * skipped, skipped)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn ns(ns: u64) -> SimDuration {
        SimDuration::from_ns(ns)
    }

    fn parked() -> Parked {
        Parked { base: SimTime::from_ns(100), read_after: ns(30), period: ns(50) }
    }

    #[test]
    fn does_a_core_resume_in_the_first_iteration_that_can_see_the_store() {
        // Reads would fall on 130, 180, 230, ...
        for (store, resumes, skipped) in
            [(90, 100, 0), (130, 100, 0), (131, 150, 1), (180, 150, 1), (181, 200, 2), (1130, 1100, 20)]
        {
            let expected = (SimTime::from_ns(resumes), skipped);
            assert_eq!(parked().resume_for(SimTime::from_ns(store)), expected, "store at {store}");
        }
    }

    #[test]
    fn does_a_core_park_after_two_pure_iterations_and_not_before() {
        let mut iteration = Iteration::default();
        let mut rests = Vec::new();
        for end in [50, 100, 150] {
            iteration.access(ns(30));
            rests.push(iteration.end(PollPolicy::Park, ns(20), SimTime::from_ns(end)));
        }
        let expected = Parked { base: SimTime::from_ns(100), read_after: ns(30), period: ns(50) };
        assert_eq!(rests[..2], [None, Some(Rest::Park(expected))]);
    }

    #[test]
    fn does_anything_but_one_access_keep_a_core_awake() {
        let mut iteration = Iteration::default();
        for end in 1..10 {
            iteration.access(ns(30));
            if end % 2 == 0 {
                iteration.access(ns(30));
            } else if end % 3 == 0 {
                iteration.work();
            }
            assert_eq!(iteration.end(PollPolicy::Park, ns(20), SimTime::from_ns(50 * end)), None);
        }
    }

    #[test]
    fn may_a_scheduler_skip_iterations_only_while_it_reads_the_same() {
        let mut iteration = Iteration::default();
        let mut rests = Vec::new();
        for (end, value) in [(100, 7), (200, 7), (300, 7), (400, 8)] {
            iteration.read(1, value);
            rests.push(iteration.end(PollPolicy::FastForward, ns(100), SimTime::from_ns(end)).is_some());
        }
        assert_eq!(rests, [false, false, true, false]);
    }
}
