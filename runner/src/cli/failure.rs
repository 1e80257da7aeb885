//! What a command that failed says.

use std::fmt;

use crate::client::status::FailureClass;
use crate::device::error::DeviceError;
use crate::report::stall::StallText;
use crate::run::RunFailure;
use crate::run::exit::ExitStatus;
use crate::run::finished::FinishedRun;
use crate::run::native::FinishedNativeRun;

/// A runtime that gets no memory may ask again and again.
const MOST_REFUSALS: usize = 4;

/// One line of what went wrong, what is known beyond it, and how the process ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Failure {
    /// How the process ends.
    pub(super) status: ExitStatus,
    /// What went wrong, where, and what to do about it.
    pub(super) message: String,
    /// The code that silicon would give.
    pub(super) device_code: Option<u32>,
    /// What guests said of it, and what each actor was waiting for, a line each.
    pub(super) details: Vec<String>,
}

impl Failure {
    /// Something that was asked for is not possible.
    pub(super) fn input(error: impl fmt::Display) -> Self {
        let message = error.to_string();
        Failure { status: ExitStatus::BadInput, message, device_code: None, details: Vec::new() }
    }

    /// A device could not be made.
    pub(super) fn of_device(error: &DeviceError) -> Self {
        Failure {
            status: FailureClass::of(error).into(),
            message: error.to_string(),
            device_code: error.code().map(|code| code as u32),
            details: Vec::new(),
        }
    }

    /// A run ended early, or its results are wrong; `None` if neither.
    pub(super) fn of_run(run: &FinishedRun) -> Option<Self> {
        let failure = Failure::ended(&run.summary.run.case, run.failure.as_ref(), run.status())?;
        let stall = run.deadlock().map(|report| StallText(report).to_string());
        let complaints = run.complaints();
        let said = complaints.iter().map(|line| format!("  {} said at {}: {}", line.actor, line.at, line.text));
        // The first line of the stall is in the message.
        let details = said.chain(stall.iter().flat_map(|text| text.lines().skip(1)).map(str::to_owned)).collect();
        Some(Failure { details, ..failure })
    }

    /// The same of a run on artifacts, with what the engine has told of it.
    pub(super) fn of_native_run(run: &FinishedNativeRun) -> Option<Self> {
        let failure = Failure::ended(&run.summary.run.case, run.failure.as_ref(), run.status())?;
        let known = match run.failure.as_ref().and_then(RunFailure::cause) {
            Some(DeviceError::Reported(error)) => error.details.as_slice(),
            _ => &[],
        };
        let refusals = run.refusals();
        let untold = refusals.iter().filter(|refusal| !failure.message.contains(&refusal.message));
        let refused = untold.take(MOST_REFUSALS).map(|refusal| format!("  the device had refused: {refusal}"));
        Some(Failure { details: refused.chain(known.iter().cloned()).collect(), ..failure })
    }

    /// What a run that ended so says in one line; `None` if it is as it should be.
    fn ended(case: &str, failure: Option<&RunFailure>, status: ExitStatus) -> Option<Self> {
        let message = match (failure, status) {
            (Some(error), _) => error.to_string(),
            (None, ExitStatus::Mismatch) => format!("{case}: the results differ from the expected ones by too much"),
            (None, _) => return None,
        };
        let code = failure.and_then(RunFailure::cause).and_then(DeviceError::code);
        Some(Failure { status, message, device_code: code.map(|code| code as u32), details: Vec::new() })
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Messages that were written over several lines of source are one line here.
        let words: Vec<&str> = self.message.split_whitespace().collect();
        write!(f, "npusim: {}", words.join(" "))?;
        self.details.iter().try_for_each(|line| write!(f, "\n{line}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_a_failure_one_line_with_details_below() {
        let failure = Failure {
            status: ExitStatus::Deadlock,
            message: "nothing\n  goes on".to_owned(),
            device_code: None,
            details: vec!["  aic0 waits".to_owned(), "  aic1 waits".to_owned()],
        };
        assert_eq!(failure.to_string(), "npusim: nothing goes on\n  aic0 waits\n  aic1 waits");
    }
}
