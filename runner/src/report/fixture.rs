//! A small run for tests: three tasks in a chain on one cube and two vector cores, one orchestrator, one scheduler.
//!
//! ```text
//!   host     copy 0..700, load 700, copy 10000..10300
//!   aicpu0   preamble 1000, orch 1500..3000        submits t0 2000, t1 2400, r1t0 2800
//!   aicpu1   preamble 1000, sched 1500, post_orch 7700..10000
//!   aiv1     t0 2300..4300, r1t0 6300..7300        aic0  t1 4800..5800        aiv2  idle
//! ```

use std::time::Duration;

use sim_core::actor::{ActorId, ActorKind};
use sim_core::time::{Frequency, SimDuration, SimTime};
use sim_core::trace::{ContentHash, CopyDirection, CostSource, EdgeSource, EventKind, Phase, Trace, TraceEvent};

use crate::device::programs::Mode;

use super::chip::{ChipDescription, SchedulingCosts};
use super::names::{KernelName, ProgramNames};
use super::statistics::{RunStatistics, StatisticsObserver};
use super::summary::{DeviceSummary, EngineFacts, EngineMode, Golden, RunFacts, RunSummary, Simulated, Verdict};
use super::tasks::{Access, DataType, ScopeKind, TaskArg, TaskHeader, TaskNotes, TensorView};

pub(crate) const DATA_MAIN_BASE: u32 = 0xA0;
pub(crate) const COND: u32 = 0x4C8;
pub(crate) const ADD: ContentHash = ContentHash(0xadd);
pub(crate) const MATMUL: ContentHash = ContentHash(0x3a7);
/// Local task 0 of ring 1.
pub(crate) const R1T0: u64 = 1 << 32;

const HOST: u32 = 0;
const AIC0: u32 = 1;
const AIV1: u32 = 2;
const ORCHESTRATOR: u32 = 4;
const SCHEDULER: u32 = 5;

pub(crate) fn event(ns: u64, actor: u32, kind: EventKind) -> TraceEvent {
    TraceEvent { time: SimTime::from_ns(ns), actor: ActorId(actor), kind }
}

/// The start of a kernel that costs `cost` ns by table and whose token came 60 ns ago.
pub(crate) fn kernel_start(ns: u64, actor: u32, task: u64, token: u32, cost: u64) -> TraceEvent {
    let kind = EventKind::KernelStart {
        kernel: ADD,
        task,
        token,
        received: SimTime::from_ns(ns.saturating_sub(60)),
        cost: SimDuration::from_ns(cost),
        source: CostSource::Table,
    };
    event(ns, actor, kind)
}

pub(crate) fn kernel_end(ns: u64, actor: u32, task: u64) -> TraceEvent {
    kernel_end_after(ns, actor, task, 0)
}

/// The end of a kernel that has cost `cost` ns.
pub(crate) fn kernel_end_after(ns: u64, actor: u32, task: u64, cost: u64) -> TraceEvent {
    event(ns, actor, EventKind::KernelEnd { kernel: ADD, task, cost: SimDuration::from_ns(cost) })
}

pub(crate) fn store(ns: u64, actor: u32, core: u16, token: u32) -> TraceEvent {
    event(ns, actor, EventKind::RegisterStore { core, offset: DATA_MAIN_BASE, value: token })
}

pub(crate) fn seen(ns: u64, actor: u32, core: u16, value: u32) -> TraceEvent {
    event(ns, actor, EventKind::RegisterSeen { core, offset: COND, value })
}

pub(crate) fn finished(token: u32) -> u32 {
    0x8000_0000 | token
}

pub(crate) fn trace() -> Trace {
    observed(None)
}

/// What an observer of the run counts.
pub(crate) fn statistics() -> RunStatistics {
    let observer = StatisticsObserver::default();
    observed(Some(observer.clone()));
    observer.statistics()
}

fn observed(observer: Option<StatisticsObserver>) -> Trace {
    let mut trace = Trace::new(true);
    let cores = [ActorKind::Aic(0), ActorKind::Aiv(1), ActorKind::Aiv(2)];
    let kinds = [ActorKind::Host].into_iter().chain(cores).chain([0, 1].map(ActorKind::Aicpu));
    (0..).zip(kinds).for_each(|(id, kind)| trace.name_actor(ActorId(id), kind));
    if let Some(observer) = observer {
        trace.observe_with(Box::new(observer));
    }
    events().into_iter().for_each(|event| trace.record(event));
    trace
}

