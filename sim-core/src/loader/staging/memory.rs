//! Objects in sealed memory.

use std::fs::File;
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::FileExt;
use std::path::Path;

use rustix::fs::MemfdFlags;

use super::super::faults::FaultPlan;
use super::super::ledger::LoadStrategy;
use super::super::preparation::Patch;
use super::Staged;
use super::names::{c_path, c_string, next_number, unique_file_name, unique_spelling};
use super::system::System;
use super::view::FileView;

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
    pub(in super::super) fn stage(&self, name: &str) -> io::Result<Staged> {
        Ok(SealedBytes(self.0.as_fd().try_clone_to_owned()?).staged(name, LoadStrategy::SealedMemfd))
    }

    /// The memory under a name never used before.
    pub(super) fn staged(self, name: &str, strategy: LoadStrategy) -> Staged {
        let called = Some(c_path(Path::new(&unique_file_name(name))));
        Staged { called, ..self.by_path(&format!("/proc/{}/fd", std::process::id()), strategy) }
    }

    /// The memory by its descriptor's name in this process, spelt as never before: spelt in the usual way, the dynamic
    /// linker would take it for whatever it opened under that number before.
    pub(super) fn by_descriptor(self) -> Staged {
        self.by_path("/proc/self/fd", LoadStrategy::ProcFd)
    }

    fn by_path(self, descriptors: &str, strategy: LoadStrategy) -> Staged {
        let path = unique_spelling(&format!("{descriptors}/{}", self.0.as_raw_fd()), next_number());
        Staged::new(c_string(path), strategy, Some(self.0))
    }

    pub(super) fn descriptor(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

/// Stages what was written into `memory`, which nobody can change any more.
pub fn stage_memory(name: &str, memory: OwnedFd) -> io::Result<Staged> {
    let system = System { faults: &FaultPlan::default() };
    Ok(SealedBytes::adopt(system, memory)?.staged(name, LoadStrategy::SealedMemfd))
}

/// Memory that somebody may write an object into, to be staged with [`stage_memory`]. It may be made executable, as files that are to be opened often are.
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
        let (first, second) = (sealed.stage("x").unwrap(), sealed.stage("x").unwrap());
        assert_ne!(first.path(), second.path());
        assert_ne!(first.name(), second.name());
    }
}
