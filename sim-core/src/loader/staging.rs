//! Staging: from bytes in memory to a path that the dynamic linker opens.
//!
//! The first choice is a sealed memfd: nothing on any disk, nothing left behind, and nobody can change the code once
//! it is loaded (an unsealed memfd that is written to changes running code). Where the kernel refuses that, the bytes
//! go into a file of their own in one of a few directories.
//!
//! The dynamic linker recognises an object by the *name* it was opened with before it looks at the file: opening
//! `/proc/self/fd/3` twice gives the first object, whatever descriptor 3 is by then. So each staged object is opened
//! through a name that was never used before: memory by a new spelling of its descriptor's path. No file system holds
//! anything of it at any time, so nothing can be left there, even by a process that is killed. Such a name says nothing,
//! so once the object is loaded the dynamic linker is given another for it ([`Staged::give_name`]), with the file stem
//! that some runtimes look for in it.

use std::ffi::{CStr, CString, OsString, c_void};
use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use super::ledger::{FailedStrategy, LoadStrategy};
use super::link;
use rustix::fs::{MemfdFlags, SealFlags};

/// Where objects may be staged.
#[derive(Clone, Debug)]
pub struct StagingArea {
    /// Try memory first.
    pub memfd: bool,
    /// Directories for files, in order.
    pub directories: Vec<PathBuf>,
    /// Put real files here, and leave them.
    pub keep: Option<PathBuf>,
}

impl Default for StagingArea {
    fn default() -> Self {
        let own = std::env::var_os("TMPDIR").filter(|own| !own.is_empty()).map(PathBuf::from);
        let usual = ["/dev/shm", "/tmp", "/var/tmp"].map(PathBuf::from);
        StagingArea { memfd: true, directories: own.into_iter().chain(usual).collect(), keep: None }
    }
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
    /// The file to remove.
    removes: Option<PathBuf>,
}

impl Staged {
    /// The path to open. It was never used before.
    pub fn path(&self) -> &CStr {
        &self.path
    }

    /// What it is called once it is loaded. It was never used before either.
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
}

impl Drop for Staged {
    fn drop(&mut self) {
        if let Some(path) = &self.removes {
            // Somebody else may have cleaned up already; there is nobody to tell.
            let _ = std::fs::remove_file(path);
        }
    }
}

/// Bytes in sealed memory, to be opened any number of times under different names.
#[derive(Debug)]
pub(super) struct SealedBytes(OwnedFd);

impl SealedBytes {
    pub(super) fn new(name: &str, bytes: &[u8]) -> io::Result<SealedBytes> {
        let flags = MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING;
        // dlopen needs no permission to execute; kernels before 6.3 do not know the flag that says so.
        let memory = rustix::fs::memfd_create(name, flags | MemfdFlags::NOEXEC_SEAL)
            .or_else(|_| rustix::fs::memfd_create(name, flags))?;
        let mut file = File::from(memory);
        file.write_all(bytes)?;
        SealedBytes::adopt(file.into())
    }

    /// Bytes that are in memory already; from now on nobody can change them.
    fn adopt(memory: OwnedFd) -> io::Result<SealedBytes> {
        rustix::fs::fcntl_add_seals(&memory, SealFlags::WRITE | SealFlags::SHRINK | SealFlags::GROW | SealFlags::SEAL)?;
        Ok(SealedBytes(memory))
    }

    /// A new name for the same memory.
    pub(super) fn stage(&self, name: &str) -> io::Result<Staged> {
        let memory = self.0.as_fd().try_clone_to_owned()?;
        let path = format!("/proc/{}/fd/{}", std::process::id(), memory.as_raw_fd());
        Ok(Staged {
            path: c_string(unique_spelling(&path, next_number())),
            called: Some(c_path(Path::new(&unique_file_name(name)))),
            strategy: LoadStrategy::SealedMemfd,
            _memory: Some(memory),
            removes: None,
        })
    }
}

/// Stages what was written into `memory`, which nobody can change any more.
pub fn stage_memory(name: &str, memory: OwnedFd) -> io::Result<Staged> {
    SealedBytes::adopt(memory)?.stage(name)
}

/// Memory that somebody may write an object into, to be staged with [`stage_memory`]. It may be made executable, as files that are to be opened often are.
pub fn writable_memory(name: &str) -> io::Result<OwnedFd> {
    let flags = MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING;
    // Kernels before 6.3 do not know the flag, and need none.
    let memory =
        rustix::fs::memfd_create(name, flags | MemfdFlags::EXEC).or_else(|_| rustix::fs::memfd_create(name, flags))?;
    Ok(memory)
}

