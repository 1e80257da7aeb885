//! Kept events, joined into what people ask for: which core executed which task from when to when, who dispatched it
//! and who noticed its end.
//!
//! An execution leaves four events on two actors: the store of its token, the start and the end of its kernel, and the
//! read of the token that the core reported back. A token is only known on its core, and comes again once it has
//! been reported; so a store belongs to the next start with the same token on the same core, and a read to the earliest
//! ended one that nobody has noticed.
//!
//! A core may hold a second token while it works on the first, and overwrites its reports. So whoever reads any report
//! of the younger token, be it only that the core has taken it, knows that all older ones are done.
//!
//! Events are taken in the order of (time, actor): the order in which the engine noticed equal instants never shows.

use std::collections::HashMap;

use sim_core::actor::ActorKind;
use sim_core::time::{SimDuration, SimTime};
use sim_core::trace::{ContentHash, CopyDirection, CostSource, EdgeSource, EventKind, Phase, Trace, TraceEvent};

use super::chip::{ChipDescription, TokenWord};

/// The joined events of one run.
#[derive(Debug, Default)]
pub struct Timeline {
    /// The device's actors in order of creation, each once.
    pub actors: Vec<ActorKind>,
    /// Executions by their start.
    pub executions: Vec<Execution>,
    /// Submissions in their order.
    pub submissions: Vec<Submission>,
    /// Dependencies in the order in which they were found.
    pub edges: Vec<Edge>,
    /// Phases of AICPU threads by their end.
    pub phases: Vec<PhaseSpan>,
    /// Copies by the host.
    pub copies: Vec<CopySpan>,
    /// Objects loaded.
    pub loads: Vec<(SimTime, ContentHash)>,
    /// The last event.
    pub end: SimTime,
}

/// One kernel on one core. A task that needs several cores has several.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Execution {
    /// Physical core id.
    pub core: u16,
    /// `(ring << 32) | local`.
    pub task: u64,
    /// The token by which core and scheduler speak of it.
    pub token: u32,
    /// The kernel's bytes.
    pub kernel: ContentHash,
    /// When the token reached the core.
    pub received: SimTime,
    /// When the kernel began.
    pub start: SimTime,
    /// When it ended, if it did.
    pub end: Option<SimTime>,
    /// What it costs alone.
    pub cost: SimDuration,
    /// Where its cost came from.
    pub source: CostSource,
    /// The store of the token.
    pub dispatch: Option<Handling>,
    /// The read that told of its end: of its own token, or of a younger one.
    pub finish: Option<Handling>,
}

/// What an AICPU thread did for an execution.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Handling {
    /// Index of the thread.
    pub thread: u16,
    /// When.
    pub at: SimTime,
}

/// A task that was submitted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Submission {
    /// When.
    pub at: SimTime,
    /// Index of the AICPU thread; none if the host orchestrates.
    pub thread: Option<u16>,
    /// `(ring << 32) | local`.
    pub task: u64,
    /// Kernel ids: AIC, AIV0, AIV1; -1 for none.
    pub kernels: [i32; 3],
}

/// A dependency between two tasks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Edge {
    /// The task that has to finish first.
    pub pred: u64,
    /// The task that waits.
    pub succ: u64,
    /// Which argument of `succ`.
    pub arg: u32,
    /// Why.
    pub source: EdgeSource,
}

/// A phase of one AICPU thread.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PhaseSpan {
    /// Index of the thread.
    pub thread: u16,
    /// Which phase.
    pub phase: Phase,
    /// From when.
    pub start: SimTime,
    /// Until when.
    pub end: SimTime,
}

/// A copy or fill by the host.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CopySpan {
    /// When it was done.
    pub end: SimTime,
    /// Which way.
    pub direction: CopyDirection,
    /// How many bytes.
    pub bytes: u64,
    /// How long it took.
    pub cost: SimDuration,
}

