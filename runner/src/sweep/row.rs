//! What has come of one point.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::report::attribution::CauseTimes;
use crate::report::summary::{DeviceFacts, RunError, Verdict};
use crate::run::exit::ExitStatus;
use crate::run::finished::FinishedRun;

/// One point with its result. Times are picoseconds.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Row {
    /// The number of the point in the whole sweep, from 0.
    pub point: usize,
    /// Its values, by axis.
    pub values: Vec<String>,
    /// The exit code that the run alone would have.
    pub exit: u8,
    /// The comparison of its results; none if nothing ran.
    pub golden: Option<Verdict>,
    /// What the device did; none if nothing ran.
    pub device: Option<RowDevice>,
    /// The causes on the critical path, if they were asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub critical_path: Option<CauseTimes>,
    /// The hash over all its events.
    pub trace_hash: Option<String>,
    /// What went wrong.
    pub error: Option<RunError>,
    /// Host time of all of it.
    pub host_ms: f64,
}

/// What the device did at a point.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RowDevice {
    /// From the first to the last event of AICPU and AICores.
    pub device_time_ps: u64,
    /// Tasks submitted.
    pub tasks: u64,
    /// Start-up and handshake.
    pub preamble_ps: u64,
    /// The orchestration function.
    pub orch_ps: u64,
    /// The scheduler's loop.
    pub sched_ps: u64,
    /// Shutdown.
    pub post_orch_ps: u64,
}

impl Row {
    /// The row of a run that is over.
    pub(super) fn of_run(point: usize, values: Vec<String>, run: &FinishedRun, host_time: Duration) -> Self {
        let facts = &run.summary.run;
        let device = run.summary.simulated.as_ref().and_then(|simulated| match &simulated.device {
            DeviceFacts::Whole(device) => Some(RowDevice {
                device_time_ps: device.device_time.as_ps(),
                tasks: device.tasks,
                preamble_ps: device.phases.preamble.as_ps(),
                orch_ps: device.phases.orch.as_ps(),
                sched_ps: device.phases.sched.as_ps(),
                post_orch_ps: device.phases.post_orch.as_ps(),
            }),
            DeviceFacts::Seen(_) => None,
        });
        Row {
            point,
            values,
            exit: run.status().code(),
            golden: Some(facts.golden.verdict),
            device,
            critical_path: run.explain().map(|explained| explained.attribution.critical_path),
            trace_hash: facts.trace_hash.map(|hash| format!("{hash:016x}")),
            error: facts.error.clone(),
            host_ms: milliseconds(host_time),
        }
    }

    /// The row of a run that did not begin.
    pub(super) fn not_begun(point: usize, values: Vec<String>, status: ExitStatus, message: String) -> Self {
        Row {
            point,
            values,
            exit: status.code(),
            golden: None,
            device: None,
            critical_path: None,
            trace_hash: None,
            error: Some(RunError { message, device_code: None }),
            host_ms: 0.0,
        }
    }

    /// What is wrong with it, in one line.
    pub fn complaint(&self) -> Option<String> {
        if self.exit == ExitStatus::Success.code() {
            return None;
        }
        let line = self.error.as_ref().and_then(|error| error.message.lines().next());
        Some(line.unwrap_or("the results differ from the expected ones by too much").to_owned())
    }
}

pub(super) fn milliseconds(span: Duration) -> f64 {
    span.as_micros() as f64 / 1e3
}
