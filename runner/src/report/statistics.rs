//! The totals of a run, gathered event by event.
//!
//! [`RunStatistics`] keeps one small record per actor and core and a few sums; it never keeps an event. A
//! [`StatisticsObserver`] feeds it while the run goes on. Nothing in it depends on the order of events of different
//! actors.
//!
//! Numbers of ended actors are given again by the next launch. Whatever was counted for a core then moves from its
//! actor to the core, so that a device which launches a thousand times still needs memory for its cores only.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

use sim_core::actor::{ActorId, ActorKind};
use sim_core::time::{SimDuration, SimTime};
use sim_core::trace::{CopyDirection, CostSource, EventKind, Observer, Phase, TraceEvent};

use super::attribution::DeviceWindow;

const PHASES: usize = 4;
const COST_SOURCES: usize = 4;
const COPY_DIRECTIONS: usize = 3;

/// The accumulator of one run.
#[derive(Clone, Debug)]
pub struct RunStatistics {
    /// The actors by number.
    actors: Vec<ActorTally>,
    /// What actors whose numbers were given again did, by core id.
    retired: BTreeMap<u16, CoreUse>,
    /// First and last event of the device's own actors.
    window: Window,
    phases: [Window; PHASES],
    costs: [CostTotal; COST_SOURCES],
    copies: [CopyTotal; COPY_DIRECTIONS],
    submits: u64,
    loads: u64,
    leaps: CostTotal,
    events: u64,
}

/// Occurrences and the virtual time they took.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CostTotal {
    /// How many.
    pub count: u64,
    /// How long in all.
    pub time: SimDuration,
}

/// Copies in one direction.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CopyTotal {
    /// How many.
    pub count: u64,
    /// How many bytes in all.
    pub bytes: u64,
    /// How long in all.
    pub time: SimDuration,
}

/// How much one AICore had to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CoreUse {
    /// The core: [`ActorKind::Aic`] or [`ActorKind::Aiv`].
    pub core: ActorKind,
    /// Kernels that ended on it.
    pub kernels: u64,
    /// Time inside kernels.
    pub busy: SimDuration,
}

#[derive(Clone, Debug)]
struct ActorTally {
    kind: ActorKind,
    on_device: bool,
    /// Start of the kernel that is running, and where its cost comes from.
    running: Option<(SimTime, CostSource)>,
    kernels: u64,
    busy: SimDuration,
    phase: Option<(Phase, SimTime)>,
}

/// The span from the earliest to the latest of some instants.
#[derive(Clone, Copy, Debug)]
struct Window {
    start: SimTime,
    end: SimTime,
}

impl Window {
    const EMPTY: Window = Window { start: SimTime::NEVER, end: SimTime::ZERO };

    fn include(&mut self, start: SimTime, end: SimTime) {
        self.start = self.start.min(start);
        self.end = self.end.max(end);
    }

    fn length(&self) -> SimDuration {
        self.end.since(self.start)
    }
}

impl Default for RunStatistics {
    fn default() -> Self {
        RunStatistics {
            actors: Vec::new(),
            retired: BTreeMap::new(),
            window: Window::EMPTY,
            phases: [Window::EMPTY; PHASES],
            costs: Default::default(),
            copies: Default::default(),
            submits: 0,
            loads: 0,
            leaps: CostTotal::default(),
            events: 0,
        }
    }
}

impl RunStatistics {
    /// Says what an actor is, as [`sim_core::trace::Trace::name_actor`] does: actors with this number and larger ones
    /// have ended.
    ///
    /// # Panics
    /// If a smaller number was never given.
    pub fn name_actor(&mut self, id: ActorId, kind: ActorKind) {
        let index = id.0 as usize;
        assert!(index <= self.actors.len(), "actors are numbered in order");
        let ended = self.actors.split_off(index);
        ended.into_iter().for_each(|actor| self.retire(actor));
        let on_device = matches!(kind, ActorKind::Aicpu(_) | ActorKind::Aic(_) | ActorKind::Aiv(_));
        self.actors.push(ActorTally {
            kind,
            on_device,
            running: None,
            kernels: 0,
            busy: SimDuration::ZERO,
            phase: None,
        });
    }

