//! Files that a runtime makes to write an object into, and opens then: they are memory from the start.

use std::ffi::{OsStr, c_int};
use std::fs::File;
use std::io::Read;
use std::os::fd::{AsFd, AsRawFd, IntoRawFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;

use sim_core::loader::staging::writable_memory;

use super::error::ObjectError;

/// A file that a runtime has made and not opened yet.
pub(super) struct Written {
    path: Vec<u8>,
    /// Where its bytes are, unless it is a file indeed.
    pub(super) memory: Option<OwnedFd>,
}

impl Written {
    /// The bytes that the runtime has written.
    pub(super) fn read(&self) -> Result<Vec<u8>, ObjectError> {
        let path = PathBuf::from(OsStr::from_bytes(&self.path));
        let read = |mut file: File| {
            let mut bytes = Vec::new();
            file.read_to_end(&mut bytes).map(|_| bytes)
        };
        let bytes = match &self.memory {
            // A descriptor of its own begins at the beginning.
            Some(memory) => File::open(format!("/proc/self/fd/{}", memory.as_raw_fd())).and_then(read),
            None => std::fs::read(&path),
        };
        bytes.map_err(|error| ObjectError::Read { path, error })
    }
}

/// The files that runtimes of this process have made and not opened yet.
#[derive(Default)]
pub(crate) struct WrittenFiles {
    files: Vec<Written>,
    /// How many there were in all.
    count: u64,
}

/// What stands for the unique part in the template of a file name.
const PLACEHOLDER: &[u8] = b"XXXXXX";

impl WrittenFiles {
    /// Makes a file with a name that was never used, for a runtime to write an object into. `template` gets the name;
    /// the last `suffix` bytes of it stay. `None`: that takes a real file.
    pub(crate) fn create(&mut self, template: &mut [u8], suffix: usize) -> Option<c_int> {
        let end = template.len().checked_sub(suffix)?;
        let begin = end.checked_sub(PLACEHOLDER.len()).filter(|begin| &template[*begin..end] == PLACEHOLDER)?;
        let memory = writable_memory(&String::from_utf8_lossy(last_part(template))).ok()?;
        let descriptor = memory.as_fd().try_clone_to_owned().ok()?;
        self.count += 1;
        template[begin..end].copy_from_slice(format!("{:06}", self.count % 1_000_000).as_bytes());
        self.files.push(Written { path: template.to_vec(), memory: Some(memory) });
        Some(descriptor.into_raw_fd())
    }

    /// A runtime has made a real file for an object.
    pub(crate) fn note(&mut self, path: &[u8]) {
        self.files.push(Written { path: path.to_vec(), memory: None });
    }

    /// A runtime removes a file that it has made: whether that was memory.
    pub(crate) fn remove(&mut self, path: &[u8]) -> bool {
        let index = self.files.iter().position(|written| written.path == path);
        index.is_some_and(|index| self.files.remove(index).memory.is_some())
    }

    /// A runtime opens a file that it has made.
    pub(super) fn take(&mut self, path: &[u8]) -> Option<Written> {
        let index = self.files.iter().position(|written| written.path == path)?;
        Some(self.files.remove(index))
    }
}

/// The name of a file without its directories.
pub(super) fn last_part(path: &[u8]) -> &[u8] {
    path.rsplit(|byte| *byte == b'/').next().unwrap_or(path)
}
