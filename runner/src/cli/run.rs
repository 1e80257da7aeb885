//! `npusim run`.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::Args;
use serde::Serialize;

use super::failure::Failure;
use super::options::DeviceOptions;
use super::progress::Progress;
use super::{Done, print, print_json};
use crate::case::CaseSpec;
use crate::report::output::OutputDirectory;
use crate::report::table::SummaryTable;
use crate::run::exit::ExitStatus;
use crate::run::finished::FinishedRun;
use crate::run::plan::RunPlan;
use crate::run::pulse::Pulse;

/// Run a case.
#[derive(Debug, Args)]
pub(super) struct RunCommand {
    /// A bundled case (see `npusim list`) or the path of a case file.
    case: String,
    #[command(flatten)]
    device: DeviceOptions,
    /// Write reports into this directory: report, loads, trace (for Perfetto), swimlanes, dependencies, names.
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Print one JSON object instead of a table.
    #[arg(long)]
    json: bool,
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
        let run = self.prepare().and_then(|(plan, out)| {
            let pulse = Arc::new(Pulse::default());
            let progress = Progress::watch(&plan.case.name, Arc::clone(&pulse), None);
            let run = FinishedRun::of(plan, pulse).map_err(|error| Failure::of_device(&error));
            drop(progress);
            Ok((run?, out))
        });
        let (run, out) = match run {
            Ok(begun) => begun,
            Err(failure) => {
                self.print_not_begun(&failure)?;
                return Err(failure);
            }
        };
        if self.json {
            print_json(&run.summary)?;
        } else if run.status() != ExitStatus::BadInput {
            print(format_args!("{}", SummaryTable(&run.summary)))?;
        }
        let written = out.map(|out| run.write(&out)).transpose();
        let failure = Failure::of_run(&run);
        match (failure, written) {
            (Some(failure), _) => Err(failure),
            (None, Err(error)) => Err(Failure::input(error)),
            (None, Ok(_)) => Ok(run.status()),
        }
    }

    /// Checks everything that can be checked without a device.
    fn prepare(&self) -> Result<(RunPlan, Option<OutputDirectory>), Failure> {
        let settings = self.device.settings(self.out.is_some()).map_err(Failure::input)?;
        let case = CaseSpec::find(&self.case).map_err(Failure::input)?;
        let plan = RunPlan::new(case, &settings).map_err(Failure::input)?;
        if let Some(directory) = &settings.keep_objects {
            make_directory(directory)?;
        }
        let out = self.out.clone().map(OutputDirectory::create).transpose().map_err(Failure::input)?;
        Ok((plan, out))
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
