//! `npusim bench lifecycle`: does a process that makes, uses and destroys devices all day stay as it is?
//!
//! What a device takes from the host's process - a namespace, file descriptors, mappings, memory - is counted after a
//! few cycles, when everything that is made once is there, and after the last one.

use std::fs;
use std::sync::Arc;

use clap::Args;
use serde::Serialize;

use super::failure::Failure;
use super::{Done, print, print_json};
use crate::case::CaseSpec;
use crate::run::exit::ExitStatus;
use crate::run::finished::FinishedRun;
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
    settled: Footprint,
    last: Footprint,
}

/// What the process holds while no device is there.
#[derive(Clone, Copy, Debug, Serialize)]
struct Footprint {
    /// The namespace that the last device had.
    namespace: u32,
    fds: usize,
    mappings: usize,
    rss_bytes: u64,
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

fn footprint(namespace: u32) -> Result<Footprint, Failure> {
    let read = |file: &str| {
        fs::read_to_string(file).map_err(|error| Failure::input(format_args!("{file} cannot be read: {error}")))
    };
    let fds = fs::read_dir("/proc/self/fd").map(Iterator::count);
    let fds = fds.map_err(|error| Failure::input(format_args!("/proc/self/fd cannot be read: {error}")))?;
    let status = read("/proc/self/status")?;
    Ok(Footprint { namespace, fds, mappings: read("/proc/self/maps")?.lines().count(), rss_bytes: rss_of(&status) })
}

/// The resident bytes that `/proc/self/status` names: `VmRSS:     1234 kB`.
fn rss_of(status: &str) -> u64 {
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kib = line.and_then(|line| line.split_whitespace().next()).and_then(|number| number.parse::<u64>().ok());
    kib.unwrap_or(0) * 1024
}

fn table(comparison: &Comparison) -> String {
    let Comparison { cycles, settled_after, settled, last } = comparison;
    let row = |name: &str, settled: u64, last: u64| format!("{name:<16}{settled:>16}{last:>16}\n");
    format!("{CASE}: {cycles} devices made, used and destroyed in one process\n")
        + &format!("{:<16}{:>16}{:>16}\n", "", format!("after {settled_after}"), format!("after {cycles}"))
        + &row("namespace", settled.namespace.into(), last.namespace.into())
        + &row("file descriptors", settled.fds as u64, last.fds as u64)
        + &row("mappings", settled.mappings as u64, last.mappings as u64)
        + &row("RSS in KiB", settled.rss_bytes / 1024, last.rss_bytes / 1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn which_line_of_the_status_counts() {
        assert_eq!(rss_of("VmHWM:\t  999 kB\nVmRSS:\t  1234 kB\nRssAnon:\t 1 kB\n"), 1234 * 1024);
    }
}
