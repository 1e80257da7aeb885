//! Is the model of use: where the time goes, what got slower, what would be with other values?

mod support;

use std::fmt::Write;
use std::fs;
use std::path::Path;
use std::process::Command;

use npusim::run::settings::RunSettings;
use npusim::snapshot::{Snapshot, SnapshotError};
use serde_json::Value;
use support::{FAULT_PATIENCE, Outcome, Scratch, command, entries, npusim, outcome_of};

/// The command, without what a batch scheduler may have told this test.
fn plain(arguments: &[&str]) -> Command {
    let mut child = command();
    for variable in ["ID", "COUNT", "MIN", "STEP"] {
        child.env_remove(format!("SLURM_ARRAY_TASK_{variable}"));
    }
    child.args(arguments);
    child
}

#[track_caller]
fn outcome(arguments: &[&str]) -> Outcome {
    outcome_of(&mut plain(arguments), FAULT_PATIENCE)
}

fn text(path: &Path) -> &str {
    path.to_str().expect("a plain path")
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn json(path: &Path) -> Value {
    serde_json::from_str(&read(path)).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

const CAUSES: [&str; 5] = ["compute_ps", "memory_ps", "dependency_ps", "dispatch_ps", "host_ps"];

/// The sum of all causes in an object.
#[track_caller]
fn total(times: &Value) -> u64 {
    CAUSES.iter().map(|cause| times[cause].as_u64().expect("picoseconds")).sum()
}

fn list<'a>(value: &'a Value, key: &str) -> &'a [Value] {
    value[key].as_array().unwrap_or_else(|| panic!("`{key}` is no list"))
}

#[test]
fn do_all_shares_add_up_to_the_device_time_on_every_runtime() {
    for arch in ["a2a3", "a5"] {
        for runtime in ["tensormap_and_ringbuffer", "aicpu_build_graph", "host_build_graph"] {
            for case in ["vector_example", "bgemm", "mixed", "flood_2000"] {
                let run =
                    npusim(["run", case, "--arch", arch, "--runtime", runtime, "--explain", "--json"]).success().json();
                let attribution = &run["attribution"];
                let device_time = attribution["device_time_ps"].as_u64().expect("picoseconds");
                let what = format!("{case} on {arch}, {runtime}");
                let reported = run["device_time_ns"].as_f64().expect("nanoseconds");
                assert_eq!((reported * 1e3).round() as u64, device_time, "{what}");
                assert_eq!(total(&attribution["critical_path"]), device_time, "{what}");
                let cores = list(attribution, "cores");
                assert_eq!(cores.len() as u64, run["cores"].as_u64().expect("a number"), "{what}");
                for core in cores {
                    assert_eq!(total(core), device_time, "{what}: {core}");
                }
                assert_eq!(total(&attribution["core_time"]), device_time * cores.len() as u64, "{what}");
                let kernels: u64 =
                    list(attribution, "kernels").iter().map(|kernel| kernel["count"].as_u64().expect("a number")).sum();
                assert_eq!(run["kernels"], kernels, "{what}");
            }
        }
    }
}

#[test]
fn is_the_critical_path_the_same_however_the_device_is_run() {
    let path = |options: &[&str]| {
        let scratch = Scratch::new();
        npusim([&["run", "bgemm", "--out", text(scratch.path())], options].concat()).success();
        read(&scratch.path().join("critical_path.json"))
    };
    let parked = path(&["--workers", "2"]);
    assert!(parked == path(&["--workers", "1"]));
    assert!(parked == path(&["--engine", "naive"]));
}

#[test]
fn where_does_the_time_of_the_example_go() {
    let run = npusim(["run", "vector_example", "--explain"]).success();
    let (_, table) = run.stdout.split_once("\n\n").expect("a table below the table");
    let _snapshots = support::snapshots();
    insta::assert_snapshot!("explained_example", table);
}

/// Runs a case with `--out`.
fn reported(case: &str, options: &[&str]) -> Scratch {
    let scratch = Scratch::new();
    npusim([&["run", case, "--out", text(scratch.path())], options].concat()).success();
    scratch
}

