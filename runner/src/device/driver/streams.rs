//! Streams: what the device was asked to do, and what came of it.

use sim_core::actor::{ActorId, ActorKind};
use sim_core::engine::Fault;
use sim_core::time::{SimDuration, SimTime};
use sim_hbm::DevicePtr;

use super::error::{CannCode, DriverError};
use super::handles::{HandleKind, Handles};

/// The streams of a context.
pub(in crate::device) struct Streams {
    streams: Handles<Stream>,
}

/// One stream: at most one task at a time.
#[derive(Debug)]
pub(in crate::device) struct Stream {
    /// Where arguments of its launches go.
    pub(in crate::device) arguments: DevicePtr,
    task: Option<Task>,
    /// What its next wait is told.
    failure: Option<CannCode>,
    /// There was a task since it was last waited for.
    pub(in crate::device) used: bool,
}

/// Work of a stream.
#[derive(Debug)]
pub(in crate::device) struct Task {
    /// What it consists of.
    pub(in crate::device) work: Work,
    /// When it begins.
    pub(in crate::device) begins: SimTime,
    /// How long it may take.
    pub(in crate::device) limit: SimDuration,
}

/// What a task consists of.
#[derive(Debug)]
pub(in crate::device) enum Work {
    /// These cores.
    Cores(Vec<ActorId>),
    /// These AICPU threads.
    Aicpu(Vec<ActorId>),
    /// No guest's code: it ends at this time, with this code if it failed.
    Modelled {
        /// When it ends.
        ends: SimTime,
        /// What it ends with.
        failure: Option<CannCode>,
    },
}

impl Task {
    fn actors(&self) -> &[ActorId] {
        match &self.work {
            Work::Cores(actors) | Work::Aicpu(actors) => actors,
            Work::Modelled { .. } => &[],
        }
    }

    /// Whether the fault happened in this task.
    pub(super) fn is_part_of(&self, fault: &Fault) -> bool {
        let kind = match fault {
            Fault::Crash(crash) => crash.kind,
            Fault::Hang(hang) => hang.kind,
            Fault::Refused(refusal) => refusal.kind,
            Fault::Overdue(overdue) => overdue.kind,
            Fault::Deadlock(_) => return true,
        };
        match self.work {
            Work::Cores(_) => kind.core().is_some(),
            // A thread was started by code of the AICPU.
            Work::Aicpu(_) => matches!(kind, ActorKind::Aicpu(_) | ActorKind::Thread(_)),
            Work::Modelled { .. } => false,
        }
    }

    /// When it has taken too long.
    pub(in crate::device) fn overdue_at(&self) -> SimTime {
        self.begins + self.limit
    }
}

impl Stream {
    pub(in crate::device) fn new(arguments: DevicePtr) -> Self {
        Stream { arguments, task: None, failure: None, used: false }
    }

    /// The task that is not over.
    pub(in crate::device) fn task(&self) -> Option<&Task> {
        self.task.as_ref()
    }

    /// Begins a task; the one before is over.
    pub(in crate::device) fn begin(&mut self, task: Task) {
        self.task = Some(task);
        self.used = true;
    }

    /// The next wait is told this, unless there is something earlier to be told.
    pub(in crate::device) fn fail(&mut self, code: CannCode) {
        self.failure.get_or_insert(code);
    }

    /// What a wait is told, once.
    pub(in crate::device) fn take_failure(&mut self) -> Option<CannCode> {
        self.failure.take()
    }

    /// Gives up the task, if there is one.
    pub(super) fn abort(&mut self) -> Option<Task> {
        self.task.take()
    }

    pub(super) fn settle(&mut self, now: SimTime, has_ended: &impl Fn(ActorId) -> bool) {
        let Some(task) = &self.task else { return };
        let failure = match task.work {
            Work::Modelled { ends, .. } if ends > now => return,
            Work::Modelled { failure, .. } => failure,
            Work::Cores(_) | Work::Aicpu(_) if task.actors().iter().all(|actor| has_ended(*actor)) => None,
            Work::Cores(_) | Work::Aicpu(_) => return,
        };
        self.task = None;
        if let Some(code) = failure {
            self.fail(code);
        }
    }
}

impl Default for Streams {
    fn default() -> Self {
        Streams { streams: Handles::new(HandleKind::Stream) }
    }
}

