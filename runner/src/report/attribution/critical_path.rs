//! The chain of steps that decided when the run was over.
//!
//! The walk begins at the last event of the device and goes back. At each instant it asks what had to happen last
//! before this could, and goes on there:
//!
//! ```text
//!   the end of the working part  ◀── the last report that was read, or the last submission
//!   a report was read            ◀── the kernel ended
//!   a kernel ended               ◀── it began
//!   a kernel began               ◀── its token was sent, or the kernel before it on the core ended (a token sent ahead)
//!   a token was sent             ◀── the latest of: a task it waits for was noticed to have ended; it was submitted;
//!                                    the core was given back, if no other core of the scheduler was free
//!   a task was submitted         ◀── the submission before it; or, if the orchestration had waited since then, the
//!                                    last report that was read meanwhile
//!   the working part began       ◀── the end of the working part of the launch before, or the first event
//! ```
//!
//! An orchestration counts as having waited if it took longer than two submissions cost and a report was read meanwhile:
//! that is how it looks when a ring is full. One that computes for as long between two submissions looks the same.

use std::collections::HashSet;

use serde::{Deserialize, Serialize};
use sim_core::time::{SimDuration, SimTime};
use sim_core::trace::CostSource;

use super::super::chip::{ChipDescription, SchedulingCosts};
use super::super::timeline::{Execution, Timeline};
use super::DeviceWindow;
use super::cause::{Cause, CauseTimes};
use super::index::{Index, notice};

/// What was done in a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Work {
    /// A kernel ran.
    Kernel,
    /// It ran for longer than it costs alone.
    Drain,
    /// A token was on its way to a core, or waited there for the kernel before it.
    Handover,
    /// A task was ready and not yet sent to a core.
    Queue,
    /// A kernel had ended, and that had not been noticed and handled.
    Notice,
    /// Tasks were submitted.
    Orchestration,
    /// The orchestration waited for a task to end.
    RingWait,
    /// All tasks were done, and the schedulers were not.
    Conclusion,
    /// The device was brought up.
    StartUp,
    /// It was shut down.
    Shutdown,
}

impl Work {
    /// All of them, in their order.
    pub const ALL: [Work; 10] = [
        Work::Kernel,
        Work::Drain,
        Work::Handover,
        Work::Queue,
        Work::Notice,
        Work::Orchestration,
        Work::RingWait,
        Work::Conclusion,
        Work::StartUp,
        Work::Shutdown,
    ];

    /// Whether a kernel ran.
    pub const fn is_kernel(self) -> bool {
        matches!(self, Work::Kernel | Work::Drain)
    }

    /// The name in tables.
    pub const fn name(self) -> &'static str {
        match self {
            Work::Kernel => "kernel",
            Work::Drain => "drain",
            Work::Handover => "handover",
            Work::Queue => "queue",
            Work::Notice => "notice",
            Work::Orchestration => "orchestration",
            Work::RingWait => "ring wait",
            Work::Conclusion => "conclusion",
            Work::StartUp => "start-up",
            Work::Shutdown => "shutdown",
        }
    }
}

/// A stretch of the critical path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Step {
    /// From when.
    pub start: SimTime,
    /// Until when; the next step begins there.
    pub end: SimTime,
    /// What the time went into.
    pub cause: Cause,
    /// What was done.
    pub work: Work,
    /// For which task.
    pub task: Option<u64>,
    /// Index of the execution in the timeline.
    pub execution: Option<usize>,
}

impl Step {
    /// How long it took.
    pub fn length(&self) -> SimDuration {
        self.end.since(self.start)
    }
}

/// The critical path of a run.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CriticalPath {
    /// Its steps from the first event of the device to the last; each begins where the one before ends.
    pub steps: Vec<Step>,
}

impl CriticalPath {
    /// Finds the path.
    pub fn of(timeline: &Timeline, window: DeviceWindow, chip: &ChipDescription) -> Self {
        let mut walk = Walk {
            timeline,
            index: Index::new(timeline, window),
            costs: chip.costs,
            window,
            at: window.end,
            steps: Vec::new(),
        };
        let mut place = Some(walk.last());
        // Each place is left once; a device without latencies could go in circles within one instant.
        let mut places_left = 8 * (timeline.executions.len() + timeline.submissions.len()) + 64;
        while let (Some(here), true, true) = (place, walk.at > window.start, places_left > 0) {
            place = walk.leave(here);
            places_left -= 1;
        }
        walk.go_back(window.start, Cause::Host, Work::StartUp, Subject::None);
        walk.steps.reverse();
        CriticalPath { steps: walk.steps }
    }

    /// Indices of the executions whose kernels are on the path.
    pub fn executions(&self) -> impl Iterator<Item = usize> + '_ {
        let mut seen = HashSet::new();
        let kernels = self.steps.iter().filter(|step| step.work.is_kernel());
        kernels.filter_map(|step| step.execution).filter(move |index| seen.insert(*index))
    }
}

