//! Do kernels that say what they do take the time that follows from it, and the same time when nothing is computed?

mod support;

use serde_json::{Value, json};
use support::{Outcome, Scratch, npusim};

fn summary(options: &[&str]) -> Value {
    npusim(["run", "bgemm_pipes", "--json"].into_iter().chain(options.iter().copied())).success().json()
}

/// What all ways to run a case have to agree in.
fn model_of(summary: &Value) -> Value {
    json!([summary["trace_hash"], summary["device_time_ns"], summary["cost_sources"], summary["events"]])
}

/// One product of 64 × 64 and one sum, each on a core that has the device for itself.
const ONE_STEP: [&str; 8] = ["-p", "batch=1", "-p", "m_tiles=1", "-p", "n_tiles=1", "-p", "k_tiles=1"];

#[test]
fn how_long_do_one_product_and_one_sum_take() {
    // Both load 2 × 16 KiB: 142,703 ps of latency, then 276,757 for what is in the HBM and 80,512 for what is in the L2.
    // The sum: the product is in the L2. 64 repeats of vadd 85,968, then 162,163 + 138,378 until it is stored.
    let sum = 142_703 + 276_757 + 80_512 + 85_968 + 162_163 + 138_378;
    // The product: two steps of K, whose loads into fractals wait 43,784 ps. The first goes into L0 in 30,000 + 47,298, and the cube needs 28,109 to begin; the
    // second goes into L0 while the first is in the cube. Each is there for 74,595, then 448.8 cycles until it is stored.
    let product = 43_784 + 2 * 276_757 + 30_000 + 47_298 + 28_109 + 2 * 74_595 + 242_595;
    let costs = &summary(&ONE_STEP)["cost_sources"];
    assert_eq!(costs["pipes"], json!({"count": 2, "time_ns": f64::from(sum + product) / 1e3}));
}

#[test]
fn does_a_price_of_an_instruction_that_is_set_reach_the_run() {
    let pipes = |summary: &Value| summary["cost_sources"]["pipes"]["time_ns"].as_f64().expect("a time");
    let (before, after) =
        (summary(&ONE_STEP), summary(&[&ONE_STEP[..], &["--set", "instructions.vector.add.slope=4.11"]].concat()));
    // Two cycles more for each of 64 repeats, 69,189 ps in the sum's rounding.
    assert_eq!(format!("{:.3}", pipes(&after) - pipes(&before)), "69.189");
    assert_eq!(before["confidence"]["override_ns"], 0);
    assert!(after["confidence"]["override_ns"].as_f64().expect("a time") > 0.0, "{after}");
    assert_ne!(before["trace_hash"], after["trace_hash"]);
}

#[test]
fn are_times_the_same_when_nothing_is_computed_and_on_every_engine() {
    for arch in ["a2a3", "a5"] {
        let on = |options: &[&str]| summary(&[&["--arch", arch], options].concat());
        let computed = on(&[]);
        assert_eq!((&computed["golden"], &computed["mode"]), (&json!("pass"), &json!("functional+timing")));
        assert_eq!(computed["cost_sources"]["pipes"]["count"], 128);
        assert_eq!(computed["cost_sources"]["roofline"]["count"], 0);
        let variants: [&[&str]; 6] = [
            &["--engine", "naive"],
            &["--workers", "1"],
            &["--workers", "8"],
            &["--hbm-fill", "random:7"],
            &["--mode", "timing"],
            &["--mode", "timing", "--engine", "naive"],
        ];
        for options in variants {
            let other = on(options);
            assert_eq!(model_of(&other), model_of(&computed), "{arch} {options:?}");
            let timing = options.contains(&"timing");
            let expected = if timing { ["unchecked", "timing"] } else { ["pass", "functional+timing"] };
            assert_eq!(json!([other["golden"], other["mode"]]), json!(expected), "{arch} {options:?}");
        }
    }
}

#[test]
fn do_kernels_compute_on_threads_of_their_own_too() {
    assert_eq!(summary(&["--engine", "threads"])["golden"], "pass");
    let refused = npusim(["run", "bgemm_pipes", "--engine", "threads", "--mode", "timing"]);
    assert_eq!(refused.exit, Some(2), "{refused}");
    assert_eq!(refused.stderr, "npusim: --mode timing needs virtual time: take --engine virtual or naive\n");
}

/// Three tasks, one after the other, of this kernel, with costs by name.
fn chain_of(kernel: &str, costs: &Value, options: &[&str]) -> Outcome {
    let scratch = Scratch::new();
    let case = json!({
        "arch": "a2a3", "orchestration": {"bundled": "chain"},
        "kernels": [{"func_id": 0, "bundled": kernel, "core": "aiv", "signature": ["inout"]}],
        "tensors": [{"name": "counter", "shape": [64], "dtype": "f32", "direction": "inout",
                     "generator": {"kind": "zeros"}}],
        "scalars": [{"name": "length", "type": "u64", "value": 3}],
        "kernel_costs": {"table": costs},
        "golden": {"reference": "chain"},
    });
    let path = scratch.file("case.json", case.to_string());
    npusim(["run", path.to_str().expect("a plain path"), "--json"].into_iter().chain(options.iter().copied()))
}

#[test]
fn is_a_flag_that_nobody_sets_a_fault_that_names_it() {
    let outcome = chain_of("missing_flag", &json!({}), &[]);
    assert_eq!(outcome.exit, Some(3), "{outcome}");
    let message = "kernel missing_flag, task 0x100000000: instruction 1: V waits for event 3 of MTE2, which nobody sets: its \
                   set_flag is missing, or cannot be reached while this waits";
    assert!(outcome.stderr.contains(message), "{outcome}");
}

#[test]
fn is_it_noticed_that_what_a_kernel_does_depends_on_its_data() {
    let outcome = chain_of("data_dependent", &json!({}), &[]).success();
    let summary = outcome.json();
    // The first call has no further step, the second one, the third two: each is timed as the first.
    let [differing] = &summary["differing_programs"].as_array().expect("noticed")[..] else { panic!("{summary}") };
    assert_eq!((&differing["name"], &differing["task"]), (&json!("data_dependent"), &json!(0x1_0000_0001_u64)));
    assert_ne!(differing["first"], differing["other"]);
    assert!(
        outcome.stderr.contains("npusim: kernel data_dependent did something else in task 0x100000001"),
        "{outcome}"
    );
    assert_eq!(summary["golden"], "pass");
    // 256 B each way: 142,703 + 4,325 (8 cycles at 32 B) from the HBM, or 1,258 from the L2, where the task before has left
    // them; vadds 14,055 (26 cycles); 162,163 + 2,163 (4 cycles).
    let [first, later] = [4_325, 1_258].map(|read| 142_703 + read + 14_055 + 162_163 + 2_163);
    assert_eq!(summary["cost_sources"]["pipes"], json!({"count": 3, "time_ns": f64::from(first + 2 * later) / 1e3}));
}

#[test]
fn does_a_cost_in_the_case_come_before_the_pipes() {
    let costs = json!({"data_dependent": {"value": 2, "unit": "us", "source": "a test"}});
    let summary = chain_of("data_dependent", &costs, &[]).success().json();
    assert_eq!(summary["cost_sources"]["table"], json!({"count": 3, "time_ns": 6_000}));
    assert_eq!((&summary["golden"], &summary["differing_programs"]), (&json!("pass"), &Value::Null));
    let timed = chain_of("data_dependent", &costs, &["--mode", "timing"]).success().json();
    assert_eq!(model_of(&timed), model_of(&summary));
}
