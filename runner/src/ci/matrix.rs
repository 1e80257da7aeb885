//! Runs the entries of a matrix on workers, one after the other or several at once.

use std::sync::Arc;
use std::time::Instant;

use sim_core::loader::audit::holdings::WatchScope;

use super::result::{EntryOutcome, EntryResult};
use super::selection::Entry;
use crate::audit::Audit;
use crate::client::status::FailureClass;
use crate::device::EngineKind;
use crate::device::pool::{NamespacePool, Worker, WorkerError, kernel_threads};
use crate::run::exit::ExitStatus;
use crate::run::finished::FinishedRun;
use crate::run::plan::RunPlan;
use crate::run::pulse::Pulse;
use crate::run::settings::RunSettings;

/// A matrix that is ready to run.
pub struct Matrix<'a> {
    /// The runs.
    pub entries: &'a [Entry],
    /// How each is run. Generation and runtime are those of the entry.
    pub settings: &'a RunSettings,
    /// How many run at once.
    pub parallel: usize,
}

impl Matrix<'_> {
    /// Runs every entry once. Results are in the order of entries; `seen` hears of each as it ends.
    pub fn run(&self, pool: &NamespacePool, seen: impl Fn(&EntryResult) + Sync) -> Vec<EntryResult> {
        let workers = self.settings.workers.unwrap_or_else(|| kernel_threads(self.parallel));
        let settings = RunSettings { workers: Some(workers), watch_leaks: self.watch(), ..self.settings.clone() };
        pool.map(self.entries, self.parallel, "ci", |worker, entry| {
            let result = run_entry(worker, entry, &settings);
            seen(&result);
            result
        })
    }

    /// Where leaks are looked for: descriptors belong to the process, and nobody could say of which device they are.
    fn watch(&self) -> Option<WatchScope> {
        let scope = if self.parallel > 1 { WatchScope::Namespace } else { WatchScope::Process };
        (self.settings.engine != EngineKind::Threads).then_some(scope)
    }
}

fn run_entry(worker: &mut Worker<'_>, entry: &Entry, settings: &RunSettings) -> EntryResult {
    let begun = Instant::now();
    let outcome = match plan_of(entry, settings) {
        Ok(plan) => match FinishedRun::with(worker, plan, Arc::new(Pulse::default()), EntryOutcome::of) {
            Ok((outcome, loads)) => {
                EntryOutcome { findings: Audit::of_loads(&loads, &entry.case.allow).findings, ..outcome }
            }
            Err(error) => EntryOutcome::not_begun(status_of(&error), error.to_string()),
        },
        Err(message) => EntryOutcome::not_begun(ExitStatus::BadInput, message),
    };
    EntryResult {
        arch: entry.arch,
        runtime: entry.runtime,
        case: entry.case.name.clone(),
        expected: entry.case.expected_failure,
        outcome,
        host_time: begun.elapsed(),
    }
}

fn plan_of(entry: &Entry, settings: &RunSettings) -> Result<RunPlan, String> {
    let settings = RunSettings { arch: Some(entry.arch), runtime: Some(entry.runtime), ..settings.clone() };
    RunPlan::new(entry.case.clone(), &settings).map_err(|error| error.to_string())
}

pub(crate) fn status_of(error: &WorkerError) -> ExitStatus {
    match error {
        WorkerError::AllLost { .. } => ExitStatus::DeviceFault,
        WorkerError::Device(error) => FailureClass::of(error).into(),
    }
}