/// How long a kernel took, apart: by what it costs, and beyond that.
pub(super) fn kernel_times(execution: &Execution, end: SimTime) -> [(Cause, SimDuration); 2] {
    let length = end.since(execution.start);
    let alone = execution.cost.min(length);
    let cause = match execution.source {
        CostSource::Roofline => Cause::Memory,
        CostSource::Table | CostSource::Pipes | CostSource::Default => Cause::Compute,
    };
    [(cause, alone), (Cause::Memory, length - alone)]
}

/// Where the walk is.
#[derive(Clone, Copy, Debug)]
enum Place {
    /// A working part is over.
    Concluded,
    /// It has begun.
    Begun(usize),
    /// The end of this execution was noticed, and that counts as this.
    Noticed(usize, Cause),
    /// It ended, or goes on.
    Ran(usize),
    /// Its token was sent.
    Sent(usize),
    /// This submission was made.
    Submitted(usize),
}

/// What a step is about.
#[derive(Clone, Copy)]
enum Subject {
    None,
    Execution(usize),
    Submission(usize),
}

struct Walk<'a> {
    timeline: &'a Timeline,
    index: Index<'a>,
    costs: SchedulingCosts,
    window: DeviceWindow,
    at: SimTime,
    /// From the last to the first.
    steps: Vec<Step>,
}

