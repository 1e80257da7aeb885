//! `npusim bench`: the simulator against itself.
//!
//! The control plane is what happens between tasks: submission, dispatch, completion. Tasks that do nothing measure it
//! alone. The threads engine does what a simulator without virtual time does, so the ratio says what virtual time is
//! worth on this machine, whatever it is.

use std::sync::Arc;

use clap::{Args, Subcommand};
use serde::Serialize;

use super::failure::Failure;
use super::lifecycle::Lifecycle;
use super::{Done, print, print_json};
use crate::case::CaseSpec;
use crate::device::EngineKind;
use crate::run::exit::ExitStatus;
use crate::run::finished::FinishedRun;
use crate::run::plan::RunPlan;
use crate::run::pulse::Pulse;
use crate::run::settings::RunSettings;

/// The case of independent tasks that do nothing.
const FLOOD: &str = "flood";
/// Its parameter.
const TASKS: &str = "tasks";

/// Measure the simulator itself.
#[derive(Debug, Args)]
pub(super) struct BenchCommand {
    #[command(subcommand)]
    subject: Subject,
}

#[derive(Debug, Subcommand)]
enum Subject {
    /// Tasks per second of host time: empty tasks on the virtual and on the threads engine.
    ControlPlane(ControlPlane),
    /// What stays of devices that are gone: namespaces, file descriptors, mappings, memory.
    Lifecycle(Lifecycle),
}

#[derive(Debug, Args)]
struct ControlPlane {
    /// How many tasks each run submits.
    #[arg(long, value_name = "N", default_value_t = 10_000, value_parser = clap::value_parser!(u64).range(1..))]
    tasks: u64,
    /// How many runs on each engine; the median counts.
    #[arg(long, value_name = "N", default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..=99))]
    repeat: u32,
    /// Print one JSON object.
    #[arg(long)]
    json: bool,
}

/// What `--json` prints.
#[derive(Debug, Serialize)]
struct Comparison {
    tasks: u64,
    repeat: u32,
    r#virtual: Rate,
    threads: Rate,
    ratio: f64,
}

#[derive(Debug, Serialize)]
struct Rate {
    tasks_per_s: f64,
}

impl BenchCommand {
    pub(super) fn execute(&self) -> Done {
        match &self.subject {
            Subject::ControlPlane(control_plane) => control_plane.execute(),
            Subject::Lifecycle(lifecycle) => lifecycle.execute(),
        }
    }
}

impl ControlPlane {
    fn execute(&self) -> Done {
        let (mut on_virtual, mut on_threads) = (Vec::new(), Vec::new());
        // In turns, so that whatever else the machine does meets both.
        for _ in 0..self.repeat {
            on_virtual.push(self.tasks_per_s(EngineKind::Virtual)?);
            on_threads.push(self.tasks_per_s(EngineKind::Threads)?);
        }
        let (r#virtual, threads) = (median(on_virtual), median(on_threads));
        let comparison = Comparison {
            tasks: self.tasks,
            repeat: self.repeat,
            r#virtual: Rate { tasks_per_s: r#virtual },
            threads: Rate { tasks_per_s: threads },
            ratio: r#virtual / threads,
        };
        if self.json {
            print_json(&comparison)?;
        } else {
            print(format_args!(
                "{} empty tasks, median of {} runs on each engine\nvirtual  {:>12.0} tasks/s\nthreads  {:>12.0} tasks/s\n\
                 ratio    {:>12.1}\n",
                self.tasks, self.repeat, r#virtual, threads, comparison.ratio
            ))?;
        }
        Ok(ExitStatus::Success)
    }

    fn tasks_per_s(&self, engine: EngineKind) -> Result<f64, Failure> {
        let case = CaseSpec::bundled(FLOOD).map_err(Failure::input)?;
        let parameters = vec![(TASKS.to_owned(), self.tasks.to_string())];
        let settings = RunSettings { engine, parameters, ..RunSettings::default() };
        let plan = RunPlan::new(case, &settings).map_err(Failure::input)?;
        let run = FinishedRun::of(plan, Arc::new(Pulse::default())).map_err(|error| Failure::of_device(&error))?;
        Failure::of_run(&run).map_or_else(|| Ok(run.summary.host_tasks_per_s().unwrap_or_default()), Err)
    }
}

/// The middle one, of an even number the mean of the two in the middle.
fn median(mut rates: Vec<f64>) -> f64 {
    rates.sort_by(f64::total_cmp);
    let middle = rates.len() / 2;
    if rates.len() % 2 == 1 { rates[middle] } else { (rates[middle - 1] + rates[middle]) / 2.0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_the_median_the_middle_one() {
        assert_eq!(median(vec![3.0, 1.0, 200.0]), 3.0);
        assert_eq!(median(vec![4.0, 1.0, 2.0, 100.0]), 3.0);
    }
}
