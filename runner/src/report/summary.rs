//! The summary of one run: what `--json` prints and report.json begins with.
//!
//! Keys keep their meaning within one [`SCHEMA`]; a key may be added, but never renamed or reused, without raising it.
//! Virtual times are in nanoseconds (`_ns`, exact to a picosecond), host times in milliseconds (`_ms`).

use std::time::Duration;

use serde::{Deserialize, Serialize, Serializer};
use sim_aicore::cost::CostTally;
use sim_aicore::tile_trace::KernelTraceReport;
use sim_core::actor::ActorKind;
use sim_core::profile::{Confidence, TimeByConfidence};
use sim_core::time::{SimDuration, nanoseconds};
use sim_core::trace::{CopyDirection, CostSource, Phase};

use crate::device::programs::{DifferingProgram, Mode};
use crate::device::visibility::VisibilityFinding;
use crate::exec::report::ExecReport;

use super::statistics::{CopyTotal, CoreUse, CostTotal, RunStatistics};

/// The version of the keys of [`RunSummary`].
pub const SCHEMA: u32 = 1;

/// One run in one flat object.
#[derive(Clone, Debug, Serialize)]
pub struct RunSummary {
    schema: u32,
    /// What was run, and how it ended.
    #[serde(flatten)]
    pub run: RunFacts,
    /// What only npusim's own engine knows; none of its keys are there if something else ran the device's code.
    #[serde(flatten)]
    pub simulated: Option<Simulated>,
}

/// What the engine knows of a run.
#[derive(Clone, Debug, Serialize)]
pub struct Simulated {
    /// What it cost.
    #[serde(flatten)]
    pub engine: EngineFacts,
    /// What the device did.
    #[serde(flatten)]
    pub device: DeviceFacts,
}

/// What the device did, as far as it is known.
#[derive(Clone, Debug, Serialize)]
#[serde(untagged)]
pub enum DeviceFacts {
    /// All of it: the runtime tells of its tasks and phases.
    Whole(Box<DeviceSummary>),
    /// What can be seen of a runtime that knows nothing of npusim.
    Seen(SeenSummary),
}

/// What can be seen of a device, over all runs. Keys that [`DeviceSummary`] has too mean the same.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct SeenSummary {
    /// Kernels that ended.
    pub kernels: u64,
    /// From the first to the last event of AICPU and AICores; of several runs the sum.
    #[serde(rename = "device_time_ns", with = "nanoseconds")]
    pub device_time: SimDuration,
    /// Kernel costs by where they came from.
    pub cost_sources: CostTally,
    /// How far the work of the device's actors can be trusted.
    pub confidence: WorkConfidence,
    /// AICores that took part.
    pub cores: usize,
    /// AICPU threads that took part.
    pub aicpus: usize,
    /// Polls that were accounted for without being executed.
    pub skipped_polls: u64,
    /// Events in the trace.
    pub events: u64,
}

/// What is known of every run.
#[derive(Clone, Debug, Serialize)]
pub struct RunFacts {
    /// Name of the case.
    pub case: String,
    /// `a2a3` or `a5`.
    pub arch: String,
    /// Name of the profile, unless the device is somebody else's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub profile: Option<String>,
    /// Name of the runtime.
    pub runtime: String,
    /// Where the runtime's objects come from, if they are not those of the program or the case.
    #[serde(flatten)]
    pub artifacts: Option<Artifacts>,
    /// Whether the results were right.
    #[serde(flatten)]
    pub golden: Golden,
    /// The exit code that the process ends with.
    pub exit: u8,
    /// Whether kernels computed.
    pub mode: Mode,
    /// How actors were run.
    pub engine: EngineMode,
    /// Whether another run of the same input gives the same trace.
    pub deterministic: bool,
    /// Why it need not, if the engine has noticed something.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub nondeterministic_because: Option<String>,
    /// The hash over all events; none if times came from the host.
    #[serde(serialize_with = "hash_digits")]
    pub trace_hash: Option<u64>,
    /// Host time from launch to completion on the device.
    #[serde(rename = "host_elapsed_ms", serialize_with = "milliseconds")]
    pub host_elapsed: Duration,
    /// Kernels whose time is that of another call: they did something else on calls that look the same.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub differing_programs: Vec<DifferingProgram>,
    /// What guests did not see of registers and memory, or too late.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub visibility: Vec<VisibilityFinding>,
    /// Kernels that left traces of their tile instructions.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub kernel_traces: Vec<KernelTraceReport>,
    /// Why the run ended early, if it did.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<RunError>,
}

