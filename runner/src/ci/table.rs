//! The table of a matrix on a terminal: a line for each run, then what is wrong, then the sum.

use std::fmt;
use std::time::Duration;

use super::result::EntryResult;
use crate::report::summary::Verdict;

/// Results as a table.
pub struct MatrixTable<'a> {
    /// The runs.
    pub results: &'a [EntryResult],
    /// How many ran at once.
    pub parallel: usize,
    /// How many namespaces they took, at most.
    pub namespaces: usize,
    /// Host time of all of it.
    pub host_time: Duration,
}

impl fmt::Display for MatrixTable<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let case = self.results.iter().map(|result| result.case.len()).max().unwrap_or_default().max("case".len());
        writeln!(
            f,
            "{:<5} {:<25} {:<case$} {:<9} {:>14} {:>9}  {:<16} {:>11}",
            "arch", "runtime", "case", "result", "device time", "tasks", "trace hash", "host time"
        )?;
        for result in self.results {
            let (time, tasks) = result
                .outcome
                .device
                .map_or(("-".to_owned(), "-".to_owned()), |(time, tasks)| (time.to_string(), tasks.to_string()));
            let hash = result.outcome.trace_hash.map_or("-".to_owned(), |hash| format!("{hash:016x}"));
            let host_time = format!("{:.1} ms", result.host_time.as_secs_f64() * 1e3);
            writeln!(
                f,
                "{:<5} {:<25} {:<case$} {:<9} {time:>14} {tasks:>9}  {hash:<16} {host_time:>11}",
                result.arch.as_str(),
                result.runtime.name(),
                result.case,
                ResultWord(result).to_string(),
            )?;
        }
        for result in self.results {
            if let Some(complaint) = result.complaint() {
                writeln!(f, "{}: {complaint}", result.name())?;
            }
            for finding in result.outcome.findings.iter().filter(|finding| finding.allowed) {
                writeln!(f, "{}: allowed: {finding}", result.name())?;
            }
        }
        let passed = self.results.iter().filter(|result| result.passed()).count();
        writeln!(
            f,
            "{passed} of {} as expected; {} at once, in {} namespaces, {:.1} s",
            self.results.len(),
            self.parallel,
            self.namespaces,
            self.host_time.as_secs_f64()
        )
    }
}

/// A result in one word.
pub(super) struct ResultWord<'a>(pub(super) &'a EntryResult);

impl fmt::Display for ResultWord<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match (self.0.passed(), self.0.expected, self.0.outcome.golden) {
            (true, Some(_), _) => "expected",
            (true, None, Some(Verdict::Unchecked)) => "unchecked",
            (true, None, _) => "pass",
            (false, ..) => "FAIL",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::super::result::tests::{finding, result};
    use super::*;
    use crate::client::status::FailureClass;
    use crate::run::exit::ExitStatus;

    #[test]
    fn what_does_a_matrix_look_like_on_a_terminal() {
        let mut results = [
            result("vector_example", None, ExitStatus::Success),
            result("null_write", Some(FailureClass::Fault), ExitStatus::DeviceFault),
            result("chain", None, ExitStatus::Mismatch),
            result("self_wait", Some(FailureClass::Deadlock), ExitStatus::Success),
        ];
        results[0].outcome.findings = vec![finding("time", true)];
        results[1].outcome.findings = vec![finding("gettimeofday", false)];
        let host_time = Duration::from_millis(1_234);
        insta::assert_snapshot!(MatrixTable { results: &results, parallel: 4, namespaces: 3, host_time });
    }
}
