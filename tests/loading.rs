//! Do the loading strategies do on a device what their names say: the same run whatever the strategy, collisions of
//! fixed paths told with names, and what is loaded cheap enough?

mod support;

use std::fs;
use std::sync::Arc;
use std::time::Duration;

use npusim::device::pool::NamespacePool;
use sim_core::loader::ledger::{CollisionEffect, LoadCollision, LoadOrigin, LoadOutcome, LoadRecord, LoadState};
use sim_core::loader::staging::aicpu_os::AicpuOs;
use sim_core::loader::staging::{StagingArea, Strategy, device_directories};
use support::driver::{Driver, Handle, trait_bytes};
use support::own_process::in_own_process;
use support::{Scratch, entries, npusim};

const PATIENCE: Duration = Duration::from_secs(60);

/// What `loads.json` calls each strategy.
const KINDS: [(Strategy, &str); 7] = [
    (Strategy::Memfd, "sealed_memfd"),
    (Strategy::ProcFd, "proc_fd"),
    (Strategy::UniqueFile, "temporary_file"),
    (Strategy::UnnamedFile, "unnamed_file"),
    (Strategy::FixedPath, "fixed_path"),
    (Strategy::View, "view"),
    (Strategy::Sandbox, "sandbox"),
];

#[test]
fn does_each_strategy_run_the_example_with_the_same_events_and_results() {
    let usual = npusim(["run", "vector_example", "--json"]).success().json();
    for (strategy, kind) in KINDS {
        let (out, root) = (Scratch::new(), Scratch::new());
        fs::create_dir(root.path().join("tmp")).expect("a directory can be made");
        let [directory, place] = [&out, &root].map(|scratch| scratch.path().to_str().expect("plain").to_owned());
        let name = strategy.name();
        let arguments = ["run", "vector_example", "--json", "--load-strategy", name, "--load-root", &place];
        let run = npusim(arguments.into_iter().chain(["--out", &directory])).success().json();
        assert_eq!(run["golden"], usual["golden"], "{strategy}");
        assert_eq!(run["trace_hash"], usual["trace_hash"], "{strategy}");
        let ledger = fs::read_to_string(out.path().join("loads.json")).expect("it is written");
        let ledger: serde_json::Value = serde_json::from_str(&ledger).expect("it is JSON");
        let loads = ledger["loads"].as_array().expect("a list");
        assert_eq!(loads.len(), 7, "{strategy}");
        for load in loads {
            assert_eq!(load["outcome"]["strategy"]["kind"], kind, "{load}");
            assert_eq!(load["collisions"], serde_json::Value::Null, "{load}");
        }
        assert_eq!(entries(&root.path().join("tmp")), [""; 0], "{strategy}: nothing is left");
    }
}

#[test]
fn is_a_misspelt_strategy_answered_with_the_nearest() {
    let outcome = npusim(["run", "vector_example", "--load-strategy", "memfd,fixd-path"]);
    assert_eq!(outcome.exit, Some(2), "{outcome}");
    let line = outcome.stderr.lines().next().unwrap_or_default();
    assert!(line.contains("`fixd-path` is no load strategy, did you mean `fixed-path`?"), "{line}");
}

#[test]
fn does_the_ledger_say_which_directories_failed_before_one_did_not() {
    let (out, root) = (Scratch::new(), Scratch::new());
    fs::create_dir_all(root.path().join("var/tmp")).expect("a directory can be made");
    let [directory, place] = [&out, &root].map(|scratch| scratch.path().to_str().expect("plain").to_owned());
    let arguments = ["run", "vector_example", "--load-strategy", "unique-file", "--load-root", &place];
    npusim(arguments.into_iter().chain(["--out", &directory])).success();
    let ledger = fs::read_to_string(out.path().join("loads.json")).expect("it is written");
    let ledger: serde_json::Value = serde_json::from_str(&root.hide(&ledger)).expect("it is JSON");
    let load = &ledger["loads"][3];
    assert_eq!(load["outcome"]["strategy"]["directory"], "DIR/var/tmp");
    let fallbacks: Vec<[&str; 2]> = load["fallbacks"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|failed| {
            [&failed["strategy"]["directory"], &failed["reason"]].map(|text| text.as_str().unwrap_or_default())
        })
        .collect();
    let missing = "No such file or directory (os error 2)";
    assert_eq!(
        fallbacks,
        [["DIR/usr/lib64/aicpu_kernels/0/aicpu_kernels_device", missing], ["DIR/usr/lib64", missing]]
    );
}

/// A worker that loads what it is told by fixed paths, as runtimes do with orchestrations, in the file system of `os` below `root`.
fn worker(name: &str, os: &Arc<AicpuOs>, root: &Scratch) -> Driver {
    Driver::new(|staging| fixed_path(name, os, root, staging))
}

