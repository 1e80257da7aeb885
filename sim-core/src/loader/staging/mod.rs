//! Staging: from bytes in memory to a path that the dynamic linker opens.
//!
//! How that is done is data: a [`Ladder`] of [strategies](Strategy), tried in order. By default it is a sealed memory
//! file (nothing on any disk, nothing left behind, and nobody can change the code once it is loaded; an unsealed one
//! that is written to changes running code) and, where the kernel refuses that, a file of its own in one of a few
//! directories. The others are what runtimes have used or could use, each a file here: [`memory`](self), `file`, `view`,
//! `sandbox`.
//!
//! The dynamic linker recognises an object by the *name* it was opened with before it looks at the file: opening
//! `/proc/self/fd/3` twice gives the first object, whatever descriptor 3 is by then. So each staged object is opened
//! through a name that was never used before: memory by a new spelling of its descriptor's path. No file system holds
//! anything of it at any time, so nothing can be left there, even by a process that is killed. Such a name says nothing,
//! so once the object is loaded the dynamic linker is given another for it ([`Staged::give_name`]), with the file stem
//! that some runtimes look for in it. [`Strategy::FixedPath`] does without, and is there to show what follows from that.

pub mod aicpu_os;
mod file;
mod memory;
mod names;
pub mod sandbox;
mod strategy;
mod system;
mod view;

use std::collections::BTreeMap;
use std::ffi::{CStr, CString, c_void};
use std::io;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::faults::{FaultPlan, LoadFault};
use super::ledger::{FailedStrategy, LoadOrigin, LoadStrategy};
use super::link;
use super::preparation::{Patch, Preparation};
use crate::trace::ContentHash;

use self::aicpu_os::{AicpuOs, Claim, PathUser};
pub(super) use self::memory::SealedBytes;
pub use self::memory::{stage_memory, writable_memory};
use self::names::{c_path, c_string, next_number, unique_file_name, unique_spelling};
use self::sandbox::{Sandbox, Trial};
use self::strategy::Attempt;
pub use self::strategy::{BadChoice, Ladder, LadderChoice, Strategy, UnknownStrategy};
use self::system::System;
pub use self::view::FileView;

/// The directories in which AICPU code looks for a place for a shared object, in its order, from the root of a file
/// system. The first is where an installation puts its own.
const DEVICE_DIRECTORIES: [&str; 5] =
    ["usr/lib64/aicpu_kernels/0/aicpu_kernels_device", "usr/lib64", "var/tmp", "tmp", "dev/shm"];

/// How and where objects may be staged.
#[derive(Clone, Debug)]
pub struct StagingArea {
    /// What is tried, in order.
    pub ladder: Ladder,
    /// What is tried for objects that are this to the device, instead.
    pub ladder_of: BTreeMap<LoadOrigin, Ladder>,
    /// Directories for files and links, in order.
    pub directories: Vec<PathBuf>,
    /// Put real files here before anything else is tried, and leave them.
    pub keep: Option<PathBuf>,
    /// What goes wrong.
    pub faults: Arc<FaultPlan>,
    /// With whom fixed paths are shared.
    pub os: Arc<AicpuOs>,
    /// What collisions call whoever loads here.
    pub worker: String,
    /// What the sandbox runs.
    pub sandbox: Option<Sandbox>,
}

impl Default for StagingArea {
    fn default() -> Self {
        let own = std::env::var_os("TMPDIR").filter(|own| !own.is_empty()).map(PathBuf::from);
        let usual = ["/dev/shm", "/tmp", "/var/tmp"].map(PathBuf::from);
        StagingArea {
            ladder: Ladder::default(),
            ladder_of: BTreeMap::new(),
            directories: own.into_iter().chain(usual).collect(),
            keep: None,
            faults: Arc::default(),
            os: Arc::default(),
            worker: "this process".to_owned(),
            sandbox: None,
        }
    }
}

/// The directories that AICPU code goes through, in a file system with this root.
pub fn device_directories(root: &Path) -> Vec<PathBuf> {
    DEVICE_DIRECTORIES.iter().map(|directory| root.join(directory)).collect()
}

/// An object that the dynamic linker can open. What it left in a file system goes when this goes.
#[derive(Debug)]
pub struct Staged {
    path: CString,
    /// What it is called once it is loaded, if not by its path.
    called: Option<CString>,
    strategy: LoadStrategy,
    /// Keeps the memory until the object is loaded.
    _memory: Option<OwnedFd>,
    /// The link or file that is no longer needed then.
    leftover: Option<Leftover>,
    /// The bytes are in a file of a directory.
    in_file: bool,
    /// The path is one that others may use.
    claim: Option<Claim>,
}

impl Staged {
    fn new(path: CString, strategy: LoadStrategy, memory: Option<OwnedFd>) -> Self {
        Staged { path, called: None, strategy, _memory: memory, leftover: None, in_file: false, claim: None }
    }

    /// The path to open. It was never used before, unless it is a fixed one.
    pub fn path(&self) -> &CStr {
        &self.path
    }

    /// What it is called once it is loaded.
    pub fn name(&self) -> &CStr {
        self.called.as_deref().unwrap_or(&self.path)
    }

