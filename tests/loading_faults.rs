//! What becomes of a load when one of its steps fails: a named error or a documented fallback, nothing left behind, and
//! a next load that is fine.
//!
//! The table in `docs/loading-faults.md` is written here. If it is not what comes out, the test fails and shows the
//! difference; with `NPUSIM_UPDATE_DOCS=1` it writes the file anew.

mod support;

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use npusim::case::{CaseSpec, Runtime};
use npusim::device::error::DeviceError;
use npusim::device::host_calls::HostCalls;
use npusim::device::pool::{MOST_NAMESPACES, NamespacePool, Worker};
use npusim::run::exit::ExitStatus;
use npusim::run::finished::FinishedRun;
use npusim::run::plan::RunPlan;
use npusim::run::pulse::Pulse;
use npusim::run::settings::RunSettings;
use sim_core::loader::faults::{ALWAYS, FaultPlan, LoadFault};
use sim_core::loader::ledger::{LoadOutcome, LoadRecord};
use sim_core::profile::Arch;
use support::driver::{Driver, Handle, trait_bytes};
use support::own_process::in_own_process;
use support::{Scratch, entries};

const PATIENCE: Duration = Duration::from_secs(100);
/// Lets the test write what comes out into the documentation.
const UPDATE: &str = "NPUSIM_UPDATE_DOCS";

/// What a load is made to meet.
struct Case {
    fault: LoadFault,
    occasions: u32,
    ladder: &'static str,
    /// The object that is loaded, unloaded and asked.
    object: &'static str,
}

const fn case(fault: LoadFault, occasions: u32, ladder: &'static str) -> Case {
    Case { fault, occasions, ladder, object: "harmless" }
}

/// The object does it by itself; nothing is injected.
const fn own(fault: LoadFault, ladder: &'static str, object: &'static str) -> Case {
    Case { fault, occasions: 0, ladder, object }
}

const USUAL: &str = "memfd,unique-file";
const FILES_FIRST: &str = "unique-file,memfd";

const CASES: [Case; 22] = [
    case(LoadFault::MemoryUnknown, ALWAYS, USUAL),
    case(LoadFault::MemoryForbidden, ALWAYS, USUAL),
    case(LoadFault::MemoryNotExecutable, ALWAYS, USUAL),
    case(LoadFault::NoDescriptor, 1, USUAL),
    case(LoadFault::NoDescriptor, ALWAYS, USUAL),
    case(LoadFault::NoSpace, 1, USUAL),
    case(LoadFault::NoSpace, ALWAYS, "memfd,unique-file,unnamed-file,view"),
    case(LoadFault::ShortWrite, ALWAYS, USUAL),
    case(LoadFault::Interrupted, 3, USUAL),
    case(LoadFault::SealBusy, 3, USUAL),
    case(LoadFault::SealBusy, ALWAYS, USUAL),
    case(LoadFault::ReadOnlyDirectory, ALWAYS, FILES_FIRST),
    case(LoadFault::UnlinkRace, 1, USUAL),
    case(LoadFault::UnlinkRace, ALWAYS, "fixed-path,unique-file,proc-fd"),
    case(LoadFault::NoexecMount, ALWAYS, FILES_FIRST),
    case(LoadFault::LinkRefused, 1, USUAL),
    case(LoadFault::LinkRefused, ALWAYS, USUAL),
    case(LoadFault::MissingEntry, 1, USUAL),
    case(LoadFault::InitialiserThrows, 1, USUAL),
    own(LoadFault::InitialiserThrows, "sandbox,memfd", "initialiser_throws"),
    case(LoadFault::FinaliserHangs, 1, USUAL),
    own(LoadFault::FinaliserHangs, "sandbox,memfd", "finaliser_hangs"),
];

/// What a process holds that a load could leave behind.
#[derive(Debug, PartialEq, Eq)]
struct Holdings {
    descriptors: usize,
    /// Mappings of files in memory and of files of this test.
    mappings: usize,
    files: Vec<String>,
}

