//! `chip_swimlane_records.json`: the raw records of cores and AICPU threads, in cycles of the system counter.
//!
//! Viewers join the rows of cores and of schedulers by (core id, token), so no pair may come twice. Tokens begin anew
//! with each launch; of executions with the same pair the last one is written, that is, those of the last launch.
//!
//! What a trace does not hold is left out rather than invented: lengths of ready queues, and iterations of a scheduler
//! in which nothing happened. `loop_iter` therefore counts the iterations that did something.

use std::collections::HashMap;

use serde::Serialize;
use sim_core::actor::ActorKind;
use sim_core::time::{SimDuration, SimTime};

use super::chip::ChipDescription;
use super::output::Streamed;
use super::timeline::{Execution, Timeline};

/// Everything is recorded: cores, AICPU timestamps, scheduler phases, orchestrator phases.
const LEVEL: u8 = 4;

/// What a scheduler did; the names are those of the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
enum SchedulerWork {
    /// It handled a finished task.
    Complete,
    /// It sent a task to a core.
    Dispatch,
}

#[derive(Serialize)]
struct SchedulerRecord {
    kind: SchedulerWork,
    start_cycles: u64,
    end_cycles: u64,
    loop_iter: usize,
    tasks_processed: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    pop_hit: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pop_miss: Option<u32>,
}

#[derive(Serialize)]
struct OrchestratorRecord {
    submit_idx: usize,
    task_id: u64,
    start_cycles: u64,
    end_cycles: u64,
}

#[derive(Serialize)]
struct Metadata {
    clock_freq_hz: u64,
    num_cores: usize,
    /// By core id.
    core_types: Vec<&'static str>,
    /// By core id: the thread that sends it tasks, -1 for none.
    core_to_thread: Vec<i32>,
}

/// The content of `chip_swimlane_records.json`.
pub struct Swimlane<'a> {
    timeline: &'a Timeline,
    chip: &'a ChipDescription,
    /// The executions to write: ended, and of each join key the last.
    executions: Vec<&'a Execution>,
}

impl<'a> Swimlane<'a> {
    /// The records of a timeline.
    pub fn new(timeline: &'a Timeline, chip: &'a ChipDescription) -> Self {
        let key = |execution: &Execution| (execution.core, execution.token);
        let ended = || timeline.executions.iter().filter(|execution| execution.end.is_some());
        let last: HashMap<(u16, u32), SimTime> = ended().map(|execution| (key(execution), execution.start)).collect();
        let executions = ended().filter(|execution| last[&key(execution)] == execution.start).collect();
        Swimlane { timeline, chip, executions }
    }

    fn cycles(&self, time: SimTime) -> u64 {
        time.ticks(self.chip.counter)
    }

    fn metadata(&self) -> Metadata {
        let cores = self.timeline.cores();
        let count = cores.iter().filter_map(|kind| kind.core()).max().map_or(0, |core| usize::from(core) + 1);
        let mut core_types = vec!["aiv"; count];
        for kind in &cores {
            if let ActorKind::Aic(core) = kind {
                core_types[usize::from(*core)] = "aic";
            }
        }
        let mut core_to_thread = vec![-1; count];
        for execution in &self.executions {
            if let Some(dispatch) = execution.dispatch {
                core_to_thread[usize::from(execution.core)] = i32::from(dispatch.thread);
            }
        }
        Metadata { clock_freq_hz: self.chip.counter.as_hz(), num_cores: count, core_types, core_to_thread }
    }

    fn aicore_rows(&self) -> impl Iterator<Item = (u16, u64, u32, u64, u64, u64)> {
        self.executions.iter().map(|execution| {
            let Execution { core, task, token, received, start, end, .. } = **execution;
            let (started, received) = (self.cycles(start), self.cycles(received));
            let ended = self.cycles(end.unwrap_or(start));
            (core, task, token, started, ended, started.saturating_sub(received))
        })
    }

    fn aicpu_rows(&self) -> impl Iterator<Item = (u16, u32, u64, u64)> {
        self.executions.iter().filter_map(|execution| {
            let (dispatch, finish) = (execution.dispatch?, execution.finish?);
            Some((execution.core, execution.token, self.cycles(dispatch.at), self.cycles(finish.at)))
        })
    }

