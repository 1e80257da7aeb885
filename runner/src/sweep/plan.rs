//! A sweep that has been checked, and its execution.

use std::sync::Arc;
use std::time::Instant;

use sim_core::profile::{Override, ProfileError};

use super::axis::{Axis, AxisError, AxisKind};
use super::grid::{Grid, GridError};
use super::row::Row;
use crate::case::{CaseError, CaseSpec};
use crate::ci::matrix::status_of;
use crate::device::EngineKind;
use crate::device::pool::{NamespacePool, Worker, kernel_threads};
use crate::run::exit::ExitStatus;
use crate::run::finished::FinishedRun;
use crate::run::plan::{PlanError, RunPlan};
use crate::run::pulse::Pulse;
use crate::run::settings::RunSettings;
use crate::shard::{PartOf, Shard};

/// Why there is no such sweep.
#[derive(Debug, thiserror::Error, displaydoc::Display)]
pub enum SweepError {
    /// {0}
    Axis(#[from] AxisError),
    /// {0}
    Grid(#[from] GridError),
    /// {0}
    Case(Box<CaseError>),
    /// {0}
    Profile(Box<ProfileError>),
    /// {0}
    Plan(#[from] PlanError),
    /// a sweep needs virtual time, which --engine threads does not have: take virtual or naive
    NoVirtualTime,
}

impl From<CaseError> for SweepError {
    fn from(error: CaseError) -> Self {
        SweepError::Case(Box::new(error))
    }
}

impl From<ProfileError> for SweepError {
    fn from(error: ProfileError) -> Self {
        SweepError::Profile(Box::new(error))
    }
}

/// A case with settings and the points at which it is run.
pub struct SweepPlan {
    /// The case.
    pub case: CaseSpec,
    /// The generation.
    pub arch: &'static str,
    /// The points.
    pub grid: Grid,
    settings: RunSettings,
}

impl SweepPlan {
    /// Checks every point. `settings` have what is the same for all of them.
    pub fn new(case: CaseSpec, settings: RunSettings, axes: Vec<Axis>) -> Result<Self, SweepError> {
        if settings.engine == EngineKind::Threads {
            return Err(SweepError::NoVirtualTime);
        }
        let grid = Grid::new(axes)?;
        let arch = settings.arch.unwrap_or(case.arch);
        let case = case.on_runtime(settings.runtime);
        let plan = SweepPlan { case, arch: arch.as_str(), grid, settings };
        let with_parameters = plan.grid.axes().iter().any(|axis| axis.kind == AxisKind::Parameter);
        for point in 0..plan.grid.points() {
            let settings = plan.settings_at(&plan.grid.point(point))?;
            settings.profile_of(arch, &plan.case.profile)?;
            if with_parameters {
                plan.case.clone().with_parameters(&settings.parameters)?;
            }
        }
        // Whatever else could be wrong is so at every point.
        RunPlan::new(plan.case.clone(), &plan.settings_at(&plan.grid.point(0))?)?;
        Ok(plan)
    }

    /// What the shard is a part of.
    pub fn part(&self, shard: Shard) -> PartOf {
        let RunSettings { front, faithful, engine, fill, overrides, parameters, seed, fast_forward, .. } =
            &self.settings;
        let overrides: Vec<String> = overrides.iter().map(ToString::to_string).collect();
        let description = format!(
            "sweep {} {} {} {:?} {front:?} {faithful} {engine:?} {fill:?} {overrides:?} {parameters:?} {seed} {fast_forward}",
            self.case.name,
            self.arch,
            self.case.runtime.name(),
            self.grid.axes(),
        );
        PartOf::new(shard, self.grid.points(), &description)
    }

    /// Runs these points, so many at once; `seen` hears of each as it ends.
    pub fn run(&self, points: &[usize], parallel: usize, pool: &NamespacePool, seen: impl Fn(&Row) + Sync) -> Vec<Row> {
        pool.map(points, parallel, "sweep", |worker, point| {
            let row = self.run_point(worker, *point, parallel);
            seen(&row);
            row
        })
    }

    fn run_point(&self, worker: &mut Worker<'_>, point: usize, parallel: usize) -> Row {
        let begun = Instant::now();
        let values = self.grid.point(point);
        let owned: Vec<String> = values.iter().map(|value| (*value).to_owned()).collect();
        let plan = self.settings_at(&values).and_then(|settings| {
            let workers = settings.workers.unwrap_or_else(|| kernel_threads(parallel));
            Ok(RunPlan::new(self.case.clone(), &RunSettings { workers: Some(workers), ..settings })?)
        });
        let plan = match plan {
            Ok(plan) => plan,
            Err(error) => return Row::not_begun(point, owned, ExitStatus::BadInput, error.to_string()),
        };
        let seen = FinishedRun::with(worker, plan, Arc::new(Pulse::default()), |run| {
            Row::of_run(point, owned.clone(), run, begun.elapsed())
        });
        seen.map(|(row, _)| row)
            .unwrap_or_else(|error| Row::not_begun(point, owned, status_of(&error), error.to_string()))
    }

    fn settings_at(&self, values: &[&str]) -> Result<RunSettings, SweepError> {
        let mut settings = self.settings.clone();
        for (axis, value) in self.grid.axes().iter().zip(values) {
            match axis.kind {
                AxisKind::Profile => settings.overrides.push(format!("{}={value}", axis.key).parse::<Override>()?),
                AxisKind::Parameter => settings.parameters.push((axis.key.clone(), (*value).to_owned())),
            }
        }
        Ok(settings)
    }
}
