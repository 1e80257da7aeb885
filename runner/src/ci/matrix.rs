//! Runs the entries of a matrix on workers, one after the other or several at once.

use std::num::NonZero;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};
use std::thread;
use std::time::Instant;

use sim_core::loader::audit::holdings::WatchScope;

use super::result::{EntryOutcome, EntryResult};
use super::selection::Entry;
use crate::audit::Audit;
use crate::client::status::FailureClass;
use crate::device::EngineKind;
use crate::device::pool::{NamespacePool, Worker, WorkerError};
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
        let results: Vec<OnceLock<EntryResult>> = self.entries.iter().map(|_| OnceLock::new()).collect();
        let next = AtomicUsize::new(0);
        let settings =
            RunSettings { workers: Some(self.workers()), watch_leaks: self.watch(), ..self.settings.clone() };
        let work = || {
            let mut worker = pool.worker();
            loop {
                let index = next.fetch_add(1, Ordering::Relaxed);
                let Some(entry) = self.entries.get(index) else { return };
                let result = run_entry(&mut worker, entry, &settings);
                seen(&result);
                let _ = results[index].set(result);
            }
        };
        thread::scope(|scope| {
            for number in 0..self.parallel.clamp(1, self.entries.len().max(1)) {
                let named = thread::Builder::new().name(format!("ci {number}"));
                // One thread fewer takes longer; none at all is caught below.
                let _ = named.spawn_scoped(scope, work);
            }
        });
        // If no thread could be started, this one does it all.
        work();
        results.into_iter().filter_map(OnceLock::into_inner).collect()
    }

    /// Where leaks are looked for: descriptors belong to the process, and nobody could say of which device they are.
    fn watch(&self) -> Option<WatchScope> {
        let scope = if self.parallel > 1 { WatchScope::Namespace } else { WatchScope::Process };
        (self.settings.engine != EngineKind::Threads).then_some(scope)
    }

    /// Threads for kernel bodies of each run: together as many as there are processors. They change no result.
    fn workers(&self) -> usize {
        let processors = thread::available_parallelism().map_or(1, NonZero::get);
        self.settings.workers.unwrap_or((processors / self.parallel.max(1)).max(1))
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

fn status_of(error: &WorkerError) -> ExitStatus {
    match error {
        WorkerError::AllLost { .. } => ExitStatus::DeviceFault,
        WorkerError::Device(error) => FailureClass::of(error).into(),
    }
}
