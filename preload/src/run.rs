//! Runs: from the first thread that a host runtime starts on a device to the last one it joins.
//!
//! Each run of the device leaves a report, `process-<pid>/run-<n>/report.json` below the directory that was asked for.
//! Threads that a runtime starts to prepare something, without a core or an AICPU among them, are no run of the device
//! and have no report.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use npusim::device::error::{DeviceError, Explainer};
use npusim::report::output::OutputDirectory;
use npusim::report::stall::StallText;
use serde::Serialize;
use sim_core::actor::ActorKind;
use sim_core::engine::{Counters, Engine};
use sim_core::profile::Arch;
use sim_core::time::{SimDuration, SimTime};

use crate::device::Device;
use crate::patience::shares_memory;
use crate::process::{Process, lock};

/// The version of the keys of [`ExecReport`].
const SCHEMA: u32 = 1;

/// The runs of one device.
pub(crate) struct Runs {
    arch: Arch,
    runtime: PathBuf,
    current: Option<Run>,
}

/// A run that is under way.
struct Run {
    begun: Instant,
    virtual_begin: SimTime,
    counters: Counters,
    kernel_cpu: Duration,
    engine_cpu: Duration,
}

/// One run, as `report.json` has it. Virtual times are in nanoseconds, host times in milliseconds.
#[derive(Debug, Serialize)]
struct ExecReport<'a> {
    schema: u32,
    process: u32,
    run: u32,
    /// The test that pytest was running.
    #[serde(skip_serializing_if = "Option::is_none")]
    test: Option<String>,
    arch: &'static str,
    runtime: &'a Path,
    engine: &'static str,
    deterministic: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    nondeterministic_because: Option<&'static str>,
    trace_hash: String,
    device_time_ns: f64,
    host_elapsed_ms: f64,
    engine_cpu_ms: f64,
    kernel_cpu_ms: f64,
    hooks: u64,
    switches: u64,
    kernels: u64,
    skipped_polls: u64,
    events: u64,
    /// The longest span of virtual time in which the device only polled.
    longest_quiet_ns: f64,
    loads: usize,
    aicores: usize,
    aicpus: usize,
    hbm_peak_bytes: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<ReportedError>,
}

/// Why a run ended early.
#[derive(Debug, Serialize)]
struct ReportedError {
    message: String,
    device_code: Option<u32>,
    details: Vec<String>,
}

impl Runs {
    pub(crate) fn new(arch: Arch, runtime: &Path) -> Self {
        Runs { arch, runtime: runtime.to_owned(), current: None }
    }

    /// A run begins on an engine without actors.
    pub(crate) fn begin(&mut self, engine: &Engine) {
        self.current = Some(Run {
            begun: Instant::now(),
            virtual_begin: engine.host_time(),
            counters: engine.counters(),
            kernel_cpu: engine.kernel_time(),
            engine_cpu: engine.busy_time(),
        });
    }
}

/// A difference of counters.
fn since(now: Counters, before: Counters) -> Counters {
    Counters {
        hooks: now.hooks - before.hooks,
        switches: now.switches - before.switches,
        kernels: now.kernels - before.kernels,
        skipped_polls: now.skipped_polls - before.skipped_polls,
    }
}

/// A device on which nobody works for so long, in a process with shared memory, may have been waiting for another one.
/// Between two things that a runtime does by itself there are at most a few hundred nanoseconds of polling.
const SUSPICIOUS_QUIET: SimDuration = SimDuration::from_us(1);

/// Why the times of a run depend on the host, if they do.
fn outside_influence(engine: &Engine) -> Option<&'static str> {
    match engine.outside_influence() {
        (true, _) => Some("the device waited, in real time, for a thread of the host or for another process"),
        (false, quiet) if quiet > SUSPICIOUS_QUIET && shares_memory() => Some(
            "the device only polled for more than 1 us, and other processes can write to the memory it may have polled",
        ),
        (false, _) => None,
    }
}

fn milliseconds(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}

impl Device {
    /// The last actor of a run has been joined.
    pub(crate) fn end_run(&self, engine: &Engine) {
        let mut runs = lock(&self.runs);
        let Some(run) = runs.current.take() else { return };
        let trace = engine.trace();
        let count = |is: fn(&ActorKind) -> bool| trace.actors().iter().filter(|kind| is(kind)).count();
        let aicores = count(|kind| kind.core().is_some());
        let aicpus = count(|kind| matches!(kind, ActorKind::Aicpu(_)));
        let error = self.failure(engine);
        if let Some(error) = &error {
            let details = error.details.iter().map(|line| format!("\n{line}")).collect::<String>();
            eprintln!("npusim: {}{details}", error.message);
        }
        let process = Process::get();
        let Some(out) = process.settings.out.as_ref().filter(|_| aicores + aicpus > 0) else { return };
        let counters = since(engine.counters(), run.counters);
        let because = outside_influence(engine);
        let number = process.next_run();
        let report = ExecReport {
            schema: SCHEMA,
            process: std::process::id(),
            run: number,
            test: std::env::var("PYTEST_CURRENT_TEST").ok(),
            arch: runs.arch.as_str(),
            runtime: &runs.runtime,
            engine: process.settings.engine.name(),
            deterministic: because.is_none(),
            nondeterministic_because: because,
            trace_hash: format!("{:016x}", trace.hash()),
            device_time_ns: engine.device_end().since(run.virtual_begin).as_ns_f64(),
            host_elapsed_ms: milliseconds(run.begun.elapsed()),
            engine_cpu_ms: milliseconds(engine.busy_time() - run.engine_cpu),
            kernel_cpu_ms: milliseconds(engine.kernel_time() - run.kernel_cpu),
            hooks: counters.hooks,
            switches: counters.switches,
            kernels: counters.kernels,
            skipped_polls: counters.skipped_polls,
            events: trace.count(),
            longest_quiet_ns: engine.outside_influence().1.as_ns_f64(),
            loads: lock(&self.ledger).counts().loaded,
            aicores,
            aicpus,
            hbm_peak_bytes: lock(&self.memory).hbm.residency().device.peak_bytes,
            error,
        };
        let directory = out.join(format!("process-{}", report.process)).join(format!("run-{number:06}"));
        let written = OutputDirectory::create(directory).and_then(|directory| {
            directory.write_json("loads.json", &*lock(&self.ledger))?;
            if process.settings.events {
                directory.write_json("events.json", &trace.events())?;
            }
            directory.write_json("report.json", &report)
        });
        if let Err(error) = written {
            eprintln!("npusim: {error}");
        }
    }

    /// What ended the device's work, if something did.
    fn failure(&self, engine: &Engine) -> Option<ReportedError> {
        let fault = engine.fault()?;
        let objects = lock(&Process::get().objects);
        let memory = lock(&self.memory);
        let error = Explainer { sites: &*objects, hbm: &memory.hbm }.explain(&fault);
        let details = match &error {
            DeviceError::Deadlock(report) => StallText(report).to_string().lines().skip(1).map(str::to_owned).collect(),
            _ => Vec::new(),
        };
        let device_code = error.code().map(|code| code as u32);
        Some(ReportedError { message: error.to_string(), device_code, details })
    }
}