#[test]
fn what_does_diff_say_of_a_slower_scheduler() {
    let (before, after) =
        (reported("vector_example", &[]), reported("vector_example", &["--set", "aicpu.dispatch=2us"]));
    let diff = |first: &Scratch, second: &Scratch, options: &[&str]| {
        outcome(&[&["diff", text(first.path()), text(second.path())], options].concat())
    };
    let slower = diff(&before, &after, &[]);
    assert_eq!(slower.exit, Some(1), "{slower}");
    assert_eq!(after.hide(&slower.stderr), "npusim: slower than before by more than 0 %: the device time, in DIR\n");
    let _snapshots = support::snapshots();
    insta::assert_snapshot!("diff_of_slower_dispatch", slower.stdout);

    assert_eq!(diff(&before, &after, &["--threshold", "1000"]).exit, Some(0));
    assert_eq!(diff(&after, &before, &[]).exit, Some(0));
    let same = diff(&before, &before, &["--each"]).success();
    assert!(same.stdout.ends_with("no virtual time differs\n"), "{same}");
    let machine = diff(&before, &after, &["--json"]);
    assert_eq!((machine.exit, &machine.json()["slower"]), (Some(1), &true.into()));
}

#[test]
fn does_diff_name_the_kernel_that_got_slower() {
    let scratch = Scratch::new();
    let case = |cycles: u64| {
        let bundled = Path::new(env!("CARGO_MANIFEST_DIR")).join("cases/vector_example.json");
        let mut case = json(&bundled);
        case["kernel_costs"] =
            serde_json::json!({"table": {"mul": {"value": cycles, "unit": "cycle", "source": "a test"}}});
        scratch.file(&format!("costs_{cycles}.json"), case.to_string())
    };
    let [before, after] = [case(10_000), case(20_000)].map(|file| reported(text(&file), &[]));
    let diff = outcome(&["diff", text(before.path()), text(after.path()), "--each", "--threshold", "50", "--json"]);
    assert_eq!(diff.exit, Some(1), "{diff}");
    let changes = diff.json();
    let kernels: Vec<_> = list(&changes, "changes")
        .iter()
        .filter(|change| change["group"] == "kernel" && change["percent"] != 0.0)
        .collect();
    assert_eq!(kernels.len(), 1, "{kernels:?}");
    assert_eq!(kernels[0]["name"], "mul");
    assert!(list(&changes, "beyond_threshold").contains(&"mul".into()), "{changes}");
}

#[test]
fn does_a_snapshot_pass_until_the_times_change() {
    let scratch = Scratch::new();
    let file = scratch.path().join("new/own.snap");
    let snapshot = |action: &str, options: &[&str]| {
        outcome(&[&["snapshot", action, "vector_example", "--file", text(&file)], options].concat())
    };
    let missing = snapshot("check", &[]);
    assert_eq!(missing.exit, Some(2), "{missing}");
    assert_eq!(
        scratch.hide(&missing.stderr),
        "npusim: there is no snapshot \"DIR/new/own.snap\": look at the run, then make it with `npusim snapshot accept`\n"
    );
    snapshot("accept", &[]).success();
    snapshot("check", &["--workers", "1"]).success();
    snapshot("check", &["--engine", "naive"]).success();
    let changed = snapshot("check", &["--set", "aicpu.dispatch=2us"]);
    assert_eq!(changed.exit, Some(1), "{changed}");
    let _snapshots = support::snapshots();
    insta::assert_snapshot!("snapshot_of_example", read(&file));
    insta::assert_snapshot!("snapshot_of_slower_dispatch", changed.stdout);
}

#[test]
fn can_a_test_of_ones_own_use_snapshots() {
    let scratch = Scratch::new();
    let file = scratch.path().join("chain.snap");
    let settings = |length: &str| RunSettings {
        parameters: vec![("length".to_owned(), length.to_owned())],
        ..RunSettings::default()
    };
    let now = Snapshot::of_case("chain", &settings("30")).expect("it runs");
    now.accept(&file).expect("it is written");
    Snapshot::of_case("chain", &settings("30")).expect("it runs").assert(&file);
    let longer = Snapshot::of_case("chain", &settings("31")).expect("it runs");
    let Err(SnapshotError::Differs { difference, .. }) = longer.check(&file) else { panic!("it is longer") };
    let lines = difference.to_string();
    for line in ["- tasks            30, kernels 30\n", "+ tasks            31, kernels 31\n"] {
        assert!(lines.contains(line), "{lines}");
    }
}