fn fixed_path(name: &str, os: &Arc<AicpuOs>, root: &Scratch, staging: &mut StagingArea) {
    let directory = root.path().join("tmp");
    fs::create_dir_all(&directory).expect("a directory can be made");
    staging.os = Arc::clone(os);
    staging.worker = name.to_owned();
    staging.directories = vec![directory];
    staging.ladder_of.insert(LoadOrigin::Aicpu, Strategy::FixedPath.into());
}

/// The name under which every worker loads the orchestration of its callable 0.
const ORCHESTRATION: &str = "libdevice_orch_cid0.so";

/// The last record of a worker's ledger.
fn last(worker: &Driver) -> LoadRecord {
    worker.device.loads().records().last().expect("every request has a record").clone()
}

/// Its collisions: with whom, and to what effect.
fn collisions(record: &LoadRecord) -> Vec<(String, CollisionEffect)> {
    let told = |collision: &LoadCollision| {
        let LoadCollision::PathCollision { with, effect, .. } = collision;
        (with.as_ref().map(ToString::to_string).unwrap_or_default(), *effect)
    };
    record.collisions.iter().map(told).collect()
}

/// Two that load from one path: the first is damaged, even by the same bytes, and both are told.
fn collide(names: [&str; 2], objects: [&str; 2]) {
    let (os, root) = (Arc::new(AicpuOs::of_process(4711)), Scratch::new());
    let [first, second] = names.map(|name| worker(name, &os, &root));
    let object = first.load(ORCHESTRATION, trait_bytes(objects[0])).expect("nobody else is there yet");
    assert_eq!(entries(&root.path().join("tmp")), ["libdevice_orch_cid0_4711.so"]);
    assert_eq!(collisions(&last(&first)), []);

    let other: Handle = second.load(ORCHESTRATION, trait_bytes(objects[1])).expect("the file can be overwritten");
    let of = |name: &str| format!("{ORCHESTRATION} of {name}");
    assert_eq!(collisions(&last(&second)), [(of(names[0]), CollisionEffect::ReplacedTheOther)]);
    assert_eq!(collisions(&last(&first)), [(of(names[1]), CollisionEffect::WasReplaced)]);

    // What was overwritten is unloaded without its finalisers: they cannot be relied on.
    assert!(first.unload(object).expect("nothing of it is run"));
    assert_eq!(last(&first).state, Some(LoadState::Unloaded));
    assert!(second.unload(other).expect("it is whole"));
    assert_eq!(last(&second).state, Some(LoadState::Unloaded));
}

#[test]
fn do_two_workers_of_one_process_collide_on_a_fixed_path() {
    in_own_process("do_two_workers_of_one_process_collide_on_a_fixed_path", PATIENCE, || {
        collide(["worker 0", "worker 1"], ["harmless", "mutex_cond"]);
        collide(["worker 0", "worker 1"], ["harmless", "harmless"]);
    });
}

#[test]
fn do_two_dies_that_share_a_file_system_collide_on_a_fixed_path() {
    in_own_process("do_two_dies_that_share_a_file_system_collide_on_a_fixed_path", PATIENCE, || {
        collide(["die 0 of a3", "die 1 of a3"], ["mutex_cond", "harmless"]);
    });
}

#[test]
fn do_two_callables_of_one_worker_get_each_others_object_from_a_fixed_path() {
    in_own_process("do_two_callables_of_one_worker_get_each_others_object_from_a_fixed_path", PATIENCE, || {
        let (os, root) = (Arc::new(AicpuOs::of_process(4711)), Scratch::new());
        let worker = worker("worker 0", &os, &root);
        worker.load(ORCHESTRATION, trait_bytes("harmless")).expect("nobody else is there yet");
        let error = worker.load(ORCHESTRATION, trait_bytes("mutex_cond")).expect_err("the name is known to the linker");
        assert!(error.to_string().contains("led to another object than was asked for"), "{error}");
        let record = last(&worker);
        assert!(matches!(record.outcome, LoadOutcome::Failure { .. }));
        let of_first = format!("{ORCHESTRATION} of worker 0");
        assert_eq!(collisions(&record), [(of_first, CollisionEffect::GotAnotherObject)]);
    });
}

#[test]
fn are_workers_with_unique_names_or_file_systems_left_alone() {
    in_own_process("are_workers_with_unique_names_or_file_systems_left_alone", PATIENCE, || {
        let roots = [Scratch::new(), Scratch::new()];
        let os = [4711, 4711].map(|process| Arc::new(AicpuOs::of_process(process)));
        let apart = [worker("die 0", &os[0], &roots[0]), worker("die 1", &os[1], &roots[1])];
        let unique = ["worker 2", "worker 3"].map(|name| {
            Driver::new(|staging| {
                staging.os = Arc::clone(&os[0]);
                staging.worker = name.to_owned();
                staging.directories = device_directories(roots[0].path());
                staging.ladder = Strategy::UniqueFile.into();
            })
        });
        for pair in [apart, unique] {
            let objects = pair.each_ref().map(|worker| worker.load(ORCHESTRATION, trait_bytes("harmless")));
            for (worker, object) in pair.iter().zip(objects) {
                assert_eq!(worker.ask(object.expect("its name is its own"), "answer").ok(), Some(42));
                assert_eq!(collisions(&last(worker)), []);
            }
        }
    });
}