impl Holdings {
    fn now(directory: &Path) -> Self {
        let maps = fs::read_to_string("/proc/self/maps").expect("a process has a map");
        let of_load = |line: &&str| line.contains("memfd:") || line.contains(&directory.display().to_string());
        Holdings {
            descriptors: fs::read_dir("/proc/self/fd").expect("a process has descriptors").count(),
            mappings: maps.lines().filter(of_load).count(),
            files: entries(directory),
        }
    }
}

/// A text without what is different in each process: the directory, and numbers in unique names.
fn plain(text: &str, directory: &Path) -> String {
    let text = text.replace(&directory.display().to_string(), "DIR");
    let mut words = text.split("npusim-");
    let mut plain = words.next().unwrap_or_default().to_owned();
    for word in words {
        let rest = word.trim_start_matches(|letter: char| letter.is_ascii_digit() || letter == '-');
        plain += rest;
    }
    plain.replace(&format!("_{}", std::process::id()), "_PID")
}

/// Loads, asks and unloads; gives what came of it.
fn attempt(driver: &Driver, case: &Case) -> Result<(), DeviceError> {
    let object: Handle = driver.load(case.object, trait_bytes(case.object))?;
    let answer = driver.ask(object, "answer");
    assert!(driver.unload(object)?, "it was loaded");
    answer.map(|answer| assert_eq!(answer, 42))
}

/// The last record of a device.
fn record(driver: &Driver) -> LoadRecord {
    driver.device.loads().records().last().expect("every request has a record").clone()
}

/// What a row says of an attempt.
fn told(result: &Result<(), DeviceError>, record: &LoadRecord) -> String {
    let fallbacks: Vec<String> = record.fallbacks.iter().map(ToString::to_string).collect();
    match (result, &record.outcome) {
        (Ok(()), LoadOutcome::Miss { strategy }) if fallbacks.is_empty() => format!("loaded: {strategy}"),
        (Ok(()), LoadOutcome::Miss { strategy }) => {
            format!("falls back to {strategy} (after {})", fallbacks.join("; "))
        }
        (Err(error), _) => format!("error: {}", error.to_string().split_whitespace().collect::<Vec<_>>().join(" ")),
        (Ok(()), other) => panic!("an object that was asked has a record of {other:?}"),
    }
}

/// Whether a device is at an end.
fn is_lost(driver: &Driver) -> bool {
    driver.device.fault().is_some()
}

/// Goes through one case on a device of its own; gives its row.
fn row(case: &Case) -> String {
    let scratch = Scratch::new();
    let plan = Arc::new(FaultPlan::default());
    let driver = Driver::new(|staging| {
        staging.ladder = case.ladder.parse().expect("strategies by their names");
        staging.directories = vec![scratch.path().to_owned()];
        staging.faults = Arc::clone(&plan);
    });
    // Whatever is made at the first load is there then.
    attempt(&driver, &Case { object: "harmless", ..*case }).expect("nothing is wrong yet");
    let before = Holdings::now(scratch.path());
    if case.occasions > 0 {
        plan.meet(case.fault, case.occasions);
    }
    let result = attempt(&driver, case);
    plan.clear();
    let lost = is_lost(&driver);
    let row = told(&result, &record(&driver));
    if lost {
        // The namespace stays for good, with what is mapped in it.
        drop(driver);
        let after = Holdings::now(scratch.path());
        assert!(after.files.is_empty() && after.descriptors <= before.descriptors, "{}: {after:?}", case.fault);
        let next = Driver::new(|_| {});
        attempt(&next, &Case { object: "harmless", ..*case }).expect("the next device is fine");
    } else {
        assert_eq!(Holdings::now(scratch.path()), before, "{}", case.fault);
        attempt(&driver, &Case { object: "harmless", ..*case }).expect("the next load is fine");
        assert_eq!(Holdings::now(scratch.path()), before, "{}, then another load", case.fault);
    }
    let next = if lost { "on the next device" } else { "on this device" };
    let row = plain(&row, scratch.path());
    format!("| {} | {} | {} | {row} | {next} |", case.fault, occasions(case), case.ladder)
}

