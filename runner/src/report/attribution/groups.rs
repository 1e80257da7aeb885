//! The same time, summed by core, by AICPU thread and by kernel.

use std::cmp::Reverse;
use std::collections::HashMap;

use serde::{Deserialize, Serialize};
use sim_core::actor::ActorKind;
use sim_core::time::SimTime;
use sim_core::trace::{ContentHash, CostSource, Phase};

use super::super::chip::ChipDescription;
use super::super::names::ProgramNames;
use super::super::timeline::{Execution, Timeline};
use super::critical_path::{CriticalPath, PathClock, kernel_times};
use super::{CauseTimes, DeviceWindow};

/// The time of one AICore.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CoreTime {
    /// Which core, as in `aiv7`.
    pub actor: String,
    /// Kernels that began on it.
    pub kernels: u64,
    /// Compute and memory: in kernels. The rest: what the critical path did while the core had none.
    #[serde(flatten)]
    pub times: CauseTimes,
}

/// What one AICPU thread did.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ThreadTime {
    /// Which thread, as in `aicpu2`.
    pub actor: String,
    /// In start-up and handshake.
    pub preamble_ps: u64,
    /// In the orchestration.
    pub orch_ps: u64,
    /// In the scheduler's loop.
    pub sched_ps: u64,
    /// In shutdown.
    pub post_orch_ps: u64,
    /// Tasks it submitted.
    pub submitted: u64,
    /// Tokens it sent to cores.
    pub dispatched: u64,
    /// Kernels of which it noticed the end.
    pub finished: u64,
    /// What submitting, sending and handling that many costs by the profile.
    pub charged_ps: u64,
}

/// All executions of one kernel.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KernelTime {
    /// Its name, or the hash of its bytes.
    pub kernel: String,
    /// How often it began.
    pub count: u64,
    /// How long it ran in all.
    pub time_ps: u64,
    /// The shortest run.
    pub shortest_ps: u64,
    /// The longest.
    pub longest_ps: u64,
    /// What of the time was compute.
    pub compute_ps: u64,
    /// What of it was memory.
    pub memory_ps: u64,
    /// How long it was on the critical path.
    pub path_ps: u64,
    /// Where its costs came from, by count.
    pub sources: SourceCounts,
}

/// How often costs came from where.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SourceCounts {
    /// The table of the case or profile.
    pub table: u64,
    /// The instruction pipelines.
    pub pipes: u64,
    /// Bytes over bandwidth.
    pub roofline: u64,
    /// The profile's floor.
    pub default: u64,
}

impl SourceCounts {
    fn count(&mut self, source: CostSource) {
        *match source {
            CostSource::Table => &mut self.table,
            CostSource::Pipes => &mut self.pipes,
            CostSource::Roofline => &mut self.roofline,
            CostSource::Default => &mut self.default,
        } += 1;
    }

    /// Names and counts, as far as there are any.
    pub(super) fn named(&self) -> Vec<(&'static str, u64)> {
        let all =
            [("table", self.table), ("pipes", self.pipes), ("roofline", self.roofline), ("default", self.default)];
        all.into_iter().filter(|(_, count)| *count > 0).collect()
    }
}

/// Names of kernels, as their tasks asked for them.
pub(super) struct KernelNames<'a> {
    names: &'a ProgramNames,
    asked_for: HashMap<u64, [i32; 3]>,
}

impl<'a> KernelNames<'a> {
    pub(super) fn new(timeline: &Timeline, names: &'a ProgramNames) -> Self {
        let asked_for = timeline.submissions.iter().map(|submission| (submission.task, submission.kernels)).collect();
        KernelNames { names, asked_for }
    }

    pub(super) fn of(&self, execution: &Execution) -> String {
        let asked_for = self.asked_for.get(&execution.task).copied().unwrap_or([-1; 3]);
        let name = self.names.kernel(execution.kernel, asked_for);
        name.map_or_else(|| execution.kernel.to_string(), str::to_owned)
    }

    /// What decides the name.
    fn key(&self, execution: &Execution) -> (ContentHash, [i32; 3]) {
        (execution.kernel, self.asked_for.get(&execution.task).copied().unwrap_or([-1; 3]))
    }
}