impl Streams {
    pub(in crate::device) fn add(&mut self, stream: Stream) -> u64 {
        self.streams.add(stream)
    }

    pub(in crate::device) fn get(&self, handle: u64) -> Result<&Stream, DriverError> {
        self.streams.get(handle).ok_or(DriverError::NoSuchStream { handle })
    }

    pub(in crate::device) fn get_mut(&mut self, handle: u64) -> Result<&mut Stream, DriverError> {
        self.streams.get_mut(handle).ok_or(DriverError::NoSuchStream { handle })
    }

    pub(in crate::device) fn remove(&mut self, handle: u64) -> Option<Stream> {
        self.streams.remove(handle)
    }

    pub(in crate::device) fn take_all(&mut self) -> Vec<Stream> {
        self.streams.take_all()
    }

    pub(in crate::device) fn iter(&self) -> impl Iterator<Item = (u64, &Stream)> {
        self.streams.iter()
    }

    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = &mut Stream> {
        self.streams.iter_mut()
    }

    pub(in crate::device) fn len(&self) -> usize {
        self.streams.len()
    }

    /// Whether an AICPU task runs.
    pub(in crate::device) fn aicpu_is_busy(&self) -> bool {
        self.tasks().any(|task| matches!(task.work, Work::Aicpu(_)))
    }

    /// Whether a task of cores runs.
    pub(in crate::device) fn cores_are_busy(&self) -> bool {
        self.tasks().any(|task| matches!(task.work, Work::Cores(_)))
    }

    /// The task that is overdue first, in the order of streams; modelled ones end by themselves.
    pub(in crate::device) fn first_overdue(&self) -> Option<&Task> {
        self.tasks().filter(|task| !task.actors().is_empty()).min_by_key(|task| task.overdue_at())
    }

    /// The first actor of the task that has not ended.
    pub(in crate::device) fn late_actor(task: &Task, has_ended: impl Fn(ActorId) -> bool) -> Option<ActorId> {
        task.actors().iter().copied().find(|actor| !has_ended(*actor))
    }

    fn tasks(&self) -> impl Iterator<Item = &Task> {
        self.streams.iter().filter_map(|(_, stream)| stream.task())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn task(work: Work, begins: u64, limit: u64) -> Task {
        Task { work, begins: SimTime::from_ns(begins), limit: SimDuration::from_ns(limit) }
    }

    #[test]
    fn is_a_task_over_when_its_last_actor_has_ended() {
        let mut stream = Stream::new(DevicePtr::NULL);
        stream.begin(task(Work::Cores(vec![ActorId(1), ActorId(2)]), 0, 10));
        stream.settle(SimTime::from_ns(5), &|actor| actor == ActorId(1));
        assert!(stream.task().is_some());
        stream.settle(SimTime::from_ns(5), &|_| true);
        assert!(stream.task().is_none());
        assert_eq!(stream.take_failure(), None);
    }

    #[test]
    fn does_a_modelled_task_end_at_its_time_and_tell_its_failure_once() {
        let mut stream = Stream::new(DevicePtr::NULL);
        let (ends, failure) = (SimTime::from_ns(50), Some(CannCode::AicpuException));
        stream.begin(task(Work::Modelled { ends, failure }, 0, 10));
        stream.settle(SimTime::from_ns(49), &|_| true);
        assert!(stream.task().is_some());
        stream.settle(ends, &|_| false);
        assert!(stream.task().is_none());
        assert_eq!((stream.take_failure(), stream.take_failure()), (failure, None));
    }

    #[test]
    fn which_task_is_overdue_first() {
        let mut streams = Streams::default();
        for (begins, limit) in [(5, 10), (0, 10), (0, 10)] {
            let stream = streams.add(Stream::new(DevicePtr::NULL));
            let actor = ActorId(streams.len() as u32);
            streams.get_mut(stream).unwrap().begin(task(Work::Aicpu(vec![actor]), begins, limit));
        }
        let first = streams.first_overdue().unwrap();
        assert_eq!((first.actors(), first.overdue_at()), (&[ActorId(2)][..], SimTime::from_ns(10)));
        assert_eq!(Streams::late_actor(first, |_| false), Some(ActorId(2)));
    }
}
