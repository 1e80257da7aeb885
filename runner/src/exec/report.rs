//! What is known of one run of a device when it is over: what `report.json` of `npusim exec` has, and what the preloaded
//! object tells whoever listens.
//!
//! Virtual times are in nanoseconds (`_ns`), host times in milliseconds (`_ms`).

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use sim_aicore::cost::CostTally;
use sim_aicore::tile_trace::KernelTraceReport;
use sim_core::profile::TimeByConfidence;
use sim_core::time::{SimDuration, nanoseconds};

use crate::client::status::FailureClass;
use crate::device::error::DeviceError;
use crate::report::stall::StallText;
use crate::report::summary::milliseconds;

/// The version of the keys of [`ExecReport`].
pub const SCHEMA: u32 = 1;

/// One run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ExecReport {
    /// [`SCHEMA`].
    pub schema: u32,
    /// The process.
    pub process: u32,
    /// The number of the run in its process, from 1.
    pub run: u32,
    /// The test that pytest was running.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub test: Option<String>,
    /// `a2a3` or `a5`.
    pub arch: String,
    /// Name of the profile.
    pub profile: String,
    /// The host runtime.
    pub runtime: PathBuf,
    /// How actors were run.
    pub engine: String,
    /// Whether another run of the same input gives the same trace.
    pub deterministic: bool,
    /// Why it does not, if it does not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub nondeterministic_because: Option<String>,
    /// The hash over all events.
    #[serde(with = "digits")]
    pub trace_hash: u64,
    /// From the start of the first thread to the end of the last on the device.
    #[serde(rename = "device_time_ns", with = "nanoseconds")]
    pub device_time: SimDuration,
    /// Host time meanwhile.
    #[serde(rename = "host_elapsed_ms", serialize_with = "milliseconds", deserialize_with = "from_milliseconds")]
    pub host_elapsed: Duration,
    /// Host CPU time of the engine in it.
    #[serde(rename = "engine_cpu_ms", serialize_with = "milliseconds", deserialize_with = "from_milliseconds")]
    pub engine_cpu: Duration,
    /// Host CPU time of all threads in kernel bodies in it.
    #[serde(rename = "kernel_cpu_ms", serialize_with = "milliseconds", deserialize_with = "from_milliseconds")]
    pub kernel_cpu: Duration,
    /// Host threads that may run kernels at once.
    pub workers: usize,
    /// Calls of guests into the simulator.
    pub hooks: u64,
    /// Switches between actors.
    pub switches: u64,
    /// Kernels that ended.
    pub kernels: u64,
    /// Polls that were accounted for without being executed.
    pub skipped_polls: u64,
    /// Events in the trace.
    pub events: u64,
    /// The longest span of virtual time in which the device only polled.
    #[serde(rename = "longest_quiet_ns", with = "nanoseconds")]
    pub longest_quiet: SimDuration,
    /// Objects loaded since the device was made.
    pub loads: usize,
    /// AICores that took part.
    pub aicores: usize,
    /// AICPU threads that took part.
    pub aicpus: usize,
    /// The most device memory that was allocated at once since the device was made.
    pub hbm_peak_bytes: u64,
    /// What kernels cost, by where that came from.
    pub costs: CostTally,
    /// How far the work of the device's actors can be trusted.
    #[serde(rename = "confidence", with = "by_confidence")]
    pub work: TimeByConfidence,
    /// Kernels that left traces of their tile instructions.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub kernel_traces: Vec<KernelTraceReport>,
    /// What was charged for the runtime's functions, if a charge file is in use.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub charges: Option<serde_json::Value>,
    /// Why the run ended early, if it did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<ReportedError>,
    /// How it looked when only polling was left, if that happened in this run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stalled: Option<ReportedError>,
}

/// A [`DeviceError`] as others are told of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReportedError {
    /// What went wrong and where, as people are told.
    pub message: String,
    /// What kind of failure it is.
    pub class: FailureClass,
    /// The code that silicon would give.
    pub device_code: Option<u32>,
    /// What is known beyond it, a line each.
    pub details: Vec<String>,
}