/// The directory of `--runtime-dir`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Artifacts {
    /// The directory.
    pub runtime_dir: String,
    /// The revision of the runtime's interface, by the newest commit that has it.
    pub runtime_revision: &'static str,
}

/// What a run cost the engine.
#[derive(Clone, Debug, Serialize)]
pub struct EngineFacts {
    /// Host threads that may run kernels at once.
    pub workers: usize,
    /// Objects loaded.
    pub loads: u64,
    /// Calls of guests into the simulator.
    pub hooks: u64,
    /// Switches between actors.
    pub switches: u64,
    /// Host CPU time of the engine in it.
    #[serde(rename = "engine_cpu_ms", serialize_with = "milliseconds")]
    pub engine_cpu: Duration,
    /// Host CPU time of all threads in kernel bodies in it.
    #[serde(rename = "kernel_cpu_ms", serialize_with = "milliseconds")]
    pub kernel_cpu: Duration,
    /// The most device memory that was allocated at once.
    pub hbm_peak_bytes: u64,
}

/// Why a run ended before it was done.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunError {
    /// What went wrong and where, as people are told.
    pub message: String,
    /// The code that silicon would give.
    pub device_code: Option<u32>,
}

/// The comparison of the results with the expected ones.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Golden {
    /// Whether all were within tolerance.
    #[serde(rename = "golden")]
    pub verdict: Verdict,
    /// The largest absolute error; not finite (`null`) if a result was not.
    #[serde(rename = "golden_worst_absolute")]
    pub worst_absolute: f64,
    /// The largest relative error; not finite (`null`) if a result was not.
    #[serde(rename = "golden_worst_relative")]
    pub worst_relative: f64,
}

/// Whether results were right.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// All within tolerance.
    Pass,
    /// At least one was not, or the run ended before it had results.
    Fail,
    /// The case expects nothing, or kernels did not compute.
    Unchecked,
}

impl Verdict {
    /// The name in files.
    pub const fn name(self) -> &'static str {
        match self {
            Verdict::Pass => "pass",
            Verdict::Fail => "fail",
            Verdict::Unchecked => "unchecked",
        }
    }
}

/// How actors are run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum EngineMode {
    /// Virtual time, pure pollers parked.
    Virtual,
    /// Virtual time, every poll executed.
    Naive,
    /// Free-running OS threads.
    Threads,
    /// The stock simulator, in whose own threads the device's code runs freely.
    Stock,
}

impl EngineMode {
    /// Whether times are those of the device and not of the host.
    pub fn is_virtual(self) -> bool {
        matches!(self, EngineMode::Virtual | EngineMode::Naive)
    }
}

/// What the device did, from [`RunStatistics`].
#[derive(Clone, Debug, Serialize)]
pub struct DeviceSummary {
    /// Tasks submitted.
    pub tasks: u64,
    /// Kernels that ended.
    pub kernels: u64,
    /// From the first to the last event of AICPU and AICores.
    #[serde(rename = "device_time_ns", with = "nanoseconds")]
    pub device_time: SimDuration,
    /// Tasks per second of device time.
    pub tasks_per_s: f64,
    /// How long each phase of the AICPU's work took.
    pub phases: PhaseTimes,
    /// Kernel costs by where they came from.
    pub cost_sources: CostSources,
    /// How far the work of the device's actors can be trusted, if it was charged for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub confidence: Option<WorkConfidence>,
    /// AICores that took part.
    pub cores: usize,
    /// The core that was busy for the longest; the one with the smallest id among equals.
    pub busiest_core: Option<CoreLoad>,
    /// The core that was busy for the shortest; the one with the smallest id among equals.
    pub idlest_core: Option<CoreLoad>,
    /// Copies and fills by the host.
    pub copies: Copies,
    /// Times at which nothing but polling was left and time was advanced.
    pub leaps: CostSummary,
    /// Events in the trace.
    pub events: u64,
}

