//! Streams: what the device was asked to do, and what came of it.
//!
//! A stream is a queue: one task at a time, the others, records of events and waits for events wait behind it in the
//! order in which they were asked for. Two streams go on side by side, but the cores and the AICPU each have one task at
//! a time; of those that want them the one that was asked for first gets them.

use std::collections::VecDeque;

use sim_core::actor::{ActorId, ActorKind};
use sim_core::engine::Fault;
use sim_core::shim::Launch;
use sim_core::time::{SimDuration, SimTime};
use sim_hbm::DevicePtr;

use super::error::{CannCode, DriverError};
use super::events::{Events, Mark};
use super::handles::{HandleKind, Handles};

/// The streams of a context.
pub(in crate::device) struct Streams {
    streams: Handles<Stream>,
    /// How much was ever asked for.
    asked: u64,
}

/// One stream.
#[derive(Debug)]
pub(in crate::device) struct Stream {
    /// Where arguments of its launches go.
    pub(in crate::device) arguments: DevicePtr,
    task: Option<Task>,
    /// What comes behind the task.
    waiting: VecDeque<Waiting>,
    /// What its next wait is told.
    failure: Option<CannCode>,
    /// There was a task since it was last waited for.
    pub(in crate::device) used: bool,
}

/// Something that waits in a stream.
#[derive(Debug)]
struct Waiting {
    /// Its place among everything that was ever asked for.
    order: u64,
    item: Item,
}

/// What a stream does when everything before is over.
#[derive(Debug)]
pub(in crate::device) enum Item {
    /// It begins a task.
    Launch(Prepared),
    /// It has come to an event.
    Record(Mark),
    /// It goes on when another one has come to an event.
    Wait(Mark),
}

/// A task that has not begun.
#[derive(Debug)]
pub(in crate::device) struct Prepared {
    /// Before that it does not begin.
    pub(in crate::device) ready: SimTime,
    /// How long it may take.
    pub(in crate::device) limit: SimDuration,
    /// Its arguments.
    pub(in crate::device) arguments: Vec<u8>,
    /// What it will be.
    pub(in crate::device) plan: Plan,
}

/// What a task will be.
#[derive(Debug)]
pub(in crate::device) enum Plan {
    /// Cores.
    Cores(Launch),
    /// AICPU threads.
    Aicpu(Launch),
    /// No guest's code: it takes so long, and ends with this code if it fails.
    Modelled {
        /// How long it takes.
        span: SimDuration,
        /// What it ends with.
        failure: Option<CannCode>,
    },
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
        Stream { arguments, task: None, waiting: VecDeque::new(), failure: None, used: false }
    }

    /// Whether anything is not over.
    pub(in crate::device) fn is_busy(&self) -> bool {
        self.task.is_some() || self.has_waiting()
    }

    /// Whether something has not begun.
    pub(in crate::device) fn has_waiting(&self) -> bool {
        !self.waiting.is_empty()
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

    /// Gives up what waits. Nobody has to wait for its events any more.
    pub(super) fn clear(&mut self, events: &mut Events, now: SimTime) {
        for waiting in self.waiting.drain(..) {
            if let Item::Record(mark) = waiting.item {
                events.reach(mark, now);
            }
        }
    }

    /// Takes note of a task that is over. Behind one that has failed nothing begins.
    pub(super) fn settle(&mut self, events: &mut Events, now: SimTime, has_ended: &impl Fn(ActorId) -> bool) {
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
            self.clear(events, now);
        }
    }

    /// Goes past events, as far as it can. Whether it has got anywhere.
    fn pass_events(&mut self, events: &mut Events, now: SimTime) -> bool {
        let mut passed = false;
        while self.task.is_none() {
            match self.waiting.front().map(|waiting| &waiting.item) {
                Some(Item::Record(mark)) => events.reach(*mark, now),
                Some(Item::Wait(mark)) if events.is_reached(*mark) => {}
                _ => break,
            }
            self.waiting.pop_front();
            passed = true;
        }
        passed
    }

    /// The task that could begin, with its place among all that was asked for.
    fn next(&self) -> Option<(u64, &Prepared)> {
        match (&self.task, self.waiting.front()) {
            (None, Some(Waiting { order, item: Item::Launch(prepared) })) => Some((*order, prepared)),
            _ => None,
        }
    }
}

