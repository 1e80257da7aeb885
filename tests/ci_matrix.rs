//! Does a matrix in one process say of each run what the run says alone?
//!
//! Six runtimes - three for each generation - share a process, take turns in a namespace and run beside each other. They
//! define the same symbols with different contents on purpose, and every AICPU thread of every run looks whether it sees its
//! own (`guest/runtime/common/identity`): a run that saw another's would fail.

mod support;

use std::collections::BTreeMap;
use std::ffi::{CStr, CString, c_char, c_int, c_void};
use std::fmt::Write;
use std::fs;
use std::path::Path;
use std::sync::Barrier;
use std::thread;
use std::time::Duration;

use npusim::bundled::{self, BundledRuntime, ObjectKind};
use npusim::device::host_calls::HostCalls;
use npusim::device::pool::{MOST_NAMESPACES, NamespacePool};
use npusim::device::{Device, DeviceConfig, NamedObject};
use serde_json::{Value, json};
use sim_core::profile::Profile;
use support::own_process::in_own_process;
use support::{Outcome, Scratch, command, entries, npusim, outcome_of};

/// For the whole matrix: what an idle machine with two processors needs several times over.
const PATIENCE: Duration = Duration::from_secs(600);

/// Cases that exercise all of a runtime and are over soon.
const QUICK: [&str; 6] = ["vector_example", "bgemm", "diamond", "mixed", "chain", "flood_2000"];

/// Cases with much work of kernels.
const HEAVY: [&str; 1] = ["bgemm_heavy"];

const ARCHS: [&str; 2] = ["a2a3", "a5"];
const RUNTIMES: [&str; 3] = ["tensormap_and_ringbuffer", "aicpu_build_graph", "host_build_graph"];

fn ci(options: &[&str]) -> Outcome {
    outcome_of(command().arg("ci").args(options), PATIENCE)
}

/// Options that choose cases.
fn cases<'a>(names: &[&'a str]) -> Vec<&'a str> {
    names.iter().flat_map(|name| ["--case", *name]).collect()
}

/// A run by its three names, and all that is the same wherever it runs.
type Said = BTreeMap<(String, String, String), Value>;

#[track_caller]
fn said(report: &Value) -> Said {
    let text = |entry: &Value, key: &str| entry[key].as_str().expect("a name").to_owned();
    let entries = report["entries"].as_array().expect("entries");
    let said: Said = entries
        .iter()
        .map(|entry| {
            let mut rest = entry.as_object().expect("an object").clone();
            rest.retain(|key, _| key != "host_ms");
            ((text(entry, "arch"), text(entry, "runtime"), text(entry, "case")), Value::Object(rest))
        })
        .collect();
    assert_eq!(said.len(), entries.len(), "each run is there once");
    said
}

#[track_caller]
fn matrix(options: &[&str]) -> Said {
    said(&ci(&[options, &["--json"]].concat()).success().json())
}

/// What the run says alone, of what a matrix says.
fn alone(arch: &str, runtime: &str, case: &str) -> [Value; 4] {
    let run = npusim(["run", case, "--arch", arch, "--runtime", runtime, "--json"]).success().json();
    ["golden", "device_time_ns", "tasks", "trace_hash"].map(|key| run[key].clone())
}

#[test]
fn does_every_case_on_every_runtime_pass_in_one_process_as_it_does_alone() {
    let together = matrix(&["--parallel", "4"]);
    assert_eq!(together.len(), 2 * 3 * 30);
    let heavy_alone = [("a2a3", "tensormap_and_ringbuffer"), ("a5", "host_build_graph")];
    for ((arch, runtime, case), entry) in &together {
        assert_eq!((&entry["passed"], &entry["exit"]), (&true.into(), &0.into()), "{entry}");
        // The heavy one alone takes as long as everything else; two of the six do for it.
        if HEAVY.contains(&case.as_str()) && !heavy_alone.contains(&(arch, runtime)) {
            continue;
        }
        let in_matrix = ["golden", "device_time_ns", "tasks", "trace_hash"].map(|key| entry[key].clone());
        assert_eq!(in_matrix, alone(arch, runtime, case), "{case} on {arch}, {runtime}");
    }
}

#[test]
fn what_does_a_matrix_say_of_virtual_time() {
    let said = matrix(&cases(&QUICK));
    let mut text = String::new();
    for ((arch, runtime, case), entry) in &said {
        let (golden, time, tasks) = (&entry["golden"], &entry["device_time_ns"], &entry["tasks"]);
        let golden = golden.as_str().expect("text");
        writeln!(text, "{arch} {runtime} {case}: {golden}, {tasks} tasks, device {time} ns").expect("text");
    }
    let _snapshots = support::snapshots();
    insta::assert_snapshot!("matrix_of_quick_cases", text);
}