/// How often a fault strikes.
fn occasions(case: &Case) -> String {
    match case.occasions {
        0 => "by itself".to_owned(),
        ALWAYS => "always".to_owned(),
        1 => "once".to_owned(),
        times => format!("{times} times"),
    }
}

/// What comes of the example on a runtime all of whose loads meet a fault, and of the next run.
fn on_runtime(worker: &mut Worker<'_>, arch: Arch, runtime: Runtime, case: &Case) -> String {
    let scratch = Scratch::new();
    let mut run = |occasions: u32| {
        let spec = CaseSpec::bundled("vector_example").expect("it is bundled");
        let settings = RunSettings { arch: Some(arch), runtime: Some(runtime), ..RunSettings::default() };
        let mut plan = RunPlan::new(spec, &settings).expect("a bundled case can be run");
        let staging = &mut plan.config.staging;
        staging.ladder = case.ladder.parse().expect("strategies by their names");
        staging.directories = vec![scratch.path().to_owned()];
        if occasions > 0 {
            staging.faults.meet(case.fault, occasions);
        }
        FinishedRun::with(worker, plan, Arc::new(Pulse::default()), |run| {
            (run.status(), run.failure.as_ref().map(ToString::to_string))
        })
    };
    let told = match run(case.occasions) {
        Ok(((ExitStatus::Success, None), loads)) => {
            // What is said of each object but for its name.
            let of = |load: &LoadRecord| {
                let stem = load.name.strip_suffix(".so").unwrap_or(&load.name);
                plain(&told(&Ok(()), load), scratch.path()).replace(stem, "NAME")
            };
            let mut strategies: Vec<String> = loads.records().iter().map(of).collect();
            strategies.sort();
            strategies.dedup();
            format!("passes; {}", strategies.join(", "))
        }
        Ok(((status, failure), _)) => format!("exit {}: {}", status.code(), failure.unwrap_or_default()),
        Err(error) => format!("error: {error}"),
    };
    let ((status, failure), _) = run(0).expect("the next device can be made");
    assert_eq!((status, failure), (ExitStatus::Success, None), "after {} on {runtime} for {arch}", case.fault);
    assert_eq!(entries(scratch.path()), [""; 0], "{} on {runtime} for {arch}", case.fault);
    let told = told.split_whitespace().collect::<Vec<_>>().join(" ");
    // Each is somewhere else in its work by then.
    let told = match told.split_once(" runs at ").map(|(who, rest)| (who, rest.split_once(" without "))) {
        Some((who, Some((_, rest)))) => format!("{who} runs without {rest}"),
        _ => told,
    };
    plain(&told, scratch.path()).replace(runtime.name(), "RUNTIME")
}

/// A row about all runtimes: what comes of it is the same on all of them, or told of each.
fn row_of_runtimes(worker: &mut Worker<'_>, case: &Case) -> String {
    let all = Arch::ALL.into_iter().flat_map(|arch| Runtime::ALL.map(|runtime| (arch, runtime)));
    let told: Vec<_> = all.map(|(arch, runtime)| (arch, runtime, on_runtime(worker, arch, runtime, case))).collect();
    let first = &told[0].2;
    let text = if told.iter().all(|(_, _, text)| text == first) {
        first.clone()
    } else {
        told.iter().map(|(arch, runtime, text)| format!("{runtime} for {arch}: {text}")).collect::<Vec<_>>().join("; ")
    };
    format!("| {} | {} | {} | {text} |", case.fault, occasions(case), case.ladder)
}

fn table_file() -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/loading-faults.md"))
}

const HEAD: &str = "# What becomes of a load that meets a fault