#[test]
fn does_an_object_that_stays_count_as_pinned_however_it_was_staged() {
    in_own_process("does_an_object_that_stays_count_as_pinned_however_it_was_staged", PATIENCE, || {
        for strategy in Strategy::ALL {
            let root = Scratch::new();
            let worker = Driver::new(|staging| {
                staging.directories = vec![root.path().to_owned()];
                staging.ladder_of.insert(LoadOrigin::Aicpu, strategy.into());
            });
            // The name has the suffix that a fixed path puts the process in front of.
            let object = worker.load("leaked_itself.so", trait_bytes("leaked_itself")).expect("it can be loaded");
            assert!(worker.unload(object).expect("it can be closed"));
            assert_eq!(last(&worker).state, Some(LoadState::Pinned), "{strategy}");
            let next = worker.load("harmless.so", trait_bytes("harmless")).expect("it can be loaded");
            assert!(worker.unload(next).expect("it can be closed"));
            assert_eq!(last(&worker).state, Some(LoadState::Unloaded), "{strategy}");
        }
    });
}

#[test]
fn does_a_collision_leave_the_namespace_as_it_was_for_the_next_device() {
    in_own_process("does_a_collision_leave_the_namespace_as_it_was_for_the_next_device", PATIENCE, || {
        let (os, root) = (Arc::new(AicpuOs::of_process(4711)), Scratch::new());
        let pool = NamespacePool::new(1);
        let mut in_pool = pool.worker();
        let other = worker("worker 1", &os, &root);
        let mut mapped = Vec::new();
        for _ in 0..3 {
            let colliding = Driver::with(&mut in_pool, |staging| fixed_path("worker 0", &os, &root, staging));
            // The dynamic linker knows the name: nothing of the second is loaded, and the first is damaged.
            colliding.load(ORCHESTRATION, trait_bytes("harmless")).expect("nobody else is there yet");
            colliding.load(ORCHESTRATION, trait_bytes("mutex_cond")).expect_err("the name is known to the linker");
            // Another worker overwrites the file of both.
            let overwriting = other.load(ORCHESTRATION, trait_bytes("mutex_cond")).expect("it can be overwritten");
            let records = in_pool.take_back(colliding.device);
            assert!(other.unload(overwriting).expect("it is whole"));
            let states: Vec<_> = records.records().iter().skip(1).map(|record| record.state).collect();
            assert_eq!(states, [Some(LoadState::Unloaded), None], "{:?}", records.records());
            let next = Driver::with(&mut in_pool, |_| {});
            let object = next.load(ORCHESTRATION, trait_bytes("harmless")).expect("its name is its own");
            assert_eq!(next.ask(object, "answer").ok(), Some(42));
            in_pool.take_back(next.device);
            let maps = fs::read_to_string("/proc/self/maps").expect("a process has a map");
            mapped.push(maps.lines().filter(|line| line.contains("libdevice_orch_cid0")).count());
        }
        assert_eq!(mapped[1..], [mapped[0]; 2], "mappings of the file after each device");
        drop((in_pool, other));
        assert_eq!(entries(&root.path().join("tmp")), [""; 0]);
    });
}

#[test]
fn does_a_matrix_load_as_it_is_told_from_the_shim_on() {
    let root = Scratch::new();
    fs::create_dir(root.path().join("tmp")).expect("a directory can be made");
    let place = root.path().to_str().expect("plain");
    let usual = ["ci", "--case", "vector_example", "--arch", "a5", "--json"];
    let usual_hashes = hashes(&npusim(usual).success().json());
    for strategy in ["unique-file", "sandbox"] {
        let options = ["--load-strategy", strategy, "--load-root", place];
        let report = npusim(usual.iter().chain(&options)).success().json();
        assert_eq!(hashes(&report), usual_hashes, "{strategy}");
    }
    // No directory is there to stage even the shim in.
    let nowhere = root.path().join("nowhere");
    let options = ["--load-strategy", "unique-file", "--load-root", nowhere.to_str().expect("plain")];
    let outcome = npusim(usual.iter().chain(&options));
    assert_eq!(outcome.exit, Some(2), "{outcome}");
    assert!(outcome.stderr.contains("libnpusim_shim.so: no way to load it worked"), "{outcome}");
}

fn hashes(report: &serde_json::Value) -> Vec<String> {
    let entries = report["entries"].as_array().expect("entries").iter();
    entries.map(|entry| entry["trace_hash"].as_str().expect("a hash").to_owned()).collect()
}
