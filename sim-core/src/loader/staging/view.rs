//! Views: an object that is a range of a bigger file.
//!
//! The dynamic linker of glibc opens files from their beginning, so a view is copied into sealed memory, inside the
//! kernel and without a byte on any disk. Objects that come as bytes of the process are in no file; for them a file in
//! memory stands in, with the object behind other things, as in an archive.

use std::fs::File;
use std::io::{self, ErrorKind};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::FileExt;

use super::system::System;

/// What precedes the object where a file in memory stands in for an archive. Not a multiple of a page.
const HEAD: [u8; 96] =
    *b"npusim archive: the object begins behind this line, at an offset that is no multiple of a page.\n";

/// A range of a file.
#[derive(Debug)]
pub struct FileView {
    file: File,
    offset: u64,
    length: u64,
}

impl FileView {
    /// The range of `length` bytes from `offset`. It has to lie within the file.
    pub fn new(file: OwnedFd, offset: u64, length: u64) -> io::Result<FileView> {
        let file = File::from(file);
        let size = file.metadata()?.len();
        if offset.checked_add(length).is_none_or(|end| end > size) {
            let message = format!("{length} bytes from offset {offset} do not lie within a file of {size} bytes");
            return Err(io::Error::new(ErrorKind::InvalidInput, message));
        }
        Ok(FileView { file, offset, length })
    }

    /// A view of `bytes` in a bigger file in memory.
    pub(super) fn of_bytes(system: System<'_>, name: &str, bytes: &[u8]) -> io::Result<FileView> {
        let mut archive = system.memory(name)?;
        system.write_all(&mut archive, &HEAD)?;
        system.write_all(&mut archive, bytes)?;
        FileView::new(archive.into(), HEAD.len() as u64, bytes.len() as u64)
    }

    /// Its bytes.
    pub fn read(&self) -> io::Result<Vec<u8>> {
        let mut bytes = vec![0; usize::try_from(self.length).map_err(|_| ErrorKind::InvalidInput)?];
        self.file.read_exact_at(&mut bytes, self.offset)?;
        Ok(bytes)
    }

    pub(super) fn file(&self) -> BorrowedFd<'_> {
        self.file.as_fd()
    }

    pub(super) fn offset(&self) -> u64 {
        self.offset
    }

    pub(super) fn length(&self) -> u64 {
        self.length
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    #[test]
    fn is_a_view_its_range_and_nothing_beyond_the_file() {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(b"0123456789").unwrap();
        let view = |offset, length| FileView::new(file.try_clone().unwrap().into(), offset, length);
        assert_eq!(view(3, 4).unwrap().read().unwrap(), b"3456");
        assert_eq!(view(10, 0).unwrap().read().unwrap(), b"");
        assert_eq!(view(7, 4).unwrap_err().to_string(), "4 bytes from offset 7 do not lie within a file of 10 bytes");
        assert!(view(u64::MAX, 1).is_err());
    }
}
