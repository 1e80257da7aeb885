//! `npusim run`.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::Args;
use serde::Serialize;

use super::failure::Failure;
use super::options::{DeviceOptions, OF_OWN_DEVICE};
use super::progress::Progress;
use super::{Done, print, print_json};
use crate::case::CaseSpec;
use crate::device::EngineKind;
use crate::report::attribution::{Attribution, AttributionTable};
use crate::report::output::{OutputDirectory, OutputError, check_file, write_file};
use crate::report::summary::RunSummary;
use crate::report::table::SummaryTable;
use crate::run::exit::ExitStatus;
use crate::run::finished::FinishedRun;
use crate::run::native::{FinishedNativeRun, NativePlan};
use crate::run::plan::RunPlan;
use crate::run::pulse::Pulse;
use crate::run::under_preload;

/// Run a case.
#[derive(Debug, Args)]
pub(super) struct RunCommand {
    /// A bundled case (see `npusim list`) or the path of a case file.
    case: String,
    /// Run it on the artifacts of a runtime: libhost_runtime.so, libaicpu_kernel.so and libaicore_kernel.so of this
    /// directory. With --engine threads they run in the threads of their own simulator.
    #[arg(long, value_name = "DIR", conflicts_with_all = OF_OWN_DEVICE)]
    runtime_dir: Option<PathBuf>,
    #[command(flatten)]
    device: DeviceOptions,
    /// Write reports into this directory: report, loads, trace (for Perfetto), swimlanes, dependencies, names; with
    /// --runtime-dir report, loads, names and each run.
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Say where the device time went: the critical path by cause, idle cores, kernels. With --json as `attribution`.
    #[arg(long, conflicts_with = "runtime_dir")]
    explain: bool,
    /// Write the timeline as one page for a browser into this file.
    #[arg(long, value_name = "FILE", conflicts_with = "runtime_dir")]
    html: Option<PathBuf>,
    /// Print one JSON object instead of a table.
    #[arg(long)]
    json: bool,
}

/// What `--json` prints of a run.
#[derive(Serialize)]
struct Shown<'a> {
    #[serde(flatten)]
    summary: &'a RunSummary,
    #[serde(skip_serializing_if = "Option::is_none")]
    attribution: Option<&'a Attribution>,
}

/// What `--json` prints of a run that did not begin.
#[derive(Serialize)]
struct NotBegun<'a> {
    case: &'a str,
    exit: u8,
    error: Message<'a>,
}

#[derive(Serialize)]
struct Message<'a> {
    message: &'a str,
    device_code: Option<u32>,
}

impl RunCommand {
    pub(super) fn execute(&self) -> Done {
        match &self.runtime_dir {
            None => self.on_device(),
            Some(directory) => self.on_artifacts(directory),
        }
    }

    /// Runs the case on a device of npusim's own.
    fn on_device(&self) -> Done {
        let run = self.prepare().and_then(|(plan, out)| {
            if let Some(without_effect) = plan.transfer_without_effect() {
                eprintln!("npusim: {without_effect}");
            }
            let pulse = Arc::new(Pulse::default());
            let progress = Progress::watch(&plan.input.case.name, Arc::clone(&pulse), None);
            let run = FinishedRun::of(plan, pulse).map_err(|error| Failure::of_device(&error));
            drop(progress);
            Ok((run?, out))
        });
        let (run, out) = self.begun(run)?;
        for finding in run.findings() {
            eprintln!("npusim: the driver found: {finding}");
        }
        for finding in &run.summary.run.visibility {
            eprintln!("npusim: {finding}");
        }
        for differing in run.differing_programs() {
            eprintln!("npusim: {differing}");
        }
        for trace in &run.summary.run.kernel_traces {
            if let Some(finding) = &trace.finding {
                eprintln!("npusim: kernel {}, by its trace: {finding}", trace.kernel);
            }
        }
        let explained = run.explain();
        let attribution = explained.as_ref().map(|explained| &explained.attribution).filter(|_| self.explain);
        self.show(&run.summary, attribution, run.status(), Failure::of_run(&run), || {
            if let (Some(path), Some(explained)) = (&self.html, &explained) {
                write_file(path, |writer| run.html_page(explained).write(writer))?;
            }
            out.map(|out| run.write(&out, explained.as_ref())).transpose().map(drop)
        })
    }

