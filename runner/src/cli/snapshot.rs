//! `npusim snapshot`.

use std::fs;
use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::failure::Failure;
use super::options::DeviceOptions;
use super::{Done, print};
use crate::case::CaseSpec;
use crate::run::exit::ExitStatus;
use crate::snapshot::{Snapshot, SnapshotError, default_path};

/// Compare the virtual times and orders of a run with those of a text file, which is committed and reviewed.
#[derive(Debug, Args)]
pub(super) struct SnapshotCommand {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Run a case and compare it with its snapshot. The exit code is 1 if they differ.
    Check(SnapshotTarget),
    /// Run a case and write its snapshot.
    Accept(SnapshotTarget),
}

#[derive(Debug, Args)]
struct SnapshotTarget {
    /// A bundled case (see `npusim list`) or the path of a case file.
    case: String,
    /// The file of the snapshot [default: CASE-ARCH-RUNTIME.snap beside the case file, or in snapshots/ for a bundled
    /// case].
    #[arg(long, value_name = "FILE")]
    file: Option<PathBuf>,
    #[command(flatten)]
    device: DeviceOptions,
}

impl SnapshotCommand {
    pub(super) fn execute(&self) -> Done {
        match &self.action {
            Action::Check(target) => target.check(),
            Action::Accept(target) => target.accept(),
        }
    }
}

impl SnapshotTarget {
    fn check(&self) -> Done {
        let (snapshot, path) = self.take()?;
        match snapshot.check(&path) {
            Ok(()) => {
                print(format_args!("as in {}\n", path.display()))?;
                Ok(ExitStatus::Success)
            }
            Err(SnapshotError::Differs { difference, .. }) => {
                print(format_args!("{difference}"))?;
                Err(Failure {
                    status: ExitStatus::Mismatch,
                    message: format!(
                        "the run is not as in {}; if it should be so now, use `npusim snapshot accept`",
                        path.display()
                    ),
                    device_code: None,
                    details: Vec::new(),
                })
            }
            Err(error) => Err(Failure::input(error)),
        }
    }

    fn accept(&self) -> Done {
        let (snapshot, path) = self.take()?;
        if let Some(directory) = path.parent().filter(|directory| !directory.as_os_str().is_empty()) {
            fs::create_dir_all(directory).map_err(|error| {
                Failure::input(format_args!("cannot make {}: {error}; name a file with --file", directory.display()))
            })?;
        }
        snapshot.accept(&path).map_err(Failure::input)?;
        print(format_args!("written: {}\n", path.display()))?;
        Ok(ExitStatus::Success)
    }

    fn take(&self) -> Result<(Snapshot, PathBuf), Failure> {
        let settings = self.device.settings(true).map_err(Failure::input)?;
        let case = CaseSpec::find(&self.case).map_err(Failure::input)?.on_runtime(settings.runtime);
        let arch = settings.arch.unwrap_or(case.arch);
        let path = self.file.clone().unwrap_or_else(|| default_path(&case, arch.as_str()));
        let snapshot = Snapshot::of_case(&self.case, &settings).map_err(|error| match error {
            SnapshotError::Device(error) => Failure::of_device(&error),
            error => Failure::input(error),
        })?;
        Ok((snapshot, path))
    }
}
