//! Do charge files give device code of a foreign process its cost, and do reports say what became of each charge?

mod support;

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use serde_json::{Value, json};
use sim_core::profile::Arch;
use support::sim_shaped::{self, PASSED};
use support::{Outcome, Scratch, entries, outcome_of};

const PATIENCE: Duration = Duration::from_secs(120);

/// What is preloaded: it lies where the tests do.
fn preloaded() -> PathBuf {
    let test = std::env::current_exe().expect("a test has a path");
    test.with_file_name("libnpusim_preload.so")
}

/// A charge file with these charges: symbol, further fields, nanoseconds.
fn charge_file(charges: &[(&str, &str, u64)]) -> String {
    let charge = |(symbol, more, ns): &(&str, &str, u64)| {
        format!(r#"{{"symbol": "{symbol}"{more}, "cost": {{"value": {ns}, "unit": "ns", "source": "a test"}}}}"#)
    };
    let charges: Vec<String> = charges.iter().map(charge).collect();
    format!(r#"{{"for": "sim-shaped artifacts", "charges": [{}]}}"#, charges.join(", "))
}

/// How a host process ended whose device code was run with charges, and the reports of its runs.
struct Charged {
    outcome: Outcome,
    reports: Vec<Value>,
}

impl Charged {
    /// What became of every charge in a run.
    fn charges(&self, run: usize) -> &Value {
        &self.reports[run]["charges"]["charges"]
    }

    fn time(&self) -> f64 {
        self.reports[0]["device_time_ns"].as_f64().expect("a number")
    }
}

/// Runs the case `vector`, with the charges of this file and these options of the host process.
#[track_caller]
fn run(charges: Option<&str>, options: &[&str]) -> Charged {
    let scratch = Scratch::new();
    let file = charges.map(|text| scratch.file("charges.json", text));
    run_case(&scratch, "vector", file.as_deref(), options)
}

/// Runs a case in a directory, with the charges at this path.
#[track_caller]
fn run_case(scratch: &Scratch, case: &str, charges: Option<&Path>, options: &[&str]) -> Charged {
    sim_shaped::install(Arch::A2a3, scratch.path());
    let out = scratch.path().join("out");
    let [program, arguments @ ..] = sim_shaped::words(scratch.path(), case);
    let mut command = Command::new(program);
    command.args(arguments).args(options);
    command.env("LD_PRELOAD", preloaded()).env("NPUSIM_OUT", &out);
    // Fibers use the thread control blocks of others, so the C library must not register them with the kernel.
    command.env("GLIBC_TUNABLES", "glibc.pthread.rseq=0");
    command.envs(charges.map(|path| ("NPUSIM_CHARGES", path)));
    let mut outcome = outcome_of(&mut command, PATIENCE);
    outcome.stderr = scratch.hide(&outcome.stderr);
    Charged { outcome, reports: reports(&out) }
}

/// The reports of all runs of the one process.
fn reports(out: &Path) -> Vec<Value> {
    if !out.exists() {
        return Vec::new();
    }
    let [process] = &entries(out)[..] else { panic!("one process has devices") };
    let process = out.join(process);
    let read = |run: &String| std::fs::read(process.join(run).join("report.json")).expect("a run has a report");
    entries(&process).iter().map(|run| serde_json::from_slice(&read(run)).expect("JSON")).collect()
}

#[track_caller]
fn passes(charges: Option<&str>, options: &[&str]) -> Charged {
    let charged = run(charges, options);
    assert_eq!(charged.outcome.clone().success().stdout, PASSED, "{}", charged.outcome);
    charged
}

const AICPU: &str = r#", "object": "aicpu""#;

/// A charge that was due, as a report has it.
fn called(symbol: &str, object: &str, ns: u64, calls: u64) -> Value {
    json!({
        "symbol": symbol, "object": object, "cost_ns": ns as f64, "confidence": "placeholder",
        "outcome": "called", "calls": calls, "time_ns": (calls * ns) as f64,
    })
}

#[test]
fn does_each_call_of_a_charged_function_take_its_time() {
    const COST: u64 = 10_000;
    let free = passes(None, &[]);
    assert_eq!(free.reports[0].get("charges"), None);
    let charged = passes(Some(&charge_file(&[("sim_shaped::Scheduler::stop_cores", AICPU, COST)])), &[]);
    // Each of three schedulers does it once, all at the same time.
    assert_eq!(charged.charges(0), &json!([called("sim_shaped::Scheduler::stop_cores", "aicpu", COST, 3)]));
    assert_eq!(charged.time(), free.time() + COST as f64);
}

#[test]
fn is_a_function_charged_where_a_hook_takes_its_place() {
    let symbols = [
        ("reg_store_release", AICPU, 100),
        ("sim_get_reg_base", r#", "object": "aicore""#, 10),
        ("SimDeviceRunnerBase::copy_to_device", r#", "object": "host""#, 1_000),
    ];
    let charged = passes(Some(&charge_file(&symbols)), &[]);
    let calls = |index: usize| charged.charges(0)[index]["calls"].as_u64();
    // Five tasks, and the end of each core.
    assert_eq!(calls(0), Some(5 + 24));
    assert!(calls(1) > Some(24) && calls(2) > Some(0), "{}", charged.charges(0));
}

#[test]
fn does_registration_by_the_host_cost_the_device_nothing() {
    // The host has one looked for when it registers it; the orchestrator does when it runs it.
    let symbols = [("sim_shaped::find_orchestration", AICPU, 500), ("sim_shaped::load_orchestration", AICPU, 7)];
    let charged = passes(Some(&charge_file(&symbols)), &[]);
    let outcomes = [0, 1].map(|index| charged.charges(0)[index]["outcome"].clone());
    assert_eq!(charged.charges(0)[0], called("sim_shaped::find_orchestration", "aicpu", 500, 1));
    assert_eq!(outcomes, ["called", "never_called"]);
}

#[test]
fn does_each_run_report_its_own_calls() {
    let symbols = [("sim_shaped::Scheduler::stop_cores", AICPU, 100), ("sim_get_reg_base", "", 10)];
    let charged = passes(Some(&charge_file(&symbols)), &["--rounds", "3"]);
    assert_eq!(charged.reports.len(), 3);
    for run in 0..3 {
        assert_eq!(charged.charges(run)[0]["calls"], 3, "run {run}");
        assert_eq!(charged.charges(run), charged.charges(0), "run {run}");
    }
}

#[test]
fn is_an_unknown_function_reported_once_with_one_of_a_similar_name() {
    let symbols = [
        ("sim_shaped::Scheduler::stop_core", AICPU, 100),
        ("Unheard::of", "", 100),
        ("Optional::one", r#", "optional": true"#, 100),
    ];
    let charged = passes(Some(&charge_file(&symbols)), &["--rounds", "3"]);
    let lines: Vec<&str> = charged.outcome.stderr.lines().filter(|line| line.starts_with("npusim")).collect();
    assert_eq!(
        lines,
        [
            "npusim: DIR/charges.json: `charges[0]`: no aicpu object imports `sim_shaped::Scheduler::stop_core`; did \
             you mean `sim_shaped::Scheduler::stop_cores`?",
            "npusim: DIR/charges.json: `charges[1]`: no object imports `Unheard::of`, nor one of a similar name; was \
             it inlined?",
        ]
    );
    for run in 0..3 {
        let became = |index: usize| (&charged.charges(run)[index]["outcome"], &charged.charges(run)[index]["nearest"]);
        assert_eq!(became(0), (&json!("unknown"), &json!("sim_shaped::Scheduler::stop_cores")));
        assert_eq!(became(1), (&json!("unknown"), &Value::Null));
        assert_eq!(became(2), (&json!("absent"), &Value::Null));
    }
}

#[test]
fn do_devices_that_share_a_host_runtime_have_counts_of_their_own() {
    let symbols = [("SimDeviceRunnerBase::copy_to_device", "", 100), ("sim_shaped::Scheduler::stop_cores", AICPU, 100)];
    let charged = passes(Some(&charge_file(&symbols)), &["--threads", "2"]);
    assert_eq!(charged.reports.len(), 2);
    assert_eq!(charged.charges(0), charged.charges(1));
    assert_eq!(charged.charges(0)[1]["calls"], 3);
}

#[test]
fn are_runs_with_charges_the_same_every_time() {
    let charges = charge_file(&[("sim_shaped::Scheduler::complete_tasks", AICPU, 130), ("sched_yield", AICPU, 3)]);
    let hashes = |charges| passes(charges, &[]).reports[0]["trace_hash"].clone();
    let first = hashes(Some(&charges));
    assert_eq!([hashes(Some(&charges)), hashes(Some(&charges))], [first.clone(), first.clone()]);
    assert_ne!(hashes(None), first);
}

#[test]
fn does_a_device_whose_polls_are_charged_notice_that_it_is_stuck() {
    let charges = charge_file(&[("sim_shaped::Scheduler::complete_tasks", AICPU, 130)]);
    let scratch = Scratch::new();
    let file = scratch.file("charges.json", charges);
    let charged = run_case(&scratch, "timeout", Some(&file), &[]);
    assert_eq!(charged.outcome.exit, Some(1), "{}", charged.outcome);
    assert!(charged.outcome.stderr.contains("run 1 returned -100\n"), "{}", charged.outcome);
    assert!(charged.reports[0]["hooks"].as_u64() < Some(1_000_000), "{}", charged.reports[0]);
}

#[test]
fn does_a_charge_file_with_a_mistake_end_the_process_with_one_line() {
    for (text, line) in [
        ("{}", "npusim: DIR/charges.json: `for` is missing, expected which objects the charges are meant for\n"),
        (
            &charge_file(&[("f()", "", 1)]),
            "npusim: DIR/charges.json: `charges[0].symbol` is \"f()\": names have no parameters and mean all overloads; \
             leave them out, or give the mangled symbol of one\n",
        ),
    ] {
        let Charged { outcome, reports } = run(Some(text), &[]);
        assert_eq!((outcome.exit, outcome.stderr.as_str(), reports.len()), (Some(2), line, 0));
    }
}

#[test]
fn does_the_word_shipped_mean_the_charges_for_the_generation() {
    let charged = run_case(&Scratch::new(), "vector", Some("shipped".as_ref()), &[]);
    assert_eq!(charged.outcome.clone().success().stdout, PASSED, "{}", charged.outcome);
    assert_eq!(charged.reports[0]["charges"]["origin"], "a2a3-2026-08.json");
}
