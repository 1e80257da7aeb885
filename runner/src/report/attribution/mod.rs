//! Where the device time of a run went, and why cores were idle.
//!
//! ```text
//!   Timeline ──▶ CriticalPath ──▶ PathClock ──▶ Attribution ──▶ report.json, table, HTML
//!     events       one chain of     causes until    path, cores,
//!                  steps            an instant      threads, kernels
//! ```
//!
//! The critical path is a chain of steps without gap or overlap from the first to the last event of the device, so that
//! the times of its causes add up to the device time to the picosecond. Idle cores are explained by it: while a core has
//! no kernel it waits for whatever the path does at that time. So the times of each core add up to the device time, too.
//!
//! What each cause means precisely is said at [`Cause`].

mod cause;
mod critical_path;
mod groups;
mod index;
mod table;

use serde::{Deserialize, Serialize};
use sim_core::time::SimTime;

pub use cause::{Cause, CauseTimes};
pub use critical_path::{CriticalPath, Step, Work};
pub use groups::{CoreTime, KernelTime, SourceCounts, ThreadTime};
pub use table::AttributionTable;

use super::chip::ChipDescription;
use super::names::{ProgramNames, TaskLabel};
use super::timeline::Timeline;

/// How many steps of the critical path stand in a report.
const LONGEST_STEPS: usize = 20;

/// The time from the first to the last event of AICPU and AICores.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DeviceWindow {
    /// The first event.
    pub start: SimTime,
    /// The last one.
    pub end: SimTime,
}

/// Where the device time of one run went. All times are picoseconds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attribution {
    /// From the first to the last event of AICPU and AICores.
    pub device_time_ps: u64,
    /// The causes on the critical path; together the device time.
    pub critical_path: CauseTimes,
    /// The same of all cores, busy and idle; together the device time of each core.
    pub core_time: CauseTimes,
    /// How many steps the critical path has.
    pub path_steps: usize,
    /// How many kernels are on it.
    pub path_kernels: usize,
    /// The longest steps of the critical path, in the order in which they happened.
    pub longest_steps: Vec<ShownStep>,
    /// Each AICore, by core id.
    pub cores: Vec<CoreTime>,
    /// Each AICPU thread, by index.
    pub threads: Vec<ThreadTime>,
    /// Each kernel, by its time, the longest first.
    pub kernels: Vec<KernelTime>,
}

/// A step of the critical path as reports show it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ShownStep {
    /// When it began.
    pub start_ps: u64,
    /// How long it took.
    pub duration_ps: u64,
    /// What the time went into.
    pub cause: Cause,
    /// What was done.
    pub work: Work,
    /// The task, as in `r2t5`, if it was for one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub task: Option<String>,
    /// The kernel of that task.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kernel: Option<String>,
    /// The core on which it ran, or was to run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub core: Option<u16>,
}

impl Attribution {
    /// Attributes the device time of a run.
    pub fn new(
        timeline: &Timeline,
        path: &CriticalPath,
        window: DeviceWindow,
        chip: &ChipDescription,
        names: &ProgramNames,
    ) -> Self {
        let kernel_names = groups::KernelNames::new(timeline, names);
        let clock = critical_path::PathClock::new(path);
        let cores = groups::cores(timeline, &clock, window);
        Attribution {
            device_time_ps: window.end.since(window.start).as_ps(),
            critical_path: path.steps.iter().map(|step| (step.cause, step.length())).collect(),
            core_time: cores.iter().map(|core| core.times).sum(),
            path_steps: path.steps.len(),
            path_kernels: path.executions().count(),
            longest_steps: longest(path, timeline, &kernel_names),
            threads: groups::threads(timeline, chip),
            kernels: groups::kernels(timeline, path, &kernel_names),
            cores,
        }
    }
}

/// Every step of a critical path, for its own file.
pub fn shown_steps<'a>(
    path: &'a CriticalPath,
    timeline: &'a Timeline,
    names: &'a ProgramNames,
) -> impl Iterator<Item = ShownStep> + 'a {
    let names = groups::KernelNames::new(timeline, names);
    path.steps.iter().map(move |step| shown(step, timeline, &names))
}

fn longest(path: &CriticalPath, timeline: &Timeline, names: &groups::KernelNames<'_>) -> Vec<ShownStep> {
    let mut order: Vec<usize> = (0..path.steps.len()).collect();
    // Of equally long ones the earlier.
    order.sort_by_key(|index| (std::cmp::Reverse(path.steps[*index].length()), *index));
    order.truncate(LONGEST_STEPS);
    order.sort_unstable();
    order.into_iter().map(|index| shown(&path.steps[index], timeline, names)).collect()
}

fn shown(step: &Step, timeline: &Timeline, names: &groups::KernelNames<'_>) -> ShownStep {
    let execution = step.execution.map(|index| &timeline.executions[index]);
    ShownStep {
        start_ps: step.start.as_ps(),
        duration_ps: step.length().as_ps(),
        cause: step.cause,
        work: step.work,
        task: step.task.map(|task| TaskLabel(task).to_string()),
        kernel: execution.map(|execution| names.of(execution)),
        core: execution.map(|execution| execution.core),
    }
}

#[cfg(test)]
mod tests {
    use sim_core::time::SimDuration;

    use super::*;
    use crate::report::fixture;

    fn attribution() -> Attribution {
        let (timeline, chip, names) =
            (Timeline::of_trace(&fixture::trace(), &fixture::chip()), fixture::chip(), fixture::names());
        let window = fixture::statistics().window();
        let path = CriticalPath::of(&timeline, window, &chip);
        Attribution::new(&timeline, &path, window, &chip, &names)
    }

    #[test]
    fn where_does_the_time_of_three_tasks_go() {
        insta::assert_json_snapshot!(attribution());
    }

    #[test]
    fn do_all_shares_add_up_to_the_device_time() {
        let Attribution { device_time_ps, critical_path, core_time, cores, .. } = attribution();
        let device_time = SimDuration::from_ps(device_time_ps);
        assert_eq!(device_time, SimDuration::from_ns(9_000));
        assert_eq!(critical_path.total(), device_time);
        assert_eq!(cores.len(), 3);
        for core in &cores {
            assert_eq!(core.times.total(), device_time, "{}", core.actor);
        }
        assert_eq!(core_time.total(), device_time * 3);
    }

    #[test]
    fn what_does_the_table_show() {
        insta::assert_snapshot!(AttributionTable(&attribution()));
    }
}