const SWEEP: [&str; 6] =
    ["sweep", "vector_example", "--set", "hbm.read_bandwidth=1.2..1.8:7", "--set", "mmio.load=80ns..140ns:7"];

#[test]
fn does_every_point_of_a_sweep_say_what_a_run_says() {
    let sweep = outcome(&[&SWEEP[..], &["--json"]].concat()).success().json();
    let rows = list(&sweep, "rows");
    assert_eq!(rows.len(), 49);
    let numbers: Vec<_> = rows.iter().map(|row| row["point"].as_u64().expect("a number")).collect();
    assert_eq!(numbers, (0..49).collect::<Vec<_>>());
    for row in [&rows[0], &rows[17], &rows[48]] {
        let values: Vec<_> = list(row, "values").iter().map(|value| value.as_str().expect("text")).collect();
        let [bandwidth, load] =
            [("hbm.read_bandwidth", values[0]), ("mmio.load", values[1])].map(|(key, value)| format!("{key}={value}"));
        let run = npusim(["run", "vector_example", "--set", &bandwidth, "--set", &load, "--json"]).success().json();
        assert_eq!((&row["trace_hash"], &row["golden"]), (&run["trace_hash"], &run["golden"]), "{row}");
    }
    assert_eq!(rows[17]["values"], serde_json::json!(["1.4", "110ns"]));
}

#[test]
fn is_a_sweep_the_same_for_every_number_of_threads_and_shards() {
    let scratch = Scratch::new();
    let part = |name: &str, options: &[&str]| {
        let out = scratch.path().join(name);
        let mut child = plain(&[&SWEEP[..], &["--out", text(&out), "--explain"], options].concat());
        (out, outcome_of(&mut child, FAULT_PATIENCE).success())
    };
    let whole = part("whole", &["--parallel", "1"]).0;
    let parts = ["1/3", "2/3", "3/3"].map(|shard| part(&shard.replace('/', "-"), &["--shard", shard]).0);
    let merged = scratch.path().join("merged");
    let merge = |parts: &[&Path], options: &[&str]| {
        let parts = parts.iter().map(|part| text(part));
        outcome(&["merge"].into_iter().chain(parts).chain(options.iter().copied()).collect::<Vec<_>>())
    };
    let [first, second, third] = parts.each_ref().map(|part| part.as_path());
    merge(&[third, first, second], &["--out", text(&merged)]).success();
    assert_eq!(entries(&merged), ["sweep.csv", "sweep.json"]);
    assert_eq!(read(&merged.join("sweep.csv")), read(&whole.join("sweep.csv")));

    let mut refusals = String::new();
    for (what, parts) in [
        ("a shard is missing", vec![first, third]),
        ("two are missing", vec![second]),
        ("one is there twice", vec![first, second, second]),
        ("the whole is no part", vec![first, &whole]),
        ("a directory without reports", vec![scratch.path()]),
    ] {
        let refused = merge(&parts, &[]);
        assert_eq!((refused.exit, refused.stdout.as_str()), (Some(2), ""), "{what}: {refused}");
        writeln!(refusals, "# {what}\n{}", scratch.hide(&refused.stderr)).expect("text");
    }
    let other = part("other", &["--shard", "3/3", "--set", "mmio.store=6ns"]).0;
    let refused = merge(&[first, second, &other], &[]);
    assert_eq!(refused.exit, Some(2), "{refused}");
    writeln!(refusals, "# one is of another sweep\n{}", scratch.hide(&refused.stderr)).expect("text");
    let _snapshots = support::snapshots();
    insta::assert_snapshot!("refused_merges", refusals);
}

#[test]
fn does_a_task_of_a_slurm_array_run_its_part() {
    let scratch = Scratch::new();
    let task = |id: &str, out: &Path| {
        let mut child = plain(&["sweep", "flood", "--param", "tasks=10,20,30", "--out", text(out)]);
        child.env("SLURM_ARRAY_TASK_ID", id).env("SLURM_ARRAY_TASK_COUNT", "2").env("SLURM_ARRAY_TASK_MIN", "1");
        outcome_of(&mut child, FAULT_PATIENCE)
    };
    let [first, second] = ["1", "2"].map(|id| {
        let out = scratch.path().join(id);
        task(id, &out).success();
        out
    });
    assert_eq!(list(&json(&first.join("sweep.json")), "rows").len(), 2);
    outcome(&["merge", text(&first), text(&second)]).success();
    let outside = task("3", scratch.path());
    assert_eq!(outside.exit, Some(2), "{outside}");
}