fn events() -> Vec<TraceEvent> {
    let phase = |ns, actor, entered| event(ns, actor, EventKind::Phase { entered });
    let submit = |ns, task, kernels| event(ns, ORCHESTRATOR, EventKind::Submit { task, kernels });
    let edge = |ns, pred, succ, arg, source| event(ns, ORCHESTRATOR, EventKind::Edge { pred, succ, arg, source });
    let copy = |ns, direction, bytes, cost| {
        event(ns, HOST, EventKind::Copy { direction, bytes, cost: SimDuration::from_ns(cost) })
    };
    let reports = |ns, core: u32, token| {
        event(ns, core, EventKind::RegisterSet { core: (core - AIC0) as u16, offset: COND, value: finished(token) })
    };
    let mut events =
        vec![copy(700, CopyDirection::ToDevice, 65_536, 700), event(700, HOST, EventKind::Load { object: ADD })];
    events.extend((AIC0..=SCHEDULER).map(|actor| event(1000, actor, EventKind::Start)));
    events.extend([
        phase(1000, ORCHESTRATOR, Some(Phase::Preamble)),
        phase(1000, SCHEDULER, Some(Phase::Preamble)),
        phase(1500, ORCHESTRATOR, Some(Phase::Orch)),
        phase(1500, SCHEDULER, Some(Phase::Sched)),
        submit(2000, 0, [-1, 0, -1]),
        store(2100, SCHEDULER, 1, 1),
        kernel_start(2300, AIV1, 0, 1, 2000),
        edge(2400, 0, 1, 0, EdgeSource::Creator),
        submit(2400, 1, [1, -1, -1]),
        edge(2800, 1, R1T0, 0, EdgeSource::Tensormap),
        edge(2800, 1, R1T0, 1, EdgeSource::Tensormap),
        edge(2800, 0, R1T0, 0, EdgeSource::Explicit),
        submit(2800, R1T0, [-1, 0, -1]),
        phase(3000, ORCHESTRATOR, None),
        kernel_end_after(4300, AIV1, 0, 2000),
        reports(4310, AIV1, 1),
        seen(4500, SCHEDULER, 1, finished(1)),
        store(4600, SCHEDULER, 0, 1),
        event(
            4800,
            AIC0,
            EventKind::KernelStart {
                kernel: MATMUL,
                task: 1,
                token: 1,
                received: SimTime::from_ns(4740),
                cost: SimDuration::from_ns(1000),
                source: CostSource::Roofline,
            },
        ),
        event(5800, AIC0, EventKind::KernelEnd { kernel: MATMUL, task: 1, cost: SimDuration::from_ns(1000) }),
        reports(5810, AIC0, 1),
        seen(6000, SCHEDULER, 0, finished(1)),
        store(6100, SCHEDULER, 1, 2),
        kernel_start(6300, AIV1, R1T0, 2, 1000),
        kernel_end_after(7300, AIV1, R1T0, 1000),
        reports(7310, AIV1, 2),
        seen(7500, SCHEDULER, 1, finished(2)),
        store(7600, SCHEDULER, 0, 0x7fff_fff0),
        store(7600, SCHEDULER, 1, 0x7fff_fff0),
        phase(7700, SCHEDULER, Some(Phase::PostOrch)),
    ]);
    events.extend((AIC0..=ORCHESTRATOR).map(|actor| event(8000, actor, EventKind::End)));
    events.push(event(10_000, SCHEDULER, EventKind::End));
    events.push(copy(10_300, CopyDirection::FromDevice, 4096, 300));
    events
}

pub(crate) fn chip() -> ChipDescription {
    ChipDescription {
        arch: "a2a3".into(),
        counter: Frequency::from_hz(50_000_000).unwrap(),
        data_main_base: DATA_MAIN_BASE,
        cond: COND,
        costs: SchedulingCosts {
            submit: SimDuration::from_ns(300),
            dispatch: SimDuration::from_ns(60),
            complete: SimDuration::from_ns(80),
        },
    }
}

pub(crate) fn names() -> ProgramNames {
    ProgramNames {
        orchestrator: Some("chain3".into()),
        kernels: vec![
            KernelName { id: 0, content: ADD, name: "add".into() },
            KernelName { id: 1, content: MATMUL, name: "matmul".into() },
        ],
    }
}

pub(crate) fn notes() -> TaskNotes {
    let whole = |address, elements: u32| TensorView {
        buffer_address: address,
        buffer_elements: u64::from(elements),
        version: 0,
        data_type: DataType::Float32,
        start_offset: 0,
        dimensions: 1,
        shape: [elements, 0, 0, 0, 0],
        strides: [1, 0, 0, 0, 0],
    };
    let arg = |access, view| TaskArg { access, view };
    let (input, middle, output) = (whole(0x1000, 64), whole(0x2000, 64), whole(0xffff_ffff_ffff_ff00, 64));
    let header = |task, kernels| TaskHeader { task, scope: 1, scope_kind: ScopeKind::Auto, kernels, blocks: 1 };
    let mut notes = TaskNotes::default();
    notes.push(header(0, [-1, 0, -1]), &[arg(Access::Input, Some(input)), arg(Access::Output, None)]);
    notes.push(header(1, [1, -1, -1]), &[arg(Access::Inout, Some(middle))]);
    notes.push(
        header(R1T0, [-1, 0, -1]),
        &[arg(Access::Input, Some(middle)), arg(Access::OutputExisting, Some(output))],
    );
    notes
}

pub(crate) fn summary() -> RunSummary {
    let facts = RunFacts {
        case: "chain3".into(),
        arch: "a2a3".into(),
        profile: Some("a2a3".into()),
        runtime: "tensormap_and_ringbuffer".into(),
        artifacts: None,
        golden: Golden { verdict: Verdict::Pass, worst_absolute: 4.8e-7, worst_relative: 1.2e-7 },
        exit: 0,
        mode: Mode::Functional,
        differing_programs: Vec::new(),
        visibility: Vec::new(),
        kernel_traces: Vec::new(),
        engine: EngineMode::Virtual,
        deterministic: true,
        nondeterministic_because: None,
        trace_hash: Some(0x0123_4567_89ab_cdef),
        host_elapsed: Duration::from_micros(6_200),
        error: None,
    };
    let engine = EngineFacts {
        workers: 2,
        loads: 7,
        hooks: 1346,
        switches: 1298,
        engine_cpu: Duration::from_micros(750),
        kernel_cpu: Duration::from_micros(2_300),
        hbm_peak_bytes: 69_632,
    };
    RunSummary::new(facts, Some(Simulated::new(engine, DeviceSummary::new(&statistics()))))
}
