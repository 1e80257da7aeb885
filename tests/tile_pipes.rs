//! Do parts of a task that hand tiles to each other compute what they should, and end when the others let them?

mod support;

use serde_json::{Value, json};
use support::{FAULT_PATIENCE, Outcome, Scratch, command, npusim, outcome_of};

fn run(options: &[&str]) -> Value {
    npusim(["run", "dense_layer", "--json"].into_iter().chain(options.iter().copied())).success().json()
}

/// What all ways to run a case have to agree in.
fn model_of(summary: &Value) -> Value {
    json!([summary["trace_hash"], summary["device_time_ns"], summary["cost_sources"], summary["events"]])
}

#[test]
fn are_times_the_same_when_nothing_is_computed_and_on_every_engine() {
    for (arch, device, kernels) in [("a2a3", 140_005.0, 84_502.866), ("a5", 436_332.714, 91_053.397)] {
        let on = |options: &[&str]| run(&[&["--arch", arch], options].concat());
        let computed = on(&[]);
        let times = [&computed["device_time_ns"], &computed["cost_sources"]["pipes"]["time_ns"]];
        assert_eq!(times.map(Value::as_f64), [Some(device), Some(kernels)], "{arch}");
        assert_eq!((&computed["golden"], &computed["differing_programs"]), (&json!("pass"), &Value::Null), "{arch}");
        // Four tasks of an AIC and two AIVs.
        assert_eq!(computed["cost_sources"]["pipes"]["count"], 12, "{arch}");
        let variants: [&[&str]; 5] = [
            &["--engine", "naive"],
            &["--workers", "1"],
            &["--hbm-fill", "random:7"],
            &["--mode", "timing"],
            &["--mode", "timing", "--engine", "naive"],
        ];
        for options in variants {
            assert_eq!(model_of(&on(options)), model_of(&computed), "{arch} {options:?}");
        }
    }
}

#[test]
fn do_tiles_arrive_on_every_runtime_and_on_threads() {
    for runtime in ["aicpu_build_graph", "host_build_graph"] {
        for arch in ["a2a3", "a5"] {
            assert_eq!(run(&["--runtime", runtime, "--arch", arch])["golden"], "pass", "{runtime} on {arch}");
        }
    }
    assert_eq!(run(&["--engine", "threads"])["golden"], "pass");
}

#[test]
fn do_other_numbers_of_tiles_and_of_tasks_than_slots_arrive() {
    let sizes: [(&str, &str, &str); 5] =
        [("64", "1", "64"), ("64", "2", "128"), ("32", "3", "96"), ("16", "5", "400"), ("64", "8", "24576")];
    for (tile_rows, tiles, rows) in sizes {
        let [tile_rows, tiles, rows] =
            [("tile_rows", tile_rows), ("tiles", tiles), ("rows", rows)].map(|(name, value)| format!("{name}={value}"));
        let sizes = ["-p", &tile_rows, "-p", &tiles, "-p", &rows];
        for arch in ["a2a3", "a5"] {
            let computed = run(&[&sizes[..], &["--arch", arch]].concat());
            assert_eq!(computed["golden"], "pass", "{sizes:?} on {arch}");
            let timed = run(&[&sizes[..], &["--arch", arch, "--mode", "timing"]].concat());
            assert_eq!(model_of(&timed), model_of(&computed), "{sizes:?} on {arch}");
        }
    }
}

/// `kernel_costs` and the kernel of the AIVs of the case.
fn changed(vector: &str, costs: &Value, options: &[&str]) -> Outcome {
    let scratch = Scratch::new();
    let cases = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("cases/workloads");
    let text = std::fs::read_to_string(cases.join("dense_layer.json")).expect("it is there");
    let mut case: Value = serde_json::from_str(&text).expect("it is JSON");
    case["kernels"][1]["bundled"] = json!(vector);
    case["kernel_costs"] = json!({"table": costs});
    let path = scratch.file("case.json", case.to_string());
    outcome_of(command().args(["run", path.to_str().expect("a plain path")]).args(options), FAULT_PATIENCE)
}

#[test]
fn is_it_said_who_waits_for_which_slot_when_nobody_can_go_on() {
    for arch in ["a2a3", "a5"] {
        for mode in ["functional+timing", "timing"] {
            let outcome =
                outcome_of(command().args(["run", "hoarded_tiles", "--arch", arch, "--mode", mode]), FAULT_PATIENCE);
            assert_eq!(outcome.exit, Some(3), "{arch} {mode}: {outcome}");
            for part in
                ["the cores of its cluster cannot go on", "a free slot of pipe 2 for tile 2 from AIV0", "AIV1 ("]
            {
                assert!(outcome.stderr.contains(part), "{arch} {mode}: {outcome}");
            }
        }
    }
}

#[test]
fn is_a_core_named_that_never_begins_its_part() {
    let outcome = changed("empty", &json!({}), &[]);
    assert_eq!(outcome.exit, Some(4), "{outcome}");
    assert!(outcome.stderr.contains("aic0: waits for the part of aiv24 in its task"), "{outcome}");
}

#[test]
fn is_a_cost_from_a_table_refused() {
    let costs = json!({"dense_vector": {"value": 2, "unit": "us", "source": "a test"}});
    let outcome = changed("dense_vector", &costs, &[]);
    assert_eq!(outcome.exit, Some(3), "{outcome}");
    assert!(outcome.stderr.contains("kernel dense_vector, task"), "{outcome}");
    assert!(outcome.stderr.contains("the table of costs has it"), "{outcome}");
}
