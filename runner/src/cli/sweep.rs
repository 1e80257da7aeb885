//! `npusim sweep`.

use std::env;
use std::num::NonZero;
use std::path::PathBuf;
use std::thread;
use std::time::Instant;

use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};

use super::failure::Failure;
use super::options::DeviceOptions;
use super::{Done, print, print_json};
use crate::case::CaseSpec;
use crate::device::pool::{MOST_NAMESPACES, NamespacePool};
use crate::report::output::OutputDirectory;
use crate::run::exit::ExitStatus;
use crate::shard::Shard;
use crate::sweep::{SCHEMA, SweepPlan, SweepReport, SweepTable, csv, exit_of};

/// Run a case at every combination of values: --set and --param take lists (1,2,3) and ranges (1.2..1.8:7, which is
/// seven values from 1.2 to 1.8).
#[derive(Debug, Args)]
pub(super) struct SweepCommand {
    /// A bundled case (see `npusim list`) or the path of a case file.
    case: String,
    #[command(flatten)]
    device: DeviceOptions,
    /// How many points run at once, at most 15 [default: one per CPU].
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=64))]
    parallel: Option<u32>,
    /// Run only part i of n, such as 2/4; `npusim merge` joins the parts [default: the task of a SLURM array, or all].
    #[arg(long, value_name = "I/N")]
    shard: Option<Shard>,
    /// Say of each point where the time on its critical path went.
    #[arg(long)]
    explain: bool,
    /// Write sweep.json and sweep.csv into this directory.
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Print comma-separated values instead of a table.
    #[arg(long, conflicts_with = "json")]
    csv: bool,
    /// Print one JSON object instead of a table.
    #[arg(long)]
    json: bool,
}

/// The shard that was asked for on the command line, else by a batch scheduler.
pub(super) fn shard(asked_for: Option<Shard>) -> Result<Option<Shard>, Failure> {
    match asked_for {
        Some(shard) => Ok(Some(shard)),
        None => Shard::from_environment(|name| env::var(name).ok()).map_err(Failure::input),
    }
}

impl SweepCommand {
    pub(super) fn execute(&self) -> Done {
        let (settings, axes) = self.device.settings_of_sweep(self.explain).map_err(Failure::input)?;
        let case = CaseSpec::find(&self.case).map_err(Failure::input)?;
        let plan = SweepPlan::new(case, settings, axes).map_err(Failure::input)?;
        let shard = shard(self.shard)?;
        let out = self.out.clone().map(OutputDirectory::create).transpose().map_err(Failure::input)?;

        let all: Vec<usize> = (0..plan.grid.points()).collect();
        let points = shard.map_or_else(|| all.clone(), |shard| shard.part_of(all.clone()));
        let bar = bar_of(points.len() as u64);
        let begun = Instant::now();
        let rows = plan.run(&points, self.parallel(), &NamespacePool::new(MOST_NAMESPACES), |_| bar.inc(1));
        bar.finish_and_clear();
        let report = SweepReport {
            schema: SCHEMA,
            exit: exit_of(&rows),
            case: plan.case.name.clone(),
            arch: plan.arch.to_owned(),
            runtime: plan.case.runtime.name().to_owned(),
            shard: shard.map(|shard| plan.part(shard)),
            axes: plan.grid.axes().to_vec(),
            rows,
            host_ms: begun.elapsed().as_micros() as f64 / 1e3,
        };
        show(&report, out.as_ref(), self.csv, self.json)
    }

    fn parallel(&self) -> usize {
        let processors = || thread::available_parallelism().map_or(1, NonZero::get);
        self.parallel.map_or_else(processors, |count| count as usize).min(MOST_NAMESPACES)
    }
}

/// Writes and prints a sweep, and says the first thing that is wrong with it.
pub(super) fn show(report: &SweepReport, out: Option<&OutputDirectory>, as_csv: bool, json: bool) -> Done {
    if let Some(out) = out {
        out.write_text("sweep.csv", &csv(report)).map_err(Failure::input)?;
        out.write_json("sweep.json", report).map_err(Failure::input)?;
    }
    match (as_csv, json) {
        (true, _) => print(format_args!("{}", csv(report)))?,
        (_, true) => print_json(report)?,
        _ => print(format_args!("{}", SweepTable(report)))?,
    }
    let wrong: Vec<_> = report.rows.iter().filter(|row| row.exit != 0).collect();
    let Some(first) = wrong.first() else { return Ok(ExitStatus::Success) };
    let more = match wrong.len() - 1 {
        0 => String::new(),
        more => format!(" (and {more} more)"),
    };
    let values: Vec<String> =
        report.axes.iter().zip(&first.values).map(|(axis, value)| format!("{}={value}", axis.key)).collect();
    let complaint = first.complaint().unwrap_or_default();
    Err(Failure {
        status: ExitStatus::from_code(first.exit).unwrap_or(ExitStatus::DeviceFault),
        message: format!("{} with {}: {complaint}{more}", report.case, values.join(", ")),
        device_code: first.error.as_ref().and_then(|error| error.device_code),
        details: Vec::new(),
    })
}

/// It draws only if standard error is a terminal.
fn bar_of(points: u64) -> ProgressBar {
    let style = ProgressStyle::with_template("{spinner} {elapsed} [{bar:24}] {pos} of {len} points, {eta} left");
    let style = style.unwrap_or_else(|_| ProgressStyle::default_bar());
    ProgressBar::new(points).with_style(style.progress_chars("=> "))
}
