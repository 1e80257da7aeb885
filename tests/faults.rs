//! Does every way in which device code can fail end with a report that says who, where, when and what to do?
//!
//! Times are virtual, so that reports are the same on every machine but for offsets in compiled code. That a fault ends at all,
//! and soon, is what the patience with the child stands for.

mod support;

use support::{FAULT_PATIENCE, Outcome, command, outcome_of, without_offsets};

/// Short enough not to wait for, long enough for a guest that is only slow.
const KERNEL_LIMIT: [&str; 2] = ["--kernel-limit", "500ms"];

fn run(case: &str, options: &[&str]) -> Outcome {
    outcome_of(command().args(["run", case]).args(options), FAULT_PATIENCE)
}

/// The exit code is `exit`, and the report is the snapshot's.
#[track_caller]
fn assert_report(snapshot: &str, outcome: &Outcome, exit: i32) {
    assert_eq!(outcome.exit, Some(exit), "{outcome}");
    assert_eq!(outcome.stderr.lines().filter(|line| line.starts_with("npusim:")).count(), 1, "{outcome}");
    let _snapshots = support::snapshots();
    insta::assert_snapshot!(snapshot, without_offsets(&outcome.stderr));
}

#[test]
fn does_a_kernel_that_never_returns_end_with_its_name() {
    assert_report("fault_hang_kernel", &run("hang_kernel", &KERNEL_LIMIT), 3);
}

#[test]
fn is_a_kernel_that_never_returns_found_on_any_number_of_workers() {
    let report = |workers| {
        let outcome = run("hang_kernel", &[KERNEL_LIMIT[0], KERNEL_LIMIT[1], "--workers", workers]);
        assert_eq!(outcome.exit, Some(3), "{workers} workers: {outcome}");
        outcome.stderr
    };
    let alone = report("1");
    assert!(alone.contains("runs kernel hang"), "{alone}");
    assert_eq!(report("2"), alone);
    assert_eq!(report("8"), alone);
}

#[test]
fn does_a_write_through_null_name_core_kernel_place_and_time() {
    assert_report("fault_null_write", &run("null_write", &[]), 3);
}

#[test]
fn does_a_core_that_looks_into_the_register_window_fault_by_name() {
    let scratch = support::Scratch::new();
    let cases = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("cases");
    let text = std::fs::read_to_string(cases.join("lost_completion.json")).expect("it is there");
    let text = text.replace("lossy", "window").replace("deadlock", "fault");
    let case = scratch.file("window.json", text);
    let outcome = run(case.to_str().expect("a scratch path is text"), &[]);
    assert_report("fault_register_window", &outcome, 3);
}

#[test]
fn does_a_lost_completion_name_who_waits_for_it() {
    assert_report("fault_lost_completion", &run("lost_completion", &[]), 4);
}

#[test]
fn does_a_ring_that_never_drains_say_which_ring_to_raise() {
    assert_report("fault_ring_full", &run("ring_full", &[]), 4);
}

#[test]
fn does_an_orchestration_that_waits_for_itself_name_its_wait() {
    assert_report("fault_self_wait", &run("self_wait", &[]), 4);
}

#[test]
fn does_memory_that_is_too_small_name_what_holds_most() {
    assert_report("fault_small_hbm", &run("vector_example", &["--hbm", "8MiB"]), 2);
}

#[test]
fn do_programs_get_the_code_that_silicon_would_give() {
    let codes = [
        ("hang_kernel", 3, 507_014),
        ("null_write", 3, 507_015),
        ("lost_completion", 4, 507_046),
        ("self_wait", 4, 507_046),
    ];
    for (case, exit, code) in codes {
        let outcome = run(case, &["--json", KERNEL_LIMIT[0], KERNEL_LIMIT[1]]);
        let report = outcome.json();
        assert_eq!(
            (&report["exit"], &report["error"]["device_code"]),
            (&exit.into(), &code.into()),
            "{case}: {outcome}"
        );
        assert_eq!(outcome.exit, Some(exit), "{case}");
    }
}

#[test]
fn does_naive_polling_end_faults_with_the_same_reports() {
    for case in ["null_write", "ring_full"] {
        let (parked, naive) = (run(case, &[]), run(case, &["--engine", "naive"]));
        assert_eq!((naive.exit, naive.stderr), (parked.exit, parked.stderr), "{case}");
    }
}