/// How many cores were busy from an instant on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BusyCores {
    /// From when.
    pub at: SimTime,
    /// Cube cores.
    pub aic: i32,
    /// Vector cores.
    pub aiv: i32,
}

impl Timeline {
    /// Joins the kept events of `trace`, on a device such as `chip`.
    pub fn of_trace(trace: &Trace, chip: &ChipDescription) -> Self {
        let mut events: Vec<&TraceEvent> = trace.events().iter().collect();
        events.sort_by_key(|event| (event.time, event.actor));
        let mut joiner = Joiner { chip, timeline: Timeline::default(), cores: HashMap::new(), phases: HashMap::new() };
        for kind in trace.actors() {
            if !joiner.timeline.actors.contains(kind) {
                joiner.timeline.actors.push(*kind);
            }
        }
        for event in events {
            // Actors that ended before the last launch and were not launched again have no name any more.
            if let Some(kind) = trace.actors().get(event.actor.0 as usize) {
                joiner.take(*kind, event);
            }
        }
        joiner.finish()
    }

    /// The AICores by physical id.
    pub fn cores(&self) -> Vec<ActorKind> {
        let mut cores: Vec<ActorKind> = self.actors.iter().copied().filter(|kind| kind.core().is_some()).collect();
        cores.sort_by_key(|kind| kind.core());
        cores
    }

    /// The AICPU threads by index.
    pub fn threads(&self) -> Vec<u16> {
        let index = |kind: &ActorKind| if let ActorKind::Aicpu(index) = kind { Some(*index) } else { None };
        let mut threads: Vec<u16> = self.actors.iter().filter_map(index).collect();
        threads.sort_unstable();
        threads
    }

    /// For every pair of tasks of which one waits for the other: the execution of the first that ended last, and
    /// the one of the second that began first. Pairs of which one was not executed to its end are left out.
    pub fn waits(&self) -> Vec<(&Execution, &Execution)> {
        let mut last_end: HashMap<u64, &Execution> = HashMap::new();
        let mut first_start: HashMap<u64, &Execution> = HashMap::new();
        for execution in &self.executions {
            first_start.entry(execution.task).or_insert(execution);
            let last = last_end.entry(execution.task).or_insert(execution);
            if execution.end > last.end {
                *last = execution;
            }
        }
        let mut pairs: Vec<(u64, u64)> = self.edges.iter().map(|edge| (edge.succ, edge.pred)).collect();
        pairs.sort_unstable();
        pairs.dedup();
        let both = pairs.iter().filter_map(|(succ, pred)| Some((*last_end.get(pred)?, *first_start.get(succ)?)));
        both.filter(|(pred, _)| pred.end.is_some()).collect()
    }

    /// How many cores were busy, at each instant at which that changed.
    pub fn busy_cores(&self) -> Vec<BusyCores> {
        let cubes: Vec<u16> = self
            .actors
            .iter()
            .filter(|kind| matches!(kind, ActorKind::Aic(_)))
            .filter_map(|kind| kind.core())
            .collect();
        let mut changes: Vec<(SimTime, bool, i32)> = Vec::with_capacity(2 * self.executions.len());
        for execution in &self.executions {
            let cube = cubes.contains(&execution.core);
            changes.push((execution.start, cube, 1));
            changes.extend(execution.end.map(|end| (end, cube, -1)));
        }
        changes.sort_unstable();
        let mut busy: Vec<BusyCores> = Vec::new();
        for (at, cube, change) in changes {
            let last = busy.last().copied().unwrap_or(BusyCores { at, aic: 0, aiv: 0 });
            let (aic, aiv) = if cube { (last.aic + change, last.aiv) } else { (last.aic, last.aiv + change) };
            if last.at == at {
                busy.pop();
            }
            busy.push(BusyCores { at, aic, aiv });
        }
        busy
    }
}

/// What is under way on one core.
#[derive(Default)]
struct CoreState {
    /// Tokens stored whose kernels have not begun.
    dispatched: Vec<(u32, Handling)>,
    /// Index of the execution that runs.
    running: Option<usize>,
    /// Indices of executions that ended and that nobody has noticed.
    unnoticed: Vec<usize>,
}