#[test]
fn do_the_shards_of_a_matrix_make_the_matrix() {
    let scratch = Scratch::new();
    let ci = |name: &str, options: &[&str]| {
        let out = scratch.path().join(name);
        let cases = ["ci", "--arch", "a5", "--case", "vector_example", "--case", "diamond", "--out", text(&out)];
        outcome(&[&cases[..], options].concat()).success();
        out
    };
    let whole = ci("whole", &[]);
    let (first, second) = (ci("first", &["--shard", "1/2"]), ci("second", &["--shard", "2/2"]));
    let merged = scratch.path().join("merged");
    outcome(&["merge", text(&first), text(&second), "--out", text(&merged)]).success();
    let said = |directory: &Path| {
        let mut report = json(&directory.join("report.json"));
        let entries = report["entries"].as_array_mut().expect("entries");
        entries.iter_mut().for_each(|entry| drop(entry.as_object_mut().expect("an object").remove("host_ms")));
        (report["exit"].clone(), report["runs"].clone(), report["as_expected"].clone(), report["entries"].clone())
    };
    assert_eq!(said(&merged), said(&whole));
    assert_eq!(entries(&merged), ["junit.xml", "report.json"]);
    let refused = outcome(&["merge", text(&first)]);
    assert_eq!((refused.exit, refused.stderr.as_str()), (Some(2), "npusim: missing: shard 2/2\n"));
}

