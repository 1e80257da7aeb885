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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::native_runtime::test_objects::Directory;

    /// A host runtime whose runs add 3 to each of the four floats that they are given.
    const ADDS_3: &str = "
        static struct { unsigned version, resources, depth, unused; long long resource[16]; } contract = {1, 0, 1};
        static long context;
        static float *values;
        const void *get_pipeline_contract(void) { return &contract; }
        long get_runtime_size(void) { return 64; }
        long get_runtime_alignment(void) { return 64; }
        void *create_device_context(void) { return &context; }
        int simpler_prepare_run(void *c, void *run, int id, float **args) { values = *args; return 0; }
        int simpler_wait_run(void *c, void *run) { for (int i = 0; i < 4; i++) values[i] += 3; return 0; }";

    /// A case that counts to `length`, with more keys at its end, on that host runtime.
    fn plan(length: u32, keys: &str, host: &str) -> (Directory, Result<NativePlan, NativePlanError>) {
        let directory = Directory::new();
        directory.host_with(host);
        let text = format!(
            r#"{{"arch": "a2a3", "runtime": "tensormap_and_ringbuffer", "orchestration": {{"bundled": "chain"}},
                "kernels": [{{"func_id": 0, "bundled": "increment", "core": "aiv", "signature": ["inout"]}}],
                "tensors": [{{"name": "x", "shape": [4], "dtype": "f32", "direction": "inout",
                              "generator": {{"kind": "ramp", "start": 5, "step": 1}}}}],
                "scalars": [{{"name": "length", "type": "u64", "value": {length}}}],
                "golden": {{"reference": "chain"}}{keys}}}"#
        );
        directory.write("case.json", text.as_bytes());
        let case = CaseSpec::load(&directory.path().join("case.json")).unwrap();
        let plan = NativePlan::new(case, &RunSettings::default(), directory.path());
        (directory, plan)
    }

    fn run(length: u32, keys: &str, host: &str) -> FinishedNativeRun {
        let (_directory, plan) = plan(length, keys, host);
        FinishedNativeRun::of(plan.unwrap()).unwrap()
    }

    #[test]
    fn are_the_results_of_artifacts_compared() {
        let right = run(3, r#", "runs": 2"#, ADDS_3);
        assert_eq!((right.status(), right.failure.is_none()), (ExitStatus::Success, true));
        let wrong = run(4, "", ADDS_3);
        assert_eq!((wrong.status(), wrong.summary.run.golden.worst_absolute), (ExitStatus::Mismatch, 1.0));
    }

    #[test]
    fn does_a_code_of_the_runtime_end_the_run_with_its_meaning() {
        let times_out = ADDS_3.replace("values[i] += 3; return 0", "; return -100");
        let run = run(3, "", &times_out);
        assert_eq!(run.status(), ExitStatus::Deadlock);
        assert_eq!(
            run.failure.unwrap().to_string(),
            "simpler_wait_run returned -100 (SCHEDULER_TIMEOUT: the schedulers saw no progress)"
        );
    }

    #[test]
    fn are_keys_that_only_npusims_own_device_reads_refused() {
        let (directory, plan) = plan(3, r#", "profile": {"mmio.load": "1ns"}"#, ADDS_3);
        assert_eq!(
            plan.map(drop).unwrap_err().to_string().replace(directory.path().to_str().unwrap(), "DIR"),
            "DIR/case.json: `profile` is for npusim's own device and has no effect with --runtime-dir; leave one of them \
             away"
        );
    }

    #[test]
    fn which_files_does_a_run_on_artifacts_leave() {
        let run = run(3, "", ADDS_3);
        let scratch = tempfile::tempdir().unwrap();
        let paths = run.write(&OutputDirectory::create(scratch.path()).unwrap()).unwrap();
        let names: Vec<_> = paths.iter().map(|path| path.file_name().unwrap().to_str().unwrap()).collect();
        assert_eq!(names, ["name_map_case.json", "report.json"]);
    }
}
