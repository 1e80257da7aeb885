//! What is known of a run when it is over.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use crate::bundled;
use crate::client::session::{Program, Session, SessionError};
use crate::client::status::FailureClass;
use crate::device::error::{DeadlockReport, DeviceError};
use crate::device::notes::{LogLevel, LogLine};
use crate::device::{Device, EngineKind, NamedObject};
use crate::golden::{self, GoldenError, GoldenReport};
use crate::report::chip::ChipDescription;
use crate::report::names::ProgramNames;
use crate::report::output::{OutputDirectory, OutputError};
use crate::report::record::RunRecord;
use crate::report::statistics::{RunStatistics, StatisticsObserver};
use crate::report::summary::{EngineMode, Golden, RunError, RunFacts, RunSummary, Verdict};

use super::exit::ExitStatus;
use super::observer::RunObserver;
use super::plan::RunPlan;
use super::pulse::Pulse;

/// Why a run ended before its results were compared.
#[derive(Debug, thiserror::Error, displaydoc::Display)]
pub enum RunFailure {
    /// {0}
    Session(#[from] SessionError),
    /// {0}
    Golden(#[from] GoldenError),
}

impl RunFailure {
    /// What kind of failure this is.
    pub fn class(&self) -> FailureClass {
        match self {
            RunFailure::Session(error) => error.class(),
            RunFailure::Golden(_) => FailureClass::Input,
        }
    }

    /// What the device knows about it.
    pub fn cause(&self) -> Option<&DeviceError> {
        match self {
            RunFailure::Session(error) => error.cause(),
            RunFailure::Golden(_) => None,
        }
    }
}

/// A run that is over, with the device on which it ran.
pub struct FinishedRun {
    /// The totals.
    pub summary: RunSummary,
    /// Why it ended early, if it did.
    pub failure: Option<RunFailure>,
    statistics: RunStatistics,
    names: ProgramNames,
    chip: ChipDescription,
    device: Device,
}

impl FinishedRun {
    /// Makes a device and runs the plan on it. An error is that of a device that could not be made.
    pub fn of(plan: RunPlan, pulse: Arc<Pulse>) -> Result<FinishedRun, DeviceError> {
        let host = NamedObject { name: &plan.objects.host.name, bytes: &plan.objects.host.bytes };
        let device = Device::new(plan.config.clone(), bundled::SHIM, host)?;
        let observer = RunObserver { statistics: StatisticsObserver::default(), pulse };
        let mut prepared = HostEffort::default();
        let compared = run_session(&device, &plan, &observer, &mut prepared);
        let statistics = observer.statistics.statistics();
        let (golden, failure) = match compared {
            Ok(golden) => (golden, None),
            Err(failure) => (NO_RESULTS, Some(failure)),
        };
        let effort = HostEffort::of(&device).since(prepared);
        let facts = facts_of(&plan, &device, effort, golden, failure.as_ref());
        let mut summary = RunSummary::new(facts, &statistics);
        if plan.config.engine == EngineKind::Threads {
            // Free-running threads leave no events.
            summary.device.tasks = device.free_kernels();
            summary.device.kernels = device.free_kernels();
        }
        let chip = ChipDescription::of_profile(&plan.config.profile);
        Ok(FinishedRun { summary, failure, statistics, names: plan.names, chip, device })
    }

    /// How the process that made this run ends.
    pub fn status(&self) -> ExitStatus {
        status_of(self.failure.as_ref(), self.summary.run.golden.verdict)
    }

    /// The number of the namespace that the run's objects were in; 0 if none was loaded.
    pub fn namespace(&self) -> u32 {
        self.device.loads().records().iter().find_map(|load| load.namespace).unwrap_or(0)
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

    /// Writes the files of `--out`; returns their paths.
    pub fn write(&self, out: &OutputDirectory) -> Result<Vec<PathBuf>, OutputError> {
        let trace = self.device.trace();
        let virtual_time = self.summary.run.engine != EngineMode::Threads;
        RunRecord {
            summary: &self.summary,
            statistics: &self.statistics,
            loads: &self.device.loads(),
            residency: &self.device.residency(),
            names: &self.names,
            chip: &self.chip,
            trace: virtual_time.then_some(&*trace),
            notes: &self.device.take_task_notes(),
        }
        .write(out)
    }
}

/// The comparison of results that there are none of.
const NO_RESULTS: Golden = Golden { verdict: Verdict::Fail, worst_absolute: f64::NAN, worst_relative: f64::NAN };

/// What launches on a device have cost the host.
#[derive(Clone, Copy, Debug, Default)]
struct HostEffort {
    elapsed: Duration,
    engine_cpu: Duration,
    kernel_cpu: Duration,
}

impl HostEffort {
    fn of(device: &Device) -> Self {
        HostEffort { elapsed: device.host_elapsed(), engine_cpu: device.engine_cpu(), kernel_cpu: device.kernel_cpu() }
    }

    fn since(self, earlier: HostEffort) -> Self {
        HostEffort {
            elapsed: self.elapsed.saturating_sub(earlier.elapsed),
            engine_cpu: self.engine_cpu.saturating_sub(earlier.engine_cpu),
            kernel_cpu: self.kernel_cpu.saturating_sub(earlier.kernel_cpu),
        }
    }
}

/// Plays the host process from the first to the last call, and compares the results of the last run.
///
/// Registering a callable launches AICPU code, too. The totals are those of the runs alone: they are watched by
/// `observer` from the first one on, and `prepared` is what had been spent until then.
fn run_session(
    device: &Device,
    plan: &RunPlan,
    observer: &RunObserver,
    prepared: &mut HostEffort,
) -> Result<Golden, RunFailure> {
    let program = Program {
        aicpu: &plan.objects.aicpu.bytes,
        aicore: &plan.objects.aicore.bytes,
        callable: &plan.callable,
        callable_id: plan.case.callable_id,
        config: &plan.call_config,
    };
    let scalars = plan.case.scalar_words();
    let mut session = Session::open(device, &program)?;
    *prepared = HostEffort::of(device);
    device.observe(Box::new(observer.clone()));
    let mut tensors = plan.tensors.clone();
    for _ in 0..plan.case.runs {
        for (tensor, input) in tensors.iter_mut().zip(&plan.tensors) {
            tensor.bytes_mut().copy_from_slice(input.bytes());
        }
        session.run(&mut tensors, &scalars)?;
    }
    session.close()?;
    Ok(summary_of(&golden::check(&plan.case, &plan.tensors, &tensors)?))
}

/// The comparison in a few numbers.
fn summary_of(report: &GoldenReport) -> Golden {
    let verdict = match report.verdict() {
        golden::Verdict::Pass => Verdict::Pass,
        golden::Verdict::Fail => Verdict::Fail,
    };
    let worst = |worst: Option<(_, golden::Deviation)>| worst.map_or(0.0, |(_, deviation)| deviation.error);
    Golden { verdict, worst_absolute: worst(report.worst_absolute()), worst_relative: worst(report.worst_relative()) }
}

fn status_of(failure: Option<&RunFailure>, verdict: Verdict) -> ExitStatus {
    match (failure, verdict) {
        (Some(failure), _) => failure.class().into(),
        (None, Verdict::Fail) => ExitStatus::Mismatch,
        (None, Verdict::Pass | Verdict::Unchecked) => ExitStatus::Success,
    }
}

fn facts_of(
    plan: &RunPlan,
    device: &Device,
    effort: HostEffort,
    golden: Golden,
    failure: Option<&RunFailure>,
) -> RunFacts {
    let engine = match plan.config.engine {
        EngineKind::Virtual => EngineMode::Virtual,
        EngineKind::Naive => EngineMode::Naive,
        EngineKind::Threads => EngineMode::Threads,
    };
    let virtual_time = engine != EngineMode::Threads;
    let counters = device.counters();
    RunFacts {
        case: plan.case.name.clone(),
        arch: plan.config.profile.arch.to_string(),
        runtime: plan.case.runtime.name().to_owned(),
        golden,
        exit: status_of(failure, golden.verdict).code(),
        engine,
        workers: plan.config.workers,
        deterministic: virtual_time,
        trace_hash: virtual_time.then(|| device.trace().hash()),
        loads: device.loads().counts().loaded as u64,
        hooks: counters.hooks,
        switches: counters.switches,
        host_elapsed: effort.elapsed,
        engine_cpu: effort.engine_cpu,
        kernel_cpu: effort.kernel_cpu,
        hbm_peak_bytes: device.residency().device.peak_bytes,
        error: failure.map(|failure| RunError {
            message: failure.to_string(),
            device_code: failure.cause().and_then(DeviceError::code).map(|code| code as u32),
        }),
    }
}
