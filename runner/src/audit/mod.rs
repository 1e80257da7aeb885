//! The audit of a run: who served the imports of each object, and what was found.
//!
//! ```text
//!   FinishedRun ── close ──▶ LoadLedger ──▶ Audit ──▶ table, JSON, exit code
//!                                ▲            ▲
//!             sim_core::loader::audit     `allow` of the case: findings that are as they should be
//! ```
//!
//! A device has to be ended first, since only then it is known what its objects leave behind. Leaks are looked for only
//! if the device was made so ([`DeviceConfig::watch_leaks`](crate::device::DeviceConfig::watch_leaks)).

pub mod allow;
pub mod table;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde::{Deserialize, Serialize};
use sim_core::loader::audit::Finding;
use sim_core::loader::ledger::{LoadLedger, LoadOrigin};
use sim_core::loader::symbols::printable;

use crate::case::nearest;
use crate::run::exit::ExitStatus;
use crate::run::finished::FinishedRun;
use allow::Allowance;

/// What is known of the objects of a device that has ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Audit {
    /// The objects, in the order in which they were loaded first.
    pub objects: Vec<AuditedObject>,
    /// What was found: by object in that order, each thing once.
    pub findings: Vec<JudgedFinding>,
    /// Allowances for which nothing was found.
    pub unused: Vec<UnusedAllowance>,
}

/// One object.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct AuditedObject {
    /// Its name.
    pub name: String,
    /// What it is to the device.
    pub origin: LoadOrigin,
    /// Its imports by who serves them. None if nobody looked: it was refused, or ran on free-running threads.
    pub bindings: Option<BTreeMap<String, Vec<String>>>,
}

/// A finding, and whether somebody has said that it is as it should be.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct JudgedFinding {
    /// What was found.
    #[serde(flatten)]
    pub finding: Finding,
    /// How it is allowed.
    pub key: Allowance,
    /// Whether it is.
    pub allowed: bool,
}

/// An allowance for which nothing was found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct UnusedAllowance {
    /// What is allowed.
    pub key: Allowance,
    /// The most similar finding that is not allowed.
    pub nearest: Option<Allowance>,
}

impl fmt::Display for JudgedFinding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (key, Finding { object, provider, .. }) = (self.key.to_string(), &self.finding);
        write!(f, "{} of {} by {}", printable(&key), printable(object), printable(provider))
    }
}

impl Audit {
    /// The audit of a run that is over. Its device is ended.
    pub fn of_run(run: FinishedRun, allow: &[Allowance]) -> Audit {
        Audit::of_loads(&run.close(), allow)
    }

    /// The audit of these loads.
    pub fn of_loads(loads: &LoadLedger, allow: &[Allowance]) -> Audit {
        let mut known = BTreeSet::new();
        let loaded = loads.records().iter().filter(|load| known.insert((load.origin, &load.name, load.content)));
        let object = |load: &sim_core::loader::ledger::LoadRecord| AuditedObject {
            name: load.name.clone(),
            origin: load.origin,
            bindings: load.examination.as_ref().map(|examination| {
                let owned = |symbols: Vec<&str>| symbols.into_iter().map(str::to_owned).collect();
                let by_provider = examination.bindings.by_provider().into_iter();
                by_provider.map(|(provider, symbols)| (provider, owned(symbols))).collect()
            }),
        };
        let objects = loaded.map(object).collect();
        let mut told = BTreeSet::new();
        let findings = loads.findings().filter(|finding| told.insert(*finding));
        let judged = |finding: &Finding| JudgedFinding {
            finding: finding.clone(),
            key: Allowance::of(finding),
            allowed: allow.iter().any(|allowed| allowed.covers(finding)),
        };
        let findings: Vec<JudgedFinding> = findings.map(judged).collect();
        let unused = allow.iter().filter(|allowed| !findings.iter().any(|judged| allowed.covers(&judged.finding)));
        let unused = unused.map(|key| UnusedAllowance { key: key.clone(), nearest: nearest_finding(key, &findings) });
        Audit { objects, unused: unused.collect(), findings }
    }

    /// The findings that nobody has allowed.
    pub fn refused(&self) -> impl Iterator<Item = &JudgedFinding> {
        self.findings.iter().filter(|finding| !finding.allowed)
    }

    /// How a process ends that asked for no more than this.
    pub fn status(&self) -> ExitStatus {
        if self.refused().next().is_some() { ExitStatus::Mismatch } else { ExitStatus::Success }
    }
}

fn nearest_finding(key: &Allowance, findings: &[JudgedFinding]) -> Option<Allowance> {
    let open: Vec<_> = findings.iter().filter(|judged| !judged.allowed).map(|judged| judged.key.to_string()).collect();
    nearest(&key.to_string(), open.iter().map(String::as_str)).and_then(|nearest| nearest.parse().ok())
}

#[cfg(test)]
mod tests;