impl Default for Streams {
    fn default() -> Self {
        Streams { streams: Handles::new(HandleKind::Stream), asked: 0 }
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

    /// Something comes behind everything else of a stream.
    pub(in crate::device) fn enqueue(&mut self, handle: u64, item: Item) -> Result<(), DriverError> {
        let order = self.asked;
        self.get_mut(handle)?.waiting.push_back(Waiting { order, item });
        self.asked += 1;
        Ok(())
    }

    /// Goes past all events that have been come to, then takes out the task that begins next, if one can now.
    pub(super) fn take_due(&mut self, events: &mut Events, now: SimTime) -> Option<(u64, Prepared)> {
        // An event that one stream comes to may let others go on.
        loop {
            let mut passed = false;
            for stream in self.streams.iter_mut() {
                passed |= stream.pass_events(events, now);
            }
            if !passed {
                break;
            }
        }
        let (cores, aicpu) = (self.cores_are_busy(), self.aicpu_is_busy());
        let can_begin = |plan: &Plan| match plan {
            Plan::Cores(_) => !cores,
            Plan::Aicpu(_) => !aicpu,
            Plan::Modelled { .. } => true,
        };
        let next = self.streams.iter().filter_map(|(handle, stream)| stream.next().map(|next| (handle, next)));
        let due = next.filter(|(_, (_, prepared))| can_begin(&prepared.plan)).min_by_key(|(_, (order, _))| *order);
        let handle = due.map(|(handle, _)| handle)?;
        match self.streams.get_mut(handle)?.waiting.pop_front()?.item {
            Item::Launch(prepared) => Some((handle, prepared)),
            Item::Record(_) | Item::Wait(_) => None,
        }
    }

    /// Whether something waits in any stream.
    pub(in crate::device) fn have_waiting(&self) -> bool {
        self.streams.iter().any(|(_, stream)| stream.has_waiting())
    }

    /// When the first modelled task ends.
    pub(in crate::device) fn next_modelled_end(&self) -> Option<SimTime> {
        let end = |task: &Task| match task.work {
            Work::Modelled { ends, .. } => Some(ends),
            Work::Cores(_) | Work::Aicpu(_) => None,
        };
        self.tasks().filter_map(end).min()
    }

    /// Whether a task of cores runs, or will.
    pub(in crate::device) fn cores_are_wanted(&self) -> bool {
        let is_cores = |waiting: &Waiting| matches!(&waiting.item, Item::Launch(prepared) if matches!(prepared.plan, Plan::Cores(_)));
        self.cores_are_busy() || self.streams.iter().any(|(_, stream)| stream.waiting.iter().any(is_cores))
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
        let events = &mut Events::default();
        stream.settle(events, SimTime::from_ns(5), &|actor| actor == ActorId(1));
        assert!(stream.task().is_some());
        stream.settle(events, SimTime::from_ns(5), &|_| true);
        assert!(stream.task().is_none());
        assert_eq!(stream.take_failure(), None);
    }

    #[test]
    fn does_a_modelled_task_end_at_its_time_and_tell_its_failure_once() {
        let mut stream = Stream::new(DevicePtr::NULL);
        let (ends, failure) = (SimTime::from_ns(50), Some(CannCode::AicpuException));
        stream.begin(task(Work::Modelled { ends, failure }, 0, 10));
        let events = &mut Events::default();
        stream.settle(events, SimTime::from_ns(49), &|_| true);
        assert!(stream.task().is_some());
        stream.settle(events, ends, &|_| false);
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

    fn prepared(plan: Plan) -> Item {
        let (ready, limit) = (SimTime::ZERO, SimDuration::from_ns(10));
        Item::Launch(Prepared { ready, limit, arguments: Vec::new(), plan })
    }

    fn modelled(span: u64) -> Item {
        prepared(Plan::Modelled { span: SimDuration::from_ns(span), failure: None })
    }

    #[test]
    fn in_which_order_do_tasks_of_streams_begin() {
        let (mut streams, mut events) = (Streams::default(), Events::default());
        let [a, b] = [0; 2].map(|_| streams.add(Stream::new(DevicePtr::NULL)));
        let event = events.create();
        let mark = events.record(event, a).unwrap();
        for (stream, item) in
            [(b, Item::Wait(mark)), (b, modelled(1)), (a, modelled(2)), (a, Item::Record(mark)), (a, modelled(3))]
        {
            streams.enqueue(stream, item).unwrap();
        }
        let mut begin = |streams: &mut Streams, now: u64| {
            let due = streams.take_due(&mut events, SimTime::from_ns(now));
            due.map(|(stream, prepared)| match prepared.plan {
                Plan::Modelled { span, .. } => (stream, span.as_ns()),
                other => panic!("{other:?}"),
            })
        };
        assert_eq!(begin(&mut streams, 0), Some((a, 2)), "the other stream waits");
        streams.get_mut(a).unwrap().begin(task(Work::Cores(vec![ActorId(1)]), 0, 10));
        assert_eq!(begin(&mut streams, 1), None);
        streams.get_mut(a).unwrap().task = None;
        assert_eq!(begin(&mut streams, 5), Some((b, 1)), "it was asked for first");
        assert_eq!(begin(&mut streams, 5), Some((a, 3)));
        assert_eq!(events.reached_at(event).unwrap(), SimTime::from_ns(5));
    }
}
