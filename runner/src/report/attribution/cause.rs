//! What time goes into.

use std::iter::Sum;
use std::ops::{AddAssign, Sub};

use serde::{Deserialize, Serialize};
use sim_core::time::SimDuration;

/// What a stretch of time went into.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Cause {
    /// A kernel ran, for as long as it costs by table, pipes or the profile's floor.
    Compute,
    /// A kernel ran, and its cost is that of moving its bytes (roofline); or it ran for longer than it costs alone: its
    /// writes drain, others take bandwidth from it.
    Memory,
    /// On the path: a kernel had ended, and whoever waits for it had not been told: until the scheduler has read the
    /// core's report and has handled it; or the orchestration waited for tasks to end. Of an idle core: it waited while
    /// kernels ran on other cores.
    Dependency,
    /// The AICPU's work: a task was being submitted, was ready and not yet sent to a core, or was on its way there.
    Dispatch,
    /// The program was not being worked on: the device was brought up or shut down for the host.
    Host,
}

impl Cause {
    /// All of them, in the order of tables.
    pub const ALL: [Cause; 5] = [Cause::Compute, Cause::Memory, Cause::Dependency, Cause::Dispatch, Cause::Host];

    /// The name in tables.
    pub const fn name(self) -> &'static str {
        match self {
            Cause::Compute => "compute",
            Cause::Memory => "memory",
            Cause::Dependency => "dependency",
            Cause::Dispatch => "dispatch",
            Cause::Host => "host",
        }
    }
}

/// Picoseconds by cause.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CauseTimes {
    /// See [`Cause::Compute`].
    pub compute_ps: u64,
    /// See [`Cause::Memory`].
    pub memory_ps: u64,
    /// See [`Cause::Dependency`].
    pub dependency_ps: u64,
    /// See [`Cause::Dispatch`].
    pub dispatch_ps: u64,
    /// See [`Cause::Host`].
    pub host_ps: u64,
}

impl CauseTimes {
    /// The time of one cause.
    pub fn of(&self, cause: Cause) -> SimDuration {
        SimDuration::from_ps(match cause {
            Cause::Compute => self.compute_ps,
            Cause::Memory => self.memory_ps,
            Cause::Dependency => self.dependency_ps,
            Cause::Dispatch => self.dispatch_ps,
            Cause::Host => self.host_ps,
        })
    }

    /// Adds to one cause.
    pub fn add(&mut self, cause: Cause, time: SimDuration) {
        let slot = match cause {
            Cause::Compute => &mut self.compute_ps,
            Cause::Memory => &mut self.memory_ps,
            Cause::Dependency => &mut self.dependency_ps,
            Cause::Dispatch => &mut self.dispatch_ps,
            Cause::Host => &mut self.host_ps,
        };
        *slot += time.as_ps();
    }

    /// All causes together.
    pub fn total(&self) -> SimDuration {
        Cause::ALL.into_iter().map(|cause| self.of(cause)).sum()
    }

    /// The same time seen from a core that is idle meanwhile: kernels elsewhere are what it depends on.
    pub(super) fn seen_idle(self) -> Self {
        let kernels = self.compute_ps + self.memory_ps;
        CauseTimes { compute_ps: 0, memory_ps: 0, dependency_ps: self.dependency_ps + kernels, ..self }
    }
}

impl AddAssign for CauseTimes {
    fn add_assign(&mut self, other: CauseTimes) {
        Cause::ALL.into_iter().for_each(|cause| self.add(cause, other.of(cause)));
    }
}

impl Sub for CauseTimes {
    type Output = CauseTimes;

    /// What was added since `earlier`, which must have been no more of anything.
    fn sub(self, earlier: CauseTimes) -> CauseTimes {
        CauseTimes {
            compute_ps: self.compute_ps - earlier.compute_ps,
            memory_ps: self.memory_ps - earlier.memory_ps,
            dependency_ps: self.dependency_ps - earlier.dependency_ps,
            dispatch_ps: self.dispatch_ps - earlier.dispatch_ps,
            host_ps: self.host_ps - earlier.host_ps,
        }
    }
}

impl Sum for CauseTimes {
    fn sum<I: Iterator<Item = CauseTimes>>(times: I) -> CauseTimes {
        times.fold(CauseTimes::default(), |mut sum, times| {
            sum += times;
            sum
        })
    }
}

impl FromIterator<(Cause, SimDuration)> for CauseTimes {
    fn from_iter<I: IntoIterator<Item = (Cause, SimDuration)>>(times: I) -> Self {
        let mut sum = CauseTimes::default();
        times.into_iter().for_each(|(cause, time)| sum.add(cause, time));
        sum
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn does_every_cause_have_a_place_of_its_own() {
        let times: CauseTimes = (1..).zip(Cause::ALL).map(|(ps, cause)| (cause, SimDuration::from_ps(ps))).collect();
        assert_eq!(Cause::ALL.map(|cause| times.of(cause).as_ps()), [1, 2, 3, 4, 5]);
        assert_eq!(times.total().as_ps(), 15);
    }

    #[test]
    fn are_kernels_elsewhere_what_an_idle_core_depends_on() {
        let times = CauseTimes { compute_ps: 1, memory_ps: 2, dependency_ps: 4, dispatch_ps: 8, host_ps: 16 };
        let seen = CauseTimes { compute_ps: 0, memory_ps: 0, dependency_ps: 7, dispatch_ps: 8, host_ps: 16 };
        assert_eq!(times.seen_idle(), seen);
    }
}