    /// Lets the dynamic linker call the object, which it has opened as `handle`, by its name from now on.
    pub fn give_name(&self, handle: *mut c_void) {
        if let Some(name) = &self.called {
            link::rename(handle, name);
        }
    }

    /// What the dynamic linker says of it, with its name in place of the path.
    pub fn in_words(&self, message: &str) -> String {
        message.replace(&*self.path.to_string_lossy(), &self.name().to_string_lossy())
    }

    /// How it was staged.
    pub fn strategy(&self) -> &LoadStrategy {
        &self.strategy
    }

    pub(super) fn claim(&self) -> Option<&Claim> {
        self.claim.as_ref()
    }

    /// What has to be kept while the object is loaded.
    pub(super) fn into_claim(self) -> Option<Claim> {
        self.claim
    }

    /// What the dynamic linker is to say instead of opening it, if something is planned.
    pub(super) fn planned_refusal(&self, faults: &FaultPlan) -> Option<String> {
        let path = self.path.to_string_lossy();
        if faults.strikes(LoadFault::UnlinkRace) {
            // For real: the linker then says what it says.
            let leftover = self.leftover.as_ref().map(|leftover| leftover.0.clone());
            let path = leftover.or_else(|| self.claim.is_some().then(|| PathBuf::from(&*path)));
            let _ = path.map(std::fs::remove_file);
        }
        if self.in_file && faults.strikes(LoadFault::NoexecMount) {
            return Some(format!("{path}: failed to map segment from shared object"));
        }
        let refused = faults.strikes(LoadFault::LinkRefused);
        refused.then(|| format!("{path}: cannot read file data: Input/output error"))
    }
}

/// A link or file that is removed with this.
#[derive(Debug)]
struct Leftover(PathBuf);

impl Drop for Leftover {
    fn drop(&mut self) {
        // Somebody else may have cleaned up already; there is nobody to tell.
        let _ = std::fs::remove_file(&self.0);
    }
}

/// Why an attempt did not stage an object.
pub(super) enum StageFailure {
    /// Another attempt may.
    Strategy(String),
    /// It is the object's own fault, whatever is tried.
    Object(String),
}

impl From<io::Error> for StageFailure {
    fn from(error: io::Error) -> Self {
        StageFailure::Strategy(error.to_string())
    }
}

/// An object that is to be staged.
#[derive(Clone, Copy)]
pub(super) struct Staging<'a> {
    pub(super) origin: LoadOrigin,
    pub(super) name: &'a str,
    pub(super) content: ContentHash,
    pub(super) bytes: &'a [u8],
    pub(super) preparation: &'a Preparation,
}

/// How far an object has come down a ladder.
#[derive(Default)]
pub(super) struct Descent {
    attempts_made: usize,
    /// What was tried in vain.
    pub(super) failed: Vec<FailedStrategy>,
}

impl Descent {
    /// The attempt that staged it came to nothing in the end.
    pub(super) fn failed(&mut self, strategy: LoadStrategy, reason: String) {
        self.failed.push(FailedStrategy { strategy, reason });
    }
}

impl StagingArea {
    /// Stages a range of a file, changed in some places.
    pub(super) fn stage_view(&self, name: &str, view: &FileView, patches: &[Patch]) -> io::Result<Staged> {
        Ok(SealedBytes::copy_view(self.system(), name, view, patches)?.staged(name, LoadStrategy::View))
    }

    /// Stages an object with the first attempt that works of those that were not made yet. `Err`: none is left.
    pub(super) fn stage(&self, staging: Staging<'_>, descent: &mut Descent) -> Result<Staged, ()> {
        let ladder = self.ladder_of.get(&staging.origin).unwrap_or(&self.ladder);
        let attempts = Attempt::all(self.keep.as_deref(), ladder, &self.directories);
        for attempt in attempts.iter().skip(descent.attempts_made) {
            descent.attempts_made += 1;
            match self.attempt(attempt, staging) {
                Ok(staged) => return Ok(staged),
                Err(StageFailure::Strategy(reason)) => descent.failed(attempt.record(), reason),
                Err(StageFailure::Object(reason)) => {
                    descent.failed(attempt.record(), reason);
                    return Err(());
                }
            }
        }
        Err(())
    }

