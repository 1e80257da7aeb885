//! Does a case on the artifacts of a runtime run on the engine, and does the program tell all that the engine knows?

mod support;

use std::collections::BTreeSet;
use std::fs;
use std::process::Command;
use std::time::Duration;

use npusim::bundled::{self, ObjectKind};
use npusim::exec::preload_object;
use npusim::tensor::npy;
use npusim::tensor::{DType, HostTensor};
use serde_json::{Value, json};
use sim_core::profile::Arch;
use support::sim_shaped::{self, PASSED};
use support::{Outcome, Scratch, command, entries, outcome_of};

/// Threads that wait without giving way share few processors here.
const PATIENCE: Duration = Duration::from_secs(120);

/// Floats in each tensor, as in the cases of the host process.
const ELEMENTS: u32 = 1024;

/// The sim-shaped artifacts for a generation, and a case `vector.json` beside them: f = 4 (a + b).
struct Artifacts {
    arch: Arch,
    scratch: Scratch,
}

impl Artifacts {
    fn new(arch: Arch) -> Self {
        let scratch = Scratch::new();
        sim_shaped::install(arch, scratch.path());
        let mut expected = HostTensor::zeros(DType::F32, &[ELEMENTS]);
        for (place, value) in expected.bytes_mut().chunks_exact_mut(4).enumerate() {
            value.copy_from_slice(&(4.0 * (2 * place + 1) as f32).to_le_bytes());
        }
        scratch.file("f.npy", npy::encode(&expected));
        let artifacts = Artifacts { arch, scratch };
        artifacts.write("vector", |_| {});
        artifacts
    }

    /// Writes a case that differs from `vector` by `change`.
    fn write(&self, name: &str, change: impl FnOnce(&mut Value)) {
        let tensor = |name: &str, start: u32| {
            json!({"name": name, "shape": [ELEMENTS], "dtype": "f32", "direction": "in",
                   "generator": {"kind": "ramp", "start": start, "step": 1}})
        };
        let mut case = json!({
            "arch": self.arch.as_str(),
            "runtime": "tensormap_and_ringbuffer",
            "orchestration": {"path": "orchestrations/vector.so"},
            "kernels": [{"func_id": 0, "path": "kernels/add.so", "core": "aiv", "signature": ["in", "in", "out"]}],
            "tensors": [tensor("a", 0), tensor("b", 1),
                        {"name": "f", "shape": [ELEMENTS], "dtype": "f32", "direction": "out"}],
            "golden": {"npy": {"f": "f.npy"}},
        });
        change(&mut case);
        self.scratch.file(&format!("{name}.json"), case.to_string());
    }

    /// The command that runs a case.
    fn command(&self, case: &str, options: &[&str]) -> Command {
        let mut command = command();
        let case = self.scratch.path().join(format!("{case}.json"));
        command.arg("run").arg("--runtime-dir").arg(self.scratch.path()).arg(case).args(options);
        command
    }

    #[track_caller]
    fn run(&self, case: &str, options: &[&str]) -> Outcome {
        outcome_of(&mut self.command(case, options), PATIENCE)
    }

    /// The summary of a run.
    #[track_caller]
    fn summary(&self, case: &str, options: &[&str]) -> Value {
        self.run(case, &[options, &["--json"]].concat()).json()
    }

    /// A file that `--out` has left.
    #[track_caller]
    fn written(&self, name: &str) -> Value {
        let path = self.scratch.path().join("out").join(name);
        let text = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{name}: {error}"));
        serde_json::from_str(&text).unwrap_or_else(|error| panic!("{name}: {error}"))
    }
}

