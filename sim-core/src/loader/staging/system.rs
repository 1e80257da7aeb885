//! What staging asks of the system, step by step, with the planned faults in their places.

use std::fs::{File, OpenOptions};
use std::io::{self, ErrorKind, Write};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use rustix::fs::{MemfdFlags, Mode, OFlags, SealFlags};
use rustix::io::Errno;

use super::super::faults::{FaultPlan, LoadFault};

/// Files with code are for this user alone.
const MODE: u32 = 0o600;

/// The system, as far as a plan of faults lets it be reached.
#[derive(Clone, Copy)]
pub(super) struct System<'a> {
    pub(super) faults: &'a FaultPlan,
}

impl System<'_> {
    /// A memory file. The dynamic linker needs no permission to execute.
    pub(super) fn memory(self, name: &str) -> io::Result<File> {
        self.faults.strike(&[
            LoadFault::MemoryUnknown,
            LoadFault::MemoryForbidden,
            LoadFault::MemoryNotExecutable,
            LoadFault::NoDescriptor,
        ])?;
        let flags = MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING;
        // Kernels before 6.3 do not know the flag that says that it is not executable.
        let memory = rustix::fs::memfd_create(name, flags | MemfdFlags::NOEXEC_SEAL)
            .or_else(|_| rustix::fs::memfd_create(name, flags))?;
        Ok(memory.into())
    }

    /// From now on nobody can change the memory.
    pub(super) fn seal(self, memory: &OwnedFd) -> io::Result<()> {
        /// Before each of these refusals the kernel itself has waited for 150 ms.
        const PATIENCE: u32 = 20;
        for _ in 1..PATIENCE {
            match self.try_to_seal(memory) {
                // Somebody still holds a page of it, such as another processor's list of pages just written.
                Err(Errno::BUSY) => std::thread::yield_now(),
                sealed => return Ok(sealed?),
            }
        }
        Ok(self.try_to_seal(memory)?)
    }

    fn try_to_seal(self, memory: &OwnedFd) -> Result<(), Errno> {
        if self.faults.strikes(LoadFault::SealBusy) {
            return Err(Errno::BUSY);
        }
        rustix::fs::fcntl_add_seals(memory, SealFlags::WRITE | SealFlags::SHRINK | SealFlags::GROW | SealFlags::SEAL)
    }

    /// A file that was not there before.
    pub(super) fn new_file(self, path: &Path) -> io::Result<File> {
        self.faults.strike(&[LoadFault::ReadOnlyDirectory, LoadFault::NoDescriptor])?;
        OpenOptions::new().write(true).create_new(true).mode(MODE).open(path)
    }

    /// A file that is there, emptied.
    pub(super) fn emptied_file(self, path: &Path) -> io::Result<File> {
        self.faults.strike(&[LoadFault::ReadOnlyDirectory, LoadFault::NoDescriptor])?;
        OpenOptions::new().write(true).truncate(true).custom_flags(libc::O_NOFOLLOW).open(path)
    }

    /// A file without a name.
    pub(super) fn unnamed_file(self, directory: &Path) -> io::Result<File> {
        self.faults.strike(&[LoadFault::ReadOnlyDirectory, LoadFault::NoDescriptor])?;
        let flags = OFlags::TMPFILE | OFlags::RDWR | OFlags::CLOEXEC;
        Ok(rustix::fs::open(directory, flags, Mode::from_raw_mode(MODE))?.into())
    }

    /// A symbolic link. No descriptor is needed for it.
    pub(super) fn link(self, target: &str, link: &Path) -> io::Result<()> {
        self.faults.strike(&[LoadFault::ReadOnlyDirectory])?;
        std::os::unix::fs::symlink(target, link)
    }

    /// Writes all of `bytes`, however many calls it takes.
    pub(super) fn write_all(self, file: &mut File, mut bytes: &[u8]) -> io::Result<()> {
        while !bytes.is_empty() {
            match self.write(file, bytes) {
                Ok(0) => return Err(ErrorKind::WriteZero.into()),
                Ok(written) => bytes = &bytes[written..],
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    fn write(self, file: &mut File, bytes: &[u8]) -> io::Result<usize> {
        self.faults.strike(&[LoadFault::NoSpace, LoadFault::Interrupted])?;
        let taken = if self.faults.strikes(LoadFault::ShortWrite) { bytes.len().div_ceil(2) } else { bytes.len() };
        file.write(&bytes[..taken])
    }

    /// Appends a range of one file to another; the bytes do not leave the kernel.
    pub(super) fn copy_range(self, to: &File, from: BorrowedFd<'_>, offset: u64, length: u64) -> io::Result<()> {
        let (mut at, end) = (offset, offset.checked_add(length).ok_or(ErrorKind::InvalidInput)?);
        while at < end {
            self.faults.strike(&[LoadFault::NoSpace])?;
            let left = usize::try_from(end - at).unwrap_or(usize::MAX);
            match rustix::fs::sendfile(to.as_fd(), from, Some(&mut at), left) {
                Ok(0) => return Err(ErrorKind::UnexpectedEof.into()),
                Ok(_) | Err(Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }
}