/// Spans over all AICPU threads; they overlap and do not add up to the device time.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct PhaseTimes {
    /// Start-up and handshake.
    #[serde(rename = "preamble_ns", with = "nanoseconds")]
    pub preamble: SimDuration,
    /// The orchestration function.
    #[serde(rename = "orch_ns", with = "nanoseconds")]
    pub orch: SimDuration,
    /// The scheduler's loop.
    #[serde(rename = "sched_ns", with = "nanoseconds")]
    pub sched: SimDuration,
    /// Shutdown, on the thread that ends last.
    #[serde(rename = "post_orch_ns", with = "nanoseconds")]
    pub post_orch: SimDuration,
}

/// Kernel costs by where they came from.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct CostSources {
    /// The table of the case or profile.
    pub table: CostSummary,
    /// The instruction pipelines.
    pub pipes: CostSummary,
    /// Bytes over bandwidth.
    pub roofline: CostSummary,
    /// The profile's floor.
    pub default: CostSummary,
}

/// The work of AICPU threads and AICores, polls and waits not included, by the confidence of the constants that it was
/// charged with.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct WorkConfidence {
    /// Measured on silicon.
    #[serde(rename = "measured_ns", with = "nanoseconds")]
    pub measured: SimDuration,
    /// Documented by the vendor or the runtime.
    #[serde(rename = "documented_ns", with = "nanoseconds")]
    pub documented: SimDuration,
    /// Measured on a simulator of the vendor.
    #[serde(rename = "simulated_ns", with = "nanoseconds")]
    pub simulated: SimDuration,
    /// Derived from such values.
    #[serde(rename = "inferred_ns", with = "nanoseconds")]
    pub inferred: SimDuration,
    /// Guesses.
    #[serde(rename = "placeholder_ns", with = "nanoseconds")]
    pub placeholder: SimDuration,
    /// Choices of the simulator.
    #[serde(rename = "setting_ns", with = "nanoseconds")]
    pub setting: SimDuration,
    /// Given by the user.
    #[serde(rename = "override_ns", with = "nanoseconds")]
    pub given: SimDuration,
    /// The part of it all that leans on guesses, 0 to 1.
    pub placeholder_share: f64,
}

impl From<&TimeByConfidence> for WorkConfidence {
    fn from(work: &TimeByConfidence) -> Self {
        WorkConfidence {
            measured: work.get(Confidence::Measured),
            documented: work.get(Confidence::Documented),
            simulated: work.get(Confidence::Simulated),
            inferred: work.get(Confidence::Inferred),
            placeholder: work.get(Confidence::Placeholder),
            setting: work.get(Confidence::Setting),
            given: work.get(Confidence::Override),
            placeholder_share: work.share(Confidence::Placeholder),
        }
    }
}

impl From<&WorkConfidence> for TimeByConfidence {
    fn from(told: &WorkConfidence) -> Self {
        let mut work = TimeByConfidence::default();
        work.add(Confidence::Measured, told.measured);
        work.add(Confidence::Documented, told.documented);
        work.add(Confidence::Simulated, told.simulated);
        work.add(Confidence::Inferred, told.inferred);
        work.add(Confidence::Placeholder, told.placeholder);
        work.add(Confidence::Setting, told.setting);
        work.add(Confidence::Override, told.given);
        work
    }
}

/// A [`CostTotal`] in a report.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct CostSummary {
    /// How many.
    pub count: u64,
    /// How long in all.
    #[serde(rename = "time_ns", with = "nanoseconds")]
    pub time: SimDuration,
}

/// Copies and fills of device memory by the host.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Copies {
    /// Host to device.
    pub to_device: CopySummary,
    /// Device to host.
    pub from_device: CopySummary,
    /// Fills.
    pub memset: CopySummary,
}

/// A [`CopyTotal`] in a report.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct CopySummary {
    /// How many.
    pub count: u64,
    /// How many bytes in all.
    pub bytes: u64,
    /// How long in all.
    #[serde(rename = "time_ns", with = "nanoseconds")]
    pub time: SimDuration,
}

/// A [`CoreUse`] in a report.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct CoreLoad {
    /// Which core.
    pub core: ActorKind,
    /// Kernels that ended on it.
    pub kernels: u64,
    /// Time inside kernels.
    #[serde(rename = "busy_ns", with = "nanoseconds")]
    pub busy: SimDuration,
    /// That time as a part of the device time, 0 to 1.
    pub utilisation: f64,
}

impl RunSummary {
    /// The summary of a run.
    pub fn new(run: RunFacts, simulated: Option<Simulated>) -> Self {
        RunSummary { schema: SCHEMA, run, simulated }
    }