#[test]
fn is_a_matrix_the_same_for_every_number_of_threads() {
    let serial = matrix(&cases(&QUICK));
    for parallel in ["2", "4", "20"] {
        assert_eq!(matrix(&[&cases(&QUICK)[..], &["--parallel", parallel]].concat()), serial, "{parallel} at once");
    }
}

#[test]
fn does_naive_polling_give_the_same_matrix() {
    let parked = matrix(&[&cases(&QUICK)[..], &["--parallel", "2"]].concat());
    let naive = matrix(&[&cases(&QUICK)[..], &["--parallel", "2", "--engine", "naive"]].concat());
    assert_eq!(naive, parked);
}

#[test]
fn does_a_hundred_repetitions_leave_the_process_as_it_was() {
    /// Mappings that may come or go: a libc keeps stacks of threads that have ended for the next ones. One that stayed
    /// after each repetition would be 50 more.
    const MAPPINGS: u64 = 40;
    /// Resident memory that may come: the process's heap grows by some 4 MiB, once, when three workers need most at the
    /// same time. 200 KiB that stayed after each repetition would be more.
    const RSS_BYTES: u64 = 8 << 20;
    let temporary = Scratch::new();
    let options = ["ci", "--case", "vector_example", "--parallel", "3", "--repeat", "100", "--json"];
    let report = outcome_of(command().args(options).env("TMPDIR", temporary.path()), PATIENCE).success().json();
    assert_eq!(
        (&report["repetitions"], &report["as_expected"], &report["namespaces"]),
        (&100.into(), &6.into(), &3.into())
    );
    let (settled, last) = (&report["footprint"]["settled"], &report["footprint"]["last"]);
    let count = |footprint: &Value, key: &str| footprint[key].as_u64().expect("a number");
    assert_eq!(last["fds"], settled["fds"], "{report}");
    assert!(count(last, "mappings").abs_diff(count(settled, "mappings")) <= MAPPINGS, "{report}");
    assert!(count(last, "rss_bytes") < count(settled, "rss_bytes") + RSS_BYTES, "{report}");
    assert_eq!(entries(temporary.path()), [""; 0]);
}

#[test]
fn is_one_namespace_enough_for_any_number_of_runs() {
    let report = ci(&["--case", "chain", "--case", "mixed", "--json"]).success().json();
    assert_eq!((&report["runs"], &report["namespaces"]), (&12.into(), &1.into()));
}

#[test]
fn do_faults_end_as_expected_on_every_runtime_and_spare_the_runs_after_them() {
    // The example comes last. Of the five, three stop a device and take its namespace: a process has enough for those of
    // one generation.
    let cases_of_faults = ["hang_kernel", "null_write", "lost_completion", "ring_full", "self_wait", "vector_example"];
    for arch in ARCHS {
        let options = ["--faults", "--arch", arch, "--json"];
        let report = ci(&[&cases(&cases_of_faults)[..], &options].concat()).success().json();
        assert_eq!((&report["runs"], &report["as_expected"], &report["exit"]), (&18.into(), &18.into(), &0.into()));
        for entry in report["entries"].as_array().expect("entries") {
            let exit = match entry["case"].as_str().expect("a name") {
                "null_write" | "hang_kernel" => 3,
                "vector_example" => 0,
                _ => 4,
            };
            assert_eq!(entry["exit"], exit, "{entry}");
        }
    }
}

/// The bundled case `chain` with a kernel that reads a clock, without a comparison of results.
fn chain_with_clock(scratch: &Scratch, name: &str, allow: &[&str]) -> String {
    let clock = bundled::object(ObjectKind::Trait, "inline_clock").expect("it is bundled");
    scratch.file("clock.so", clock.bytes);
    let mut case: Value = serde_json::from_str(include_str!("../runner/cases/chain.json")).expect("it is JSON");
    case["kernels"][0] = json!({"func_id": 0, "path": "clock.so", "core": "aiv", "signature": ["inout"]});
    case["golden"] = json!({});
    case["allow"] = json!(allow);
    scratch.file(name, case.to_string()).display().to_string()
}