    fn attempt(&self, attempt: &Attempt, staging: Staging<'_>) -> Result<Staged, StageFailure> {
        let (system, strategy) = (self.system(), attempt.record());
        let Staging { name, content, bytes, preparation, .. } = staging;
        let sealed = || SealedBytes::copy(system, name, bytes);
        Ok(match attempt {
            Attempt::Kept(directory) => file::kept(system, directory, name, bytes, strategy)?,
            Attempt::Memfd => sealed()?.staged(name, strategy),
            Attempt::ProcFd => sealed()?.by_descriptor(),
            Attempt::UniqueFile(directory) => file::unique(system, directory, name, bytes, strategy)?,
            Attempt::UnnamedFile(directory) => file::unnamed(self, directory, name, bytes, strategy)?,
            Attempt::FixedPath(directory) => {
                let user = PathUser { worker: self.worker.clone(), object: name.to_owned(), content };
                file::fixed(self, directory, name, user, bytes, strategy)?
            }
            Attempt::View => {
                let view = FileView::of_bytes(system, name, bytes)?;
                SealedBytes::copy_view(system, name, &view, &[])?.staged(name, strategy)
            }
            Attempt::Sandbox => {
                let sandbox = self.sandbox.as_ref().ok_or_else(no_sandbox)?;
                let sealed = sealed()?;
                match sandbox.try_out(sealed.descriptor(), preparation) {
                    Trial::Passed => sealed.staged(name, strategy),
                    Trial::Refused(reason) => return Err(StageFailure::Object(reason)),
                    Trial::Impossible(reason) => return Err(StageFailure::Strategy(reason)),
                }
            }
        })
    }

    fn system(&self) -> System<'_> {
        System { faults: &self.faults }
    }

    /// A name never used before that leads to `target`, and what to remove when it is no longer needed.
    fn link(&self, name: &str, target: &str) -> (CString, Option<Leftover>) {
        let file_name = unique_file_name(name);
        let link = self
            .directories
            .iter()
            .map(|directory| directory.join(&file_name))
            .find(|link| self.system().link(target, link).is_ok());
        match link {
            Some(link) => (c_path(&link), Some(Leftover(link))),
            // No directory can be written to: a spelling of the same path that was never used before.
            None => (c_string(unique_spelling(target, next_number())), None),
        }
    }
}

fn no_sandbox() -> StageFailure {
    StageFailure::Strategy("there is no program for the sandbox".to_owned())
}

#[cfg(test)]
mod tests {
    use std::os::unix::ffi::OsStrExt;

    use tempfile::tempdir;

    use super::*;

    fn read(staged: &Staged) -> Vec<u8> {
        std::fs::read(Path::new(std::ffi::OsStr::from_bytes(staged.path().to_bytes()))).unwrap()
    }

    fn stage(area: &StagingArea, name: &str, descent: &mut Descent) -> Staged {
        let preparation = &Preparation::default();
        area.stage(
            Staging { origin: LoadOrigin::Kernel, name, content: ContentHash(1), bytes: b"bytes", preparation },
            descent,
        )
        .unwrap()
    }

    #[test]
    fn does_a_staged_object_leave_nothing_behind() {
        let directory = tempdir().unwrap();
        for strategy in Strategy::ALL.into_iter().filter(|strategy| *strategy != Strategy::Sandbox) {
            let directories = vec![directory.path().to_owned()];
            let area = StagingArea { ladder: strategy.into(), directories, ..StagingArea::default() };
            let staged = stage(&area, "libkernel.so", &mut Descent::default());
            assert_eq!(read(&staged), b"bytes", "{strategy}");
            let in_memory = [Strategy::Memfd, Strategy::ProcFd, Strategy::View].contains(&strategy);
            let entries = usize::from(!in_memory);
            assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), entries, "{strategy}");
            drop(staged);
            assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 0, "{strategy}");
        }
        std::fs::remove_dir(directory.path()).unwrap();
    }

    #[test]
    fn is_a_name_found_where_no_directory_can_be_written_to() {
        let area = StagingArea { directories: vec!["/proc/nowhere".into()], ..StagingArea::default() };
        assert_eq!(read(&stage(&area, "x.so", &mut Descent::default())), b"bytes");
    }

    #[test]
    fn are_strategies_tried_in_order_and_failures_kept() {
        let directory = tempdir().unwrap();
        let area = StagingArea {
            ladder: Strategy::UniqueFile.into(),
            directories: vec!["/proc/nowhere".into(), directory.path().to_owned()],
            keep: Some("/proc/nowhere/else".into()),
            ..StagingArea::default()
        };
        let mut descent = Descent::default();
        let staged = stage(&area, "x.so", &mut descent);
        assert_eq!(
            *staged.strategy(),
            LoadStrategy::TemporaryFile { directory: directory.path().display().to_string() }
        );
        let tried: Vec<String> = descent.failed.iter().map(ToString::to_string).collect();
        let reason = "No such file or directory (os error 2)";
        assert_eq!(
            tried,
            [format!("file kept in /proc/nowhere/else: {reason}"), format!("file in /proc/nowhere: {reason}")]
        );
        drop(staged);
        std::fs::remove_dir(directory.path()).unwrap();
    }

    #[test]
    fn which_directories_has_the_file_system_of_a_device() {
        let root = tempdir().unwrap();
        std::fs::create_dir_all(root.path().join("var/tmp")).unwrap();
        let directories = device_directories(root.path());
        let area = StagingArea { ladder: Strategy::FixedPath.into(), directories, ..StagingArea::default() };
        let mut descent = Descent::default();
        let staged = stage(&area, "libdevice_orch_cid0.so", &mut descent);
        let path = root.path().join(format!("var/tmp/libdevice_orch_cid0_{}.so", std::process::id()));
        assert_eq!(staged.path(), &*c_path(&path));
        assert_eq!(descent.failed.len(), 2);
    }
}