impl CoreState {
    /// Whether the token is that of a kernel that runs or has not begun, so that all that ended are older.
    fn has_ahead(&self, token: u32, executions: &[Execution]) -> bool {
        self.running.is_some_and(|index| executions[index].token == token)
            || self.dispatched.iter().any(|(stored, _)| *stored == token)
    }
}

struct Joiner<'a> {
    chip: &'a ChipDescription,
    timeline: Timeline,
    cores: HashMap<u16, CoreState>,
    phases: HashMap<u16, (Phase, SimTime)>,
}

impl Joiner<'_> {
    fn take(&mut self, actor: ActorKind, event: &TraceEvent) {
        let at = event.time;
        self.timeline.end = self.timeline.end.max(at);
        match (actor, event.kind) {
            (ActorKind::Aicpu(thread), EventKind::RegisterStore { core, offset, value })
                if offset == self.chip.data_main_base =>
            {
                self.dispatch(core, TokenWord(value), Handling { thread, at });
            }
            (ActorKind::Aicpu(thread), EventKind::RegisterSeen { core, offset, value }) if offset == self.chip.cond => {
                self.notice(core, TokenWord(value), Handling { thread, at });
            }
            (
                ActorKind::Aic(core) | ActorKind::Aiv(core),
                EventKind::KernelStart { kernel, task, token, received, cost, source },
            ) => {
                let (end, dispatch, finish) = (None, None, None);
                self.start(Execution {
                    core,
                    task,
                    token,
                    kernel,
                    received,
                    start: at,
                    end,
                    cost,
                    source,
                    dispatch,
                    finish,
                });
            }
            (ActorKind::Aic(core) | ActorKind::Aiv(core), EventKind::KernelEnd { .. }) => self.end(core, at),
            (ActorKind::Aicpu(thread), EventKind::Phase { entered }) => self.enter(thread, entered, at),
            (ActorKind::Aicpu(thread), EventKind::End) => self.enter(thread, None, at),
            (actor, EventKind::Submit { task, kernels }) => {
                let thread = if let ActorKind::Aicpu(thread) = actor { Some(thread) } else { None };
                self.timeline.submissions.push(Submission { at, thread, task, kernels });
            }
            (_, EventKind::Edge { pred, succ, arg, source }) => {
                self.timeline.edges.push(Edge { pred, succ, arg, source });
            }
            (_, EventKind::Copy { direction, bytes, cost }) => {
                self.timeline.copies.push(CopySpan { end: at, direction, bytes, cost });
            }
            (_, EventKind::Load { object }) => self.timeline.loads.push((at, object)),
            _ => {}
        }
    }

    /// A scheduler has stored a task's token for a core.
    fn dispatch(&mut self, core: u16, word: TokenWord, by: Handling) {
        let Some(token) = word.token() else { return };
        let dispatched = &mut self.cores.entry(core).or_default().dispatched;
        // An older store of the same token led to nothing: a reset, or a launch that ended early.
        dispatched.retain(|(stored, _)| *stored != token);
        dispatched.push((token, by));
    }

    /// A core begins a kernel, for the store that told it to.
    fn start(&mut self, mut execution: Execution) {
        let state = self.cores.entry(execution.core).or_default();
        let stored = state.dispatched.iter().position(|(stored, _)| *stored == execution.token);
        execution.dispatch = stored.map(|index| state.dispatched.remove(index).1);
        state.running = Some(self.timeline.executions.len());
        self.timeline.executions.push(execution);
    }

    /// A core has ended its kernel. Nobody has noticed yet.
    fn end(&mut self, core: u16, at: SimTime) {
        let state = self.cores.entry(core).or_default();
        if let Some(index) = state.running.take() {
            self.timeline.executions[index].end = Some(at);
            state.unnoticed.push(index);
        }
    }

    /// A scheduler has read what a core reports.
    fn notice(&mut self, core: u16, word: TokenWord, finish: Handling) {
        let (Some(token), Some(state)) = (word.token(), self.cores.get_mut(&core)) else { return };
        let executions = &mut self.timeline.executions;
        let ended = state.unnoticed.iter().position(|index| executions[*index].token == token);
        let told = match ended {
            _ if !word.is_finished() && state.has_ahead(token, executions) => state.unnoticed.len(),
            Some(position) if word.is_finished() => position + 1,
            Some(position) => position,
            None => 0,
        };
        for index in state.unnoticed.drain(..told) {
            executions[index].finish = Some(finish);
        }
    }

    fn enter(&mut self, thread: u16, entered: Option<Phase>, at: SimTime) {
        let left = match entered {
            Some(phase) => self.phases.insert(thread, (phase, at)),
            None => self.phases.remove(&thread),
        };
        if let Some((phase, start)) = left {
            self.timeline.phases.push(PhaseSpan { thread, phase, start, end: at });
        }
    }

    /// Phases that nobody left last until the end.
    fn finish(mut self) -> Timeline {
        let end = self.timeline.end;
        for thread in self.timeline.threads() {
            self.enter(thread, None, end);
        }
        self.timeline
    }
}

