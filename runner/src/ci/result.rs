//! What has come of one run of a matrix.

use std::fmt;
use std::time::Duration;

use sim_core::profile::Arch;
use sim_core::time::SimDuration;

use crate::audit::JudgedFinding;
use crate::case::Runtime;
use crate::client::status::FailureClass;
use crate::report::summary::{DeviceFacts, RunError, Verdict};
use crate::run::exit::ExitStatus;
use crate::run::finished::FinishedRun;

/// One run of a matrix that is over.
#[derive(Clone, Debug)]
pub struct EntryResult {
    /// The generation.
    pub arch: Arch,
    /// The runtime.
    pub runtime: Runtime,
    /// The case.
    pub case: String,
    /// How it is expected to end, if not well.
    pub expected: Option<FailureClass>,
    /// How it ended.
    pub outcome: EntryOutcome,
    /// Host time of all of it: loading, running, comparing.
    pub host_time: Duration,
}

/// How a run of a matrix ended.
#[derive(Clone, Debug)]
pub struct EntryOutcome {
    /// How the process would end if it were the only one.
    pub status: ExitStatus,
    /// The comparison of its results; none if nothing ran.
    pub golden: Option<Verdict>,
    /// Virtual time on the device, with tasks; none if nothing ran under virtual time.
    pub device: Option<(SimDuration, u64)>,
    /// The hash over all its events.
    pub trace_hash: Option<u64>,
    /// What went wrong.
    pub error: Option<RunError>,
    /// What the audit has found.
    pub findings: Vec<JudgedFinding>,
}

impl EntryOutcome {
    /// Of a run that is over. The audit follows when its device has ended.
    pub fn of(run: &FinishedRun) -> Self {
        let facts = &run.summary.run;
        let device = run.summary.simulated.as_ref().and_then(|simulated| match &simulated.device {
            DeviceFacts::Whole(device) if facts.engine.is_virtual() => Some((device.device_time, device.tasks)),
            DeviceFacts::Whole(_) | DeviceFacts::Seen(_) => None,
        });
        EntryOutcome {
            status: run.status(),
            golden: Some(facts.golden.verdict),
            device,
            trace_hash: facts.trace_hash,
            error: facts.error.clone(),
            findings: Vec::new(),
        }
    }

    /// Of a run that did not begin.
    pub fn not_begun(status: ExitStatus, message: String) -> Self {
        let error = RunError { message, device_code: None };
        EntryOutcome { status, golden: None, device: None, trace_hash: None, error: Some(error), findings: Vec::new() }
    }
}

impl EntryResult {
    /// How the process would end because of this run: success if the run ended as it is expected to, and the audit found
    /// nothing that the case does not allow.
    pub fn status(&self) -> ExitStatus {
        match self.status_of_run() {
            ExitStatus::Success if self.refused_findings().next().is_some() => ExitStatus::Mismatch,
            status => status,
        }
    }

    fn status_of_run(&self) -> ExitStatus {
        match (self.expected.map(ExitStatus::from), self.outcome.status) {
            (None, status) => status,
            (Some(expected), status) if status == expected => ExitStatus::Success,
            (Some(_), ExitStatus::Success) => ExitStatus::Mismatch,
            (Some(_), status) => status,
        }
    }

    /// What the audit has found and the case does not allow.
    pub fn refused_findings(&self) -> impl Iterator<Item = &JudgedFinding> {
        self.outcome.findings.iter().filter(|finding| !finding.allowed)
    }

    /// Whether it ended as expected.
    pub fn passed(&self) -> bool {
        self.status() == ExitStatus::Success
    }

    /// What is wrong with it, in one line.
    pub fn complaint(&self) -> Option<String> {
        if self.status_of_run() == ExitStatus::Success {
            return self.complaint_of_audit();
        }
        if let (Some(expected), ExitStatus::Success) = (self.expected, self.outcome.status) {
            return Some(format!("it is expected to end as a {}, and ended well", ClassName(expected)));
        }
        let message = self.outcome.error.as_ref().map(|error| error.message.as_str());
        // The first line names the cause.
        let line = message.and_then(|message| message.lines().next()).map(str::to_owned);
        Some(line.unwrap_or_else(|| "the results differ from the expected ones by too much".to_owned()))
    }

    fn complaint_of_audit(&self) -> Option<String> {
        let mut refused = self.refused_findings();
        let first = refused.next()?;
        let more = match refused.count() {
            0 => String::new(),
            more => format!(" (and {more} more)"),
        };
        Some(format!("the audit found {first}{more}; if that is as it should be, add it to `allow` in the case"))
    }