#[test]
fn do_artifacts_run_on_the_engine_with_the_same_trace_in_every_process() {
    for arch in [Arch::A2a3, Arch::A5] {
        let artifacts = Artifacts::new(arch);
        let summaries: Vec<Value> = (0..5).map(|_| artifacts.summary("vector", &[])).collect();
        let hashes: BTreeSet<String> = summaries.iter().map(|summary| summary["trace_hash"].to_string()).collect();
        assert_eq!(hashes.len(), 1, "{hashes:?}");
        let summary = &summaries[0];
        let expected = json!({"golden": "pass", "exit": 0, "engine": "virtual", "deterministic": true, "kernels": 5,
                              "cores": 24, "runtime_revision": "6ebaf771"});
        for (key, value) in expected.as_object().expect("an object") {
            assert_eq!(summary[key], *value, "{key} on {arch}");
        }
        let naive = artifacts.summary("vector", &["--engine", "naive", "--workers", "1", "--hbm-fill", "random:3"]);
        for key in ["trace_hash", "device_time_ns", "golden"] {
            assert_eq!(naive[key], summary[key], "{key} on {arch}");
        }
        assert_eq!(
            (&naive["engine"], &naive["workers"], &naive["skipped_polls"]),
            (&json!("naive"), &json!(1), &json!(0))
        );
    }
}

#[test]
fn does_a_case_take_as_long_as_in_a_host_process_of_its_own() {
    let artifacts = Artifacts::new(Arch::A2a3);
    let [program, arguments @ ..] = sim_shaped::words(artifacts.scratch.path(), "vector");
    let object = preload_object::find_in(&support::target_directory()).expect("it was built with this test");
    let mut host = Command::new(program);
    host.args(arguments).arg("--poll").env("LD_PRELOAD", object).env("GLIBC_TUNABLES", "glibc.pthread.rseq=0");
    host.env("NPUSIM_OUT", artifacts.scratch.path().join("out"));
    assert_eq!(outcome_of(&mut host, PATIENCE).success().stdout, PASSED);
    let process = entries(&artifacts.scratch.path().join("out")).remove(0);
    let report = artifacts.written(&format!("{process}/run-000001/report.json"));
    let summary = artifacts.summary("vector", &[]);
    for key in ["device_time_ns", "trace_hash", "kernels", "hooks", "events", "loads"] {
        assert_eq!(report[key], summary[key], "{key}");
    }
}

#[test]
fn which_files_do_runs_leave() {
    let artifacts = Artifacts::new(Arch::A2a3);
    artifacts.write("twice", |case| case["runs"] = json!(2));
    let out = artifacts.scratch.path().join("out");
    let printed = artifacts.run("twice", &["--json", "--out", out.to_str().expect("a plain path")]).success().json();
    assert_eq!(entries(&out), ["loads.json", "name_map_twice.json", "report.json", "runs.json"]);
    assert_eq!(artifacts.written("report.json"), printed);
    assert_eq!(artifacts.written("name_map_twice.json")["callable_id_to_name"]["0"], "add");
    let loads = artifacts.written("loads.json");
    assert_eq!(loads["counts"]["loaded"], printed["loads"]);
    let runs = artifacts.written("runs.json");
    let runs = runs.as_array().expect("a list");
    assert_eq!(runs.iter().map(|run| &run["run"]).collect::<Vec<_>>(), [&json!(1), &json!(2)]);
    for key in ["device_time_ns", "kernels", "hooks", "events"] {
        let sum: f64 = runs.iter().map(|run| run[key].as_f64().expect("a number")).sum();
        assert_eq!(printed[key].as_f64(), Some(sum), "{key}");
    }
}

#[test]
fn does_a_device_run_more_often_than_its_runtime_could_by_itself() {
    let artifacts = Artifacts::new(Arch::A2a3);
    artifacts.write("often", |case| case["runs"] = json!(250));
    let summary = artifacts.summary("often", &[]);
    assert_eq!((&summary["golden"], &summary["kernels"]), (&json!("pass"), &json!(1250)));
}

#[test]
fn do_options_reach_the_engine_and_the_environment_not() {
    let artifacts = Artifacts::new(Arch::A2a3);
    artifacts.write("slow", |case| case["profile"] = json!({"mmio.load": "2us"}));
    let device_time = |case: &str, options: &[&str]| artifacts.summary(case, options)["device_time_ns"].as_f64();
    let (plain, slow) = (device_time("vector", &[]), device_time("slow", &[]));
    assert!(slow > plain, "{slow:?} {plain:?}");
    assert_eq!(device_time("vector", &["--set", "mmio.load=2us"]), slow);

    let mut command = artifacts.command("vector", &["--json"]);
    command.envs([("NPUSIM_ENGINE", "naive"), ("NPUSIM_SET", "mmio.load=2us")]);
    let summary = outcome_of(&mut command, PATIENCE).success().json();
    assert_eq!((summary["device_time_ns"].as_f64(), &summary["engine"]), (plain, &json!("virtual")));
}