    /// Tasks per second of host time between launch and completion, if they were counted.
    pub fn host_tasks_per_s(&self) -> Option<f64> {
        match &self.simulated.as_ref()?.device {
            DeviceFacts::Whole(device) => Some(rate(device.tasks, self.run.host_elapsed.as_secs_f64())),
            DeviceFacts::Seen(_) => None,
        }
    }
}

impl Simulated {
    /// What the engine knows of a run in which the device did this.
    pub fn new(engine: EngineFacts, device: DeviceSummary) -> Self {
        Simulated { engine, device: DeviceFacts::Whole(Box::new(device)) }
    }

    /// What the engine knows of runs of a runtime that knows nothing of npusim; nothing if there was none.
    pub fn of_reports(reports: &[ExecReport]) -> Option<Self> {
        let last = reports.last()?;
        let sum = |of: fn(&ExecReport) -> u64| reports.iter().map(of).sum();
        let engine = EngineFacts {
            workers: last.workers,
            loads: last.loads as u64,
            hooks: sum(|report| report.hooks),
            switches: sum(|report| report.switches),
            engine_cpu: reports.iter().map(|report| report.engine_cpu).sum(),
            kernel_cpu: reports.iter().map(|report| report.kernel_cpu).sum(),
            hbm_peak_bytes: last.hbm_peak_bytes,
        };
        let work = reports.iter().fold(TimeByConfidence::default(), |sum, report| sum.plus(&report.work));
        let device = SeenSummary {
            kernels: sum(|report| report.kernels),
            device_time: reports.iter().map(|report| report.device_time).sum(),
            cost_sources: reports.iter().fold(CostTally::default(), |sum, report| sum.plus(&report.costs)),
            confidence: WorkConfidence::from(&work),
            cores: last.aicores,
            aicpus: last.aicpus,
            skipped_polls: sum(|report| report.skipped_polls),
            events: sum(|report| report.events),
        };
        Some(Simulated { engine, device: DeviceFacts::Seen(device) })
    }
}

impl DeviceSummary {
    /// What the device did, as its events add up.
    pub fn new(statistics: &RunStatistics) -> Self {
        let device_time = statistics.device_time();
        let cores = core_loads(statistics);
        let phase = |phase| statistics.phase_time(phase);
        let cost = |source| CostSummary::from(statistics.cost(source));
        let copies = |direction| CopySummary::from(statistics.copies(direction));
        DeviceSummary {
            tasks: statistics.tasks(),
            kernels: statistics.kernels(),
            device_time,
            tasks_per_s: rate(statistics.tasks(), device_time.as_ns_f64() / 1e9),
            phases: PhaseTimes {
                preamble: phase(Phase::Preamble),
                orch: phase(Phase::Orch),
                sched: phase(Phase::Sched),
                post_orch: phase(Phase::PostOrch),
            },
            cost_sources: CostSources {
                table: cost(CostSource::Table),
                pipes: cost(CostSource::Pipes),
                roofline: cost(CostSource::Roofline),
                default: cost(CostSource::Default),
            },
            confidence: None,
            cores: cores.len(),
            busiest_core: cores.iter().rev().max_by_key(|load| load.busy).copied(),
            idlest_core: cores.iter().min_by_key(|load| load.busy).copied(),
            copies: Copies {
                to_device: copies(CopyDirection::ToDevice),
                from_device: copies(CopyDirection::FromDevice),
                memset: copies(CopyDirection::Memset),
            },
            leaps: statistics.leaps().into(),
            events: statistics.events(),
        }
    }
}

/// The load of every core, by core id.
pub(crate) fn core_loads(statistics: &RunStatistics) -> Vec<CoreLoad> {
    let device_time = statistics.device_time().as_ns_f64();
    let load = |CoreUse { core, kernels, busy }: CoreUse| {
        let utilisation = if device_time > 0.0 { busy.as_ns_f64() / device_time } else { 0.0 };
        CoreLoad { core, kernels, busy, utilisation }
    };
    statistics.cores().into_iter().map(load).collect()
}

impl From<CostTotal> for CostSummary {
    fn from(CostTotal { count, time }: CostTotal) -> Self {
        CostSummary { count, time }
    }
}

impl From<CopyTotal> for CopySummary {
    fn from(CopyTotal { count, bytes, time }: CopyTotal) -> Self {
        CopySummary { count, bytes, time }
    }
}

