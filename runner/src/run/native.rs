//! A run on the artifacts of `--runtime-dir`.

use std::env;
use std::path::{Path, PathBuf};

use sim_aicore::tile_trace::KernelTraceReport;
use sim_core::profile::ProfileError;
use sim_core::trace::ContentHash;

use super::conversation::{Outcome, RunFailure, converse, status_of};
use super::exit::ExitStatus;
use super::input::RunInput;
use super::plan::PlanError;
use super::settings::RunSettings;
use crate::case::CaseSpec;
use crate::device::EngineKind;
use crate::exec::account::Account;
use crate::exec::report::{ExecReport, ReportedError};
use crate::exec::settings::{BadVariable, ExecSettings};
use crate::native_runtime::NativeRuntime;
use crate::native_runtime::directory::RuntimeDirectory;
use crate::native_runtime::error::NativeError;
use crate::report::names::{NameMap, ProgramNames};
use crate::report::output::{OutputDirectory, OutputError};
use crate::report::summary::{Artifacts, EngineMode, RunFacts, RunSummary, Simulated};

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
    /// {what} has no effect on the stock simulator's own threads; leave it away, or --engine threads
    OfEngine {
        /// An option, or a key of the case.
        what: &'static str,
    },
    /// {0}
    Profile(Box<ProfileError>),
    /// {0}
    Variable(#[from] BadVariable),
}

impl From<ProfileError> for NativePlanError {
    fn from(error: ProfileError) -> Self {
        NativePlanError::Profile(Box::new(error))
    }
}

/// A case that is ready to run on artifacts.
pub struct NativePlan {
    input: RunInput,
    directory: RuntimeDirectory,
    engine: Option<ExecSettings>,
}

impl NativePlan {
    /// Reads and checks whatever a run of `case` on the artifacts in `directory` needs.
    pub fn new(case: CaseSpec, settings: &RunSettings, directory: &Path) -> Result<NativePlan, NativePlanError> {
        let case = case.on_runtime(settings.runtime);
        let keys = [("objects", case.objects != Default::default()), ("kernel_costs", case.kernel_costs.is_some())];
        if let Some((key, _)) = keys.into_iter().find(|(_, given)| *given) {
            return Err(NativePlanError::Key { case: case.origin.to_string(), key });
        }
        let directory = RuntimeDirectory::open(directory, case.runtime)?;
        let input = RunInput::new(case, settings)?;
        Ok(NativePlan { engine: engine_of(&input, settings)?, input, directory })
    }

    /// How the engine runs the device's code; `None` if that runs in the stock simulator's own threads.
    pub fn engine(&self) -> Option<&ExecSettings> {
        self.engine.as_ref()
    }
}

/// What the engine is asked for. Whatever a case and its command line have no word for is left to the environment.
fn engine_of(input: &RunInput, settings: &RunSettings) -> Result<Option<ExecSettings>, NativePlanError> {
    let profile = &input.case.profile;
    if settings.engine == EngineKind::Threads {
        let given = [
            ("--profile", settings.profile.is_some()),
            ("--workers", settings.workers.is_some()),
            ("--set or --hbm", !settings.overrides.is_empty()),
            ("--hbm-fill", settings.fill.is_some()),
            ("--kernel-limit", settings.guest_limit.is_some()),
            ("the case's `profile`", !profile.is_empty()),
        ];
        return match given.into_iter().find(|(_, given)| *given) {
            Some((what, _)) => Err(NativePlanError::OfEngine { what }),
            None => Ok(None),
        };
    }
    settings.profile_of(input.arch, profile)?;
    let environment = ExecSettings::from_variables(|name| env::var_os(name))?;
    Ok(Some(ExecSettings {
        arch: Some(input.arch),
        profile: settings.profile,
        engine: settings.engine,
        workers: settings.workers,
        hbm: None,
        fill: settings.fill.unwrap_or(ExecSettings::default().fill),
        set: profile.iter().chain(&settings.overrides).map(ToString::to_string).collect(),
        out: None,
        events: false,
        isolate: false,
        charges: environment.charges,
        external_wait: environment.external_wait,
        guest_limit: settings.guest_limit,
    }))
}