pub(super) fn cores(timeline: &Timeline, clock: &PathClock, window: DeviceWindow) -> Vec<CoreTime> {
    let kinds = timeline.cores();
    let place: HashMap<u16, usize> = (0..).zip(&kinds).filter_map(|(at, kind)| Some((kind.core()?, at))).collect();
    let mut cores: Vec<CoreTime> = kinds
        .iter()
        .map(|kind| CoreTime { actor: kind.to_string(), kernels: 0, times: CauseTimes::default() })
        .collect();
    let mut idle_since = vec![window.start; cores.len()];
    // Executions are in the order of their start, and so are those of each core.
    for execution in &timeline.executions {
        let Some(at) = place.get(&execution.core).copied() else { continue };
        let (start, end) = (execution.start.min(window.end), execution.end.unwrap_or(window.end).min(window.end));
        cores[at].times += clock.between(idle_since[at], start).seen_idle();
        let begun = Execution { start: start.max(idle_since[at]), ..*execution };
        for (cause, time) in kernel_times(&begun, end) {
            cores[at].times.add(cause, time);
        }
        cores[at].kernels += 1;
        idle_since[at] = end.max(idle_since[at]);
    }
    for (core, since) in cores.iter_mut().zip(idle_since) {
        core.times += clock.between(since, window.end).seen_idle();
    }
    cores
}

pub(super) fn threads(timeline: &Timeline, chip: &ChipDescription) -> Vec<ThreadTime> {
    let indices = timeline.threads();
    let mut threads: Vec<ThreadTime> = indices
        .iter()
        .map(|index| ThreadTime { actor: ActorKind::Aicpu(*index).to_string(), ..ThreadTime::default() })
        .collect();
    let place = |thread: u16| indices.binary_search(&thread).ok();
    for span in &timeline.phases {
        let Some(at) = place(span.thread) else { continue };
        let time = span.end.since(span.start).as_ps();
        *match span.phase {
            Phase::Preamble => &mut threads[at].preamble_ps,
            Phase::Orch => &mut threads[at].orch_ps,
            Phase::Sched => &mut threads[at].sched_ps,
            Phase::PostOrch => &mut threads[at].post_orch_ps,
        } += time;
    }
    for at in timeline.submissions.iter().filter_map(|submission| place(submission.thread?)) {
        threads[at].submitted += 1;
    }
    for execution in &timeline.executions {
        if let Some(at) = execution.dispatch.and_then(|dispatch| place(dispatch.thread)) {
            threads[at].dispatched += 1;
        }
        if let Some(at) = execution.finish.and_then(|finish| place(finish.thread)) {
            threads[at].finished += 1;
        }
    }
    let costs = chip.costs;
    for thread in &mut threads {
        let charged =
            costs.submit * thread.submitted + costs.dispatch * thread.dispatched + costs.complete * thread.finished;
        thread.charged_ps = charged.as_ps();
    }
    threads
}

pub(super) fn kernels(timeline: &Timeline, path: &CriticalPath, names: &KernelNames<'_>) -> Vec<KernelTime> {
    let mut place: HashMap<(ContentHash, [i32; 3]), usize> = HashMap::new();
    let mut by_name: HashMap<String, usize> = HashMap::new();
    let mut kernels: Vec<KernelTime> = Vec::new();
    let mut place_of = |execution: &Execution, kernels: &mut Vec<KernelTime>| {
        *place.entry(names.key(execution)).or_insert_with(|| {
            let name = names.of(execution);
            *by_name.entry(name.clone()).or_insert_with(|| {
                kernels.push(unused(name));
                kernels.len() - 1
            })
        })
    };
    for execution in &timeline.executions {
        let at = place_of(execution, &mut kernels);
        let kernel = &mut kernels[at];
        let end = execution.end.unwrap_or(timeline.end);
        let time = end.since(execution.start).as_ps();
        kernel.count += 1;
        kernel.time_ps += time;
        kernel.shortest_ps = kernel.shortest_ps.min(time);
        kernel.longest_ps = kernel.longest_ps.max(time);
        let times: CauseTimes = kernel_times(execution, end).into_iter().collect();
        kernel.compute_ps += times.compute_ps;
        kernel.memory_ps += times.memory_ps;
        kernel.sources.count(execution.source);
    }
    for step in &path.steps {
        let (true, Some(index)) = (step.work.is_kernel(), step.execution) else { continue };
        let at = place_of(&timeline.executions[index], &mut kernels);
        kernels[at].path_ps += step.length().as_ps();
    }
    kernels.sort_by(|one, other| (Reverse(one.time_ps), &one.kernel).cmp(&(Reverse(other.time_ps), &other.kernel)));
    kernels
}

fn unused(kernel: String) -> KernelTime {
    KernelTime {
        kernel,
        count: 0,
        time_ps: 0,
        shortest_ps: SimTime::NEVER.as_ps(),
        longest_ps: 0,
        compute_ps: 0,
        memory_ps: 0,
        path_ps: 0,
        sources: SourceCounts::default(),
    }
}
