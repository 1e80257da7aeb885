//! What came before what: the lookups that the walk along the critical path needs.
//!
//! Numbers of tasks begin anew with each launch. So whatever is looked up by task is looked up before an instant, and
//! the latest one counts.

use std::collections::HashMap;

use sim_core::actor::ActorKind;
use sim_core::time::SimTime;
use sim_core::trace::Phase;

use super::super::timeline::{Execution, Timeline};
use super::DeviceWindow;

/// A stretch in which AICPU threads orchestrated or scheduled: the working part of a launch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Launch {
    pub(super) start: SimTime,
    pub(super) end: SimTime,
}

/// Lookups over a timeline.
pub(super) struct Index<'a> {
    timeline: &'a Timeline,
    /// Tasks and the tasks that they wait for, sorted.
    preds: Vec<(u64, u64)>,
    /// Executions that ended by task and the time at which that was noticed, sorted.
    noticed_by_task: Vec<(u64, SimTime, usize)>,
    /// The same by time alone.
    noticed: Vec<(SimTime, usize)>,
    /// Submissions by task and time, sorted.
    submitted_by_task: Vec<(u64, SimTime, usize)>,
    /// Of each submission the one before it on the same thread.
    previous_submission: Vec<Option<usize>>,
    /// Of each execution the one before it on the same core.
    previous_on_core: Vec<Option<usize>>,
    /// Of each execution whether all cores of its kind were taken when its end was noticed.
    saturated: Vec<bool>,
    /// The working parts, in their order.
    pub(super) launches: Vec<Launch>,
}

/// When the end of an execution became known; its end itself if nobody read the report.
pub(super) fn notice(execution: &Execution) -> Option<SimTime> {
    let end = execution.end?;
    Some(execution.finish.map_or(end, |finish| finish.at))
}

impl<'a> Index<'a> {
    pub(super) fn new(timeline: &'a Timeline, window: DeviceWindow) -> Self {
        let mut preds: Vec<(u64, u64)> = timeline.edges.iter().map(|edge| (edge.succ, edge.pred)).collect();
        preds.sort_unstable();
        preds.dedup();
        let numbered = || timeline.executions.iter().enumerate();
        let mut noticed: Vec<(SimTime, usize)> =
            numbered().filter_map(|(index, execution)| Some((notice(execution)?, index))).collect();
        noticed.sort_unstable();
        let mut noticed_by_task: Vec<(u64, SimTime, usize)> =
            noticed.iter().map(|(at, index)| (timeline.executions[*index].task, *at, *index)).collect();
        noticed_by_task.sort_unstable();
        let mut submitted_by_task: Vec<(u64, SimTime, usize)> = timeline
            .submissions
            .iter()
            .enumerate()
            .map(|(index, submission)| (submission.task, submission.at, index))
            .collect();
        submitted_by_task.sort_unstable();
        Index {
            preds,
            noticed_by_task,
            noticed,
            submitted_by_task,
            previous_submission: previous(timeline.submissions.iter().map(|submission| submission.thread)),
            previous_on_core: previous(timeline.executions.iter().map(|execution| execution.core)),
            saturated: saturated(timeline),
            launches: launches(timeline, window),
            timeline,
        }
    }

    /// Of the tasks that `task` waits for the execution whose end was noticed last, not after `until`.
    pub(super) fn last_dependency(&self, task: u64, until: SimTime) -> Option<(SimTime, usize)> {
        let first = self.preds.partition_point(|(succ, _)| *succ < task);
        let preds = self.preds[first..].iter().take_while(|(succ, _)| *succ == task);
        preds.filter_map(|(_, pred)| latest(&self.noticed_by_task, *pred, until)).max()
    }

    /// The latest submission of a task, not after `until`.
    pub(super) fn submission(&self, task: u64, until: SimTime) -> Option<(SimTime, usize)> {
        latest(&self.submitted_by_task, task, until)
    }

    /// The submission before this one on the same thread.
    pub(super) fn previous_submission(&self, index: usize) -> Option<usize> {
        self.previous_submission[index]
    }

    /// The last submission on the device not after `until`.
    pub(super) fn last_submission(&self, until: SimTime) -> Option<(SimTime, usize)> {
        let submissions = &self.timeline.submissions;
        let behind = submissions.partition_point(|submission| submission.at <= until);
        let index = submissions[..behind].iter().rposition(|submission| submission.thread.is_some())?;
        Some((submissions[index].at, index))
    }