/// A run on artifacts that is over.
pub struct FinishedNativeRun {
    /// What is known of it.
    pub summary: RunSummary,
    /// Why it ended early, if it did.
    pub failure: Option<RunFailure>,
    names: ProgramNames,
    account: Option<Account>,
}

impl FinishedNativeRun {
    /// Loads the artifacts and runs the plan, on the engine that gives this account, if it is one. An error is that of
    /// artifacts that could not be loaded.
    pub fn of(plan: NativePlan, account: Option<Account>) -> Result<FinishedNativeRun, NativeError> {
        let NativePlan { input, directory, engine } = plan;
        let runtime = NativeRuntime::load(&directory, input.arch, account.clone())?;
        let outcome = converse(&runtime, &input, &directory.aicpu, &directory.aicore, |_| {});
        let profile = engine.as_ref().map(|settings| settings.profile.unwrap_or(input.arch.into()).to_string());
        let engine = match engine.map(|settings| settings.engine) {
            Some(EngineKind::Naive) => EngineMode::Naive,
            Some(EngineKind::Virtual) => EngineMode::Virtual,
            Some(EngineKind::Threads) | None => EngineMode::Stock,
        };
        let reports = account.as_ref().map(Account::runs).unwrap_or_default();
        let facts = RunFacts { profile, ..facts_of(&input, &directory, &outcome, engine, &reports) };
        let summary = RunSummary::new(facts, Simulated::of_reports(&reports));
        Ok(FinishedNativeRun { summary, failure: outcome.failure, names: input.names, account })
    }

    /// How the process that made this run ends.
    pub fn status(&self) -> ExitStatus {
        status_of(self.failure.as_ref(), self.summary.run.golden.verdict)
    }

    /// What the engine refused meanwhile, if the run ended early: the runtime may not have passed it on.
    pub fn refusals(&self) -> Vec<ReportedError> {
        let account = self.account.as_ref().filter(|_| self.failure.is_some());
        account.map(Account::failures).unwrap_or_default()
    }

    /// Writes the files of `--out` that there is something for; returns their paths.
    pub fn write(&self, out: &OutputDirectory) -> Result<Vec<PathBuf>, OutputError> {
        let mut paths = vec![
            out.write_json(&NameMap::file_name(&self.summary.run.case), &NameMap::new(&self.names))?,
            out.write_json("report.json", &self.summary)?,
        ];
        if let Some(account) = &self.account {
            paths.push(out.write_json("runs.json", &account.runs())?);
            let loads = account.loads().map(|ledger| out.write_json("loads.json", &ledger));
            paths.extend(loads.transpose()?);
        }
        Ok(paths)
    }
}

fn facts_of(
    input: &RunInput,
    directory: &RuntimeDirectory,
    outcome: &Outcome,
    engine: EngineMode,
    reports: &[ExecReport],
) -> RunFacts {
    RunFacts {
        case: input.case.name.clone(),
        arch: input.arch.to_string(),
        profile: None,
        runtime: input.case.runtime.name().to_owned(),
        artifacts: Some(Artifacts {
            runtime_dir: directory.path.display().to_string(),
            runtime_revision: directory.revision.hash,
        }),
        golden: outcome.golden,
        mode: input.mode,
        differing_programs: Vec::new(),
        visibility: Vec::new(),
        kernel_traces: KernelTraceReport::of_runs(reports.iter().flat_map(|report| &report.kernel_traces)),
        exit: outcome.status().code(),
        engine,
        deterministic: engine.is_virtual() && reports.iter().all(|report| report.deterministic),
        nondeterministic_because: reports.iter().find_map(|report| report.nondeterministic_because.clone()),
        trace_hash: hash_of(reports),
        host_elapsed: outcome.elapsed,
        error: outcome.failure.as_ref().map(RunFailure::summary),
    }
}

