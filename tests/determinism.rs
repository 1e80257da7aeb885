//! Is a run a function of its input alone?
//!
//! Every case is run with whatever the host may do differently: addresses, load, worker threads, how polls are carried
//! out. The hash over all events of the trace is the same each time. What the model says is kept as a snapshot.

mod support;

use std::fmt::Write;
use std::fs;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use serde_json::Value;
use support::npusim;

/// Cases that exercise the whole device.
const CASES: [&str; 6] = ["vector_example", "bgemm", "diamond", "mixed", "chain", "flood_2000"];

/// How often each is run.
const REPEATS: usize = 50;

/// The full device of the generation.
const CLUSTERS: [&str; 2] = ["--clusters", "24"];

/// What a run says of itself.
fn summary(case: &str, options: &[&str]) -> Value {
    npusim(["run", case, "--json"].into_iter().chain(CLUSTERS).chain(options.iter().copied())).success().json()
}

fn hash(case: &str, options: &[&str]) -> String {
    let summary = summary(case, options);
    assert_ne!(summary["golden"], "fail", "{case} {options:?}");
    let hash = summary["trace_hash"].as_str().unwrap_or_else(|| panic!("{case} {options:?} has no hash"));
    assert_eq!(hash.len(), 16, "{case} {options:?}");
    hash.to_owned()
}

/// Every case gives the same hash with each of these options as without any.
#[track_caller]
fn assert_same_hash(variants: &[&[&str]]) {
    for case in CASES {
        let expected = hash(case, &[]);
        for options in variants {
            assert_eq!(hash(case, options), expected, "{case} {options:?}");
        }
    }
}

#[test]
fn are_repeated_runs_equal_with_addresses_randomised() {
    // Where the kernel does not randomise addresses, equal hashes would prove less than this test says.
    let randomised = fs::read_to_string("/proc/sys/kernel/randomize_va_space").expect("Linux has it");
    assert_ne!(randomised.trim(), "0", "address randomisation is off: kernel.randomize_va_space");
    for case in CASES {
        let expected = hash(case, &[]);
        for repeat in 1..REPEATS {
            assert_eq!(hash(case, &[]), expected, "{case}, run {repeat}");
        }
    }
}

#[test]
fn are_runs_equal_beside_busy_loops() {
    let expected = CASES.map(|case| hash(case, &[]));
    let over = AtomicBool::new(false);
    thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                while !over.load(Ordering::Relaxed) {
                    std::hint::spin_loop();
                }
            });
        }
        // Asserted when the loops are over: a panic in here would wait for them for ever.
        let beside = std::panic::catch_unwind(|| CASES.map(|case| [hash(case, &[]), hash(case, &[])]));
        over.store(true, Ordering::Relaxed);
        let beside = beside.unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        for (case, (expected, beside)) in CASES.iter().zip(expected.iter().zip(&beside)) {
            assert_eq!(beside, &[expected.clone(), expected.clone()], "{case}");
        }
    });
}

#[test]
fn does_the_number_of_workers_leave_the_trace_alone() {
    assert_same_hash(&[&["--workers", "1"], &["--workers", "2"], &["--workers", "8"]]);
}

#[test]
fn does_naive_polling_give_the_same_trace() {
    assert_same_hash(&[&["--engine", "naive"]]);
}

#[test]
fn do_values_of_inputs_and_of_unwritten_memory_leave_the_trace_alone() {
    assert_same_hash(&[
        &["--hbm-fill", "zero"],
        &["--hbm-fill", "poison"],
        &["--hbm-fill", "random:7"],
        &["--seed", "7"],
    ]);
}

/// Skipped polls are not counted by a guest that counts its idle polls, so that the trace may be another one: but it is
/// always the same.
#[test]
fn is_fast_forward_a_function_of_its_input_alone() {
    for case in CASES {
        let expected = hash(case, &["--fast-forward"]);
        for options in [["--fast-forward", "--workers", "1"], ["--fast-forward", "--workers", "8"]] {
            assert_eq!(hash(case, &options), expected, "{case} {options:?}");
        }
    }
}

#[test]
fn what_does_the_model_say_of_each_case() {
    let mut text = String::new();
    for case in CASES {
        let run = summary(case, &[]);
        let phases = &run["phases"];
        writeln!(
            text,
            "{case}: golden {}, {} tasks, {} kernels, {} events, {} loads\n  device {} ns, preamble {} ns, orchestration \
             {} ns, scheduling {} ns, shutdown {} ns",
            run["golden"].as_str().expect("text"),
            run["tasks"],
            run["kernels"],
            run["events"],
            run["loads"],
            run["device_time_ns"],
            phases["preamble_ns"],
            phases["orch_ns"],
            phases["sched_ns"],
            phases["post_orch_ns"],
        )
        .expect("a string takes all text");
    }
    let _snapshots = support::snapshots();
    insta::assert_snapshot!("model_of_each_case", text);
}
