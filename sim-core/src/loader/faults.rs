//! Faults that a load can be made to meet, for those who want to know what becomes of it then.
//!
//! A [`FaultPlan`] is data that is handed to a loader ([`StagingArea::faults`](super::staging::StagingArea)); there is
//! nothing global about it. Each step of a load that can fail asks its plan (`FaultPlan::strikes`) before it asks the
//! system, and fails in the way in which the system would. What comes of each is in `docs/loading-faults.md`, which a
//! test writes.

use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};

use rustix::io::Errno;

/// Something that goes wrong in a load.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum LoadFault {
    /// The kernel has no memory files: `memfd_create` gives `ENOSYS`.
    MemoryUnknown,
    /// A sandbox forbids them: `EPERM`.
    MemoryForbidden,
    /// `vm.memfd_noexec` forbids them: `EACCES`.
    MemoryNotExecutable,
    /// The process has no file descriptor left: `EMFILE`.
    NoDescriptor,
    /// There is no room for the bytes: `ENOSPC`.
    NoSpace,
    /// A write takes only half of what it is given.
    ShortWrite,
    /// A signal interrupts a write: `EINTR`.
    Interrupted,
    /// Somebody holds a page of a memory file that is to be sealed: `EBUSY`.
    SealBusy,
    /// A file is on a file system from which no code may be mapped.
    NoexecMount,
    /// A directory cannot be written to: `EROFS`.
    ReadOnlyDirectory,
    /// Somebody removes a file or a link between its making and the dynamic linker's opening it.
    UnlinkRace,
    /// The dynamic linker refuses to open it.
    LinkRefused,
    /// The object does not have the symbol that is asked for.
    MissingEntry,
    /// An initialiser throws, nobody catches, and the program is told to abort.
    InitialiserThrows,
    /// A finaliser never comes back.
    FinaliserHangs,
}

impl LoadFault {
    /// Every fault, in the order of the steps of a load.
    pub const ALL: [LoadFault; 15] = [
        LoadFault::MemoryUnknown,
        LoadFault::MemoryForbidden,
        LoadFault::MemoryNotExecutable,
        LoadFault::NoDescriptor,
        LoadFault::NoSpace,
        LoadFault::ShortWrite,
        LoadFault::Interrupted,
        LoadFault::SealBusy,
        LoadFault::ReadOnlyDirectory,
        LoadFault::UnlinkRace,
        LoadFault::NoexecMount,
        LoadFault::LinkRefused,
        LoadFault::MissingEntry,
        LoadFault::InitialiserThrows,
        LoadFault::FinaliserHangs,
    ];

    /// What the system says then, for faults of which it says something.
    pub(super) fn errno(self) -> Option<Errno> {
        Some(match self {
            LoadFault::MemoryUnknown => Errno::NOSYS,
            LoadFault::MemoryForbidden => Errno::PERM,
            LoadFault::MemoryNotExecutable => Errno::ACCESS,
            LoadFault::NoDescriptor => Errno::MFILE,
            LoadFault::NoSpace => Errno::NOSPC,
            LoadFault::Interrupted => Errno::INTR,
            LoadFault::SealBusy => Errno::BUSY,
            LoadFault::ReadOnlyDirectory => Errno::ROFS,
            _ => return None,
        })
    }
}

impl fmt::Display for LoadFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            LoadFault::MemoryUnknown => "memfd_create: ENOSYS",
            LoadFault::MemoryForbidden => "memfd_create: EPERM",
            LoadFault::MemoryNotExecutable => "memfd_create: EACCES (memfd_noexec)",
            LoadFault::NoDescriptor => "no descriptor left: EMFILE",
            LoadFault::NoSpace => "write: ENOSPC",
            LoadFault::ShortWrite => "short write",
            LoadFault::Interrupted => "write: EINTR",
            LoadFault::ReadOnlyDirectory => "read-only directory: EROFS",
            LoadFault::UnlinkRace => "removed before it is opened",
            LoadFault::SealBusy => "F_ADD_SEALS: EBUSY",
            LoadFault::NoexecMount => "noexec mount",
            LoadFault::LinkRefused => "dlopen fails",
            LoadFault::MissingEntry => "missing entry symbol",
            LoadFault::InitialiserThrows => "initialiser throws",
            LoadFault::FinaliserHangs => "finaliser never returns",
        })
    }
}

/// Which faults a loader meets, and how often. Empty unless somebody plans one.
#[derive(Debug, Default)]
pub struct FaultPlan(Mutex<Vec<Planned>>);

#[derive(Debug)]
struct Planned {
    fault: LoadFault,
    left: u32,
}

/// How many occasions are every occasion.
pub const ALWAYS: u32 = u32::MAX;

impl FaultPlan {
    /// Lets a fault strike at the next so many occasions.
    pub fn meet(&self, fault: LoadFault, occasions: u32) {
        self.planned().push(Planned { fault, left: occasions });
    }

    /// Forgets everything that was planned.
    pub fn clear(&self) {
        self.planned().clear();
    }

    /// Whether a fault strikes at this occasion.
    pub(super) fn strikes(&self, fault: LoadFault) -> bool {
        let mut planned = self.planned();
        let Some(planned) = planned.iter_mut().find(|planned| planned.fault == fault && planned.left > 0) else {
            return false;
        };
        if planned.left != ALWAYS {
            planned.left -= 1;
        }
        true
    }

    fn planned(&self) -> MutexGuard<'_, Vec<Planned>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Fails as the system would, if one of these faults strikes.
    pub(super) fn strike(&self, faults: &[LoadFault]) -> std::io::Result<()> {
        let errno = faults.iter().find(|fault| self.strikes(**fault)).and_then(|fault| fault.errno());
        errno.map_or(Ok(()), |errno| Err(errno.into()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn does_a_fault_strike_as_often_as_planned() {
        let plan = FaultPlan::default();
        plan.meet(LoadFault::NoSpace, 1);
        plan.meet(LoadFault::Interrupted, ALWAYS);
        let strikes: Vec<bool> = (0..3).map(|_| plan.strikes(LoadFault::NoSpace)).collect();
        assert_eq!(strikes, [true, false, false]);
        assert!((0..3).all(|_| plan.strikes(LoadFault::Interrupted)));
        assert!(!plan.strikes(LoadFault::ShortWrite));
        assert_eq!(plan.strike(&[LoadFault::Interrupted]).unwrap_err().raw_os_error(), Some(libc::EINTR));
    }
}