    fn retire(&mut self, actor: ActorTally) {
        self.leave_phase(actor.phase, self.window.end);
        add_core(&mut self.retired, &actor);
    }

    /// Takes in one event. Events of one actor come in their order; those of different actors in any.
    ///
    /// # Panics
    /// If the event's actor was never added.
    pub fn observe(&mut self, event: &TraceEvent) {
        self.events += 1;
        let actor = &mut self.actors[event.actor.0 as usize];
        if actor.on_device {
            self.window.include(event.time, event.time);
        }
        match event.kind {
            EventKind::KernelStart { source, .. } => {
                actor.running = Some((event.time, source));
                self.costs[source as usize].count += 1;
            }
            EventKind::KernelEnd { cost, .. } => {
                if let Some((start, source)) = actor.running.take() {
                    actor.kernels += 1;
                    actor.busy += event.time.since(start);
                    self.costs[source as usize].time += cost;
                }
            }
            EventKind::Phase { entered } => {
                let left = std::mem::replace(&mut actor.phase, entered.map(|phase| (phase, event.time)));
                self.leave_phase(left, event.time);
            }
            EventKind::End => {
                let left = actor.phase.take();
                self.leave_phase(left, event.time);
            }
            EventKind::Submit { .. } => self.submits += 1,
            EventKind::Copy { direction, bytes, cost } => {
                let total = &mut self.copies[direction as usize];
                total.count += 1;
                total.bytes += bytes;
                total.time += cost;
            }
            EventKind::Load { .. } => self.loads += 1,
            EventKind::Leap { by } => {
                self.leaps.count += 1;
                self.leaps.time += by;
            }
            EventKind::Start
            | EventKind::RegisterStore { .. }
            | EventKind::RegisterSet { .. }
            | EventKind::RegisterSeen { .. }
            | EventKind::Edge { .. } => {}
        }
    }

    fn leave_phase(&mut self, left: Option<(Phase, SimTime)>, end: SimTime) {
        if let Some((phase, start)) = left {
            extend_phase(&mut self.phases[phase as usize], phase, start, end);
        }
    }

    /// From the first to the last event of the AICPU threads and AICores; other threads and the host do not count.
    pub fn device_time(&self) -> SimDuration {
        self.window.length()
    }

    /// That time by its first and last event; both the beginning if there was none.
    pub fn window(&self) -> DeviceWindow {
        let Window { start, end } = self.window;
        if start > end {
            DeviceWindow { start: SimTime::ZERO, end: SimTime::ZERO }
        } else {
            DeviceWindow { start, end }
        }
    }

    /// The span of a phase over all threads: from the first that enters it to the last that leaves it. Of
    /// [`Phase::PostOrch`] only the thread that leaves last counts: the others merely wait in it.
    pub fn phase_time(&self, phase: Phase) -> SimDuration {
        self.phase_window(phase).length()
    }

    /// What the reference calls effective: from the first thread that orchestrates or schedules to the last that stops
    /// doing so. Start-up and shutdown are not in it.
    pub fn effective_time(&self) -> SimDuration {
        let mut window = self.phase_window(Phase::Orch);
        let scheduling = self.phase_window(Phase::Sched);
        window.include(scheduling.start, scheduling.end);
        window.length()
    }

    fn phase_window(&self, phase: Phase) -> Window {
        let mut window = self.phases[phase as usize];
        let open = self.actors.iter().filter_map(|actor| actor.phase).filter(|(entered, _)| *entered == phase);
        for (_, start) in open {
            extend_phase(&mut window, phase, start, self.window.end);
        }
        window
    }

    /// Tasks that were submitted; kernels that ended if the runtime does not say when it submits.
    pub fn tasks(&self) -> u64 {
        if self.submits > 0 { self.submits } else { self.kernels() }
    }

    /// Kernels that ended.
    pub fn kernels(&self) -> u64 {
        let retired: u64 = self.retired.values().map(|core| core.kernels).sum();
        retired + self.actors.iter().map(|actor| actor.kernels).sum::<u64>()
    }

    /// Kernels started with a cost from `source`, and those costs summed.
    pub fn cost(&self, source: CostSource) -> CostTotal {
        self.costs[source as usize]
    }

