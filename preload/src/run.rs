//! Runs: from the first thread that a host runtime starts on a device to the last one it joins.
//!
//! Each run of the device has a report: whoever listens is told, and below the directory that was asked for it is
//! `process-<pid>/run-<n>/report.json`. If nobody listens, what ended a run early goes to standard error. Threads that a
//! runtime starts to prepare something, without a core or an AICPU among them, are no run of the device and have no
//! report.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use npusim::device::error::{DeviceError, Explainer};
use npusim::exec::listener::Told;
use npusim::exec::report::{ExecReport, ReportedError, SCHEMA};
use npusim::report::output::{OutputDirectory, OutputError};
use sim_core::actor::ActorKind;
use sim_core::engine::{Counters, Engine};
use sim_core::loader::ledger::{LoadId, LoadLedger};
use sim_core::profile::Arch;
use sim_core::time::{SimDuration, SimTime};

use crate::device::{Device, Rooms};
use crate::listener;
use crate::patience::shares_memory;
use crate::process::{Process, lock};

/// The runs of one device.
pub(crate) struct Runs {
    arch: Arch,
    runtime: PathBuf,
    current: Option<Run>,
    /// The first load that is in no report yet.
    next_load: LoadId,
}

/// A run that is under way.
struct Run {
    begun: Instant,
    virtual_begin: SimTime,
    counters: Counters,
    kernel_cpu: Duration,
    engine_cpu: Duration,
    /// Whether only polling was left in a run before.
    had_stalled: bool,
}

impl Runs {
    pub(crate) fn new(arch: Arch, runtime: &Path) -> Self {
        Runs { arch, runtime: runtime.to_owned(), current: None, next_load: LoadId(0) }
    }

    /// A run begins on an engine without actors.
    pub(crate) fn begin(&mut self, engine: &Engine) {
        self.current = Some(Run {
            begun: Instant::now(),
            virtual_begin: engine.host_time(),
            counters: engine.counters(),
            kernel_cpu: engine.kernel_time(),
            engine_cpu: engine.busy_time(),
            had_stalled: engine.stalled().is_some(),
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

impl Device {
    /// The last actor of a run has been joined.
    pub(crate) fn end_run(&self, engine: &Engine) {
        let mut runs = lock(&self.runs);
        let (Some(run), Some(rooms)) = (runs.current.take(), engine.rooms::<Rooms>()) else { return };
        let trace = engine.trace();
        let count = |is: fn(&ActorKind) -> bool| trace.actors().iter().filter(|kind| is(kind)).count();
        let aicores = count(|kind| kind.core().is_some());
        let aicpus = count(|kind| matches!(kind, ActorKind::Aicpu(_)));
        let (error, stalled) = (self.failure(engine), self.stall(engine, &run));
        let process = Process::get();
        if aicores + aicpus == 0 {
            error.into_iter().for_each(|error| process.complain(error));
            return;
        }
        let report = ExecReport { error, stalled, ..self.report(&runs, &run, engine, rooms, [aicores, aicpus]) };
        let loads = self.loads_to_report(&mut runs.next_load);
        if let Some(out) = &process.settings.out
            && let Err(error) = self.write(engine, out, &report, &loads)
        {
            eprintln!("npusim: {error}");
        }
        let told = Told::Run(Box::new(report));
        if !process.tell(&told)
            && let Told::Run(report) = told
            && let Some(error) = &report.error
        {
            listener::print(error);
        }
    }

    /// What is known of a run, but for what went wrong in it.
    fn report(
        &self,
        runs: &Runs,
        run: &Run,
        engine: &Engine,
        rooms: &Rooms,
        [aicores, aicpus]: [usize; 2],
    ) -> ExecReport {
        let charges = self.charges.as_deref().and_then(|charges| serde_json::to_value(charges.report()).ok());
        let counters = since(engine.counters(), run.counters);
        let because = outside_influence(engine);
        let process = Process::get();
        ExecReport {
            schema: SCHEMA,
            process: std::process::id(),
            run: process.next_run(),
            test: std::env::var("PYTEST_CURRENT_TEST").ok(),
            arch: runs.arch.to_string(),
            profile: rooms.profile.name.clone(),
            runtime: runs.runtime.clone(),
            engine: process.settings.engine.name().to_owned(),
            deterministic: because.is_none(),
            nondeterministic_because: because.map(str::to_owned),
            trace_hash: engine.trace().hash(),
            device_time: engine.device_end().since(run.virtual_begin),
            host_elapsed: run.begun.elapsed(),
            engine_cpu: engine.busy_time() - run.engine_cpu,
            kernel_cpu: engine.kernel_time() - run.kernel_cpu,
            workers: engine.settings().workers,
            hooks: counters.hooks,
            switches: counters.switches,
            kernels: counters.kernels,
            skipped_polls: counters.skipped_polls,
            events: engine.trace().count(),
            longest_quiet: engine.outside_influence().1,
            loads: lock(&self.ledger).counts().loaded,
            aicores,
            aicpus,
            hbm_peak_bytes: lock(&self.memory).hbm.residency().device.peak_bytes,
            costs: *rooms.tally.borrow(),
            work: rooms.work.get(),
            kernel_traces: rooms.traces.report(),
            charges,
            error: None,
            stalled: None,
        }
    }

    /// The loads since the last report. They are kept for a listener, who is told of all when the device goes; else what is
    /// over is forgotten, since a process may have any number of runs.
    fn loads_to_report(&self, next: &mut LoadId) -> LoadLedger {
        let mut ledger = lock(&self.ledger);
        let loads = ledger.since(*next);
        *next = ledger.next_id();
        if Process::get().listener().is_none() {
            ledger.forget_closed();
        }
        loads
    }

    /// Leaves the files of a run.
    fn write(&self, engine: &Engine, out: &Path, report: &ExecReport, loads: &LoadLedger) -> Result<(), OutputError> {
        let directory = out.join(format!("process-{}", report.process)).join(format!("run-{:06}", report.run));
        let directory = OutputDirectory::create(directory)?;
        directory.write_json("loads.json", loads)?;
        if Process::get().settings.events {
            directory.write_json("events.json", &engine.trace().events())?;
        }
        directory.write_json("report.json", report)?;
        Ok(())
    }

    /// What ended the device's work, if something did.
    fn failure(&self, engine: &Engine) -> Option<ReportedError> {
        let fault = engine.fault()?;
        Some(self.explained(|explainer| explainer.explain(&fault)))
    }

    /// How it looked when only polling was left, if that happened in this run for the first time.
    fn stall(&self, engine: &Engine, run: &Run) -> Option<ReportedError> {
        let stalled = engine.stalled().filter(|_| !run.had_stalled)?;
        Some(self.explained(|explainer| DeviceError::Deadlock(explainer.stall(&stalled))))
    }

    fn explained(&self, explain: impl FnOnce(&Explainer<'_>) -> DeviceError) -> ReportedError {
        let objects = lock(&Process::get().objects);
        let memory = lock(&self.memory);
        ReportedError::from(&explain(&Explainer { sites: &*objects, hbm: &memory.hbm, registers: None }))
    }
}
