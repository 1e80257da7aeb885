//! The sim-shaped artifacts under `npusim exec`, and the reports that their runs leave.

use std::cell::Cell;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use serde_json::Value;
use sim_core::profile::Arch;

use super::{Outcome, Scratch, command, entries, outcome_of, sim_shaped};

/// How long a command may take on a busy machine.
pub(crate) const PATIENCE: Duration = Duration::from_secs(120);

/// Artifacts in a directory of their own, with room for reports.
pub(crate) struct Artifacts {
    scratch: Scratch,
    arch: Arch,
    runs: Cell<u32>,
}

/// How a command ended, and what its runs reported, in order of process and run.
pub(crate) struct Executed {
    pub(crate) outcome: Outcome,
    pub(crate) reports: Vec<Value>,
}

impl Executed {
    /// This, if the host process found every result right.
    #[track_caller]
    pub(crate) fn passed(self) -> Self {
        assert_eq!(self.outcome.clone().success().stdout, sim_shaped::PASSED, "{}", self.outcome);
        self
    }

    /// The report of the only run.
    #[track_caller]
    pub(crate) fn report(&self) -> &Value {
        let [report] = &self.reports[..] else { panic!("{} runs\n{}", self.reports.len(), self.outcome) };
        report
    }

    /// The trace hash of each run.
    pub(crate) fn hashes(&self) -> Vec<String> {
        let hash = |report: &Value| report["trace_hash"].as_str().expect("a report has a hash").to_owned();
        self.reports.iter().map(hash).collect()
    }

    /// The trace hash of the only run.
    #[track_caller]
    pub(crate) fn hash(&self) -> String {
        self.report();
        self.hashes().remove(0)
    }
}

impl Artifacts {
    /// Those for a generation. The directory is named for it, as that of a real runtime is.
    pub(crate) fn new(arch: Arch) -> Self {
        let artifacts = Artifacts { scratch: Scratch::new(), arch, runs: Cell::new(0) };
        sim_shaped::install(arch, &artifacts.directory());
        artifacts
    }

    /// Where they are.
    pub(crate) fn directory(&self) -> PathBuf {
        self.scratch.path().join(self.arch.as_str())
    }

    /// The directory that has everything of this test.
    pub(crate) fn scratch(&self) -> &Scratch {
        &self.scratch
    }

    /// The words that run a case, to be followed by options of the host process.
    pub(crate) fn words(&self, case: &str) -> [OsString; 3] {
        sim_shaped::words(&self.directory(), case)
    }

    /// A place for reports that nothing has used.
    pub(crate) fn new_out(&self) -> PathBuf {
        self.runs.set(self.runs.get() + 1);
        self.scratch.path().join(format!("out-{}", self.runs.get()))
    }

    /// `npusim exec` with these options on a case, with these options of the host process.
    pub(crate) fn command(&self, exec: &[&str], case: &str, options: &[&str]) -> Command {
        let mut command = command();
        command.arg("exec").args(exec).arg("--").args(self.words(case)).args(options);
        command
    }

    /// Runs such a command and reads the reports.
    #[track_caller]
    pub(crate) fn run(&self, exec: &[&str], case: &str, options: &[&str]) -> Executed {
        let out = self.new_out();
        let outcome = outcome_of(self.command(exec, case, options).env("NPUSIM_OUT", &out), PATIENCE);
        Executed { outcome, reports: reports(&out) }
    }
}

/// The reports below a directory, in order of process and run.
pub(crate) fn reports(out: &Path) -> Vec<Value> {
    let mut reports = Vec::new();
    for process in entries(out) {
        let process = out.join(process);
        for run in entries(&process) {
            let path = process.join(run).join("report.json");
            let text = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
            reports.push(serde_json::from_str(&text).expect("a report is JSON"));
        }
    }
    reports
}
