use sim_core::actor::{ActorId, ActorKind};
use sim_core::trace::{EventKind, Phase, Trace};

use super::super::DeviceWindow;
use super::*;
use crate::report::fixture;

/// Events of two vector cores (1 and 2), an orchestrator and a scheduler.
struct Story(Trace);

const CORE: u32 = 0;
const ORCHESTRATOR: u32 = 2;
const SCHEDULER: u32 = 3;

impl Story {
    /// Both threads work from `from` to `to`.
    fn new(from: u64, to: u64) -> Self {
        let mut trace = Trace::new(true);
        let kinds = [ActorKind::Aiv(1), ActorKind::Aiv(2), ActorKind::Aicpu(0), ActorKind::Aicpu(1)];
        (0..).zip(kinds).for_each(|(id, kind)| trace.name_actor(ActorId(id), kind));
        let mut story = Story(trace);
        story.phase(from, ORCHESTRATOR, Some(Phase::Orch)).phase(from, SCHEDULER, Some(Phase::Sched));
        story.phase(to, ORCHESTRATOR, None).phase(to, SCHEDULER, None);
        story
    }

    fn phase(&mut self, ns: u64, thread: u32, entered: Option<Phase>) -> &mut Self {
        self.0.record(fixture::event(ns, thread, EventKind::Phase { entered }));
        self
    }

    fn submit(&mut self, ns: u64, task: u64) -> &mut Self {
        self.0.record(fixture::event(ns, ORCHESTRATOR, EventKind::Submit { task, kernels: [-1, 0, -1] }));
        self
    }

    fn edge(&mut self, pred: u64, succ: u64) -> &mut Self {
        let source = sim_core::trace::EdgeSource::Explicit;
        self.0.record(fixture::event(0, ORCHESTRATOR, EventKind::Edge { pred, succ, arg: 0, source }));
        self
    }

    /// `task` is sent to a core, runs there and is noticed; its kernel costs all of its time. Its token is its number.
    fn run(&mut self, task: u64, core: u16, [sent, start, end, noticed]: [u64; 4]) -> &mut Self {
        self.run_at_cost(task, core, [sent, start, end, noticed], end - start)
    }

    fn run_at_cost(&mut self, task: u64, core: u16, [sent, start, end, seen]: [u64; 4], cost: u64) -> &mut Self {
        let (actor, token) = (CORE + u32::from(core) - 1, task as u32);
        self.0.record(fixture::store(sent, SCHEDULER, core, token));
        self.0.record(fixture::kernel_start(start, actor, task, token, cost));
        self.0.record(fixture::kernel_end(end, actor, task));
        self.0.record(fixture::seen(seen, SCHEDULER, core, fixture::finished(token)));
        self
    }

    /// The path from 0 to `end` ns as (from, to, cause, work, task).
    fn path(&self, end: u64) -> Vec<(u64, u64, Cause, Work, Option<u64>)> {
        let timeline = Timeline::of_trace(&self.0, &fixture::chip());
        let window = DeviceWindow { start: SimTime::ZERO, end: SimTime::from_ns(end) };
        let steps = CriticalPath::of(&timeline, window, &fixture::chip()).steps;
        let mut at = SimTime::ZERO;
        for step in &steps {
            assert_eq!(step.start, at, "a gap or overlap: {steps:?}");
            at = step.end;
        }
        assert_eq!(at, window.end, "{steps:?}");
        steps.iter().map(|step| (step.start.as_ns(), step.end.as_ns(), step.cause, step.work, step.task)).collect()
    }
}

#[test]
fn does_the_path_go_through_the_dependency_that_ended_last() {
    let mut story = Story::new(100, 9_000);
    story.submit(400, 1).submit(700, 2).submit(1_000, 3).edge(1, 3).edge(2, 3);
    story.run(1, 1, [500, 600, 2_000, 2_200]).run(2, 2, [800, 900, 4_000, 4_300]).run(
        3,
        1,
        [4_500, 4_600, 8_000, 8_100],
    );
    let expected = [
        (0, 100, Cause::Host, Work::StartUp, None),
        // The first submission at 400, the second at 700.
        (100, 400, Cause::Dispatch, Work::Orchestration, Some(1)),
        (400, 700, Cause::Dispatch, Work::Orchestration, Some(2)),
        (700, 800, Cause::Dispatch, Work::Queue, Some(2)),
        (800, 900, Cause::Dispatch, Work::Handover, Some(2)),
        (900, 4_000, Cause::Compute, Work::Kernel, Some(2)),
        (4_000, 4_300, Cause::Dependency, Work::Notice, Some(2)),
        // Handling a finished task costs 80 ns.
        (4_300, 4_380, Cause::Dependency, Work::Notice, Some(2)),
        (4_380, 4_500, Cause::Dispatch, Work::Queue, Some(3)),
        (4_500, 4_600, Cause::Dispatch, Work::Handover, Some(3)),
        (4_600, 8_000, Cause::Compute, Work::Kernel, Some(3)),
        (8_000, 8_100, Cause::Dependency, Work::Notice, Some(3)),
        (8_100, 9_000, Cause::Dispatch, Work::Conclusion, None),
    ];
    assert_eq!(story.path(9_000), expected);
}

