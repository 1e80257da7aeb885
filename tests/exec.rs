//! Does device code of any command run on npusim under `npusim exec`, and is it the same in every run, however it was
//! started and whatever else the machine does?

mod support;

use std::collections::BTreeSet;
use std::fmt::Write;
use std::process::{Child, Command, Stdio};

use serde_json::Value;
use sim_core::profile::Arch;
use support::exec::{Artifacts, Executed, PATIENCE, reports};
use support::sim_shaped::PASSED;
use support::{command, outcome_of};

const CASES: [&str; 6] = ["vector", "mix", "core_memory", "flag", "stale_memory", "stale_list"];

/// Runs a case with nothing but its name.
#[track_caller]
fn run(artifacts: &Artifacts, case: &str) -> Executed {
    artifacts.run(&[], case, &[]).passed()
}

#[test]
fn does_every_case_pass_and_how_long_does_it_take_on_the_device() {
    let artifacts = Artifacts::new(Arch::A2a3);
    let mut table = String::new();
    for case in CASES {
        let executed = run(&artifacts, case);
        let report = executed.report();
        assert_eq!(report["deterministic"], true, "{case}: {report}");
        let [ns, kernels, aicores, aicpus] = ["device_time_ns", "kernels", "aicores", "aicpus"].map(|key| &report[key]);
        writeln!(table, "{case}: {ns} ns, {kernels} kernels, {aicores} AICores, {aicpus} AICPUs").expect("text");
    }
    let _snapshots = support::snapshots();
    insta::assert_snapshot!("exec_device_times", table);
}

#[test]
fn is_the_generation_taken_from_the_path_of_the_runtime_unless_it_is_said() {
    let artifacts = Artifacts::new(Arch::A5);
    let by_path = run(&artifacts, "vector");
    assert_eq!(by_path.report()["arch"], "a5");
    let said = artifacts.run(&["--arch", "a5"], "vector", &[]).passed();
    assert_eq!(said.hash(), by_path.hash());
    let wrong = artifacts.run(&["--arch", "a2a3"], "vector", &[]);
    assert_eq!(wrong.outcome.exit, Some(1), "{}", wrong.outcome);
    assert!(wrong.outcome.stderr.contains("say which with --arch"), "{}", wrong.outcome);
}

#[test]
fn which_keys_does_a_report_have() {
    let artifacts = Artifacts::new(Arch::A2a3);
    let executed = run(&artifacts, "vector");
    let keys: Vec<&str> = executed.report().as_object().expect("an object").keys().map(String::as_str).collect();
    let _snapshots = support::snapshots();
    insta::assert_snapshot!("exec_keys_of_report", keys.join("\n"));
}

#[test]
fn does_a_report_say_which_profile_it_is_of_and_how_much_leans_on_guesses() {
    let artifacts = Artifacts::new(Arch::A2a3);
    let mut table = String::new();
    for options in [&[][..], &["--profile", "910B2"], &["--set", "aicore.kernel_floor=2us"]] {
        let executed = artifacts.run(options, "vector", &[]).passed();
        let report = executed.report();
        writeln!(table, "{}: {:#}", report["profile"], report["confidence"]).expect("text");
    }
    let _snapshots = support::snapshots();
    insta::assert_snapshot!("exec_confidence", table);
}

#[test]
fn is_a_run_the_same_in_twenty_processes() {
    let artifacts = Artifacts::new(Arch::A2a3);
    let hashes: BTreeSet<String> = (0..20).map(|_| run(&artifacts, "vector").hash()).collect();
    assert_eq!(hashes.len(), 1, "{hashes:?}");
}

/// A process that does nothing but use a processor, until this goes.
struct BusyLoop(Child);

impl BusyLoop {
    fn start() -> Self {
        let mut shell = Command::new("sh");
        shell.args(["-c", "while :; do :; done"]).stdin(Stdio::null());
        BusyLoop(shell.spawn().expect("there is a shell"))
    }
}