    /// Copies in one direction.
    pub fn copies(&self, direction: CopyDirection) -> CopyTotal {
        self.copies[direction as usize]
    }

    /// Objects loaded into the runtime's namespace.
    pub fn loads(&self) -> u64 {
        self.loads
    }

    /// Advances of time while nothing but polling went on.
    pub fn leaps(&self) -> CostTotal {
        self.leaps
    }

    /// How many events there were.
    pub fn events(&self) -> u64 {
        self.events
    }

    /// The use of every core, by core id; a core that was started several times counts once.
    pub fn cores(&self) -> Vec<CoreUse> {
        let mut cores = self.retired.clone();
        self.actors.iter().for_each(|actor| add_core(&mut cores, actor));
        cores.into_values().collect()
    }
}

/// Adds what an actor did to the core that it was, if it was one.
fn add_core(cores: &mut BTreeMap<u16, CoreUse>, actor: &ActorTally) {
    if let Some(core) = actor.kind.core() {
        let total = cores.entry(core).or_insert(CoreUse { core: actor.kind, kernels: 0, busy: SimDuration::ZERO });
        total.kernels += actor.kernels;
        total.busy += actor.busy;
    }
}

/// Feeds statistics with the events of an engine as they are recorded; the other holder of the statistics reads them
/// when the run is over.
#[derive(Clone, Debug, Default)]
pub struct StatisticsObserver {
    statistics: Rc<RefCell<RunStatistics>>,
}

impl StatisticsObserver {
    /// The statistics so far.
    pub fn statistics(&self) -> RunStatistics {
        self.statistics.borrow().clone()
    }
}

impl Observer for StatisticsObserver {
    fn actor(&mut self, id: ActorId, kind: ActorKind) {
        self.statistics.borrow_mut().name_actor(id, kind);
    }

    fn event(&mut self, event: &TraceEvent) {
        self.statistics.borrow_mut().observe(event);
    }
}