#[test]
fn is_what_cannot_be_swept_or_compared_refused_in_one_line() {
    let scratch = Scratch::new();
    scratch.file("no.json", "{");
    scratch.file("old.json", r#"{"schema": 0}"#);
    scratch.file("other.json", r#"{"entries": []}"#);
    let mut refusals = String::new();
    for (what, arguments) in [
        ("a wrong key", &["sweep", "chain", "--set", "mmio.lod=1ns,2ns"][..]),
        ("a wrong key among right ones", &["sweep", "chain", "--set", "mmio.load=1ns,2ns", "--set", "clusters=1,2"]),
        ("a wrong unit", &["sweep", "chain", "--set", "mmio.load=1ns,2GB/s"]),
        ("a wrong instruction", &["sweep", "chain", "--set", "instructions.vector.vadd.slope=1..4:4"]),
        ("too long an instruction", &["sweep", "chain", "--set", "instructions.vector.add.slope=1,2e9"]),
        ("a wrong unit of a range", &["sweep", "chain", "--set", "hbm.read_bandwidth=1ns..2ns:3"]),
        ("two units in a range", &["sweep", "chain", "--set", "hbm.read_bandwidth=1GB/s..2TB/s:3"]),
        ("a value out of range", &["sweep", "chain", "--set", "topology.schedulers=1,2,99"]),
        ("a fraction of what is counted", &["sweep", "chain", "--set", "topology.schedulers=1..2:3"]),
        ("no number", &["sweep", "chain", "--set", "mmio.load=fast,slow"]),
        ("no range", &["sweep", "chain", "--set", "mmio.load=1..2"]),
        ("one value of a range", &["sweep", "chain", "--set", "mmio.load=1..2:1"]),
        ("a key twice", &["sweep", "chain", "--set", "mmio.load=1,2", "--set", "mmio.load=3"]),
        ("a wrong parameter", &["sweep", "chain", "--param", "lenght=1,2"]),
        ("a wrong value of a parameter", &["sweep", "chain", "--param", "length=1,x"]),
        ("no axis", &["sweep", "chain"]),
        ("a wrong case", &["sweep", "chian", "--set", "mmio.load=1,2"]),
        ("too many points", &["sweep", "chain", "--set", "mmio.load=1..2:1000", "--set", "mmio.store=1..2:1000"]),
        ("free threads", &["sweep", "chain", "--set", "mmio.load=1,2", "--engine", "threads"]),
        ("a report that is not there", &["diff", "none.json", "none.json"]),
        ("a report that is no JSON", &["diff", "no.json", "no.json"]),
        ("a report of another schema", &["diff", "old.json", "old.json"]),
        ("a report of something else", &["diff", "other.json", "other.json"]),
        ("a snapshot of free threads", &["snapshot", "accept", "chain", "--engine", "threads"]),
        ("a page in a directory that is not there", &["run", "chain", "--html", "nowhere/x.html"]),
        ("a page of free threads", &["run", "chain", "--html", "x.html", "--engine", "threads"]),
    ] {
        let mut child = plain(arguments);
        let refused = outcome_of(child.current_dir(scratch.path()), FAULT_PATIENCE);
        assert_eq!((refused.exit, refused.stdout.as_str()), (Some(2), ""), "{what}: {refused}");
        assert_eq!(refused.stderr.lines().count(), 1, "{what}: {refused}");
        writeln!(refusals, "# {what}\n{}", refused.stderr).expect("text");
    }
    assert_eq!(entries(scratch.path()), ["no.json", "old.json", "other.json"]);
    let _snapshots = support::snapshots();
    insta::assert_snapshot!("refused_uses_of_the_model", refusals);
}

#[test]
fn does_the_page_hold_the_run() {
    let scratch = Scratch::new();
    let page = scratch.path().join("run.html");
    let run = npusim(["run", "bgemm", "--html", text(&page), "--json"]).success().json();
    assert_eq!(entries(scratch.path()), ["run.html"]);
    let html = read(&page);
    let (_, rest) = html.split_once(r#"<script type="application/json" id="data">"#).expect("the data");
    let data: Value = serde_json::from_str(rest.split_once("</script>").expect("its end").0).expect("it is JSON");
    let lanes = list(&data, "lanes");
    let kernels: usize = lanes.iter().filter(|lane| lane["kind"] == "core").map(|lane| list(lane, "spans").len()).sum();
    assert_eq!(run["kernels"], kernels);
    assert_eq!(
        lanes.iter().filter(|lane| lane["kind"] == "core").count() as u64,
        run["cores"].as_u64().expect("cores")
    );
}

#[test]
fn does_the_work_of_the_engine_grow_with_the_tasks_alone() {
    let counted = |case: &str, parameter: &str, clusters: &str| {
        let run = npusim(["run", case, "-p", parameter, "--clusters", clusters, "--json"]).success().json();
        ["hooks", "switches", "events"].map(|key| run[key].as_u64().expect("a number"))
    };
    // Twice as many tasks are twice as much work, to a percent: what is fixed is small.
    let [thousand, two, four] =
        ["tasks=10000", "tasks=20000", "tasks=40000"].map(|tasks| counted("flood", tasks, "24"));
    for at in 0..3 {
        let (step, double_step) = (two[at] - thousand[at], four[at] - two[at]);
        assert!((2 * step).abs_diff(double_step) * 100 <= double_step, "{thousand:?} {two:?} {four:?}");
    }
    // What more idle cores add is the same for few tasks and for many, to a look at a register: their start and their end.
    let added = |length: &str| {
        let (few, many) = (counted("chain", length, "2"), counted("chain", length, "24"));
        [("hooks", many[0] - few[0]), ("events", many[2] - few[2])]
    };
    let (short, long) = (added("length=100"), added("length=2000"));
    assert_eq!((short, long), ([("hooks", 1387), ("events", 462)], [("hooks", 1388), ("events", 462)]));
}

#[test]
fn is_the_number_of_schedulers_known_by_the_name_of_their_part() {
    let times = |key: &str| {
        let axis = format!("{key}=1,2,3");
        let sweep = outcome(&["sweep", "vector_example", "--set", &axis, "--json"]).success().json();
        assert_eq!(sweep["axes"][0]["key"], "topology.schedulers");
        list(&sweep, "rows").iter().map(|row| row["device"]["device_time_ps"].as_u64()).collect::<Vec<_>>()
    };
    let expected = [378_293_750, 201_603_750, 142_743_750].map(Some);
    assert_eq!(times("topology.schedulers"), expected);
    assert_eq!(times("aicpu.schedulers"), expected);
}