impl StagingArea {
    /// Stages `bytes`; what was tried in vain goes to `fallbacks`. `Err`: nothing worked.
    pub(super) fn stage(&self, name: &str, bytes: &[u8], fallbacks: &mut Vec<FailedStrategy>) -> Result<Staged, ()> {
        let mut failed = |strategy: LoadStrategy, error: io::Error| {
            fallbacks.push(FailedStrategy { strategy, reason: error.to_string() });
        };
        if let Some(keep) = &self.keep {
            let strategy = LoadStrategy::KeptFile { directory: keep.display().to_string() };
            match write_file(keep, name, bytes, strategy.clone()) {
                Ok(mut staged) => {
                    staged.removes = None;
                    return Ok(staged);
                }
                Err(error) => failed(strategy, error),
            }
        }
        if self.memfd {
            match SealedBytes::new(name, bytes).and_then(|sealed| sealed.stage(name)) {
                Ok(staged) => return Ok(staged),
                Err(error) => failed(LoadStrategy::SealedMemfd, error),
            }
        }
        for directory in &self.directories {
            let strategy = LoadStrategy::TemporaryFile { directory: directory.display().to_string() };
            match write_file(directory, name, bytes, strategy.clone()) {
                Ok(staged) => return Ok(staged),
                Err(error) => failed(strategy, error),
            }
        }
        Err(())
    }
}

fn write_file(directory: &Path, name: &str, bytes: &[u8], strategy: LoadStrategy) -> io::Result<Staged> {
    let path = directory.join(unique_file_name(name));
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path)?;
    let staged = Staged { path: c_path(&path), called: None, strategy, _memory: None, removes: Some(path) };
    file.write_all(bytes)?;
    Ok(staged)
}

/// `npusim-<process>-<number>-<stem>.so`: unique in the file system, and it still says what it is.
fn unique_file_name(name: &str) -> OsString {
    let base = name.rsplit('/').next().unwrap_or(name).replace('\0', "_");
    let suffix = if base.contains(".so") { "" } else { ".so" };
    format!("npusim-{}-{}-{base}{suffix}", std::process::id(), next_number()).into()
}

/// The next of the numbers that make names unique in this process.
fn next_number() -> u64 {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    NEXT.fetch_add(1, Ordering::Relaxed)
}

/// The same path, spelt so that `number` can be read from it: an empty component for 0, a dot for 1.
fn unique_spelling(path: &str, number: u64) -> String {
    let bits = u64::BITS - number.leading_zeros();
    (0..bits).map(|bit| if number >> bit & 1 == 1 { "/." } else { "/" }).chain([path]).collect()
}

fn c_path(path: &Path) -> CString {
    c_string(path.as_os_str().as_bytes().to_vec())
}

/// Paths made here hold no zero byte; one from the environment that does is cut there by the system anyway.
fn c_string(bytes: impl Into<Vec<u8>>) -> CString {
    let mut bytes = bytes.into();
    bytes.retain(|byte| *byte != 0);
    CString::new(bytes).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use tempfile::tempdir;

    use super::*;

    fn read(staged: &Staged) -> Vec<u8> {
        std::fs::read(Path::new(std::ffi::OsStr::from_bytes(staged.path().to_bytes()))).unwrap()
    }

    #[test]
    fn does_a_staged_object_leave_nothing_behind() {
        let directory = tempdir().unwrap();
        let area = StagingArea { directories: vec![directory.path().to_owned()], ..StagingArea::default() };
        for memfd in [true, false] {
            let area = StagingArea { memfd, ..area.clone() };
            let staged = area.stage("libkernel.so", b"bytes", &mut Vec::new()).unwrap();
            assert_eq!(read(&staged), b"bytes");
            assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), usize::from(!memfd));
            drop(staged);
            assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 0);
        }
        std::fs::remove_dir(directory.path()).unwrap();
    }

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

    #[test]
    fn is_a_name_found_where_no_directory_can_be_written_to() {
        let area = StagingArea { directories: vec!["/proc/nowhere".into()], ..StagingArea::default() };
        let staged = area.stage("x.so", b"bytes", &mut Vec::new()).unwrap();
        assert_eq!(read(&staged), b"bytes");
        assert!(staged.name().to_string_lossy().ends_with("-x.so"), "{:?}", staged.name());
        assert_ne!(unique_spelling("/a", 1), unique_spelling("/a", 2));
    }

    #[test]
    fn are_strategies_tried_in_order_and_failures_kept() {
        let directory = tempdir().unwrap();
        let area = StagingArea {
            memfd: false,
            directories: vec!["/proc/nowhere".into(), directory.path().to_owned()],
            keep: Some("/proc/nowhere/else".into()),
        };
        let mut fallbacks = Vec::new();
        let staged = area.stage("x.so", b"bytes", &mut fallbacks).unwrap();
        assert_eq!(
            *staged.strategy(),
            LoadStrategy::TemporaryFile { directory: directory.path().display().to_string() }
        );
        let tried: Vec<String> = fallbacks.iter().map(|fallback| fallback.strategy.to_string()).collect();
        assert_eq!(tried, ["file kept in /proc/nowhere/else", "file in /proc/nowhere"]);
        drop(staged);
        std::fs::remove_dir(directory.path()).unwrap();
    }
}
