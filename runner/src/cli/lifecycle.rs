//! `npusim bench lifecycle`: does a process that makes, uses and destroys devices all day stay as it is?
//!
//! What a device takes from the host's process - a namespace, file descriptors, mappings, memory - is counted after a
//! few cycles, when everything that is made once is there, and after the last one.

use std::sync::Arc;

use clap::Args;
use serde::Serialize;

use super::failure::Failure;
use super::{Done, print, print_json};
use crate::case::CaseSpec;
use crate::run::exit::ExitStatus;
use crate::run::finished::FinishedRun;
use crate::run::footprint::Footprint;
use crate::run::plan::RunPlan;
use crate::run::pulse::Pulse;
use crate::run::settings::RunSettings;

/// What each cycle runs.
const CASE: &str = "vector_example";
/// The cycle after which the process is as it should stay.
const SETTLED: u32 = 10;

#[derive(Debug, Args)]
pub(super) struct Lifecycle {
    /// How many devices are made, used and destroyed.
    #[arg(long, value_name = "N", default_value_t = 1_000,
          value_parser = clap::value_parser!(u32).range(i64::from(SETTLED) + 1..))]
    cycles: u32,
    /// Print one JSON object.
    #[arg(long)]
    json: bool,
}

/// What `--json` prints.
#[derive(Debug, Serialize)]
struct Comparison {
    cycles: u32,
    settled_after: u32,
    settled: FootprintBetween,
    last: FootprintBetween,
}

/// What the process holds while no device is there.
#[derive(Clone, Copy, Debug, Serialize)]
struct FootprintBetween {
    /// The namespace that the last device had.
    namespace: u32,
    #[serde(flatten)]
    process: Footprint,
}

impl Lifecycle {
    pub(super) fn execute(&self) -> Done {
        let mut settled = None;
        let mut namespace = 0;
        for cycle in 1..=self.cycles {
            namespace = run_once()?;
            if cycle == SETTLED {
                settled = Some(footprint(namespace)?);
            }
        }
        let last = footprint(namespace)?;
        let comparison =
            Comparison { cycles: self.cycles, settled_after: SETTLED, settled: settled.unwrap_or(last), last };
        if self.json {
            print_json(&comparison)?
        } else {
            print(format_args!("{}", table(&comparison)))?
        }
        Ok(ExitStatus::Success)
    }
}

/// Makes a device, runs the case on it and destroys it; gives the number of its namespace.
fn run_once() -> Result<u32, Failure> {
    let case = CaseSpec::bundled(CASE).map_err(Failure::input)?;
    let plan = RunPlan::new(case, &RunSettings::default()).map_err(Failure::input)?;
    let run = FinishedRun::of(plan, Arc::new(Pulse::default())).map_err(|error| Failure::of_device(&error))?;
    match Failure::of_run(&run) {
        Some(failure) => Err(failure),
        None => Ok(run.namespace()),
    }
}

fn footprint(namespace: u32) -> Result<FootprintBetween, Failure> {
    Ok(FootprintBetween { namespace, process: Footprint::now().map_err(Failure::input)? })
}

fn table(comparison: &Comparison) -> String {
    let Comparison { cycles, settled_after, settled, last } = comparison;
    let row = |name: &str, settled: u64, last: u64| format!("{name:<16}{settled:>16}{last:>16}\n");
    format!("{CASE}: {cycles} devices made, used and destroyed in one process\n")
        + &format!("{:<16}{:>16}{:>16}\n", "", format!("after {settled_after}"), format!("after {cycles}"))
        + &row("namespace", settled.namespace.into(), last.namespace.into())
        + &row("file descriptors", settled.process.fds as u64, last.process.fds as u64)
        + &row("mappings", settled.process.mappings as u64, last.process.mappings as u64)
        + &row("RSS in KiB", settled.process.rss_bytes / 1024, last.process.rss_bytes / 1024)
}
