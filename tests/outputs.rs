//! Does a run leave what it was asked for, complete and consistent, and nothing else?

mod support;

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use serde_json::Value;
use support::{FAULT_PATIENCE, Outcome, Scratch, command, entries, npusim, outcome_of};

/// The files of `--out` for a case.
fn files(case: &str) -> [String; 7] {
    let name_map = format!("name_map_{case}.json");
    let (before, after) = (
        ["chip_swimlane_records.json", "critical_path.json", "deps.json", "loads.json"],
        ["report.json", "trace.json"],
    );
    let [swimlane, path, deps, loads] = before;
    let [report, trace] = after;
    [swimlane, path, deps, loads, &name_map, report, trace].map(str::to_owned)
}

/// Runs a case with `--out`; gives the directory.
fn written(case: &str, options: &[&str]) -> Scratch {
    let scratch = Scratch::new();
    let out = scratch.path().to_str().expect("a plain path");
    npusim([&["run", case, "--out", out], options].concat()).success();
    scratch
}

fn json(directory: &Scratch, name: &str) -> Value {
    let text = fs::read_to_string(directory.path().join(name)).unwrap_or_else(|error| panic!("{name}: {error}"));
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{name}: {error}"))
}

fn list<'a>(value: &'a Value, key: &str) -> &'a [Value] {
    value[key].as_array().unwrap_or_else(|| panic!("`{key}` is no list"))
}

fn keys(value: &Value) -> Vec<&str> {
    value.as_object().expect("an object").keys().map(String::as_str).collect()
}

/// Runs a case with TMPDIR in a directory of its own; nothing may be left there, or in /dev/shm.
fn run_in_empty_place(case: &str, options: &[&str]) -> (Outcome, Scratch) {
    let temporary = Scratch::new();
    let child = &mut command();
    child.args(["run", case]).args(options).env("TMPDIR", temporary.path());
    (outcome_of(child, FAULT_PATIENCE), temporary)
}

/// What processes that have ended left in memory shared between processes.
fn left_in_shared_memory() -> Vec<String> {
    const PLACE: &str = "/dev/shm";
    let left = |name: &String| {
        let pid = name.strip_prefix("npusim-").and_then(|rest| rest.split('-').next());
        let ended = pid.is_some_and(|pid| !Path::new("/proc").join(pid).exists());
        // Still there: its process may have tidied up and ended since the directory was read.
        ended && Path::new(PLACE).join(name).symlink_metadata().is_ok()
    };
    entries(Path::new(PLACE)).into_iter().filter(left).collect()
}

#[test]
fn which_files_does_out_write() {
    for case in ["vector_example", "bgemm"] {
        assert_eq!(entries(written(case, &[]).path()), files(case));
    }
}

#[test]
fn are_files_equal_from_run_to_run() {
    let (first, second) = (written("bgemm", &["--workers", "1"]), written("bgemm", &["--workers", "2"]));
    for name in ["chip_swimlane_records.json", "critical_path.json", "deps.json", "name_map_bgemm.json", "trace.json"] {
        let read = |directory: &Scratch| fs::read(directory.path().join(name)).expect("it was written");
        assert!(read(&first) == read(&second), "{name} differs");
    }
}

#[test]
fn are_swimlane_records_joined_by_unique_keys() {
    for case in ["vector_example", "bgemm", "chain"] {
        let out = written(case, &[]);
        let records = json(&out, "chip_swimlane_records.json");
        let key = |core: &Value, register: &Value| (core.as_u64().expect("core"), register.as_u64().expect("id"));
        let on_aicore: Vec<_> = list(&records, "aicore_tasks").iter().map(|task| key(&task[0], &task[2])).collect();
        let rows = list(&records, "aicpu_tasks");
        let on_aicpu: BTreeSet<_> = rows.iter().map(|task| key(&task[0], &task[1])).collect();
        let unique: BTreeSet<_> = on_aicore.iter().copied().collect();
        assert_eq!(unique.len(), on_aicore.len(), "{case}: a key of two records");
        assert_eq!(rows.len(), on_aicpu.len(), "{case}: a key of two records");
        assert_eq!(unique, on_aicpu, "{case}: records without partner");
        let tasks: BTreeSet<_> =
            list(&json(&out, "deps.json"), "tasks").iter().map(|task| task["task_id"].to_string()).collect();
        let run: BTreeSet<_> = list(&records, "aicore_tasks").iter().map(|task| format!("\"{}\"", task[1])).collect();
        assert_eq!(run, tasks, "{case}: tasks run and tasks submitted");
    }
}

#[test]
fn can_perfetto_make_sense_of_the_trace() {
    let trace = json(&written("vector_example", &[]), "trace.json");
    let events = list(&trace, "traceEvents");
    assert_eq!(trace["displayTimeUnit"], "ns");
    let phase = |event: &Value| event["ph"].as_str().expect("every event has a phase").to_owned();
    let phases: BTreeSet<_> = events.iter().map(phase).collect();
    assert!(phases.contains("M") && phases.contains("X"), "{phases:?}");
    for event in events.iter().filter(|event| event["ph"] == "X") {
        assert!(event["ts"].is_number() && event["dur"].is_number() && event["name"].is_string(), "{event}");
    }
}

