//! `junit.xml` of a matrix: what CI servers read. A runtime for a generation is a test suite, a case in it a test.

use std::time::Duration;

use quick_junit::{NonSuccessKind, Property, Report, SerializeError, TestCase, TestCaseStatus, TestSuite};

use super::result::EntryResult;

/// The results as JUnit XML. They are in the order of the matrix: a suite is complete when the next one begins.
pub fn xml(results: &[EntryResult], host_time: Duration) -> Result<String, SerializeError> {
    let mut report = Report::new("npusim ci");
    report.set_time(host_time);
    for suite in results.chunk_by(|one, next| suite_name(one) == suite_name(next)) {
        let mut of_runtime = TestSuite::new(suite_name(&suite[0]));
        of_runtime.set_time(suite.iter().map(|result| result.host_time).sum());
        of_runtime.add_test_cases(suite.iter().map(test_case));
        report.add_test_suite(of_runtime);
    }
    report.to_string()
}

fn suite_name(result: &EntryResult) -> String {
    format!("{}.{}", result.arch, result.runtime)
}

fn test_case(result: &EntryResult) -> TestCase {
    let mut test = TestCase::new(result.case.as_str(), status(result));
    test.set_classname(suite_name(result)).set_time(result.host_time);
    if let Some((time, tasks)) = result.outcome.device {
        test.add_property(Property::new("device_time", time.to_string()));
        test.add_property(Property::new("tasks", tasks.to_string()));
    }
    if let Some(hash) = result.outcome.trace_hash {
        test.add_property(Property::new("trace_hash", format!("{hash:016x}")));
    }
    for finding in &result.outcome.findings {
        let name = if finding.allowed { "allowed_finding" } else { "finding" };
        test.add_property(Property::new(name, finding.to_string()));
    }
    test
}

/// Wrong results and findings are a failure; a run that did not come to its end is an error.
fn status(result: &EntryResult) -> TestCaseStatus {
    let Some(complaint) = result.complaint() else { return TestCaseStatus::success() };
    let error = result.outcome.error.as_ref();
    let kind = if error.is_some() { NonSuccessKind::Error } else { NonSuccessKind::Failure };
    let mut status = TestCaseStatus::non_success(kind);
    status.set_message(complaint).set_type(format!("exit {}", result.status().code()));
    if let Some(error) = error {
        status.set_description(error.message.as_str());
    } else if result.refused_findings().next().is_some() {
        status.set_description(result.refused_findings().map(ToString::to_string).collect::<Vec<_>>().join("\n"));
    }
    status
}

#[cfg(test)]
mod tests {
    use super::super::result::tests::{finding, result};
    use super::*;
    use crate::run::exit::ExitStatus;

    #[test]
    fn what_does_a_ci_server_read() {
        let mut results =
            [result("vector_example", None, ExitStatus::Success), result("null_write", None, ExitStatus::DeviceFault)];
        results[0].outcome.findings = vec![finding("time", true), finding("gettimeofday", false)];
        insta::assert_snapshot!(xml(&results, Duration::from_millis(3)).unwrap());
    }
}