#[test]
fn does_a_program_that_is_already_under_the_object_use_it() {
    let artifacts = Artifacts::new(Arch::A2a3);
    let object = preload_object::find_in(&support::target_directory()).expect("it was built with this test");
    let mut command = artifacts.command("vector", &["--json"]);
    command.env("LD_PRELOAD", object).env("NPUSIM_ENGINE", "naive");
    let summary = outcome_of(&mut command, PATIENCE).success().json();
    assert_eq!((&summary["engine"], &summary["golden"]), (&json!("virtual"), &json!("pass")));
}

#[test]
fn do_the_runtimes_own_threads_give_results_and_nothing_else() {
    let artifacts = Artifacts::new(Arch::A2a3);
    let summary = artifacts.summary("vector", &["--engine", "threads"]);
    let shown = (&summary["golden"], &summary["engine"], &summary["deterministic"], &summary["trace_hash"]);
    assert_eq!(shown, (&json!("pass"), &json!("stock"), &json!(false), &Value::Null));
    assert!(summary.get("device_time_ns").is_none() && summary.get("hooks").is_none(), "{summary}");
}

#[test]
fn are_wrong_results_told_from_faults() {
    let artifacts = Artifacts::new(Arch::A2a3);
    artifacts.write("wrong", |case| case["tensors"][0]["generator"]["start"] = json!(1));
    let wrong = artifacts.run("wrong", &[]);
    assert_eq!(wrong.exit, Some(1), "{wrong}");
    assert!(
        wrong.stderr.ends_with("npusim: wrong: the results differ from the expected ones by too much\n"),
        "{wrong}"
    );
}

#[test]
fn is_a_crash_explained_once() {
    let artifacts = Artifacts::new(Arch::A2a3);
    let kernel = bundled::object(ObjectKind::Kernel, "null_write").expect("it is bundled");
    artifacts.scratch.file("null_write.so", kernel.bytes);
    artifacts.write("crash", |case| case["kernels"][0]["path"] = json!("null_write.so"));
    let crash = artifacts.run("crash", &["--json"]);
    assert_eq!(crash.exit, Some(3), "{crash}");
    assert_eq!(crash.stderr.matches("npusim: ").count(), 1, "{crash}");
    assert_eq!(crash.stderr.matches("(device code 507015)").count(), 1, "{crash}");
    let summary = crash.json();
    assert_eq!(summary["error"]["device_code"], 507_015, "{crash}");
    assert_eq!(
        (&summary["exit"], &summary["engine"], &summary["deterministic"]),
        (&json!(3), &json!("virtual"), &json!(true))
    );
    assert_eq!(artifacts.summary("crash", &[])["trace_hash"], summary["trace_hash"]);
}

#[test]
fn is_it_shown_who_waited_when_a_runtime_gave_up() {
    let artifacts = Artifacts::new(Arch::A2a3);
    artifacts.write("stuck", |case| case["orchestration"]["path"] = json!("orchestrations/timeout.so"));
    let stuck = artifacts.run("stuck", &[]);
    assert_eq!(stuck.exit, Some(4), "{stuck}");
    let line = stuck.stderr.lines().find(|line| line.starts_with("npusim: ")).expect("an explanation");
    assert!(line.contains("returned -100 (SCHEDULER_TIMEOUT") && line.contains("deadlock at"), "{stuck}");
    assert!(stuck.stderr.lines().any(|line| line.starts_with("  ") && line.contains("aiv")), "{stuck}");
}

#[test]
fn is_it_shown_that_memory_was_refused_if_the_runtime_does_not_look() {
    let artifacts = Artifacts::new(Arch::A2a3);
    let small = artifacts.run("vector", &["--hbm", "1MiB"]);
    assert_eq!(small.exit, Some(3), "{small}");
    assert!(small.stderr.contains("  the device had refused: HBM exhausted (207001)"), "{small}");
}
