//! What is known of a run when it is over.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use sim_core::loader::ledger::LoadLedger;
use sim_core::profile::TimeByConfidence;
use sim_core::time::SimDuration;

use crate::bundled;
use crate::device::driver::finding::Finding;
use crate::device::error::{DeadlockReport, DeviceError};
use crate::device::notes::{LogLevel, LogLine};
use crate::device::pool::{Worker, WorkerError};
use crate::device::programs::DifferingProgram;
use crate::device::{Device, EngineKind, NamedObject};
use crate::report::chip::ChipDescription;
use crate::report::explained::Explained;
use crate::report::html::HtmlTimeline;
use crate::report::names::ProgramNames;
use crate::report::output::{OutputDirectory, OutputError};
use crate::report::record::RunRecord;
use crate::report::statistics::{RunStatistics, StatisticsObserver};
use crate::report::summary::{
    CoreLoad, DeviceSummary, EngineFacts, EngineMode, RunFacts, RunSummary, Simulated, core_loads,
};

use super::conversation::{Milestone, Outcome, RunFailure, converse, status_of};
use super::exit::ExitStatus;
use super::observer::RunObserver;
use super::plan::RunPlan;
use super::pulse::Pulse;

/// A run that is over, with the device on which it ran.
pub struct FinishedRun {
    /// The totals.
    pub summary: RunSummary,
    /// Why it ended early, if it did.
    pub failure: Option<RunFailure>,
    statistics: RunStatistics,
    names: ProgramNames,
    chip: ChipDescription,
    keeps_events: bool,
    device: Device,
}

impl FinishedRun {
    /// The load of every core, by core id.
    pub fn core_loads(&self) -> Vec<CoreLoad> {
        core_loads(&self.statistics)
    }

    /// How long threads of the AICPU orchestrated or scheduled.
    pub fn effective_time(&self) -> SimDuration {
        self.statistics.effective_time()
    }

    /// Makes a device and runs the plan on it. An error is that of a device that could not be made.
    pub fn of(plan: RunPlan, pulse: Arc<Pulse>) -> Result<FinishedRun, DeviceError> {
        let device = Device::new(plan.config.clone(), bundled::SHIM, host_of(&plan))?;
        Ok(FinishedRun::on(device, plan, pulse))
    }

    /// The same with a worker that makes the device, and gets it back. Also gives the ledger of its loads as it is when
    /// everything is closed.
    pub fn with<R>(
        worker: &mut Worker<'_>,
        plan: RunPlan,
        pulse: Arc<Pulse>,
        look: impl FnOnce(&FinishedRun) -> R,
    ) -> Result<(R, LoadLedger), WorkerError> {
        let device = worker.device(plan.config.clone(), host_of(&plan))?;
        let run = FinishedRun::on(device, plan, pulse);
        let seen = look(&run);
        Ok((seen, worker.take_back(run.device)))
    }

    /// Runs the plan on a device that was made for it.
    fn on(device: Device, plan: RunPlan, pulse: Arc<Pulse>) -> FinishedRun {
        let observer = RunObserver { statistics: StatisticsObserver::default(), pulse };
        let mut prepared = Effort::default();
        let (aicpu, aicore) = (&plan.objects.aicpu.bytes, &plan.objects.aicore.bytes);
        let mut ran = None;
        // The totals are those of the runs alone.
        let outcome = converse(&device, &plan.input, aicpu, aicore, |milestone| match milestone {
            Milestone::Registered => {
                prepared = Effort::of(&device);
                device.observe(Box::new(observer.clone()));
            }
            Milestone::Ran => {
                ran = Some(Effort::of(&device));
                device.stop_observing();
            }
        });
        let statistics = observer.statistics.statistics();
        let effort = ran.unwrap_or_else(|| Effort::of(&device)).since(prepared);
        let facts = facts_of(&plan, &device, effort.elapsed, &outcome);
        let mut totals = DeviceSummary::new(&statistics);
        totals.confidence = (plan.config.engine != EngineKind::Threads).then(|| (&effort.work).into());
        if plan.config.engine == EngineKind::Threads {
            // Free-running threads leave no events.
            totals.tasks = device.free_kernels();
            totals.kernels = device.free_kernels();
        }
        let simulated = Simulated::new(engine_facts(&plan, &device, effort), totals);
        let chip = ChipDescription::of_profile(&plan.config.profile);
        let summary = RunSummary::new(facts, Some(simulated));
        let keeps_events = plan.config.keep_events;
        FinishedRun {
            summary,
            failure: outcome.failure,
            statistics,
            names: plan.input.names,
            chip,
            keeps_events,
            device,
        }
    }

    /// How the process that made this run ends.
    pub fn status(&self) -> ExitStatus {
        status_of(self.failure.as_ref(), self.summary.run.golden.verdict)
    }

    /// The number of the namespace that the run's objects were in; 0 if none was loaded.
    pub fn namespace(&self) -> u32 {
        self.device.loads().records().iter().find_map(|load| load.namespace).unwrap_or(0)
    }

