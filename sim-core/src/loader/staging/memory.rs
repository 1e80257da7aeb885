//! Objects in sealed memory.

use std::fs::File;
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::FileExt;

use rustix::fs::MemfdFlags;

use super::super::faults::FaultPlan;
use super::super::ledger::LoadStrategy;
use super::super::preparation::Patch;
use super::names::{c_string, next_number, unique_spelling};
use super::system::System;
use super::view::FileView;
use super::{Staged, StagingArea};

/// Bytes in sealed memory, to be opened any number of times under different names.
#[derive(Debug)]
pub(in super::super) struct SealedBytes(OwnedFd);

impl SealedBytes {
    /// A copy of `bytes`, made without a fault.
    pub(in super::super) fn new(name: &str, bytes: &[u8]) -> io::Result<SealedBytes> {
        SealedBytes::copy(System { faults: &FaultPlan::default() }, name, bytes)
    }

    /// A copy of `bytes`.
    pub(super) fn copy(system: System<'_>, name: &str, bytes: &[u8]) -> io::Result<SealedBytes> {
        let mut file = system.memory(name)?;
        system.write_all(&mut file, bytes)?;
        SealedBytes::adopt(system, file.into())
    }

    /// A copy of a range of a file, changed in some places.
    pub(super) fn copy_view(
        system: System<'_>,
        name: &str,
        view: &FileView,
        patches: &[Patch],
    ) -> io::Result<SealedBytes> {
        let file: File = system.memory(name)?;
        system.copy_range(&file, view.file(), view.offset(), view.length())?;
        for (at, byte) in patches {
            file.write_all_at(&[*byte], *at as u64)?;
        }
        SealedBytes::adopt(system, file.into())
    }

    /// Bytes that are in memory already; from now on nobody can change them.
    pub(super) fn adopt(system: System<'_>, memory: OwnedFd) -> io::Result<SealedBytes> {
        system.seal(&memory)?;
        Ok(SealedBytes(memory))
    }

    /// A new name for the same memory.
    pub(in super::super) fn stage(&self, area: &StagingArea, name: &str) -> io::Result<Staged> {
        Ok(SealedBytes(self.0.as_fd().try_clone_to_owned()?).staged(area, name, LoadStrategy::SealedMemfd))
    }

    /// The memory behind a link with a new name.
    pub(super) fn staged(self, area: &StagingArea, name: &str, strategy: LoadStrategy) -> Staged {
        let target = format!("/proc/{}/fd/{}", std::process::id(), self.0.as_raw_fd());
        let (path, leftover) = area.link(name, &target);
        Staged { leftover, ..Staged::new(path, strategy, Some(self.0)) }
    }

    /// The memory by its descriptor's name in this process, spelt as never before: spelt in the usual way, the dynamic
    /// linker would take it for whatever it opened under that number before.
    pub(super) fn by_descriptor(self) -> Staged {
        let path = unique_spelling(&format!("/proc/self/fd/{}", self.0.as_raw_fd()), next_number());
        Staged::new(c_string(path), LoadStrategy::ProcFd, Some(self.0))
    }

    pub(super) fn descriptor(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

/// Memory that somebody may write an object into, to be staged with [`StagingArea::stage_memory`]. It may be made
/// executable, as files that are to be opened often are.
pub fn writable_memory(name: &str) -> io::Result<OwnedFd> {
    let flags = MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING;
    // Kernels before 6.3 do not know the flag, and need none.
    let memory =
        rustix::fs::memfd_create(name, flags | MemfdFlags::EXEC).or_else(|_| rustix::fs::memfd_create(name, flags))?;
    Ok(memory)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn can_sealed_bytes_still_be_changed() {
        let sealed = SealedBytes::new("x", b"bytes").unwrap();
        assert!(rustix::io::write(&sealed.0, b"y").is_err());
        assert!(rustix::fs::ftruncate(&sealed.0, 0).is_err());
    }

    #[test]
    fn is_every_name_new_even_for_the_same_bytes() {
        let sealed = SealedBytes::new("x", b"bytes").unwrap();
        let area = StagingArea::default();
        let (first, second) = (sealed.stage(&area, "x").unwrap(), sealed.stage(&area, "x").unwrap());
        assert_ne!(first.path(), second.path());
    }
}
