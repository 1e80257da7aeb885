//! What came of a scenario.

use std::fmt;

use serde::Serialize;
use sim_core::time::{SimDuration, SimTime};
use sim_hbm::Holder;

use crate::device::driver::finding::Finding;
use crate::device::visibility::VisibilityFinding;

/// One call.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Step {
    /// The function, and what is special about the call.
    pub call: String,
    /// How often it was made, with the same code each time.
    pub times: u32,
    /// The code that it gave.
    pub code: i32,
    /// The code that it should give.
    pub expected: i32,
    /// When it returned, or the last of them did.
    #[serde(rename = "at_ps")]
    pub at: SimTime,
    /// How long it took, all of them together.
    #[serde(rename = "took_ps")]
    pub took: SimDuration,
    /// Why it was refused, if the device knows.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// Everything that is known when a scenario is over.
#[derive(Clone, Debug, Serialize)]
pub struct ScenarioReport {
    /// Its name.
    pub scenario: &'static str,
    /// The generation.
    pub arch: String,
    /// Whether each call gave the code that it should give.
    pub as_expected: bool,
    /// The calls.
    pub steps: Vec<Step>,
    /// Bytes of device memory in use, at marked moments.
    pub residency: Vec<(String, u64)>,
    /// Who held most of the device's memory at its fullest.
    pub holders: Vec<Holder>,
    /// What the driver found odd.
    pub findings: Vec<Finding>,
    /// What tasks did not see of registers and memory, or too late.
    pub visibility: Vec<VisibilityFinding>,
    /// What ended the device's work, if something did.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fault: Option<String>,
    /// The hash over all events.
    pub trace_hash: String,
}

impl fmt::Display for ScenarioReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{} on {}", self.scenario, self.arch)?;
        writeln!(f, "{:>14} {:>14} {:>7}  call", "at", "took", "code")?;
        for step in &self.steps {
            let (at, took) = (step.at.to_string(), step.took.to_string());
            write!(f, "{at:>14} {took:>14} {:>7}  {}", step.code, step.call)?;
            if step.times > 1 {
                write!(f, ", {} times", step.times)?;
            }
            if step.code != step.expected {
                write!(f, "   EXPECTED {}", step.expected)?;
            }
            writeln!(f)?;
            if let Some(reason) = &step.reason {
                writeln!(f, "{:39}{reason}", "")?;
            }
        }
        for (moment, bytes) in &self.residency {
            writeln!(f, "resident {moment}: {bytes} B")?;
        }
        for holder in &self.holders {
            writeln!(f, "held by {holder}")?;
        }
        for finding in &self.findings {
            writeln!(f, "finding: {finding}")?;
        }
        for finding in &self.visibility {
            writeln!(f, "finding: {finding}")?;
        }
        if let Some(fault) = &self.fault {
            writeln!(f, "fault: {fault}")?;
        }
        writeln!(f, "trace hash {}", self.trace_hash)
    }
}