    /// What the driver found odd, if the host spoke to it.
    pub fn findings(&self) -> Vec<Finding> {
        self.device.findings()
    }

    /// Kernels whose time is that of another call.
    pub fn differing_programs(&self) -> &[DifferingProgram] {
        &self.summary.run.differing_programs
    }

    /// What guests logged as errors, if the run ended early: the runtime's own reasons.
    pub fn complaints(&self) -> Vec<LogLine> {
        if self.failure.is_none() {
            return Vec::new();
        }
        self.device.log_lines().into_iter().filter(|line| line.level == LogLevel::Error).collect()
    }

    /// Who waited for what, if that is why the run ended early.
    pub fn deadlock(&self) -> Option<&DeadlockReport> {
        match self.failure.as_ref()?.cause()? {
            DeviceError::Deadlock(report) => Some(report),
            _ => None,
        }
    }

    /// Ends the device; gives the ledger of its loads as it is when everything is closed.
    pub fn close(self) -> LoadLedger {
        self.device.close()
    }

    /// The events with where the time went; none if they were not kept.
    pub fn explain(&self) -> Option<Explained> {
        let trace = self.device.trace();
        let kept = self.keeps_events && self.summary.run.engine.is_virtual();
        kept.then(|| Explained::new(&trace, &self.statistics, &self.chip, &self.names))
    }

    /// What orchestration and kernels are called.
    pub fn names(&self) -> &ProgramNames {
        &self.names
    }

    /// The page of `--html`.
    pub fn html_page<'a>(&'a self, explained: &'a Explained) -> HtmlTimeline<'a> {
        HtmlTimeline { summary: &self.summary, explained, names: &self.names }
    }

    /// Writes the files of `--out`; returns their paths.
    pub fn write(&self, out: &OutputDirectory, explained: Option<&Explained>) -> Result<Vec<PathBuf>, OutputError> {
        RunRecord {
            summary: &self.summary,
            statistics: &self.statistics,
            loads: &self.device.loads(),
            residency: &self.device.residency(),
            names: &self.names,
            chip: &self.chip,
            explained,
            notes: &self.device.take_task_notes(),
        }
        .write(out)
    }
}

fn host_of(plan: &RunPlan) -> NamedObject<'_> {
    NamedObject { name: &plan.objects.host.name, bytes: &plan.objects.host.bytes }
}

/// What launches on a device have cost the host.
#[derive(Clone, Copy, Debug, Default)]
struct Effort {
    elapsed: Duration,
    engine_cpu: Duration,
    kernel_cpu: Duration,
    /// What the device's actors have worked for meanwhile, in virtual time.
    work: TimeByConfidence,
}

impl Effort {
    fn of(device: &Device) -> Self {
        Effort {
            elapsed: device.host_elapsed(),
            engine_cpu: device.engine_cpu(),
            kernel_cpu: device.kernel_cpu(),
            work: device.work(),
        }
    }

    fn since(self, earlier: Effort) -> Self {
        Effort {
            elapsed: self.elapsed.saturating_sub(earlier.elapsed),
            engine_cpu: self.engine_cpu.saturating_sub(earlier.engine_cpu),
            kernel_cpu: self.kernel_cpu.saturating_sub(earlier.kernel_cpu),
            work: self.work.since(&earlier.work),
        }
    }
}

fn facts_of(plan: &RunPlan, device: &Device, host_elapsed: Duration, outcome: &Outcome) -> RunFacts {
    let engine = match plan.config.engine {
        EngineKind::Virtual => EngineMode::Virtual,
        EngineKind::Naive => EngineMode::Naive,
        EngineKind::Threads => EngineMode::Threads,
    };
    let virtual_time = engine != EngineMode::Threads;
    RunFacts {
        case: plan.input.case.name.clone(),
        arch: plan.input.arch.to_string(),
        profile: Some(plan.config.profile.name.clone()),
        runtime: plan.input.case.runtime.name().to_owned(),
        artifacts: None,
        golden: outcome.golden,
        mode: plan.config.mode,
        differing_programs: device.differing_programs(),
        visibility: device.visibility_findings(),
        kernel_traces: device.kernel_traces(),
        exit: outcome.status().code(),
        engine,
        deterministic: virtual_time,
        nondeterministic_because: None,
        trace_hash: virtual_time.then(|| device.trace().hash()),
        host_elapsed,
        error: outcome.failure.as_ref().map(RunFailure::summary),
    }
}

fn engine_facts(plan: &RunPlan, device: &Device, effort: Effort) -> EngineFacts {
    let counters = device.counters();
    EngineFacts {
        workers: plan.config.workers,
        loads: device.loads().counts().loaded as u64,
        hooks: counters.hooks,
        switches: counters.switches,
        engine_cpu: effort.engine_cpu,
        kernel_cpu: effort.kernel_cpu,
        hbm_peak_bytes: device.residency().device.peak_bytes,
    }
}