impl Drop for BusyLoop {
    fn drop(&mut self) {
        // It has either ended already or ends now.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn is_a_run_the_same_on_a_busy_machine() {
    let artifacts = Artifacts::new(Arch::A2a3);
    for case in ["vector", "mix", "flag"] {
        let idle = run(&artifacts, case).hash();
        let _busy = [BusyLoop::start(), BusyLoop::start()];
        for _ in 0..5 {
            assert_eq!(run(&artifacts, case).hash(), idle, "{case}");
        }
    }
}

#[test]
fn does_it_matter_how_a_run_is_computed() {
    let artifacts = Artifacts::new(Arch::A2a3);
    for case in CASES {
        let hash = |exec: &[&str], options: &[&str]| artifacts.run(exec, case, options).passed().hash();
        let default = hash(&[], &[]);
        assert_eq!(hash(&["--engine", "naive"], &[]), default, "{case}: naive polling");
        assert_eq!(hash(&["--workers", "1"], &[]), default, "{case}: one worker");
        assert_eq!(hash(&["--workers", "2"], &[]), default, "{case}: two workers");
        assert_eq!(hash(&[], &["--poll"]), default, "{case}: a host that polls");
    }
}

#[test]
fn does_the_stock_simulator_run_on_the_threads_engine() {
    let artifacts = Artifacts::new(Arch::A2a3);
    let out = artifacts.new_out();
    let mut command = artifacts.command(&["--engine", "threads"], "vector", &[]);
    let outcome = outcome_of(command.arg("--rounds").arg("2").env("NPUSIM_OUT", &out), PATIENCE).success();
    assert_eq!(outcome.stdout, PASSED, "{outcome}");
    assert_eq!(reports(&out), [Value::Null; 0]);
}

#[test]
fn is_a_forked_child_covered() {
    let artifacts = Artifacts::new(Arch::A2a3);
    let alone = run(&artifacts, "mix").hash();
    assert_eq!(artifacts.run(&[], "mix", &["--fork"]).passed().hash(), alone);
}

#[test]
fn is_a_process_covered_that_a_child_starts() {
    let artifacts = Artifacts::new(Arch::A2a3);
    let alone = run(&artifacts, "mix").hash();
    let out = artifacts.new_out();
    let mut shell = command();
    // The shell starts another one, which starts the host process twice.
    shell.args(["exec", "--out"]).arg(&out).args([
        "--",
        "sh",
        "-c",
        r#"sh -c '"$@" && "$@"; exit $?' sh "$@"; exit $?"#,
    ]);
    shell.arg("sh").args(artifacts.words("mix"));
    let outcome = outcome_of(&mut shell, PATIENCE).success();
    assert_eq!(outcome.stdout, PASSED.repeat(2), "{outcome}");
    let hashes = Executed { outcome, reports: reports(&out) }.hashes();
    assert_eq!(hashes, [alone.clone(), alone]);
}

#[test]
fn are_two_devices_of_one_process_as_one_alone() {
    let artifacts = Artifacts::new(Arch::A2a3);
    for case in ["vector", "mix", "flag"] {
        let alone = run(&artifacts, case).hash();
        for _ in 0..5 {
            let both = artifacts.run(&[], case, &["--threads", "2"]).passed().hashes();
            assert_eq!(both, [alone.clone(), alone.clone()], "{case}");
        }
    }
}

#[test]
fn does_a_clock_of_the_device_end_a_run_without_real_time() {
    let artifacts = Artifacts::new(Arch::A2a3);
    let executed = artifacts.run(&[], "timeout", &[]);
    assert_eq!(executed.outcome.exit, Some(1), "{}", executed.outcome);
    assert!(executed.outcome.stderr.ends_with("run 1 returned -100\n"), "{}", executed.outcome);
    let time = |key: &str| executed.report()[key].as_f64().expect("a time");
    assert!(time("device_time_ns") >= 5e9, "{}", executed.report());
    assert!(time("host_elapsed_ms") < 2_500.0, "{}", executed.report());
    assert_eq!(artifacts.run(&[], "timeout", &[]).hash(), executed.hash());
}

#[test]
fn do_values_of_the_profile_reach_the_device() {
    let artifacts = Artifacts::new(Arch::A2a3);
    let time = |executed: Executed| executed.passed().report()["device_time_ns"].as_f64().expect("a time");
    let default = time(artifacts.run(&[], "vector", &[]));
    let slow = time(artifacts.run(&["--set", "mmio.load=5us"], "vector", &[]));
    assert!(slow > default, "{slow} ns, {default} ns");
    // The command line counts more than the environment.
    let out = artifacts.new_out();
    let mut command = artifacts.command(&["--set", "mmio.load=5us"], "vector", &[]);
    let outcome = outcome_of(command.env("NPUSIM_OUT", &out).env("NPUSIM_SET", "mmio.load=9us"), PATIENCE);
    assert_eq!(time(Executed { outcome, reports: reports(&out) }), slow);
}

#[test]
fn what_does_the_command_find_in_its_environment() {
    let mut shell = command();
    shell.args(["exec", "--workers", "3", "--", "env"]).env_clear();
    shell.env("PATH", "/usr/bin:/bin").env("GLIBC_TUNABLES", "glibc.malloc.check=0").env("NPUSIM_SET", "mmio.load=1us");
    let outcome = outcome_of(&mut shell, PATIENCE).success();
    let mut lines: Vec<String> = outcome.stdout.lines().map(str::to_owned).collect();
    lines.sort();
    let preload = lines.iter_mut().find(|line| line.starts_with("LD_PRELOAD=")).expect("something is preloaded");
    assert!(preload.ends_with("/libnpusim_preload.so"), "{preload}");
    *preload = "LD_PRELOAD=DIR/libnpusim_preload.so".to_owned();
    let _snapshots = support::snapshots();
    insta::assert_snapshot!("exec_environment", lines.join("\n"));
}

#[test]
fn does_the_exit_code_of_the_command_come_through() {
    for code in [0, 7, 255] {
        let outcome = outcome_of(command().args(["exec", "--", "sh", "-c", &format!("exit {code}")]), PATIENCE);
        assert_eq!((outcome.exit, outcome.stdout.as_str(), outcome.stderr.as_str()), (Some(code), "", ""));
    }
}

#[test]
fn does_npusim_itself_run_as_a_command() {
    let direct = support::npusim(["run", "vector_example", "--json"]).success().json();
    let program = support::program();
    let mut nested = command();
    nested.args(["exec", "--"]).arg(&program).args(["run", "vector_example", "--json"]);
    let nested = outcome_of(&mut nested, PATIENCE).success().json();
    assert_eq!(nested["trace_hash"], direct["trace_hash"]);
    let artifacts = Artifacts::new(Arch::A2a3);
    let out = artifacts.new_out();
    let mut twice = command();
    twice.args(["exec", "--out"]).arg(&out).arg("--").arg(&program).args(["exec", "--workers", "1", "--"]);
    twice.args(artifacts.words("mix"));
    let outcome = outcome_of(&mut twice, PATIENCE);
    let twice = Executed { outcome, reports: reports(&out) }.passed();
    assert_eq!(twice.hash(), run(&artifacts, "mix").hash());
}