#[test]
fn does_a_task_wait_for_its_core_only_when_all_cores_are_taken() {
    let last_kernels = |both_taken: bool| {
        let mut story = Story::new(0, 9_000);
        for task in 1..=3 {
            story.submit(300 * task, task);
        }
        story.run(1, 1, [1_000, 1_100, 4_000, 4_100]);
        let second_ends = if both_taken { 6_000 } else { 3_000 };
        story.run(2, 2, [1_000, 1_100, second_ends, second_ends + 100]);
        story.run(3, 1, [4_200, 4_300, 8_000, 8_100]);
        let path = story.path(9_000);
        path.into_iter().filter(|step| step.3 == Work::Kernel).filter_map(|step| step.4).collect::<Vec<_>>()
    };
    assert_eq!(last_kernels(true), [1, 3]);
    // The second core was free since 3.1 us: it was the scheduler who was late.
    assert_eq!(last_kernels(false), [3]);
}

#[test]
fn does_a_token_that_was_sent_ahead_wait_for_the_kernel_before_it() {
    let mut story = Story::new(0, 9_000);
    story.submit(300, 1).submit(600, 2);
    story.run(1, 1, [700, 800, 4_000, 4_400]).run(2, 1, [900, 4_050, 8_000, 8_100]);
    let path = story.path(9_000);
    let expected = [
        (800, 4_000, Cause::Compute, Work::Kernel, Some(1)),
        (4_000, 4_050, Cause::Dispatch, Work::Handover, Some(2)),
        (4_050, 8_000, Cause::Compute, Work::Kernel, Some(2)),
    ];
    let at = path.iter().position(|step| *step == expected[0]).expect("the first kernel is on the path");
    assert_eq!(path[at..at + 3], expected);
}

#[test]
fn is_what_a_kernel_takes_beyond_its_cost_memory() {
    let mut story = Story::new(0, 3_000);
    story.submit(300, 1).run_at_cost(1, 1, [400, 500, 2_000, 2_100], 1_200);
    let kernel: Vec<_> = story.path(3_000).into_iter().filter(|step| step.4 == Some(1)).skip(3).take(2).collect();
    let expected =
        [(500, 1_700, Cause::Compute, Work::Kernel, Some(1)), (1_700, 2_000, Cause::Memory, Work::Drain, Some(1))];
    assert_eq!(kernel, expected);
}

#[test]
fn does_an_orchestration_that_stood_still_wait_for_what_ended_meanwhile() {
    let mut story = Story::new(0, 9_000);
    story.submit(300, 1).submit(5_000, 2);
    story.run(1, 1, [400, 500, 4_000, 4_200]).run(2, 1, [5_100, 5_200, 8_000, 8_100]);
    let waits: Vec<_> = story.path(9_000).into_iter().filter(|step| step.3 == Work::RingWait).collect();
    // Submitting costs 300 ns; before that it waited.
    assert_eq!(waits, [(4_200, 4_700, Cause::Dependency, Work::RingWait, Some(2))]);
}

#[test]
fn is_the_time_between_two_launches_that_of_the_host() {
    let mut story = Story::new(100, 2_000);
    story.submit(400, 1).run(1, 1, [500, 600, 1_500, 1_600]);
    story.phase(5_000, SCHEDULER, Some(Phase::Sched)).phase(8_000, SCHEDULER, None);
    story.submit(5_300, 1).run(1, 1, [5_400, 5_500, 7_000, 7_100]);
    let host: Vec<_> = story.path(8_500).into_iter().filter(|step| step.2 == Cause::Host).collect();
    let expected = [
        (0, 100, Cause::Host, Work::StartUp, None),
        (2_000, 5_000, Cause::Host, Work::StartUp, None),
        (8_000, 8_500, Cause::Host, Work::Shutdown, None),
    ];
    assert_eq!(host, expected);
}

#[test]
fn does_a_kernel_that_never_ended_take_the_rest_of_the_time() {
    let mut story = Story::new(0, 9_000);
    story.submit(300, 1);
    story.0.record(fixture::store(400, SCHEDULER, 1, 1));
    story.0.record(fixture::kernel_start(500, CORE, 1, 1, 20_000));
    assert_eq!(story.path(9_000).last(), Some(&(500, 9_000, Cause::Compute, Work::Kernel, Some(1))));
}

#[test]
fn is_a_run_without_events_start_up_alone() {
    let timeline = Timeline::default();
    let window = DeviceWindow { start: SimTime::ZERO, end: SimTime::from_ns(5) };
    let steps = CriticalPath::of(&timeline, window, &fixture::chip()).steps;
    let total: CauseTimes = steps.iter().map(|step| (step.cause, step.length())).collect();
    assert_eq!(total.total(), SimDuration::from_ns(5));
    assert!(
        CriticalPath::of(&timeline, DeviceWindow { start: SimTime::ZERO, end: SimTime::ZERO }, &fixture::chip())
            .steps
            .is_empty()
    );
}

#[test]
fn what_had_the_path_gone_into_between_two_instants() {
    let mut story = Story::new(100, 9_000);
    story.submit(400, 1).run(1, 1, [500, 600, 8_000, 8_100]);
    let timeline = Timeline::of_trace(&story.0, &fixture::chip());
    let window = DeviceWindow { start: SimTime::ZERO, end: SimTime::from_ns(9_000) };
    let clock = PathClock::new(&CriticalPath::of(&timeline, window, &fixture::chip()));
    let ns = |times: CauseTimes| Cause::ALL.map(|cause| times.of(cause).as_ns());
    let between = |from, to| ns(clock.between(SimTime::from_ns(from), SimTime::from_ns(to)));
    assert_eq!(between(0, 9_000), [7_400, 0, 100, 1_400, 100]);
    assert_eq!(between(50, 650), [50, 0, 0, 500, 50]);
    assert_eq!(between(700, 700), [0; 5]);
    assert_eq!(between(8_050, 8_950), [0, 0, 50, 850, 0]);
}