impl Walk<'_> {
    /// Where the walk begins: in a kernel that never ended, else where the last working part ended.
    fn last(&mut self) -> Place {
        let unfinished = self.timeline.executions.iter().position(|execution| execution.end.is_none());
        if let Some(index) = unfinished {
            return Place::Ran(index);
        }
        if let Some(launch) = self.index.launches.last() {
            self.go_back(launch.end, Cause::Host, Work::Shutdown, Subject::None);
        }
        Place::Concluded
    }

    /// Goes back from a place to what had to happen last before it.
    fn leave(&mut self, place: Place) -> Option<Place> {
        match place {
            Place::Concluded => Some(self.leave_conclusion()),
            Place::Begun(launch) => self.leave_beginning(launch),
            Place::Noticed(index, cause) => {
                let end = self.timeline.executions[index].end.unwrap_or(self.at);
                self.go_back(end, cause, Work::Notice, Subject::Execution(index));
                Some(Place::Ran(index))
            }
            Place::Ran(index) => Some(self.leave_kernel(index)),
            Place::Sent(index) => Some(self.leave_dispatch(index)),
            Place::Submitted(index) => Some(self.leave_submission(index)),
        }
    }

    fn leave_conclusion(&mut self) -> Place {
        let launch = self.index.launch_at(self.at).unwrap_or(0);
        let start = self.index.launches[launch].start;
        let noticed = self.index.last_noticed(self.at).filter(|(at, _)| *at >= start);
        let submitted = self.index.last_submission(self.at).filter(|(at, _)| *at >= start);
        let (at, place) = match (noticed, submitted) {
            (Some((noticed, index)), Some((submitted, _))) if noticed >= submitted => {
                (noticed, Place::Noticed(index, Cause::Dependency))
            }
            (_, Some((submitted, index))) => (submitted, Place::Submitted(index)),
            (Some((noticed, index)), None) => (noticed, Place::Noticed(index, Cause::Dependency)),
            (None, None) => (start, Place::Begun(launch)),
        };
        self.go_back(at, Cause::Dispatch, Work::Conclusion, Subject::None);
        place
    }

    fn leave_beginning(&mut self, launch: usize) -> Option<Place> {
        let before = launch.checked_sub(1).map(|before| self.index.launches[before].end);
        self.go_back(before.unwrap_or(self.window.start), Cause::Host, Work::StartUp, Subject::None);
        before.map(|_| Place::Concluded)
    }

    fn leave_kernel(&mut self, index: usize) -> Place {
        let execution = &self.timeline.executions[index];
        let subject = Subject::Execution(index);
        let [(cause, alone), _] = kernel_times(execution, self.at);
        self.go_back(execution.start + alone, Cause::Memory, Work::Drain, subject);
        self.go_back(execution.start, cause, Work::Kernel, subject);
        let sent = execution.dispatch.map_or(execution.received, |dispatch| dispatch.at);
        let before = self.index.previous_on_core(index);
        let before = before.and_then(|before| Some((before, self.timeline.executions[before].end?)));
        match before.filter(|(_, end)| *end > sent) {
            Some((before, end)) => {
                self.go_back(end, Cause::Dispatch, Work::Handover, subject);
                Place::Ran(before)
            }
            None => {
                self.go_back(sent, Cause::Dispatch, Work::Handover, subject);
                Place::Sent(index)
            }
        }
    }

    fn leave_dispatch(&mut self, index: usize) -> Place {
        let task = self.timeline.executions[index].task;
        let subject = Subject::Execution(index);
        let launch = self.index.launch_at(self.at).unwrap_or(0);
        let dependency = self.index.last_dependency(task, self.at);
        let submission = self.index.submission(task, self.at);
        let ready = dependency.map(|(at, _)| at).max(submission.map(|(at, _)| at)).unwrap_or(SimTime::ZERO);
        let given_back = self.index.previous_on_core(index).and_then(|before| {
            let at = notice(&self.timeline.executions[before])?;
            (at <= self.at && at > ready && self.index.is_saturated(before)).then_some((at, before))
        });
        let begun = self.index.launches[launch].start;
        if let Some((at, before)) = given_back.filter(|(at, _)| *at >= begun) {
            self.go_back(at, Cause::Dispatch, Work::Queue, subject);
            return Place::Noticed(before, Cause::Dispatch);
        }
        if ready < begun {
            self.go_back(begun, Cause::Dispatch, Work::Queue, subject);
            return Place::Begun(launch);
        }
        match (dependency, submission) {
            (Some((at, pred)), _) if at == ready => {
                self.go_back(at + self.costs.complete, Cause::Dispatch, Work::Queue, subject);
                self.go_back(at, Cause::Dependency, Work::Notice, Subject::Execution(pred));
                Place::Noticed(pred, Cause::Dependency)
            }
            (_, Some((at, submission))) => {
                self.go_back(at, Cause::Dispatch, Work::Queue, subject);
                Place::Submitted(submission)
            }
            _ => Place::Begun(launch),
        }
    }

    fn leave_submission(&mut self, index: usize) -> Place {
        let launch = self.index.launch_at(self.at).unwrap_or(0);
        let begun = self.index.launches[launch].start;
        let before = self.index.previous_submission(index);
        let before = before.map(|before| (self.timeline.submissions[before].at, before));
        let before = before.filter(|(at, _)| *at >= begun);
        let floor = before.map_or(begun, |(at, _)| at);
        let subject = Subject::Submission(index);
        let began = SimTime::from_ps(self.at.as_ps().saturating_sub(self.costs.submit.as_ps())).max(floor);
        self.go_back(began, Cause::Dispatch, Work::Orchestration, subject);
        if self.at.since(floor) > self.costs.submit
            && let Some((at, ended)) = self.index.last_noticed(self.at).filter(|(at, _)| *at > floor)
        {
            self.go_back(at, Cause::Dependency, Work::RingWait, subject);
            return Place::Noticed(ended, Cause::Dependency);
        }
        self.go_back(floor, Cause::Dispatch, Work::Orchestration, subject);
        before.map_or(Place::Begun(launch), |(_, before)| Place::Submitted(before))
    }

    /// Takes a step back to `to`, or to where the device began if that is later; none if there is no time between.
    fn go_back(&mut self, to: SimTime, cause: Cause, work: Work, subject: Subject) {
        let start = to.clamp(self.window.start, self.at);
        if start == self.at {
            return;
        }
        let (task, execution) = match subject {
            Subject::None => (None, None),
            Subject::Execution(index) => (Some(self.timeline.executions[index].task), Some(index)),
            Subject::Submission(index) => (Some(self.timeline.submissions[index].task), None),
        };
        self.steps.push(Step { start, end: self.at, cause, work, task, execution });
        self.at = start;
    }
}

/// What the path had gone into until an instant.
pub(super) struct PathClock {
    /// The end of each step with the causes until then, in order; the first entry is the beginning.
    marks: Vec<(SimTime, CauseTimes)>,
    causes: Vec<Cause>,
}

impl PathClock {
    pub(super) fn new(path: &CriticalPath) -> Self {
        let start = path.steps.first().map_or(SimTime::ZERO, |step| step.start);
        let mut marks = vec![(start, CauseTimes::default())];
        let mut sum = CauseTimes::default();
        for step in &path.steps {
            sum.add(step.cause, step.length());
            marks.push((step.end, sum));
        }
        PathClock { marks, causes: path.steps.iter().map(|step| step.cause).collect() }
    }

    /// The causes between two instants of the device time.
    pub(super) fn between(&self, from: SimTime, to: SimTime) -> CauseTimes {
        if to <= from { CauseTimes::default() } else { self.until(to) - self.until(from) }
    }

    fn until(&self, at: SimTime) -> CauseTimes {
        let behind = self.marks.partition_point(|(mark, _)| *mark <= at).max(1);
        let (mark, mut sum) = self.marks[behind - 1];
        if let Some(cause) = self.causes.get(behind - 1) {
            sum.add(*cause, at.since(mark));
        }
        sum
    }
}

#[cfg(test)]
mod tests;