    /// Runs the case on artifacts, which bring a device of their own.
    fn on_artifacts(&self, directory: &Path) -> Done {
        let run = self.prepare_artifacts(directory).and_then(|(plan, out)| {
            let account = plan.engine().map(under_preload).transpose().map_err(Failure::input)?;
            let run = FinishedNativeRun::of(plan, account).map_err(Failure::input)?;
            Ok((run, out))
        });
        let (run, out) = self.begun(run)?;
        self.show(&run.summary, None, run.status(), Failure::of_native_run(&run), || {
            out.map(|out| run.write(&out)).transpose().map(drop)
        })
    }

    /// A run that did not begin is reported and ends the command.
    fn begun<R>(&self, run: Result<R, Failure>) -> Result<R, Failure> {
        if let Err(failure) = &run {
            self.print_not_begun(failure)?;
        }
        run
    }

    /// Reports a run that is over.
    fn show(
        &self,
        summary: &RunSummary,
        attribution: Option<&Attribution>,
        status: ExitStatus,
        failure: Option<Failure>,
        write: impl FnOnce() -> Result<(), OutputError>,
    ) -> Done {
        if self.json {
            print_json(&Shown { summary, attribution })?;
        } else if status != ExitStatus::BadInput {
            print(format_args!("{}", SummaryTable(summary)))?;
            if let Some(attribution) = attribution {
                print(format_args!("\n{}", AttributionTable(attribution)))?;
            }
        }
        match (failure, write()) {
            (Some(failure), _) => Err(failure),
            (None, Err(error)) => Err(Failure::input(error)),
            (None, Ok(())) => Ok(status),
        }
    }

    /// Checks everything that can be checked without a device.
    fn prepare(&self) -> Result<(RunPlan, Option<OutputDirectory>), Failure> {
        let keep_events = self.out.is_some() || self.explain || self.html.is_some();
        let settings = self.device.settings(keep_events).map_err(Failure::input)?;
        if settings.engine == EngineKind::Threads && (self.explain || self.html.is_some()) {
            return Err(Failure::input(
                "--explain and --html need virtual time, which --engine threads does not have: take virtual or naive",
            ));
        }
        let case = CaseSpec::find(&self.case).map_err(Failure::input)?;
        let plan = RunPlan::new(case, &settings).map_err(Failure::input)?;
        if let Some(directory) = &settings.keep_objects {
            make_directory(directory)?;
        }
        if let Some(path) = &self.html {
            check_file(path).map_err(Failure::input)?;
        }
        Ok((plan, self.output()?))
    }

    /// Checks everything that can be checked without loading an artifact.
    fn prepare_artifacts(&self, directory: &Path) -> Result<(NativePlan, Option<OutputDirectory>), Failure> {
        let settings = self.device.settings(false).map_err(Failure::input)?;
        let case = CaseSpec::find(&self.case).map_err(Failure::input)?;
        let plan = NativePlan::new(case, &settings, directory).map_err(Failure::input)?;
        Ok((plan, self.output()?))
    }

    fn output(&self) -> Result<Option<OutputDirectory>, Failure> {
        self.out.clone().map(OutputDirectory::create).transpose().map_err(Failure::input)
    }

    fn print_not_begun(&self, failure: &Failure) -> Result<(), Failure> {
        if !self.json {
            return Ok(());
        }
        let error = Message { message: &failure.message, device_code: failure.device_code };
        print_json(&NotBegun { case: &self.case, exit: failure.status.code(), error })
    }
}

/// Makes the directory of `--keep-so`: nobody would notice objects that are not there before they are needed.
fn make_directory(path: &Path) -> Result<(), Failure> {
    fs::create_dir_all(path).map_err(|error| {
        Failure::input(format_args!(
            "cannot keep objects in {}: {error}; name a directory that can be created or written with --keep-so",
            path.display()
        ))
    })
}