#[test]
fn does_the_ledger_account_for_every_object_with_its_strategy() {
    let ledger = json(&written("vector_example", &[]), "loads.json");
    let loads: Vec<[&str; 4]> = list(&ledger, "loads")
        .iter()
        .map(|load| {
            let outcome = &load["outcome"];
            [&load["origin"], &load["name"], &outcome["kind"], &outcome["strategy"]["kind"]]
                .map(|text| text.as_str().unwrap_or("none"))
        })
        .collect();
    let expected = [
        ["host_runtime", "tensormap_and_ringbuffer.host", "miss", "sealed_memfd"],
        ["aicpu", "libaicpu_kernel.so", "miss", "sealed_memfd"],
        ["aicore", "libaicore_kernel.so", "miss", "sealed_memfd"],
        ["kernel", "add", "miss", "sealed_memfd"],
        ["kernel", "add_scalar", "miss", "sealed_memfd"],
        ["kernel", "mul", "miss", "sealed_memfd"],
        ["orchestration", "libdevice_orch_cid0.so", "miss", "sealed_memfd"],
    ];
    assert_eq!(loads, expected);
    for load in list(&ledger, "loads") {
        assert_eq!(load["fallbacks"], Value::Array(Vec::new()), "{load}");
        assert_eq!(load["build_id"].as_str().map(str::len), Some(40), "{load}");
    }
    assert_eq!(ledger["counts"]["loaded"], 7);
    assert_eq!(ledger["counts"]["pinned"], 0);
}

#[test]
fn which_keys_does_json_have() {
    let summary = npusim(["run", "vector_example", "--json"]).success().json();
    let promised = [
        "case",
        "arch",
        "runtime",
        "golden",
        "tasks",
        "device_time_ns",
        "host_elapsed_ms",
        "engine_cpu_ms",
        "engine",
        "workers",
        "trace_hash",
        "loads",
        "exit",
    ];
    let missing: Vec<_> = promised.iter().filter(|key| summary.get(key).is_none()).collect();
    assert!(missing.is_empty(), "missing: {missing:?}");
    assert_eq!((&summary["golden"], &summary["exit"], &summary["tasks"]), (&"pass".into(), &0.into(), &5.into()));
    let _snapshots = support::snapshots();
    insta::assert_snapshot!("keys_of_json", keys(&summary).join("\n"));
}

#[test]
fn does_keep_so_leave_the_objects_and_nothing_else() {
    let place = Scratch::new();
    let directory = place.path().join("new/objects");
    let (outcome, temporary) = run_in_empty_place("vector_example", &["--keep-so", directory.to_str().expect("plain")]);
    outcome.success();
    // npusim-<pid>-<number>-<name>
    let name = |file: &String| file.splitn(4, '-').nth(3).unwrap_or(file).to_owned();
    let kept: BTreeSet<String> = entries(&directory).iter().map(name).collect();
    let expected = [
        "add.so",
        "add_scalar.so",
        "libaicore_kernel.so",
        "libaicpu_kernel.so",
        "libdevice_orch_cid0.so",
        "libnpusim_shim.so",
        "mul.so",
        "tensormap_and_ringbuffer.host.so",
    ];
    assert_eq!(kept.iter().map(String::as_str).collect::<Vec<_>>(), expected);
    for file in entries(&directory) {
        let bytes = fs::read(directory.join(&file)).expect("a real file");
        assert!(bytes.starts_with(b"\x7fELF"), "{file}");
    }
    assert_eq!(entries(temporary.path()), [""; 0]);
    assert_eq!(entries(place.path()), ["new"]);
}

#[test]
fn is_anything_left_after_a_run_or_a_fault() {
    let cases = [
        ("vector_example", 0),
        ("hang_kernel", 3),
        ("null_write", 3),
        ("lost_completion", 4),
        ("ring_full", 4),
        ("self_wait", 4),
    ];
    for (case, exit) in cases {
        let (outcome, temporary) = run_in_empty_place(case, &["--kernel-limit", "500ms"]);
        assert_eq!(outcome.exit, Some(exit), "{case}: {outcome}");
        assert_eq!(entries(temporary.path()), [""; 0], "{case}");
    }
    assert_eq!(left_in_shared_memory(), [""; 0]);
}

#[test]
fn does_a_run_that_faulted_still_write_its_files() {
    let scratch = Scratch::new();
    let out = scratch.path().to_str().expect("a plain path");
    let outcome = npusim(["run", "null_write", "--out", out]);
    assert_eq!(outcome.exit, Some(3), "{outcome}");
    assert_eq!(entries(scratch.path()), files("null_write"));
    let report = json(&scratch, "report.json");
    assert_eq!((&report["golden"], &report["exit"]), (&"fail".into(), &3.into()));
    assert_eq!(report["error"]["device_code"], 507_015);
}
