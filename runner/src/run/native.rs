//! A run on the artifacts of `--runtime-dir`.

use std::path::{Path, PathBuf};

use super::conversation::{Outcome, RunFailure, converse, status_of};
use super::exit::ExitStatus;
use super::input::RunInput;
use super::plan::PlanError;
use super::settings::RunSettings;
use crate::case::CaseSpec;
use crate::native_runtime::NativeRuntime;
use crate::native_runtime::directory::RuntimeDirectory;
use crate::native_runtime::error::NativeError;
use crate::report::names::{NameMap, ProgramNames};
use crate::report::output::{OutputDirectory, OutputError};
use crate::report::summary::{Artifacts, EngineMode, RunFacts, RunSummary};

/// Why a case cannot be run on a directory of artifacts.
#[derive(Debug, thiserror::Error, displaydoc::Display)]
pub enum NativePlanError {
    /// {0}
    Plan(#[from] PlanError),
    /// {0}
    Artifacts(#[from] NativeError),
    /// {case}: `{key}` is for npusim's own device and has no effect with --runtime-dir; leave one of them away
    Key {
        /// The case.
        case: String,
        /// The key.
        key: &'static str,
    },
}

/// A case that is ready to run on artifacts.
pub struct NativePlan {
    input: RunInput,
    directory: RuntimeDirectory,
}

impl NativePlan {
    /// Reads and checks whatever a run of `case` on the artifacts in `directory` needs.
    pub fn new(case: CaseSpec, settings: &RunSettings, directory: &Path) -> Result<NativePlan, NativePlanError> {
        let keys = [
            ("objects", case.objects != Default::default()),
            ("profile", !case.profile.is_empty()),
            ("kernel_costs", case.kernel_costs.is_some()),
        ];
        if let Some((key, _)) = keys.into_iter().find(|(_, given)| *given) {
            return Err(NativePlanError::Key { case: case.origin.to_string(), key });
        }
        let directory = RuntimeDirectory::open(directory, case.runtime)?;
        Ok(NativePlan { input: RunInput::new(case, settings)?, directory })
    }
}

/// A run on artifacts that is over.
pub struct FinishedNativeRun {
    /// What is known of it.
    pub summary: RunSummary,
    /// Why it ended early, if it did.
    pub failure: Option<RunFailure>,
    names: ProgramNames,
}

impl FinishedNativeRun {
    /// Loads the artifacts and runs the plan. An error is that of artifacts that could not be loaded.
    pub fn of(plan: NativePlan) -> Result<FinishedNativeRun, NativeError> {
        let NativePlan { input, directory } = plan;
        let runtime = NativeRuntime::load(&directory, input.arch)?;
        let outcome = converse(&runtime, &input, &directory.aicpu, &directory.aicore, || {});
        let summary = RunSummary::new(facts_of(&input, &directory, &outcome), None);
        Ok(FinishedNativeRun { summary, failure: outcome.failure, names: input.names })
    }

    /// How the process that made this run ends.
    pub fn status(&self) -> ExitStatus {
        status_of(self.failure.as_ref(), self.summary.run.golden.verdict)
    }

    /// Writes the files of `--out` that there is something for; returns their paths.
    pub fn write(&self, out: &OutputDirectory) -> Result<Vec<PathBuf>, OutputError> {
        Ok(vec![
            out.write_json(&NameMap::file_name(&self.summary.run.case), &NameMap::new(&self.names))?,
            out.write_json("report.json", &self.summary)?,
        ])
    }
}

fn facts_of(input: &RunInput, directory: &RuntimeDirectory, outcome: &Outcome) -> RunFacts {
    RunFacts {
        case: input.case.name.clone(),
        arch: input.arch.to_string(),
        runtime: input.case.runtime.name().to_owned(),
        artifacts: Some(Artifacts {
            runtime_dir: directory.path.display().to_string(),
            runtime_revision: directory.revision.hash,
        }),
        golden: outcome.golden,
        exit: outcome.status().code(),
        engine: EngineMode::Stock,
        deterministic: false,
        trace_hash: None,
        host_elapsed: outcome.elapsed,
        error: outcome.failure.as_ref().map(RunFailure::summary),
    }
}