fn extend_phase(window: &mut Window, phase: Phase, start: SimTime, end: SimTime) {
    match phase {
        Phase::Preamble | Phase::Orch | Phase::Sched => window.include(start, end),
        // Of threads that leave at the same instant the one that entered last, whichever is noticed first.
        Phase::PostOrch if window.start == SimTime::NEVER || (end, start) > (window.end, window.start) => {
            *window = Window { start, end };
        }
        Phase::PostOrch => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::fixture;

    fn named(kinds: &[ActorKind]) -> RunStatistics {
        let mut statistics = RunStatistics::default();
        (0..).zip(kinds).for_each(|(id, kind)| statistics.name_actor(ActorId(id), *kind));
        statistics
    }

    fn phase(ns: u64, actor: u32, entered: Option<Phase>) -> TraceEvent {
        TraceEvent { time: SimTime::from_ns(ns), actor: ActorId(actor), kind: EventKind::Phase { entered } }
    }

    #[test]
    fn do_the_totals_of_three_tasks_come_out_exactly() {
        let statistics = fixture::statistics();
        assert_eq!(statistics.device_time(), SimDuration::from_ns(9_000));
        assert_eq!((statistics.tasks(), statistics.kernels(), statistics.loads()), (3, 3, 1));
        let table = CostTotal { count: 2, time: SimDuration::from_ns(3_000) };
        let roofline = CostTotal { count: 1, time: SimDuration::from_ns(1_000) };
        assert_eq!((statistics.cost(CostSource::Table), statistics.cost(CostSource::Roofline)), (table, roofline));
        assert_eq!(statistics.cost(CostSource::Pipes), CostTotal::default());
        let upload = CopyTotal { count: 1, bytes: 65_536, time: SimDuration::from_ns(700) };
        assert_eq!(statistics.copies(CopyDirection::ToDevice), upload);
    }

    #[test]
    fn is_the_use_of_each_core_summed_by_core_id() {
        let cores = fixture::statistics().cores();
        let use_of = |core, kernels, ns| CoreUse { core, kernels, busy: SimDuration::from_ns(ns) };
        let expected =
            [use_of(ActorKind::Aic(0), 1, 1_000), use_of(ActorKind::Aiv(1), 2, 3_000), use_of(ActorKind::Aiv(2), 0, 0)];
        assert_eq!(cores, expected);
    }

    #[test]
    fn does_a_core_that_was_started_twice_count_once() {
        let mut statistics = named(&[]);
        for launch in [0, 100] {
            statistics.name_actor(ActorId(0), ActorKind::Aiv(4));
            statistics.name_actor(ActorId(1), ActorKind::Aic(0));
            statistics.observe(&fixture::kernel_start(launch + 10, 0, 1, 1, 5));
            statistics.observe(&fixture::kernel_end(launch + 15, 0, 1));
        }
        let cores = statistics.cores();
        assert_eq!((cores.len(), statistics.kernels()), (2, 2));
        assert_eq!((cores[1].core, cores[1].kernels, cores[1].busy.as_ns()), (ActorKind::Aiv(4), 2, 10));
    }

    #[test]
    fn are_phases_the_union_over_threads_but_shutdown_the_last_thread_alone() {
        let mut statistics = named(&[ActorKind::Aicpu(0), ActorKind::Aicpu(1)]);
        statistics.observe(&phase(0, 0, Some(Phase::Sched)));
        statistics.observe(&phase(5, 1, Some(Phase::Sched)));
        statistics.observe(&phase(20, 0, Some(Phase::PostOrch)));
        statistics.observe(&phase(90, 1, Some(Phase::PostOrch)));
        statistics.observe(&phase(100, 1, None));
        statistics.observe(&phase(99, 0, None));
        assert_eq!(statistics.phase_time(Phase::Sched), SimDuration::from_ns(90));
        assert_eq!(statistics.phase_time(Phase::PostOrch), SimDuration::from_ns(10));
        assert_eq!(statistics.phase_time(Phase::Orch), SimDuration::ZERO);
    }

    #[test]
    fn is_the_effective_time_without_start_up_and_shutdown() {
        let mut statistics = named(&[ActorKind::Aicpu(0), ActorKind::Aicpu(1)]);
        assert_eq!(statistics.effective_time(), SimDuration::ZERO);
        statistics.observe(&phase(0, 0, Some(Phase::Preamble)));
        statistics.observe(&phase(3, 1, Some(Phase::Sched)));
        statistics.observe(&phase(5, 0, Some(Phase::Orch)));
        statistics.observe(&phase(60, 0, Some(Phase::PostOrch)));
        assert_eq!(statistics.effective_time(), SimDuration::from_ns(57));
        statistics.observe(&phase(80, 1, Some(Phase::PostOrch)));
        statistics.observe(&phase(90, 1, None));
        assert_eq!(statistics.effective_time(), SimDuration::from_ns(77));
    }

    #[test]
    fn does_a_phase_that_was_never_left_last_until_the_device_stops() {
        let mut statistics = named(&[ActorKind::Aicpu(0), ActorKind::Aic(0)]);
        statistics.observe(&phase(10, 0, Some(Phase::Orch)));
        statistics.observe(&fixture::kernel_start(40, 1, 1, 1, 5));
        assert_eq!(statistics.phase_time(Phase::Orch), SimDuration::from_ns(30));
    }

    #[test]
    fn do_profiling_threads_and_the_host_stay_out_of_the_device_time() {
        let mut statistics = named(&[ActorKind::Aicpu(0), ActorKind::Thread(0), ActorKind::Host]);
        for (ns, actor, kind) in [(0, 2, EventKind::Start), (10, 0, EventKind::Start), (30, 0, EventKind::End)] {
            statistics.observe(&TraceEvent { time: SimTime::from_ns(ns), actor: ActorId(actor), kind });
        }
        let late = TraceEvent { time: SimTime::from_ns(100_000_000), actor: ActorId(1), kind: EventKind::End };
        statistics.observe(&late);
        assert_eq!(statistics.device_time(), SimDuration::from_ns(20));
    }

    #[test]
    fn are_the_totals_the_same_whichever_actor_is_heard_first() {
        let trace = fixture::trace();
        let mut grouped = named(trace.actors());
        for actor in (0..trace.actors().len() as u32).rev() {
            trace.events().iter().filter(|event| event.actor.0 == actor).for_each(|event| grouped.observe(event));
        }
        assert_eq!(format!("{grouped:?}"), format!("{:?}", fixture::statistics()));
    }
}