    /// The records of one thread in order. When a scheduler sent a token or saw one come back is exact; how long it
    /// worked before or after that is what the profile charges, as far as neighbours leave room for it.
    fn scheduler_records(&self, thread: u16) -> Vec<SchedulerRecord> {
        let work = self.scheduler_work(thread);
        let mut free_from = SimTime::ZERO;
        let mut records = Vec::with_capacity(work.len());
        for (index, (at, kind)) in work.iter().copied().enumerate() {
            let costs = &self.chip.costs;
            let next = work.get(index + 1).map_or(SimTime::NEVER, |(at, _)| *at);
            let (start, end) = match kind {
                SchedulerWork::Dispatch => (before(at, costs.dispatch).max(free_from), at),
                SchedulerWork::Complete => (at, (at + costs.complete).min(next)),
            };
            free_from = end;
            let popped = kind == SchedulerWork::Dispatch;
            records.push(SchedulerRecord {
                kind,
                start_cycles: self.cycles(start),
                end_cycles: self.cycles(end),
                loop_iter: index + 1,
                tasks_processed: 1,
                pop_hit: popped.then_some(1),
                pop_miss: popped.then_some(0),
            });
        }
        records
    }

    /// What one thread did for executions, by time.
    fn scheduler_work(&self, thread: u16) -> Vec<(SimTime, SchedulerWork)> {
        let mut work = Vec::new();
        for execution in &self.executions {
            let handlings =
                [(execution.dispatch, SchedulerWork::Dispatch), (execution.finish, SchedulerWork::Complete)];
            for (handling, kind) in handlings {
                work.extend(handling.filter(|handling| handling.thread == thread).map(|handling| (handling.at, kind)));
            }
        }
        work.sort_unstable();
        work
    }

    /// The submissions by one thread.
    fn orchestrator_records(&self, thread: u16) -> Vec<OrchestratorRecord> {
        let submissions = self.timeline.submissions.iter().enumerate();
        submissions
            .filter(|(_, submission)| submission.thread == Some(thread))
            .map(|(submit_idx, submission)| OrchestratorRecord {
                submit_idx,
                task_id: submission.task,
                start_cycles: self.cycles(before(submission.at, self.chip.costs.submit)),
                end_cycles: self.cycles(submission.at),
            })
            .collect()
    }
}

/// The instant `span` earlier.
fn before(time: SimTime, span: SimDuration) -> SimTime {
    SimTime::from_ps(time.as_ps().saturating_sub(span.as_ps()))
}

impl Serialize for Swimlane<'_> {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        use serde::ser::SerializeMap;

        let threads = || self.timeline.threads().into_iter();
        let orchestrators =
            || threads().map(|thread| self.orchestrator_records(thread)).filter(|list| !list.is_empty());
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("chip_swimlane_level", &LEVEL)?;
        map.serialize_entry("metadata", &self.metadata())?;
        map.serialize_entry("aicore_tasks", &Streamed(|| self.aicore_rows()))?;
        map.serialize_entry("aicpu_tasks", &Streamed(|| self.aicpu_rows()))?;
        map.serialize_entry(
            "aicpu_scheduler_phases",
            &Streamed(|| threads().map(|thread| self.scheduler_records(thread))),
        )?;
        map.serialize_entry("aicpu_orchestrator_phases", &Streamed(orchestrators))?;
        map.end()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use sim_core::actor::ActorId;
    use sim_core::trace::Trace;

    use super::*;
    use crate::report::fixture;
    use crate::report::output::json_text;

    #[test]
    fn what_is_in_the_records_of_three_tasks() {
        let (chip, trace) = (fixture::chip(), fixture::trace());
        let timeline = Timeline::of_trace(&trace, &chip);
        insta::assert_snapshot!(json_text(&Swimlane::new(&timeline, &chip)));
    }

    #[test]
    fn do_the_records_of_a_scheduler_overlap() {
        let chip = fixture::chip();
        let timeline = Timeline::of_trace(&fixture::trace(), &chip);
        let records = Swimlane::new(&timeline, &chip).scheduler_records(1);
        let spans: Vec<_> = records.iter().map(|record| (record.start_cycles, record.end_cycles)).collect();
        assert_eq!(spans, [(102, 105), (225, 229), (229, 230), (300, 304), (304, 305), (375, 379)]);
    }

    #[test]
    fn do_join_keys_stay_unique_when_tokens_begin_anew() {
        let chip = fixture::chip();
        let mut trace = Trace::new(true);
        trace.name_actor(ActorId(0), ActorKind::Aiv(1));
        for (ns, task) in [(0, 1), (100, 2), (200, 3)] {
            trace.record(fixture::kernel_start(ns + 10, 0, task, (ns / 150) as u32, 5));
            trace.record(fixture::kernel_end(ns + 15, 0, task));
        }
        let timeline = Timeline::of_trace(&trace, &chip);
        let rows: Vec<_> = Swimlane::new(&timeline, &chip).aicore_rows().collect();
        let keys: BTreeSet<_> = rows.iter().map(|row| (row.0, row.2)).collect();
        assert_eq!((keys.len(), rows.len()), (2, 2));
        assert_eq!(rows.iter().map(|row| row.1).collect::<Vec<_>>(), [2, 3]);
    }
}