    /// The run by its three names.
    pub fn name(&self) -> String {
        format!("{} on {}, {}", self.case, self.arch, self.runtime)
    }
}

/// A class of failures as case files name it.
struct ClassName(FailureClass);

impl fmt::Display for ClassName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.0 {
            FailureClass::Input => "refused input",
            FailureClass::Fault => "fault",
            FailureClass::Deadlock => "deadlock",
        })
    }
}

/// How a whole matrix ends: as the first run that is not as expected.
pub fn status_of(results: &[EntryResult]) -> ExitStatus {
    let statuses = results.iter().map(EntryResult::status);
    statuses.into_iter().find(|status| *status != ExitStatus::Success).unwrap_or(ExitStatus::Success)
}

#[cfg(test)]
pub(in crate::ci) mod tests {
    use sim_core::loader::audit::{Finding, FindingKind};

    use super::*;
    use crate::audit::allow::Allowance;

    /// A result that needs no device.
    pub(in crate::ci) fn result(case: &str, expected: Option<FailureClass>, status: ExitStatus) -> EntryResult {
        let error = (status != ExitStatus::Success)
            .then(|| RunError { message: "it <broke>\nhere".to_owned(), device_code: Some(507_015) });
        EntryResult {
            arch: Arch::A5,
            runtime: Runtime::HostBuildGraph,
            case: case.to_owned(),
            expected,
            outcome: EntryOutcome {
                status,
                golden: Some(if status == ExitStatus::Success { Verdict::Pass } else { Verdict::Fail }),
                device: Some((SimDuration::from_ns(22_948), 5)),
                trace_hash: Some(0x1234_5678_9abc_def0),
                error,
                findings: Vec::new(),
            },
            host_time: Duration::from_micros(1_500),
        }
    }

    /// A finding of the audit, without an audit.
    pub(in crate::ci) fn finding(symbol: &str, allowed: bool) -> JudgedFinding {
        let (object, provider) = ("clock".to_owned(), "vdso".to_owned());
        let finding = Finding { kind: FindingKind::Vdso, object, symbol: symbol.to_owned(), provider };
        JudgedFinding { key: Allowance::of(&finding), finding, allowed }
    }

    #[test]
    fn is_a_run_with_a_finding_a_mismatch_unless_the_case_allows_it() {
        let mut run = result("x", None, ExitStatus::Success);
        run.outcome.findings = vec![finding("time", true)];
        assert_eq!((run.status(), run.complaint()), (ExitStatus::Success, None));
        run.outcome.findings.extend([finding("gettimeofday", false), finding("clock_gettime", false)]);
        assert_eq!(run.status(), ExitStatus::Mismatch);
        assert_eq!(
            run.complaint().unwrap(),
            "the audit found vdso:gettimeofday of clock by vdso (and 1 more); if that is as it should be, add it to \
             `allow` in the case"
        );
        // Whatever else went wrong comes first.
        run.outcome.status = ExitStatus::Deadlock;
        assert_eq!(
            (run.status(), run.complaint().unwrap().as_str()),
            (ExitStatus::Deadlock, "the results differ from the expected ones by too much")
        );
    }

    #[test]
    fn is_a_failure_that_was_expected_a_success_and_no_other() {
        let status = |expected, status| result("x", expected, status).status();
        let (deadlock, fault) = (Some(FailureClass::Deadlock), Some(FailureClass::Fault));
        assert_eq!(status(None, ExitStatus::Success), ExitStatus::Success);
        assert_eq!(status(deadlock, ExitStatus::Deadlock), ExitStatus::Success);
        assert_eq!(status(fault, ExitStatus::Deadlock), ExitStatus::Deadlock);
        assert_eq!(status(fault, ExitStatus::Success), ExitStatus::Mismatch);
        assert_eq!(status(None, ExitStatus::DeviceFault), ExitStatus::DeviceFault);
    }

    #[test]
    fn does_a_matrix_end_as_the_first_run_that_is_not_as_expected() {
        let good = || result("good", None, ExitStatus::Success);
        let bad = |status| result("bad", None, status);
        assert_eq!(status_of(&[good(), good()]), ExitStatus::Success);
        assert_eq!(status_of(&[good(), bad(ExitStatus::Deadlock), bad(ExitStatus::Mismatch)]), ExitStatus::Deadlock);
    }
}