#[cfg(test)]
mod tests {
    use sim_core::actor::ActorId;

    use super::*;
    use crate::report::fixture;

    fn timeline() -> Timeline {
        Timeline::of_trace(&fixture::trace(), &fixture::chip())
    }

    fn at(ns: u64) -> Option<Handling> {
        Some(Handling { thread: 1, at: SimTime::from_ns(ns) })
    }

    #[test]
    fn are_the_four_events_of_an_execution_joined() {
        let joined: Vec<_> = timeline()
            .executions
            .iter()
            .map(|execution| (execution.core, execution.task, execution.dispatch, execution.end, execution.finish))
            .collect();
        let ended = |ns| Some(SimTime::from_ns(ns));
        let expected = [
            (1, 0, at(2100), ended(4300), at(4500)),
            (0, 1, at(4600), ended(5800), at(6000)),
            (1, fixture::R1T0, at(6100), ended(7300), at(7500)),
        ];
        assert_eq!(joined, expected);
    }

    #[test]
    fn does_a_token_that_comes_again_belong_to_its_own_execution() {
        let mut trace = Trace::new(true);
        trace.name_actor(ActorId(0), ActorKind::Aiv(1));
        trace.name_actor(ActorId(1), ActorKind::Aicpu(1));
        for round in [0, 1000] {
            trace.record(fixture::store(round, 1, 1, 7));
            trace.record(fixture::kernel_start(round + 100, 0, round, 7, 10));
            trace.record(fixture::kernel_end(round + 110, 0, round));
            trace.record(fixture::seen(round + 200, 1, 1, fixture::finished(7)));
        }
        let executions = Timeline::of_trace(&trace, &fixture::chip()).executions;
        let handled: Vec<_> = executions.iter().map(|execution| (execution.dispatch, execution.finish)).collect();
        assert_eq!(handled, [(at(0), at(200)), (at(1000), at(1200))]);
    }

    /// Two kernels on one core, the second token handed over ahead; `reads` are what the scheduler saw in COND.
    fn one_ahead(reads: [(u64, u32); 2]) -> Vec<Option<Handling>> {
        let mut trace = Trace::new(true);
        trace.name_actor(ActorId(0), ActorKind::Aiv(1));
        trace.name_actor(ActorId(1), ActorKind::Aicpu(1));
        [(10, 1), (20, 2)].into_iter().for_each(|(ns, token)| trace.record(fixture::store(ns, 1, 1, token)));
        trace.record(fixture::kernel_start(100, 0, 7, 1, 50));
        trace.record(fixture::kernel_end(150, 0, 7));
        trace.record(fixture::kernel_start(170, 0, 8, 2, 50));
        trace.record(fixture::kernel_end(220, 0, 8));
        reads.into_iter().for_each(|(ns, word)| trace.record(fixture::seen(ns, 1, 1, word)));
        let executions = Timeline::of_trace(&trace, &fixture::chip()).executions;
        executions.iter().map(|execution| execution.finish).collect()
    }