#[test]
fn does_a_finding_of_the_audit_fail_a_run_unless_its_case_allows_it() {
    let counter = if cfg!(target_arch = "x86_64") { "rdtsc" } else { "cntvct_el0" };
    let (scratch, out) = (Scratch::new(), Scratch::new());
    let refused = chain_with_clock(&scratch, "refused.json", &[]);
    let allowed = chain_with_clock(&scratch, "allowed.json", &["inline_clock:kernel_entry"]);
    let options = ["--arch", "a5", "--case", &refused, "--case", &allowed];
    let outcome = ci(&[&options[..], &["--out", out.path().to_str().expect("text")]].concat());
    assert_eq!(outcome.exit, Some(1), "{outcome}");
    let finding = format!("inline_clock:kernel_entry of clock by {counter}");
    let complaint = format!(
        "refused on a5, tensormap_and_ringbuffer: the audit found {finding}; if that is as it should be, add it to \
         `allow` in the case"
    );
    assert_eq!(outcome.stderr, format!("npusim: {complaint} (and 2 more)\n"));
    assert!(outcome.stdout.contains(&complaint), "{outcome}");
    for runtime in RUNTIMES {
        assert!(outcome.stdout.contains(&format!("allowed on a5, {runtime}: allowed: {finding}")), "{outcome}");
    }
    let text = |name: &str| fs::read_to_string(out.path().join(name)).expect("it was written");
    let report: Value = serde_json::from_str(&text("report.json")).expect("JSON");
    assert_eq!((&report["exit"], &report["runs"], &report["as_expected"]), (&1.into(), &6.into(), &3.into()));
    for entry in report["entries"].as_array().expect("entries") {
        let is_allowed = entry["case"] == "allowed";
        assert_eq!(entry["findings"].as_array().map(Vec::len), Some(1), "{entry}");
        assert_eq!((&entry["findings"][0]["allowed"], &entry["passed"]), (&is_allowed.into(), &is_allowed.into()));
    }
    let xml = text("junit.xml");
    assert!(xml.contains(&format!("<property name=\"allowed_finding\" value=\"{finding}\"/>")), "{xml}");
    assert!(xml.contains("tests=\"2\" disabled=\"0\" errors=\"0\" failures=\"1\""), "{xml}");
}

#[test]
fn do_wrong_results_end_as_those_of_a_run() {
    let scratch = Scratch::new();
    let case = include_str!("../runner/cases/chain.json").replace("\"value\": 1000", "\"value\": 3");
    let wrong = case.replace("\"bundled\": \"increment\"", "\"bundled\": \"empty\"");
    let (right, wrong) = (scratch.file("right.json", &case), scratch.file("wrong.json", &wrong));
    let [right, wrong] = [right, wrong].map(|path| path.display().to_string());
    let out = scratch.path().join("out");
    let options = ["--runtime", "host_build_graph", "--arch", "a5", "--case", &right, "--case", &wrong];
    let outcome = ci(&[&options[..], &["--out", out.to_str().expect("text")]].concat());
    assert_eq!(outcome.exit, Some(1), "{outcome}");
    assert_eq!(
        outcome.stderr,
        "npusim: wrong on a5, host_build_graph: the results differ from the expected ones by too much\n"
    );
    assert_eq!(entries(&out), ["junit.xml", "report.json"]);
    let xml = fs::read_to_string(out.join("junit.xml")).expect("it was written");
    assert!(
        xml.contains("<testsuite name=\"a5.host_build_graph\" tests=\"2\" disabled=\"0\" errors=\"0\" failures=\"1\""),
        "{xml}"
    );
    let report: Value =
        serde_json::from_str(&fs::read_to_string(out.join("report.json")).expect("it was written")).expect("JSON");
    assert_eq!((&report["exit"], &report["as_expected"]), (&1.into(), &1.into()));
}

#[test]
fn does_a_name_that_is_none_name_the_nearest() {
    let refusals = [
        (&["--case", "flod"] as &[_], "no bundled case matches `flod`; the nearest is `flood`"),
        (&["--case", "ring_full"], "every case that matches `ring_full` is expected to fail; add --faults to run it"),
        (&["--runtime", "host_build_grap"], "the nearest is `host_build_graph`"),
        (&["--arch", "a2a3,a6"], "a6"),
    ];
    for (options, expected) in refusals {
        let outcome = ci(options);
        assert_eq!(outcome.exit, Some(2), "{outcome}");
        assert!(outcome.stderr.starts_with("npusim: ") && outcome.stderr.contains(expected), "{outcome}");
    }
}

/// A device with nothing but a runtime in it.
fn config_of(runtime: &BundledRuntime) -> DeviceConfig {
    DeviceConfig { workers: 1, ..DeviceConfig::new(Profile::load(runtime.arch).expect("it is part of the program")) }
}

fn host_of(runtime: &BundledRuntime) -> NamedObject<'static> {
    NamedObject { name: runtime.name, bytes: runtime.host }
}