/// Per second; zero if no time has passed.
fn rate(count: u64, seconds: f64) -> f64 {
    if seconds > 0.0 { count as f64 / seconds } else { 0.0 }
}

pub(crate) fn hash_digits<S: Serializer>(hash: &Option<u64>, serializer: S) -> Result<S::Ok, S::Error> {
    match hash {
        Some(hash) => serializer.collect_str(&format_args!("{hash:016x}")),
        None => serializer.serialize_none(),
    }
}

/// Milliseconds to a microsecond.
pub(crate) fn milliseconds<S: Serializer>(span: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_f64(span.as_micros() as f64 / 1e3)
}

#[cfg(test)]
mod tests {
    use sim_core::actor::ActorId;

    use super::*;
    use crate::exec::report::tests::report as exec_report;
    use crate::report::fixture;

    #[test]
    fn which_keys_does_the_summary_have() {
        insta::assert_json_snapshot!(fixture::summary());
    }

    #[test]
    fn is_the_trace_hash_null_when_times_came_from_the_host() {
        let mut summary = fixture::summary();
        summary.run.trace_hash = None;
        summary.run.engine = EngineMode::Threads;
        let json = serde_json::to_value(&summary).unwrap();
        assert_eq!((&json["trace_hash"], &json["engine"]), (&serde_json::Value::Null, &"threads".into()));
    }

    #[test]
    fn which_keys_has_a_run_without_the_engine() {
        let mut summary = fixture::summary();
        summary.run.engine = EngineMode::Stock;
        summary.run.deterministic = false;
        summary.run.trace_hash = None;
        summary.run.artifacts = Some(Artifacts { runtime_dir: "lib/sim".into(), runtime_revision: "6ebaf771" });
        summary.simulated = None;
        insta::assert_json_snapshot!(summary);
    }

    #[test]
    fn which_keys_have_runs_of_a_runtime_that_knows_nothing_of_npusim() {
        let mut summary = fixture::summary();
        summary.run.artifacts = Some(Artifacts { runtime_dir: "lib/sim".into(), runtime_revision: "6ebaf771" });
        let (first, second) = (exec_report(), ExecReport { run: 2, loads: 9, ..exec_report() });
        summary.simulated = Simulated::of_reports(&[first, second]);
        insta::assert_json_snapshot!(summary);
        assert!(Simulated::of_reports(&[]).is_none());
    }

    #[test]
    fn is_the_reason_of_an_early_end_in_the_summary() {
        let mut summary = fixture::summary();
        summary.run.error = Some(RunError { message: "aiv1 accessed null".into(), device_code: Some(507_015) });
        let error = serde_json::json!({"message": "aiv1 accessed null", "device_code": 507_015});
        assert_eq!(serde_json::to_value(&summary).unwrap()["error"], error);
    }

    #[test]
    fn do_leading_zeros_of_the_hash_stay() {
        let mut summary = fixture::summary();
        summary.run.trace_hash = Some(0xf);
        assert_eq!(serde_json::to_value(&summary).unwrap()["trace_hash"], "000000000000000f");
    }

    #[test]
    fn is_a_picosecond_kept_in_nanoseconds() {
        let cost = |ps| serde_json::to_string(&CostSummary { count: 1, time: SimDuration::from_ps(ps) }).unwrap();
        assert_eq!(cost(42_030_000), r#"{"count":1,"time_ns":42030}"#);
        assert_eq!(cost(42_030_001), r#"{"count":1,"time_ns":42030.001}"#);
    }

    #[test]
    fn which_of_equally_busy_cores_is_named() {
        let mut statistics = RunStatistics::default();
        (0..).zip([3, 1, 2]).for_each(|(id, core)| statistics.name_actor(ActorId(id), ActorKind::Aiv(core)));
        let summary = DeviceSummary::new(&statistics);
        assert_eq!(summary.busiest_core.unwrap().core, ActorKind::Aiv(1));
        assert_eq!(summary.idlest_core.unwrap().core, ActorKind::Aiv(1));
    }

    #[test]
    fn does_a_run_without_events_divide_by_nothing() {
        let summary = DeviceSummary::new(&RunStatistics::default());
        assert_eq!((summary.tasks_per_s, summary.cores), (0.0, 0));
        assert!(summary.busiest_core.is_none() && summary.idlest_core.is_none());
    }
}
