//! `report.json` of a matrix: a stable object for programs.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use sim_core::profile::Arch;
use sim_core::time::{SimDuration, nanoseconds};

use super::result::{EntryOutcome, EntryResult, status_of};
use crate::audit::JudgedFinding;
use crate::case::Runtime;
use crate::client::status::FailureClass;
use crate::report::summary::{RunError, Verdict, milliseconds};
use crate::run::exit::ExitStatus;
use crate::run::footprint::Footprint;
use crate::shard::PartOf;

/// The version of the keys of [`MatrixReport`].
pub const SCHEMA: u32 = 1;

/// A matrix that is over.
#[derive(Debug, Serialize)]
pub struct MatrixReport<'a> {
    schema: u32,
    /// The exit code of the process.
    exit: u8,
    /// Which part it is, if not the whole.
    #[serde(skip_serializing_if = "Option::is_none")]
    shard: Option<&'a PartOf>,
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
    #[serde(rename = "device_time_ns", with = "nanoseconds")]
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
    /// The report of these results, of a part if one is given.
    pub fn new(results: &'a [EntryResult], facts: MatrixFacts, shard: Option<&'a PartOf>) -> Self {
        MatrixReport {
            schema: SCHEMA,
            exit: status_of(results).code(),
            shard,
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

/// A [`MatrixReport`] as it is read back.
#[derive(Clone, Debug, Deserialize)]
pub struct MatrixDocument {
    /// Which part it is, if not the whole.
    #[serde(default)]
    pub shard: Option<PartOf>,
    /// How many ran at once.
    pub parallel: usize,
    /// How often the whole was run.
    pub repetitions: u32,
    /// How many namespaces were lent at the same time, at most.
    pub namespaces: usize,
    /// Host time of all of it.
    pub host_ms: f64,
    /// The runs.
    pub entries: Vec<EntryDocument>,
}

/// A run of a matrix as it is read back.
#[derive(Clone, Debug, Deserialize)]
pub struct EntryDocument {
    arch: String,
    runtime: Runtime,
    case: String,
    expected_failure: Option<FailureClass>,
    exit: u8,
    golden: Option<Verdict>,
    #[serde(default)]
    device_time_ns: Option<f64>,
    #[serde(default)]
    tasks: Option<u64>,
    trace_hash: Option<String>,
    error: Option<RunError>,
    findings: Vec<JudgedFinding>,
    host_ms: f64,
}

impl MatrixDocument {
    /// How the matrix was run.
    pub fn facts(&self) -> MatrixFacts {
        MatrixFacts {
            parallel: self.parallel,
            repetitions: self.repetitions,
            namespaces: self.namespaces,
            host_time: Duration::from_secs_f64(self.host_ms.max(0.0) / 1e3),
            footprint: None,
        }
    }

    /// The runs as results. An error names what is no result.
    pub fn results(&self) -> Result<Vec<EntryResult>, String> {
        self.entries.iter().map(EntryDocument::result).collect()
    }
}

impl EntryDocument {
    fn result(&self) -> Result<EntryResult, String> {
        let named = |what: &str| format!("{} on {}: {what}", self.case, self.arch);
        let arch = self.arch.parse::<Arch>().map_err(|error| named(&error.to_string()))?;
        let status = ExitStatus::from_code(self.exit).ok_or_else(|| named("`exit` is no exit code of npusim"))?;
        let hash = self.trace_hash.as_deref().map(|digits| u64::from_str_radix(digits, 16)).transpose();
        let device = self.device_time_ns.zip(self.tasks);
        Ok(EntryResult {
            arch,
            runtime: self.runtime,
            case: self.case.clone(),
            expected: self.expected_failure,
            outcome: EntryOutcome {
                status,
                golden: self.golden,
                device: device.map(|(ns, tasks)| (SimDuration::from_ps((ns * 1e3).round() as u64), tasks)),
                trace_hash: hash.map_err(|_| named("`trace_hash` is no hash"))?,
                error: self.error.clone(),
                findings: self.findings.clone(),
            },
            host_time: Duration::from_secs_f64(self.host_ms.max(0.0) / 1e3),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::super::result::tests::result;
    use super::*;
    use crate::shard::Shard;

    #[test]
    fn does_a_report_come_back_from_json_as_it_was() {
        let results = [
            result("vector_example", None, ExitStatus::Success),
            result("null_write", Some(FailureClass::Fault), ExitStatus::DeviceFault),
        ];
        let facts = MatrixFacts {
            parallel: 2,
            repetitions: 1,
            namespaces: 2,
            host_time: Duration::from_micros(3_500),
            footprint: None,
        };
        let part = PartOf::new(Shard::new(1, 2).unwrap(), 4, "x");
        let json = serde_json::to_value(MatrixReport::new(&results, facts, Some(&part))).unwrap();
        let document: MatrixDocument = serde_json::from_value(json.clone()).unwrap();
        let back = document.results().unwrap();
        let again = serde_json::to_value(MatrixReport::new(&back, document.facts(), document.shard.as_ref())).unwrap();
        assert_eq!(again, json);
    }
}