    #[test]
    fn does_reading_the_next_token_tell_that_the_one_before_has_finished() {
        let second = (230, fixture::finished(2));
        assert_eq!(one_ahead([(180, 2), second]), [at(180), at(230)]);
        // The core has taken the token, and its kernel has not begun.
        assert_eq!(one_ahead([(160, 2), second]), [at(160), at(230)]);
        // The kernel has ended, and the core has not reported that.
        assert_eq!(one_ahead([(225, 2), second]), [at(225), at(230)]);
    }

    #[test]
    fn does_the_end_of_the_younger_task_tell_of_both() {
        assert_eq!(one_ahead([(120, 1), (230, fixture::finished(2))]), [at(230), at(230)]);
        assert_eq!(one_ahead([(155, 1), (160, fixture::finished(1))]), [at(160), None]);
    }

    #[test]
    fn does_a_store_that_led_to_nothing_claim_a_later_execution() {
        let mut trace = Trace::new(true);
        trace.name_actor(ActorId(0), ActorKind::Aiv(1));
        trace.name_actor(ActorId(1), ActorKind::Aicpu(1));
        [100, 2000].into_iter().for_each(|ns| trace.record(fixture::store(ns, 1, 1, 0)));
        trace.record(fixture::kernel_start(2100, 0, 5, 0, 10));
        let executions = Timeline::of_trace(&trace, &fixture::chip()).executions;
        assert_eq!((executions[0].dispatch, executions[0].end), (at(2000), None));
    }

    #[test]
    fn does_the_order_in_which_equal_instants_were_noticed_show() {
        let mut reversed = Trace::new(true);
        let trace = fixture::trace();
        (0..).zip(trace.actors()).for_each(|(id, kind)| reversed.name_actor(ActorId(id), *kind));
        for actor in (0..trace.actors().len() as u32).rev() {
            trace.events().iter().filter(|event| event.actor.0 == actor).for_each(|event| reversed.record(*event));
        }
        let other = Timeline::of_trace(&reversed, &fixture::chip());
        assert_eq!(format!("{:?}", timeline()), format!("{other:?}"));
    }

    #[test]
    fn are_several_reasons_to_wait_one_pair() {
        let timeline = timeline();
        let pairs: Vec<_> = timeline.waits().iter().map(|(pred, succ)| (pred.task, succ.task)).collect();
        assert_eq!(pairs, [(0, 1), (0, fixture::R1T0), (1, fixture::R1T0)]);
    }

    #[test]
    fn are_busy_cores_counted_by_kind_and_end_at_none() {
        let busy = timeline().busy_cores();
        let counts: Vec<_> = busy.iter().map(|busy| (busy.at.as_ns(), busy.aic, busy.aiv)).collect();
        assert_eq!(counts, [(2300, 0, 1), (4300, 0, 0), (4800, 1, 0), (5800, 0, 0), (6300, 0, 1), (7300, 0, 0)]);
    }

    #[test]
    fn does_a_phase_without_end_last_until_the_last_event() {
        let mut trace = Trace::new(true);
        trace.name_actor(ActorId(0), ActorKind::Aicpu(3));
        trace.record(fixture::event(5, 0, EventKind::Phase { entered: Some(Phase::Sched) }));
        trace.record(fixture::event(9, 0, EventKind::Start));
        let phases = Timeline::of_trace(&trace, &fixture::chip()).phases;
        let span = PhaseSpan { thread: 3, phase: Phase::Sched, start: SimTime::from_ns(5), end: SimTime::from_ns(9) };
        assert_eq!(phases, [span]);
    }
}
