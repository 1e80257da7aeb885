//! Do kernels that leave a trace of their tile instructions take the time of those instructions, are traces that cannot be
//! used found and nothing worse, and do kernels without traces stay as they were?

mod support;

use std::collections::BTreeSet;
use std::fmt::Write;

use serde_json::{Value, json};
use sim_core::profile::Arch;
use support::exec::{Artifacts, Executed, PATIENCE, reports};
use support::{Scratch, command, outcome_of};

/// Where the costs of a report's kernels came from: how many, and how long in all.
fn costs(report: &Value) -> String {
    let sources = ["table", "pipes", "roofline", "default"];
    let of = |source| {
        let share = &report["costs"][source];
        (share["count"] != 0).then(|| format!("{source} {} in {} ns", share["count"], share["time_ns"]))
    };
    sources.into_iter().filter_map(of).collect::<Vec<_>>().join(", ")
}

/// The kernels that left traces: how many calls were priced by them, how many were not, and why not.
fn traces(report: &Value) -> String {
    let kernels = report["kernel_traces"].as_array().map(Vec::as_slice).unwrap_or_default();
    let line = |kernel: &Value| {
        let because = kernel["finding"].as_str().map(|finding| format!(": {finding}")).unwrap_or_default();
        format!("{} priced, {} fell back{because}", kernel["priced"], kernel["fell_back"])
    };
    kernels.iter().map(line).collect::<Vec<_>>().join("; ")
}

#[test]
fn do_kernels_take_the_time_of_their_instructions() {
    // Each adds two tiles of 16 × 64 floats. On a2a3 (1.85 GHz): two loads of 4 KiB follow each other at 128 bytes a cycle, 64
    // cycles, and the second is there 264 cycles later; the sum takes 10 + 16 × 2.11 + 14 cycles, the store 32, and it has
    // arrived 300 later: 717.76 cycles, 387.98 ns.
    let mut table = String::new();
    for arch in [Arch::A2a3, Arch::A5] {
        let executed = Artifacts::new(arch).run(&[], "traced", &[]).passed();
        let report = executed.report();
        writeln!(table, "{arch}: {} ns, {}; {}", report["device_time_ns"], costs(report), traces(report))
            .expect("text");
    }
    let _snapshots = support::snapshots();
    insta::assert_snapshot!("exec_times_of_traced_kernels", table);
}

#[test]
fn do_kernels_without_traces_cost_what_they_did() {
    let executed = Artifacts::new(Arch::A2a3).run(&[], "vector", &[]).passed();
    let report = executed.report();
    assert_eq!((costs(report), traces(report)), ("default 5 in 5000 ns".to_owned(), String::new()));
}

#[test]
fn is_a_traced_run_the_same_however_it_is_computed() {
    let artifacts = Artifacts::new(Arch::A2a3);
    let hash = |exec: &[&str], options: &[&str]| artifacts.run(exec, "traced", options).passed().hash();
    let hashes: BTreeSet<String> = (0..5).map(|_| hash(&[], &[])).collect();
    assert_eq!(hashes.len(), 1, "{hashes:?}");
    for (exec, what) in [
        (&["--engine", "naive"][..], "naive polling"),
        (&["--workers", "1"], "one worker"),
        (&["--workers", "2"], "two workers"),
    ] {
        assert!(hashes.contains(&hash(exec, &[])), "{what}");
    }
    assert!(hashes.contains(&hash(&[], &["--poll"])), "a host that polls");
}

#[test]
fn are_later_runs_of_a_process_as_the_first_and_does_no_trace_stay_in_memory() {
    let executed = Artifacts::new(Arch::A2a3).run(&[], "traced", &["--rounds", "20"]).passed();
    assert_eq!(executed.reports.len(), 20);
    assert_eq!(executed.hashes().into_iter().collect::<BTreeSet<_>>().len(), 1);
    for report in &executed.reports {
        assert_eq!(traces(report), "5 priced, 0 fell back");
    }
}

/// A run in which the kernel leaves a trace with this flaw.
fn flawed(artifacts: &Artifacts, flaw: u32) -> Executed {
    let out = artifacts.new_out();
    let mut command = artifacts.command(&[], "traced_badly", &[]);
    let outcome = outcome_of(command.env("NPUSIM_OUT", &out).env("TRACE_FLAW", flaw.to_string()), PATIENCE);
    Executed { outcome, reports: reports(&out) }.passed()
}

#[test]
fn what_is_found_in_traces_that_cannot_be_used() {
    let artifacts = Artifacts::new(Arch::A2a3);
    let mut table = String::new();
    for flaw in 0..10 {
        let executed = flawed(&artifacts, flaw);
        let report = executed.report();
        assert_eq!(costs(report), "default 5 in 5000 ns", "flaw {flaw}");
        // A block of the guest's heap is somewhere else each time.
        let found = traces(report);
        let found = found.split(", at 0x").next().unwrap_or_default();
        writeln!(table, "{found}").expect("text");
    }
    let _snapshots = support::snapshots();
    insta::assert_snapshot!("exec_findings_in_traces", table);
}

#[test]
fn are_unknown_instructions_listed_by_name_with_counts() {
    let executed = flawed(&Artifacts::new(Arch::A2a3), 0);
    let kernel = &executed.report()["kernel_traces"][0];
    assert_eq!(kernel["unknown_opcodes"], json!({"THISTOGRAM": 1, "TQUANT": 2}));
}

/// A case of the bundled runtime in which one of three kernels leaves traces.
fn case_with_one_traced_kernel(scratch: &Scratch) -> std::path::PathBuf {
    let tensor = |name: &str| {
        json!({"name": name, "shape": [16384], "dtype": "f32", "direction": "in",
               "generator": {"kind": "random", "low": -1.0, "high": 1.0}})
    };
    let kernel = |id: u32, name: &str, signature: &[&str]| json!({"func_id": id, "bundled": name, "core": "aiv", "signature": signature});
    let case = json!({
        "description": "One kernel leaves traces",
        "arch": "a2a3",
        "orchestration": {"bundled": "vector_example"},
        "kernels": [kernel(0, "traced_add", &["in", "in", "out"]), kernel(1, "add_scalar", &["in", "out"]),
                    kernel(2, "mul", &["in", "in", "out"])],
        "tensors": [tensor("a"), tensor("b"), {"name": "f", "shape": [16384], "dtype": "f32", "direction": "out"}],
        "golden": {"reference": "vector_example"},
    });
    scratch.file("traced.json", case.to_string())
}

#[test]
fn does_npusim_run_price_a_traced_kernel_by_its_instructions() {
    let scratch = Scratch::new();
    let case = case_with_one_traced_kernel(&scratch);
    let summary = |options: &[&str]| {
        let words = ["run".as_ref(), case.as_os_str(), "--json".as_ref()];
        let mut command = command();
        outcome_of(command.args(words).args(options), PATIENCE).success().json()
    };
    let first = summary(&[]);
    let sources = &first["cost_sources"];
    let table = format!(
        "pipes: {}\nroofline: {}\n{}\n{} ns",
        sources["pipes"],
        sources["roofline"],
        traces(&first),
        first["device_time_ns"]
    );
    let _snapshots = support::snapshots();
    insta::assert_snapshot!("run_times_of_traced_kernels", table);
    for options in [&["--engine", "naive"][..], &["--workers", "1"], &["--workers", "2"]] {
        assert_eq!(summary(options)["trace_hash"], first["trace_hash"], "{options:?}");
    }
}