    /// The execution whose end was noticed last, not after `until`.
    pub(super) fn last_noticed(&self, until: SimTime) -> Option<(SimTime, usize)> {
        let behind = self.noticed.partition_point(|(at, _)| *at <= until);
        self.noticed[..behind].last().copied()
    }

    /// The execution before this one on the same core.
    pub(super) fn previous_on_core(&self, index: usize) -> Option<usize> {
        self.previous_on_core[index]
    }

    /// Whether all cores of its kind, as far as their scheduler ever used them, had a task when the end of this
    /// execution was noticed: then what came next had to wait for it.
    pub(super) fn is_saturated(&self, index: usize) -> bool {
        self.saturated[index]
    }

    /// The working part in which this instant lies, or the last one before it.
    pub(super) fn launch_at(&self, at: SimTime) -> Option<usize> {
        self.launches.partition_point(|launch| launch.start <= at).checked_sub(1)
    }
}

/// The last entry with this key, not after `until`, of a sorted list.
fn latest(sorted: &[(u64, SimTime, usize)], key: u64, until: SimTime) -> Option<(SimTime, usize)> {
    let behind = sorted.partition_point(|(task, at, _)| (*task, *at) <= (key, until));
    let (task, at, index) = *sorted[..behind].last()?;
    (task == key).then_some((at, index))
}

/// For each element the one before it with the same key.
fn previous<K: std::hash::Hash + Eq>(keys: impl Iterator<Item = K>) -> Vec<Option<usize>> {
    let mut last: HashMap<K, usize> = HashMap::new();
    keys.enumerate().map(|(index, key)| last.insert(key, index)).collect()
}

/// The cores of one kind that one scheduler sends tasks to.
#[derive(Default)]
struct Group {
    used: usize,
    taken: usize,
}

fn saturated(timeline: &Timeline) -> Vec<bool> {
    let cubes: Vec<u16> = timeline
        .actors
        .iter()
        .filter(|kind| matches!(kind, ActorKind::Aic(_)))
        .filter_map(|kind| kind.core())
        .collect();
    let dispatches = || {
        let numbered = timeline.executions.iter().enumerate();
        numbered.filter_map(|(index, execution)| Some((index, execution, execution.dispatch?)))
    };
    let mut groups: HashMap<(u16, bool), Group> = HashMap::new();
    // Tasks that a core holds; a core that was never used has no entry.
    let mut held: HashMap<(u16, u16), usize> = HashMap::new();
    let mut changes: Vec<(SimTime, bool, usize)> = Vec::with_capacity(2 * timeline.executions.len());
    for (index, execution, dispatch) in dispatches() {
        if held.insert((dispatch.thread, execution.core), 0).is_none() {
            groups.entry((dispatch.thread, cubes.contains(&execution.core))).or_default().used += 1;
        }
        changes.push((dispatch.at, true, index));
        changes.extend(notice(execution).map(|at| (at, false, index)));
    }
    // What is given back at an instant is free for whoever comes at the same.
    changes.sort_unstable();
    let mut saturated = vec![false; timeline.executions.len()];
    for (_, begins, index) in changes {
        let execution = &timeline.executions[index];
        let Some(dispatch) = execution.dispatch else { continue };
        let group = groups.entry((dispatch.thread, cubes.contains(&execution.core))).or_default();
        let tasks = held.entry((dispatch.thread, execution.core)).or_default();
        if begins {
            *tasks += 1;
            group.taken += usize::from(*tasks == 1);
        } else {
            saturated[index] = group.taken == group.used;
            *tasks -= 1;
            group.taken -= usize::from(*tasks == 0);
        }
    }
    saturated
}

/// Orchestration and scheduling of all threads; stretches that touch are one. All of the time if no phase is known.
fn launches(timeline: &Timeline, window: DeviceWindow) -> Vec<Launch> {
    let works = |phase: Phase| matches!(phase, Phase::Orch | Phase::Sched);
    let mut spans: Vec<Launch> = timeline
        .phases
        .iter()
        .filter(|span| works(span.phase))
        .map(|span| Launch { start: span.start.max(window.start), end: span.end.min(window.end) })
        .collect();
    spans.sort_unstable_by_key(|span| (span.start, span.end));
    let mut launches: Vec<Launch> = Vec::new();
    for span in spans {
        match launches.last_mut() {
            Some(last) if span.start <= last.end => last.end = last.end.max(span.end),
            _ => launches.push(span),
        }
    }
    if launches.is_empty() {
        launches.push(Launch { start: window.start, end: window.end });
    }
    launches
}
