//! Snapshots of virtual time: a small text that says how long a run takes and in which order it does what.
//!
//! A snapshot is committed beside a case and reviewed like code. It holds only what is the same on every machine: virtual
//! times, orders, names; no host time, no address, no hash of compiled bytes. A run with few kernels is shown kernel by
//! kernel; one with many by its first ones and a digest of all.
//!
//! In tests of your own:
//!
//! ```no_run
//! use std::path::Path;
//! use npusim::run::settings::RunSettings;
//! use npusim::snapshot::Snapshot;
//!
//! let now = Snapshot::of_case("cases/mine.json", &RunSettings::default()).unwrap();
//! now.assert(Path::new("cases/mine.snap"));
//! ```
//!
//! With `NPUSIM_SNAPSHOT=accept` in the environment, [`Snapshot::assert`] writes the file instead of comparing with it.

mod difference;
mod text;

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::case::{CaseError, CaseSpec};
use crate::device::EngineKind;
use crate::device::error::DeviceError;
use crate::report::output::{OutputError, write_file};
use crate::run::finished::FinishedRun;
use crate::run::plan::{PlanError, RunPlan};
use crate::run::settings::RunSettings;

pub use difference::LineDifference;

/// `accept` in it lets [`Snapshot::assert`] accept whatever is new.
pub const VARIABLE: &str = "NPUSIM_SNAPSHOT";

/// Why there is no snapshot, or why it does not pass.
#[derive(Debug, thiserror::Error, displaydoc::Display)]
pub enum SnapshotError {
    /// {0}
    Case(#[from] CaseError),
    /// {0}
    Plan(#[from] PlanError),
    /// {0}
    Device(#[from] DeviceError),
    /// a snapshot needs virtual time, which --engine threads does not have: take virtual or naive
    NoVirtualTime,
    /// {path:?} cannot be read: {source}
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// there is no snapshot {path:?}: look at the run, then make it with `npusim snapshot accept`
    Missing {
        /// The file.
        path: PathBuf,
    },
    /// {path:?} is no snapshot of this version: its first line is not `{expected}`
    NotASnapshot {
        /// The file.
        path: PathBuf,
        /// How it should begin.
        expected: &'static str,
    },
    /// the run is not as in {path:?}
    Differs {
        /// The file.
        path: PathBuf,
        /// What is different.
        difference: LineDifference,
    },
    /// {0}
    Output(#[from] OutputError),
}

/// What a run does in virtual time, as text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Snapshot {
    text: String,
}

impl Snapshot {
    /// Runs a case, a bundled one or a file, and takes the snapshot. A run that ends early has one too: that of what
    /// happened until then, and how it ended.
    pub fn of_case(case: &str, settings: &RunSettings) -> Result<Snapshot, SnapshotError> {
        let settings = RunSettings { keep_events: true, ..settings.clone() };
        if settings.engine == EngineKind::Threads {
            return Err(SnapshotError::NoVirtualTime);
        }
        let plan = RunPlan::new(CaseSpec::find(case)?, &settings)?;
        let run = FinishedRun::of(plan, Arc::default())?;
        Snapshot::of_run(&run)
    }

    /// The snapshot of a run that has kept its events ([`RunSettings::keep_events`]).
    pub fn of_run(run: &FinishedRun) -> Result<Snapshot, SnapshotError> {
        let explained = run.explain().ok_or(SnapshotError::NoVirtualTime)?;
        Ok(Snapshot { text: text::text(&run.summary, &explained, run.names()) })
    }

    /// Compares with the snapshot in a file.
    pub fn check(&self, path: &Path) -> Result<(), SnapshotError> {
        let accepted = match std::fs::read_to_string(path) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                return Err(SnapshotError::Missing { path: path.to_owned() });
            }
            Err(source) => return Err(SnapshotError::Read { path: path.to_owned(), source }),
        };
        // A file may have been checked out with other ends of lines.
        let accepted = accepted.replace("\r\n", "\n");
        if accepted.lines().next() != Some(text::FIRST_LINE) {
            return Err(SnapshotError::NotASnapshot { path: path.to_owned(), expected: text::FIRST_LINE });
        }
        match LineDifference::between(&accepted, &self.text) {
            None => Ok(()),
            Some(difference) => Err(SnapshotError::Differs { path: path.to_owned(), difference }),
        }
    }

    /// Writes the snapshot into a file, as what is expected from now on.
    pub fn accept(&self, path: &Path) -> Result<(), SnapshotError> {
        use std::io::Write;
        Ok(write_file(path, |writer| writer.write_all(self.text.as_bytes()))?)
    }

    /// For tests: compares with the snapshot in a file, or accepts it if the environment says so ([`VARIABLE`]).
    ///
    /// # Panics
    /// If the run is not as in the file, with what is different.
    #[track_caller]
    pub fn assert(&self, path: &Path) {
        let accepts = std::env::var_os(VARIABLE).is_some_and(|value| value == "accept");
        let outcome = if accepts { self.accept(path) } else { self.check(path) };
        match outcome {
            Ok(()) => {}
            Err(SnapshotError::Differs { path, difference }) => {
                panic!(
                    "the run is not as in {path:?}; if it should be so now, test with {VARIABLE}=accept\n{difference}"
                )
            }
            Err(error) => panic!("{error}"),
        }
    }
}

impl fmt::Display for Snapshot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// Where the snapshot of a case is by default: beside its file, or in `snapshots` for a bundled one.
pub fn default_path(case: &CaseSpec, arch: &str) -> PathBuf {
    let name = format!("{}-{arch}-{}.snap", case.name, case.runtime.name());
    match &case.origin {
        crate::case::CaseOrigin::File(path) => path.with_file_name(name),
        crate::case::CaseOrigin::Bundled(_) => Path::new("snapshots").join(name),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn snapshot(text: &str) -> Snapshot {
        Snapshot { text: format!("{}\n{text}", text::FIRST_LINE) }
    }

    #[test]
    fn is_what_was_accepted_what_passes() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("x.snap");
        let missing = snapshot("a\n").check(&path).unwrap_err().to_string();
        assert!(missing.starts_with("there is no snapshot") && missing.contains("x.snap"), "{missing}");
        snapshot("a\nb\n").accept(&path).unwrap();
        snapshot("a\nb\n").check(&path).unwrap();
        let Err(SnapshotError::Differs { difference, .. }) = snapshot("a\nc\n").check(&path) else { panic!() };
        assert_eq!(difference.to_string(), "  npusim snapshot 1\n  a\n- b\n+ c\n");
        std::fs::write(&path, "{}").unwrap();
        assert!(matches!(snapshot("a\n").check(&path), Err(SnapshotError::NotASnapshot { .. })));
    }

    #[test]
    fn do_ends_of_lines_of_another_system_matter() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("x.snap");
        std::fs::write(&path, snapshot("a\nb\n").to_string().replace('\n', "\r\n")).unwrap();
        snapshot("a\nb\n").check(&path).unwrap();
    }

    #[test]
    fn where_is_the_snapshot_of_a_case() {
        let case = CaseSpec::bundled("chain").unwrap();
        assert_eq!(default_path(&case, "a5"), Path::new("snapshots/chain-a5-tensormap_and_ringbuffer.snap"));
        let case = CaseSpec { origin: crate::case::CaseOrigin::File("my/own.json".into()), ..case };
        assert_eq!(default_path(&case, "a2a3"), Path::new("my/chain-a2a3-tensormap_and_ringbuffer.snap"));
    }
}
