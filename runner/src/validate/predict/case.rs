//! Bundled cases, run.

use std::collections::BTreeMap;
use std::mem;
use std::sync::Arc;

use sim_core::profile::{Override, Profile, ProfileError};
use sim_core::time::SimDuration;

use super::super::measure::{CaseQuantity, CaseRun};
use super::super::rows::Row;
use super::{Answer, Missing, Quantity};
use crate::case::{BundledCase, CaseError, CaseSpec, Runtime};
use crate::device::error::DeviceError;
use crate::device::programs::Mode;
use crate::report::summary::{CoreLoad, DeviceFacts, DeviceSummary};
use crate::run::RunFailure;
use crate::run::finished::FinishedRun;
use crate::run::plan::{PlanError, RunPlan};
use crate::run::pulse::Pulse;
use crate::run::settings::RunSettings;

/// Why a case does not give what a row asks of it.
#[derive(Debug, thiserror::Error, displaydoc::Display)]
pub enum CaseFailure {
    /// {0}
    Case(Box<CaseError>),
    /// {0}
    Plan(Box<PlanError>),
    /// {0}
    Profile(Box<ProfileError>),
    /// {0}
    Device(Box<DeviceError>),
    /// {case} ended early: {error}
    Run {
        /// The case.
        case: String,
        /// Why.
        error: RunFailure,
    },
    /// {case} ran without a report of the device
    NoReport {
        /// The case.
        case: String,
    },
}

/// Published figures are of later rounds on one device, which has its payloads already.
const WARM: &str = "aicpu.assign_clusters=0ns";

/// What makes a run another run.
type Key = (String, String, Option<Runtime>, Option<u32>, BTreeMap<String, String>);

/// Runs of cases, each done once however many rows ask of it.
pub(super) struct Runs {
    /// Values of profiles that are replaced in all of them.
    overrides: Vec<Override>,
    done: BTreeMap<Key, Times>,
}

/// The times of a run that rows may ask for.
#[derive(Clone, Copy, Debug)]
struct Times {
    device: SimDuration,
    effective: SimDuration,
    preamble: SimDuration,
    orchestration: SimDuration,
    scheduling: SimDuration,
    post_orchestration: SimDuration,
    busiest_core: SimDuration,
    average_core: SimDuration,
    by_itself: ByItself,
    tasks: u64,
}

/// What a kernel takes beside its cores that is launched by itself and not by a runtime.
#[derive(Clone, Copy, Debug)]
struct ByItself {
    /// As profilers see it.
    launch: SimDuration,
    /// As a host does that waits for it.
    round_trip: SimDuration,
}

impl ByItself {
    fn of(profile: &Profile) -> Self {
        let round_trip = *profile.host_link.launch + *profile.host_link.completion;
        ByItself { launch: *profile.aicore.kernel_launch, round_trip }
    }
}

impl Runs {
    /// No runs yet; all will have these values replaced.
    pub(super) fn new(overrides: &[Override]) -> Self {
        Runs { overrides: overrides.to_vec(), done: BTreeMap::new() }
    }

    /// What the run says, or that there is no such case.
    pub(super) fn predict(&mut self, row: &Row, run: &CaseRun) -> Result<Answer, CaseFailure> {
        if !BundledCase::ALL.iter().any(|case| case.name == run.case) {
            return Ok(Err(Missing(format!("there is no case {}", run.case))));
        }
        let times = self.times(row, run)?;
        let time = match run.quantity {
            CaseQuantity::DeviceTime => times.device,
            CaseQuantity::Effective => times.effective,
            CaseQuantity::Preamble => times.preamble,
            CaseQuantity::Orchestration => times.orchestration,
            CaseQuantity::OrchestrationPerTask => {
                SimDuration::from_ps(times.orchestration.as_ps() / times.tasks.max(1))
            }
            CaseQuantity::Scheduling => times.scheduling,
            CaseQuantity::PostOrchestration => times.post_orchestration,
            CaseQuantity::BusiestCore => times.busiest_core,
            CaseQuantity::AverageCore => times.average_core,
            CaseQuantity::Launched => times.busiest_core + times.by_itself.launch,
            CaseQuantity::Synchronised => times.busiest_core + times.by_itself.round_trip,
        };
        Ok(Ok(Quantity::Time(time)))
    }

