//! When is an orchestration loaded, and how does it get to the device, if a case or the command line says?
//!
//! Every runtime is asked: on two of them the AICPU loads it, on one the host does.

mod support;

use std::fmt::Write;
use std::fs;
use std::path::PathBuf;

use serde_json::{Value, json};
use support::{Outcome, Scratch, npusim};

const RUNTIMES: [&str; 3] = ["tensormap_and_ringbuffer", "aicpu_build_graph", "host_build_graph"];

const POLICIES: [&str; 7] = [
    "per-callable",
    "per-callable,lazy",
    "reload-per-run",
    "by-content",
    "by-content,lazy",
    "by-fingerprint",
    "by-fingerprint,lazy",
];

/// The bundled case `vector_example`, three times over, with what it says of loading.
fn three_runs(scratch: &Scratch, loading: Value) -> PathBuf {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("cases/vector_example.json");
    let text = fs::read_to_string(path).expect("it is part of the source");
    let mut case: Value = serde_json::from_str(&text).expect("it is JSON");
    case["runs"] = json!(3);
    case["loading"] = loading;
    scratch.file("case.json", case.to_string())
}

/// A run that is over, and the ledger of its loads.
struct Run {
    report: Value,
    loads: Value,
}

impl Run {
    fn of(runtime: &str, loading: Value, options: &[&str]) -> Run {
        let scratch = Scratch::new();
        let (case, out) = (three_runs(&scratch, loading), scratch.path().join("out"));
        let [case, out] = [&case, &out].map(|path| path.to_str().expect("plain"));
        let arguments = ["run", case, "--runtime", runtime, "--json", "--out", out];
        let report = npusim(arguments.iter().chain(options)).success().json();
        let loads = fs::read_to_string(format!("{out}/loads.json")).expect("it is written");
        Run { report, loads: serde_json::from_str(&loads).expect("it is JSON") }
    }

    /// What became of each request for the orchestration: the state of what it loaded.
    fn orchestrations(&self) -> Vec<String> {
        let loads = self.loads["loads"].as_array().expect("a list").iter();
        let orchestrations = loads.filter(|load| load["origin"] == "orchestration");
        orchestrations.map(|load| load["state"].as_str().unwrap_or("reuse").to_owned()).collect()
    }
}

#[test]
fn how_often_is_an_orchestration_loaded_under_each_policy() {
    let mut text = String::new();
    for runtime in RUNTIMES {
        let usual = Run::of(runtime, json!({}), &[]);
        for policy in POLICIES {
            let run = Run::of(runtime, json!({}), &["--object-cache", policy]);
            assert_eq!(run.report["golden"], usual.report["golden"], "{policy} on {runtime}");
            let same = run.report["trace_hash"] == usual.report["trace_hash"];
            let (loads, time) = (run.orchestrations().join(", "), &run.report["device_time_ns"]);
            let trace = if same { "the usual trace" } else { "another trace" };
            writeln!(text, "{runtime} {policy}: {loads}; three runs in {time} ns; {trace}").expect("text");
        }
    }
    let _snapshots = support::snapshots();
    insta::assert_snapshot!("orchestrations_by_policy", text);
}

#[test]
fn does_a_case_say_what_the_command_line_can_and_does_that_count_more() {
    let by_case = |loading| Run::of("aicpu_build_graph", loading, &[]);
    let reloading = by_case(json!({"cache": "reload-per-run"}));
    assert_eq!(reloading.orchestrations(), ["unloaded"; 3]);
    let by_option = Run::of("aicpu_build_graph", json!({"cache": "by-content"}), &["--object-cache", "reload-per-run"]);
    assert_eq!(by_option.report["trace_hash"], reloading.report["trace_hash"]);
    let fixed = by_case(json!({"transfer": "fixed-buffer"}));
    let by_option = Run::of("aicpu_build_graph", json!({}), &["--object-transfer", "fixed-buffer"]);
    assert_eq!(by_option.report["trace_hash"], fixed.report["trace_hash"]);
}

#[test]
fn does_an_orchestration_get_to_the_device_each_way() {
    for runtime in RUNTIMES {
        let usual = Run::of(runtime, json!({}), &[]);
        for way in ["separate", "right-sized", "fixed-buffer"] {
            for policy in ["per-callable", "reload-per-run", "by-content"] {
                let options = ["--object-transfer", way, "--object-cache", policy];
                let run = Run::of(runtime, json!({}), &options);
                assert_eq!(run.report["golden"], usual.report["golden"], "{options:?} on {runtime}");
                let loads = if policy == "reload-per-run" { 3 } else { 1 };
                assert_eq!(run.orchestrations(), vec!["unloaded"; loads], "{options:?} on {runtime}");
                // Where the host calls the orchestration, it does not go to the device.
                let is_usual = loads == 1 && (way == "separate" || runtime == "host_build_graph");
                let same = run.report["trace_hash"] == usual.report["trace_hash"];
                assert_eq!(same, is_usual, "{options:?} on {runtime}");
            }
        }
    }
}

#[test]
fn is_a_way_to_the_device_that_no_object_takes_told() {
    let scratch = Scratch::new();
    let case = three_runs(&scratch, json!({"transfer": "right-sized"}));
    let case = case.to_str().expect("plain");
    let line = |runtime: &str, options: &[&str]| {
        let outcome = npusim(["run", case, "--runtime", runtime].iter().chain(options)).success();
        outcome.stderr.lines().find(|line| line.contains("the way to the device")).map(str::to_owned)
    };
    let told = "npusim: `right-sized` as the way to the device has no effect on host_build_graph: the host calls its \
                orchestration, no copy of it goes to the device";
    assert_eq!(line("host_build_graph", &[]).as_deref(), Some(told), "by the case");
    let fixed = ["--object-transfer", "fixed-buffer"];
    let told_of_fixed = told.replace("right-sized", "fixed-buffer");
    assert_eq!(line("host_build_graph", &fixed).as_deref(), Some(&*told_of_fixed), "by the option");
    assert_eq!(line("host_build_graph", &["--object-transfer", "separate"]), None, "what it does anyway");
    assert_eq!(line("aicpu_build_graph", &[]), None);
    assert_eq!(line("tensormap_and_ringbuffer", &fixed), None);
}

fn refused(loading: Value) -> Outcome {
    let scratch = Scratch::new();
    let case = three_runs(&scratch, loading);
    let outcome = npusim(["run".as_ref(), case.as_os_str()]);
    Outcome { stderr: scratch.hide(&outcome.stderr), ..outcome }
}

#[test]
fn is_a_misspelt_setting_answered_with_the_nearest() {
    for (loading, line) in [
        (
            json!({"cache": "per-run"}),
            "`loading.cache`: `per-run` is no way to cache objects, did you mean `reload-per-run`?",
        ),
        (
            json!({"transfer": "fixed"}),
            "`loading.transfer`: `fixed` is no way to the device, did you mean `fixed-buffer`?",
        ),
    ] {
        let outcome = refused(loading);
        assert_eq!(outcome.exit, Some(2), "{outcome}");
        assert!(outcome.stderr.contains(line), "{outcome}");
    }
}