/// The hash over all events: that of the one run, or the hash of those of all.
fn hash_of(reports: &[ExecReport]) -> Option<u64> {
    match reports {
        [] => None,
        [only] => Some(only.trace_hash),
        all => {
            let hashes: Vec<u8> = all.iter().flat_map(|report| report.trace_hash.to_le_bytes()).collect();
            Some(ContentHash::of(&hashes).0)
        }
    }
}

#[cfg(test)]
mod tests {
    use sim_core::profile::Arch;
    use sim_hbm::FillPolicy;

    use super::*;
    use crate::exec::report::tests::report;
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
    fn plan(
        length: u32,
        keys: &str,
        host: &str,
        settings: &RunSettings,
    ) -> (Directory, Result<NativePlan, NativePlanError>) {
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
        let plan = NativePlan::new(case, settings, directory.path());
        (directory, plan)
    }

    /// In the stock simulator's own threads.
    fn stock() -> RunSettings {
        RunSettings { engine: EngineKind::Threads, ..RunSettings::default() }
    }

    fn refusal(keys: &str, settings: &RunSettings) -> String {
        let (directory, plan) = plan(3, keys, ADDS_3, settings);
        plan.map(drop).unwrap_err().to_string().replace(directory.path().to_str().unwrap(), "DIR")
    }

    fn run(length: u32, keys: &str, host: &str) -> FinishedNativeRun {
        let (_directory, plan) = plan(length, keys, host, &stock());
        FinishedNativeRun::of(plan.unwrap(), None).unwrap()
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
        assert_eq!(
            refusal(r#", "kernel_costs": {"table": {}}"#, &RunSettings::default()),
            "DIR/case.json: `kernel_costs` is for npusim's own device and has no effect with --runtime-dir; leave one of \
             them away"
        );
    }

    #[test]
    fn is_what_only_the_engine_reads_refused_without_it() {
        let rest = "has no effect on the stock simulator's own threads; leave it away, or --engine threads";
        assert_eq!(refusal("", &RunSettings { workers: Some(1), ..stock() }), format!("--workers {rest}"));
        let profile = r#", "profile": {"mmio.load": "1ns"}"#;
        assert_eq!(refusal(profile, &stock()), format!("the case's `profile` {rest}"));
    }

    #[test]
    fn do_case_and_command_line_reach_the_engine() {
        let overrides = vec!["mmio.load=2ns".parse().unwrap()];
        let settings = RunSettings { overrides, workers: Some(3), ..RunSettings::default() };
        let (_directory, plan) = plan(3, r#", "profile": {"mmio.store": "1ns"}"#, ADDS_3, &settings);
        let plan = plan.unwrap();
        let engine = plan.engine().unwrap();
        assert_eq!(engine.set, ["mmio.store=1ns", "mmio.load=2ns"]);
        assert_eq!((engine.arch, engine.workers, engine.fill), (Some(Arch::A2a3), Some(3), FillPolicy::Zero));
        let unknown = RunSettings { overrides: vec!["mmio.laod=2ns".parse().unwrap()], ..RunSettings::default() };
        assert!(refusal("", &unknown).contains("mmio.laod"));
    }

    #[test]
    fn does_one_run_keep_its_hash_and_does_every_one_of_several_count() {
        let hashes = |hashes: &[u64]| {
            let reports: Vec<_> = hashes.iter().map(|hash| ExecReport { trace_hash: *hash, ..report() }).collect();
            hash_of(&reports)
        };
        assert_eq!((hashes(&[]), hashes(&[7])), (None, Some(7)));
        assert_ne!(hashes(&[7, 7]), hashes(&[7, 8]));
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