Written by `tests/loading_faults.rs`, which makes each of these happen on a device and fails if this is not what comes of
it (with `NPUSIM_UPDATE_DOCS=1` and one thread it writes the tables anew). In every case no file, descriptor or mapping is left behind, but for the
namespace of a device that was lost, and the next load is fine. `DIR` is the only directory that may be used.

A fault is planned as data (`sim-core/src/loader/faults.rs`) and handed to a device with its `StagingArea`; \"by itself\"
is an object that does it without a plan.

| fault | strikes | strategies | what comes of it | the next load is fine |
|---|---|---|---|---|
";

const HEAD_OF_RUNTIMES: &str = "
## On all six runtimes

The example `vector_example` on each runtime for each generation, one after the other on one worker; the fault meets the
first load of the device that it can. The run after it, on the same worker, passes, and no file is left.

| fault | strikes | strategies | what comes of it |
|---|---|---|---|
";

/// Which of the two tables of the documentation.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Table {
    Loads,
    Runtimes,
}

/// Compares a table with that of the documentation, or writes it there.
fn check(which: Table, table: &str) {
    let documented = fs::read_to_string(table_file()).unwrap_or_default();
    let split = documented.find(HEAD_OF_RUNTIMES).unwrap_or(documented.len());
    let (loads, runtimes) = documented.split_at(split);
    if std::env::var_os(UPDATE).is_some() {
        let written = if which == Table::Loads { table.to_owned() + runtimes } else { loads.to_owned() + table };
        return fs::write(table_file(), written).expect("the documentation can be written");
    }
    let documented = if which == Table::Loads { loads } else { runtimes };
    for (is, says) in table.lines().zip(documented.lines()) {
        assert_eq!(is, says, "docs/loading-faults.md");
    }
    assert_eq!(table.lines().count(), documented.lines().count(), "docs/loading-faults.md");
}

#[test]
fn is_the_table_of_faults_what_comes_out() {
    in_own_process("is_the_table_of_faults_what_comes_out", PATIENCE, || {
        let mut table = HEAD.to_owned();
        for case in &CASES {
            writeln!(table, "{}", row(case)).expect("a string takes all text");
        }
        check(Table::Loads, &table);
    });
}

#[test]
fn is_the_table_of_faults_on_all_runtimes_what_comes_out() {
    in_own_process("is_the_table_of_faults_on_all_runtimes_what_comes_out", PATIENCE, || {
        let pool = NamespacePool::new(MOST_NAMESPACES);
        let mut worker = pool.worker();
        let mut table = HEAD_OF_RUNTIMES.to_owned();
        // What an object does by itself it does on a device of its own.
        for case in CASES.iter().filter(|case| case.occasions > 0) {
            writeln!(table, "{}", row_of_runtimes(&mut worker, case)).expect("a string takes all text");
        }
        check(Table::Runtimes, &table);
        // An initialiser that throws and a finaliser that hangs take the namespace of each of the six along.
        assert_eq!((pool.lost(), pool.most_lent()), (12, 1));
    });
}

#[test]
fn is_every_fault_in_the_table() {
    for fault in LoadFault::ALL {
        assert!(CASES.iter().any(|case| case.fault == fault), "{fault}");
    }
}

#[test]
fn is_the_next_device_fine_after_objects_that_misbehave_by_themselves() {
    in_own_process("is_the_next_device_fine_after_objects_that_misbehave_by_themselves", PATIENCE, || {
        for (object, end) in [
            ("initialiser_throws", "aborted (abort(), a failed assertion or an uncaught C++ exception)"),
            ("finaliser_hangs", "without ever calling the device"),
        ] {
            let driver = Driver::new(|_| {});
            let misbehaving = Case { object, ..case(LoadFault::MissingEntry, 0, USUAL) };
            let error = attempt(&driver, &misbehaving).expect_err("it does not come back").to_string();
            assert!(error.contains(end), "{error}");
            assert_eq!(record(&driver).name, object);
            drop(driver);
            attempt(&Driver::new(|_| {}), &case(LoadFault::MissingEntry, 0, USUAL)).expect("the next device is fine");
        }
    });
}