/// Who the host runtime of a device says it is, by the symbol that is unique in a process where nobody prevents it.
fn identity(device: &Device) -> String {
    let function = device.symbol("npusim_unique_identity").expect("every runtime exports it");
    // SAFETY: the function takes nothing and returns a text that is part of its object.
    let text = unsafe { device.call(function, &[]) }.expect("it returns");
    // SAFETY: as above; the device outlives the borrow.
    unsafe { CStr::from_ptr(text as usize as *const c_char) }.to_str().expect("text").to_owned()
}

fn own_identity(runtime: &BundledRuntime) -> String {
    format!("{} for {}", runtime.name, runtime.arch)
}

#[test]
fn do_six_runtimes_in_one_process_keep_what_is_theirs() {
    in_own_process("do_six_runtimes_in_one_process_keep_what_is_theirs", Duration::from_secs(60), || {
        let device =
            |runtime| Device::new(config_of(runtime), bundled::SHIM, host_of(runtime)).expect("it can be loaded");
        let devices: Vec<_> = bundled::RUNTIMES.iter().map(device).collect();
        let known: Vec<_> = bundled::RUNTIMES.iter().map(own_identity).collect();
        assert_eq!(known.len(), ARCHS.len() * RUNTIMES.len());
        for turn in 0..3 {
            let found: Vec<_> = devices.iter().map(identity).collect();
            assert_eq!(found, known, "turn {turn}");
        }
    });
}

/// What the namespaces are for: in one, the same objects are mixed up.
#[test]
fn would_runtimes_without_namespaces_be_mixed_up() {
    in_own_process("would_runtimes_without_namespaces_be_mixed_up", Duration::from_secs(60), || {
        let scratch = Scratch::new();
        let [first, second] = [&bundled::RUNTIMES[0], &bundled::RUNTIMES[1]];
        let own = [first, second].map(|runtime| {
            let path = scratch.file(&format!("{}.{}.so", runtime.name, runtime.arch), runtime.aicpu);
            sees_itself(&path)
        });
        assert_eq!(own, [true, false]);
    });
}

/// Loads an object as a process does that knows no namespaces, and asks it whether all that it sees is its own.
fn sees_itself(path: &Path) -> bool {
    let path = CString::new(path.to_str().expect("text")).expect("no zero");
    // SAFETY: the object's initialisers only set up its own data; what it lacks is bound when it is called.
    let object: *mut c_void = unsafe { libc::dlopen(path.as_ptr(), libc::RTLD_LAZY | libc::RTLD_GLOBAL) };
    assert!(!object.is_null(), "{path:?} cannot be loaded");
    // SAFETY: the handle is open, the name is a text.
    let function = unsafe { libc::dlsym(object, c"_ZN2rt15identity_is_ownEv".as_ptr()) };
    assert!(!function.is_null());
    // SAFETY: `bool rt::identity_is_own()`.
    let function: extern "C" fn() -> c_int = unsafe { std::mem::transmute(function) };
    function() & 0xff != 0
}

#[test]
fn is_the_sixteenth_namespace_waited_for() {
    in_own_process("is_the_sixteenth_namespace_waited_for", Duration::from_secs(120), || {
        const THREADS: usize = MOST_NAMESPACES + 3;
        let pool = NamespacePool::new(MOST_NAMESPACES);
        let all_live = Barrier::new(MOST_NAMESPACES + 1);
        thread::scope(|scope| {
            let work = |number: usize| {
                let (pool, all_live) = (&pool, &all_live);
                move || {
                    let runtime = &bundled::RUNTIMES[number % bundled::RUNTIMES.len()];
                    let mut worker = pool.worker();
                    let device = worker.device(config_of(runtime), host_of(runtime)).expect("it waits");
                    assert_eq!(identity(&device), own_identity(runtime));
                    if number < MOST_NAMESPACES {
                        // Every namespace is in use, and stays so until three more have asked.
                        all_live.wait();
                        all_live.wait();
                    }
                    worker.take_back(device);
                }
            };
            let first: Vec<_> = (0..MOST_NAMESPACES).map(|number| scope.spawn(work(number))).collect();
            all_live.wait();
            let more: Vec<_> = (MOST_NAMESPACES..THREADS).map(|number| scope.spawn(work(number))).collect();
            while pool.waiting() < THREADS - MOST_NAMESPACES {
                thread::sleep(Duration::from_millis(1));
            }
            all_live.wait();
            first.into_iter().chain(more).for_each(|thread| thread.join().expect("a device works"));
        });
        assert_eq!((pool.most_lent(), pool.lost(), pool.waiting()), (MOST_NAMESPACES, 0, 0));
    });
}