    fn times(&mut self, row: &Row, run: &CaseRun) -> Result<Times, CaseFailure> {
        let key = (row.profile().to_owned(), run.case.clone(), run.runtime, run.clusters, run.parameters.clone());
        if let Some(&done) = self.done.get(&key) {
            return Ok(done);
        }
        let times = execute(row, run, &self.overrides)?;
        self.done.insert(key, times);
        Ok(times)
    }
}

fn execute(row: &Row, run: &CaseRun, replaced: &[Override]) -> Result<Times, CaseFailure> {
    let case = CaseSpec::bundled(&run.case).map_err(|error| CaseFailure::Case(Box::new(error)))?;
    let clusters = run.clusters.map(|count| format!("topology.clusters={count}"));
    let own = [Some(WARM.to_owned()), clusters].into_iter().flatten();
    let own = own.map(|value| value.parse().map_err(|error| CaseFailure::Profile(Box::new(error))));
    let own = own.collect::<Result<Vec<Override>, _>>()?;
    let settings = RunSettings {
        arch: Some(row.arch),
        profile: row.profile().parse().ok(),
        runtime: run.runtime,
        mode: Some(Mode::Timing),
        overrides: [&own[..], replaced].concat(),
        parameters: run.parameters.clone().into_iter().collect(),
        ..RunSettings::default()
    };
    let plan = RunPlan::new(case, &settings).map_err(|error| CaseFailure::Plan(Box::new(error)))?;
    let by_itself = ByItself::of(&plan.config.profile);
    let run =
        FinishedRun::of(plan, Arc::new(Pulse::default())).map_err(|error| CaseFailure::Device(Box::new(error)))?;
    let (effective, average_core) = (run.effective_time(), average_of(&run.core_loads()));
    let FinishedRun { summary, failure, .. } = run;
    let case = summary.run.case.clone();
    if let Some(error) = failure {
        return Err(CaseFailure::Run { case, error });
    }
    match summary.simulated.map(|simulated| simulated.device) {
        Some(DeviceFacts::Whole(device)) => Ok(Times::of(&device, effective, average_core, by_itself)),
        _ => Err(CaseFailure::NoReport { case }),
    }
}

/// How long the cores of the busiest one's kind worked, on average of those that had a kernel.
fn average_of(cores: &[CoreLoad]) -> SimDuration {
    let Some(busiest) = cores.iter().max_by_key(|core| core.busy) else { return SimDuration::ZERO };
    let kind = mem::discriminant(&busiest.core);
    let alike = cores.iter().filter(|core| core.kernels > 0 && mem::discriminant(&core.core) == kind);
    let (count, busy) = alike.fold((0, 0), |(count, busy), core| (count + 1, busy + core.busy.as_ps()));
    SimDuration::from_ps(busy / u64::max(count, 1))
}

impl Times {
    fn of(device: &DeviceSummary, effective: SimDuration, average_core: SimDuration, by_itself: ByItself) -> Self {
        Times {
            device: device.device_time,
            effective,
            preamble: device.phases.preamble,
            orchestration: device.phases.orch,
            scheduling: device.phases.sched,
            post_orchestration: device.phases.post_orch,
            busiest_core: device.busiest_core.map_or(SimDuration::ZERO, |core| core.busy),
            average_core,
            by_itself,
            tasks: device.tasks,
        }
    }
}

#[cfg(test)]
mod tests {
    use sim_core::actor::ActorKind;

    use super::*;

    #[test]
    fn is_the_average_that_of_cores_like_the_busiest_which_had_a_kernel() {
        let core = |core, kernels, busy| CoreLoad { core, kernels, busy: SimDuration::from_ns(busy), utilisation: 0.0 };
        let cores = [
            core(ActorKind::Aic(0), 1, 20),
            core(ActorKind::Aic(1), 2, 10),
            core(ActorKind::Aic(2), 0, 0),
            core(ActorKind::Aiv(0), 1, 3),
        ];
        assert_eq!((average_of(&cores), average_of(&[])), (SimDuration::from_ns(15), SimDuration::ZERO));
    }
}
