//! Snapshots of loaded objects that others may write over.
//!
//! Whoever empties and overwrites the file that an object was loaded from takes its code and data away, the dynamic
//! linker's own tables included: the next that looks at them, at the latest when the process ends, would crash. So what
//! is loaded from a path that others may use is remembered as it was once it was ready, and put back before the object
//! is closed. Its finalisers are not run then: they would find data of the past.

use std::ffi::c_void;
use std::fs::File;
use std::ops::Range;
use std::os::unix::fs::FileExt;

/// The mappings of an object, with what was in them.
#[derive(Debug, Default)]
pub(super) struct Snapshot(Vec<Mapping>);

#[derive(Debug)]
struct Mapping {
    addresses: Range<usize>,
    protection: i32,
    bytes: Vec<u8>,
}

impl Snapshot {
    /// What is in these addresses now. What cannot be read is left out.
    pub(super) fn take(range: &Range<usize>) -> Snapshot {
        let (Ok(maps), Ok(memory)) = (std::fs::read_to_string("/proc/self/maps"), File::open("/proc/self/mem")) else {
            return Snapshot::default();
        };
        let inside = maps.lines().filter_map(mapping_of).filter(|(addresses, protection)| {
            addresses.start >= range.start && addresses.start < range.end && *protection != libc::PROT_NONE
        });
        let read = |(addresses, protection): (Range<usize>, i32)| {
            let mut bytes = vec![0; addresses.len()];
            memory.read_exact_at(&mut bytes, addresses.start as u64).ok()?;
            Some(Mapping { addresses, protection, bytes })
        };
        Snapshot(inside.filter_map(read).collect())
    }

    /// Puts everything back.
    ///
    /// # Safety
    ///
    /// The object must still be mapped there, and nobody use it.
    pub(super) unsafe fn restore(&self) {
        for Mapping { addresses, protection, bytes } in &self.0 {
            let at = addresses.start as *mut c_void;
            let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_FIXED;
            // SAFETY: the caller vouches for the addresses; they are replaced as a whole.
            let mapped = unsafe { libc::mmap(at, bytes.len(), libc::PROT_READ | libc::PROT_WRITE, flags, -1, 0) };
            if mapped == at {
                // SAFETY: so many bytes were just mapped there, for writing.
                unsafe { std::ptr::copy_nonoverlapping(bytes.as_ptr(), at.cast(), bytes.len()) };
                // SAFETY: the same mapping.
                unsafe { libc::mprotect(at, bytes.len(), *protection) };
            }
        }
    }
}

/// The addresses and protection in a line like `7f00-7f01 r-xp 00000000 00:01 12 /file`.
fn mapping_of(line: &str) -> Option<(Range<usize>, i32)> {
    let mut words = line.split(' ');
    let (begin, end) = words.next()?.split_once('-')?;
    let access = words.next()?.as_bytes();
    let addresses = usize::from_str_radix(begin, 16).ok()?..usize::from_str_radix(end, 16).ok()?;
    let bits = [(b'r', libc::PROT_READ), (b'w', libc::PROT_WRITE), (b'x', libc::PROT_EXEC)];
    let protection = bits.iter().filter(|(letter, _)| access.contains(letter)).fold(0, |all, (_, bit)| all | bit);
    Some((addresses, protection))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_a_line_of_the_map_read_as_it_is_written() {
        let line = "7f1000-7f3000 r-xp 00001000 00:01 1042 /memfd:x (deleted)";
        assert_eq!(mapping_of(line), Some((0x7f1000..0x7f3000, libc::PROT_READ | libc::PROT_EXEC)));
    }

    #[test]
    fn is_a_file_that_was_emptied_put_back() {
        let file = tempfile::tempfile().unwrap();
        file.write_all_at(&[7; 4096], 0).unwrap();
        let descriptor = std::os::fd::AsRawFd::as_raw_fd(&file);
        // SAFETY: a new mapping of a file that is open.
        let at = unsafe { libc::mmap(std::ptr::null_mut(), 4096, libc::PROT_READ, libc::MAP_PRIVATE, descriptor, 0) };
        let snapshot = Snapshot::take(&(at as usize..at as usize + 4096));
        file.set_len(0).unwrap();
        // SAFETY: the mapping is still there, and used here alone.
        unsafe { snapshot.restore() };
        // SAFETY: it is mapped, and readable again.
        assert_eq!(unsafe { std::slice::from_raw_parts(at.cast::<u8>(), 4096) }, [7; 4096]);
        // SAFETY: mapped above.
        unsafe { libc::munmap(at, 4096) };
    }
}
