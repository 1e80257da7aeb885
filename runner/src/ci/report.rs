//! `report.json` of a matrix: a stable object for programs.

use std::time::Duration;

use serde::Serialize;
use sim_core::time::SimDuration;

use super::result::{EntryResult, status_of};
use crate::audit::JudgedFinding;
use crate::client::status::FailureClass;
use crate::report::summary::{RunError, Verdict, milliseconds, nanoseconds};
use crate::run::footprint::Footprint;

/// The version of the keys of [`MatrixReport`].
pub const SCHEMA: u32 = 1;

/// A matrix that is over.
#[derive(Debug, Serialize)]
pub struct MatrixReport<'a> {
    schema: u32,
    /// The exit code of the process.
    exit: u8,
    runs: usize,
    as_expected: usize,
    parallel: usize,
    repetitions: u32,
    /// Namespaces that were lent at the same time, at most.
    namespaces: usize,
    #[serde(rename = "host_ms", serialize_with = "milliseconds")]
    host_time: Duration,
    /// What the process holds between two repetitions: after the one when everything is there, and after the last.
    #[serde(skip_serializing_if = "Option::is_none")]
    footprint: Option<FootprintChange>,
    entries: Vec<EntryReport<'a>>,
}

/// What a process held at two times.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct FootprintChange {
    /// The repetition after which it should stay as it is.
    pub settled_after: u32,
    /// Then.
    pub settled: Footprint,
    /// At the end.
    pub last: Footprint,
}

#[derive(Debug, Serialize)]
struct EntryReport<'a> {
    arch: &'static str,
    runtime: &'static str,
    case: &'a str,
    passed: bool,
    expected_failure: Option<FailureClass>,
    exit: u8,
    golden: Option<Verdict>,
    #[serde(flatten)]
    device: Option<DeviceReport>,
    trace_hash: Option<String>,
    error: Option<&'a RunError>,
    /// What the audit has found.
    findings: &'a [JudgedFinding],
    #[serde(rename = "host_ms", serialize_with = "milliseconds")]
    host_time: Duration,
}

#[derive(Debug, Serialize)]
struct DeviceReport {
    #[serde(rename = "device_time_ns", serialize_with = "nanoseconds")]
    time: SimDuration,
    tasks: u64,
}

/// How a matrix was run.
#[derive(Clone, Copy, Debug)]
pub struct MatrixFacts {
    /// How many ran at once.
    pub parallel: usize,
    /// How often the whole was run.
    pub repetitions: u32,
    /// How many namespaces were lent at the same time, at most.
    pub namespaces: usize,
    /// Host time of all of it.
    pub host_time: Duration,
    /// What the process held, if it was looked at.
    pub footprint: Option<FootprintChange>,
}

impl<'a> MatrixReport<'a> {
    /// The report of these results.
    pub fn new(results: &'a [EntryResult], facts: MatrixFacts) -> Self {
        MatrixReport {
            schema: SCHEMA,
            exit: status_of(results).code(),
            runs: results.len(),
            as_expected: results.iter().filter(|result| result.passed()).count(),
            parallel: facts.parallel,
            repetitions: facts.repetitions,
            namespaces: facts.namespaces,
            host_time: facts.host_time,
            footprint: facts.footprint,
            entries: results.iter().map(EntryReport::from).collect(),
        }
    }
}

impl<'a> From<&'a EntryResult> for EntryReport<'a> {
    fn from(result: &'a EntryResult) -> Self {
        let outcome = &result.outcome;
        EntryReport {
            arch: result.arch.as_str(),
            runtime: result.runtime.name(),
            case: &result.case,
            passed: result.passed(),
            expected_failure: result.expected,
            exit: outcome.status.code(),
            golden: outcome.golden,
            device: outcome.device.map(|(time, tasks)| DeviceReport { time, tasks }),
            trace_hash: outcome.trace_hash.map(|hash| format!("{hash:016x}")),
            error: outcome.error.as_ref(),
            findings: &outcome.findings,
            host_time: result.host_time,
        }
    }
}