impl From<&DeviceError> for ReportedError {
    fn from(error: &DeviceError) -> Self {
        let details = match error {
            // The first line of the stall is in the message.
            DeviceError::Deadlock(report) => StallText(report).to_string().lines().skip(1).map(str::to_owned).collect(),
            _ => Vec::new(),
        };
        ReportedError {
            message: error.to_string(),
            class: FailureClass::of(error),
            device_code: error.code().map(|code| code as u32),
            details,
        }
    }
}

impl fmt::Display for ReportedError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

/// Work by the confidence of what it was charged with, as reports of other runs have it.
mod by_confidence {
    use serde::{Deserialize, Deserializer, Serialize, Serializer};
    use sim_core::profile::TimeByConfidence;

    use crate::report::summary::WorkConfidence;

    pub(super) fn serialize<S: Serializer>(work: &TimeByConfidence, serializer: S) -> Result<S::Ok, S::Error> {
        WorkConfidence::from(work).serialize(serializer)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<TimeByConfidence, D::Error> {
        WorkConfidence::deserialize(deserializer).map(|told| TimeByConfidence::from(&told))
    }
}

/// A hash as sixteen digits.
mod digits {
    use serde::{Deserialize, Deserializer, Serializer, de};

    pub(super) fn serialize<S: Serializer>(hash: &u64, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&format_args!("{hash:016x}"))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u64, D::Error> {
        u64::from_str_radix(&String::deserialize(deserializer)?, 16).map_err(de::Error::custom)
    }
}

fn from_milliseconds<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
    f64::deserialize(deserializer).map(|ms| Duration::from_micros((ms * 1e3).round() as u64))
}

#[cfg(test)]
pub(crate) mod tests {
    use sim_core::profile::Confidence;

    use super::*;
    use crate::device::error::DeviceCode;

    /// The first run of a process.
    pub(crate) fn report() -> ExecReport {
        let mut work = TimeByConfidence::default();
        for (class, ns) in Confidence::ALL.into_iter().zip(1..) {
            work.add(class, SimDuration::from_ns(ns));
        }
        ExecReport {
            schema: SCHEMA,
            process: 42,
            run: 1,
            test: None,
            arch: "a2a3".into(),
            profile: "910B2".into(),
            runtime: "lib/sim/libhost_runtime.so".into(),
            engine: "virtual".into(),
            deterministic: true,
            nondeterministic_because: None,
            trace_hash: 0x0123_4567_89ab_cdef,
            device_time: SimDuration::from_ps(8_180_001),
            host_elapsed: Duration::from_micros(7_507),
            engine_cpu: Duration::from_micros(518),
            kernel_cpu: Duration::from_micros(765),
            workers: 2,
            hooks: 1364,
            switches: 1189,
            kernels: 5,
            skipped_polls: 15_708,
            events: 287,
            longest_quiet: SimDuration::from_ns(230),
            loads: 7,
            aicores: 24,
            aicpus: 4,
            hbm_peak_bytes: 69_632,
            costs: CostTally::default(),
            work,
            kernel_traces: Vec::new(),
            charges: None,
            error: None,
            stalled: None,
        }
    }

    #[test]
    fn does_a_report_come_back_from_json_as_it_was() {
        let error = ReportedError::from(&DeviceError::FreeRunTimeout { seconds: 1 });
        for report in [report(), ExecReport { error: Some(error), trace_hash: 0xf, ..report() }] {
            let json = serde_json::to_string(&report).unwrap();
            assert_eq!(serde_json::from_str::<ExecReport>(&json).unwrap(), report, "{json}");
        }
    }

    #[test]
    fn do_code_and_class_of_an_error_survive_being_told() {
        for error in [DeviceError::FreeRunTimeout { seconds: 1 }, DeviceError::Poisoned] {
            let told = DeviceError::Reported(Box::new(ReportedError::from(&error)));
            assert_eq!((told.to_string(), told.code()), (error.to_string(), error.code()));
            assert_eq!(FailureClass::of(&told), FailureClass::of(&error));
        }
        assert_eq!(DeviceError::Poisoned.code(), Some(DeviceCode::ContextPoisoned));
    }
}
