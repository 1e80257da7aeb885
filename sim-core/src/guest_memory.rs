//! Reading and writing memory that guests point to, which may not be there.
//!
//! A hook that follows one pointer of its caller does so as the guest, and a bad one ends the guest
//! ([`crate::engine::CurrentActor::as_guest`]). That is too much for a structure that a guest has left behind, of which
//! nobody knows yet whether it is one: here a bad address is an answer, [`Unreadable`].

use std::ops::Range;

/// {length} bytes at {address:#x} cannot be read
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error, displaydoc::Display)]
pub struct Unreadable {
    /// The first of them.
    pub address: u64,
    /// How many were asked for.
    pub length: u64,
}

/// {length} bytes at {address:#x} cannot be written
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error, displaydoc::Display)]
pub struct Unwritable {
    /// The first of them.
    pub address: u64,
    /// How many there were.
    pub length: u64,
}

/// Memory with holes.
pub trait GuestMemory {
    /// Copies pieces, each an address and how many bytes, to one place, one behind the other.
    fn read(&self, pieces: &[Piece], to: &mut [u8]) -> Result<(), Unreadable>;
}

/// A part of memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Piece {
    /// Where it begins.
    pub address: u64,
    /// How many bytes it has.
    pub length: usize,
}

/// The memory of this process. The system does the copying, and says where there is none.
#[derive(Clone, Copy, Debug, Default)]
pub struct OwnMemory;

/// The most pieces that the system takes at once.
const MOST_PIECES: usize = 1024;

impl GuestMemory for OwnMemory {
    fn read(&self, pieces: &[Piece], mut to: &mut [u8]) -> Result<(), Unreadable> {
        for pieces in pieces.chunks(MOST_PIECES) {
            let length = pieces.iter().map(|piece| piece.length).sum();
            let (here, rest) = to.split_at_mut(length);
            read_at_once(pieces, here)?;
            to = rest;
        }
        Ok(())
    }
}

impl OwnMemory {
    /// Copies bytes to a place. If not all of it is there to be written to, some of them may have been copied.
    pub fn write(&self, address: u64, bytes: &[u8]) -> Result<(), Unwritable> {
        let local = libc::iovec { iov_base: bytes.as_ptr().cast_mut().cast(), iov_len: bytes.len() };
        let remote = libc::iovec { iov_base: address as *mut _, iov_len: bytes.len() };
        // SAFETY: the local part is the slice, which is only read; the system checks the other. Whoever calls decides
        // that guests see these bytes there, as with any store of a guest.
        let copied = unsafe { libc::process_vm_writev(libc::getpid(), &raw const local, 1, &raw const remote, 1, 0) };
        if usize::try_from(copied) == Ok(bytes.len()) {
            return Ok(());
        }
        Err(Unwritable { address, length: bytes.len() as u64 })
    }
}

fn read_at_once(pieces: &[Piece], to: &mut [u8]) -> Result<(), Unreadable> {
    let local = libc::iovec { iov_base: to.as_mut_ptr().cast(), iov_len: to.len() };
    let remote: Vec<libc::iovec> =
        pieces.iter().map(|piece| libc::iovec { iov_base: piece.address as *mut _, iov_len: piece.length }).collect();
    // SAFETY: the local part is the slice; the others are only read, by the system, which checks them.
    let copied = unsafe {
        let count = remote.len() as libc::c_ulong;
        libc::process_vm_readv(libc::getpid(), &raw const local, 1, remote.as_ptr(), count, 0)
    };
    let mut copied = usize::try_from(copied).unwrap_or(0);
    // What comes before the first piece that is not there has been copied.
    for piece in pieces {
        if copied < piece.length {
            return Err(Unreadable { address: piece.address, length: piece.length as u64 });
        }
        copied -= piece.length;
    }
    Ok(())
}

/// Pieces that are wanted together: one call of the system for all of them.
#[derive(Debug, Default)]
pub struct Wanted {
    pieces: Vec<Piece>,
    total: usize,
}

/// Where a piece of [`Wanted`] will be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ticket(Range<usize>);

/// What was wanted.
#[derive(Debug)]
pub struct Fetched(Vec<u8>);

impl Wanted {
    /// One more piece.
    pub fn add(&mut self, address: u64, length: usize) -> Ticket {
        let begin = self.total;
        self.total += length;
        if length > 0 {
            self.pieces.push(Piece { address, length });
        }
        Ticket(begin..self.total)
    }

    /// Copies them all.
    pub fn fetch(self, memory: &impl GuestMemory) -> Result<Fetched, Unreadable> {
        let mut bytes = vec![0; self.total];
        memory.read(&self.pieces, &mut bytes)?;
        Ok(Fetched(bytes))
    }
}

impl Fetched {
    /// The bytes of one piece.
    pub fn bytes(&self, ticket: &Ticket) -> &[u8] {
        &self.0[ticket.0.clone()]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Two pages of which the second is not there.
    struct Edge(*mut u8);

    const PAGE: usize = 4096;

    impl Edge {
        fn new() -> Edge {
            // SAFETY: new memory, of which the second half is given back at once.
            let pages = unsafe {
                let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS;
                let access = libc::PROT_READ | libc::PROT_WRITE;
                let pages = libc::mmap(std::ptr::null_mut(), 2 * PAGE, access, flags, -1, 0).cast::<u8>();
                libc::mprotect(pages.add(PAGE).cast(), PAGE, libc::PROT_NONE);
                std::slice::from_raw_parts_mut(pages, PAGE).fill(7);
                pages
            };
            Edge(pages)
        }

        fn end(&self) -> u64 {
            self.0 as u64 + PAGE as u64
        }
    }

    impl Drop for Edge {
        fn drop(&mut self) {
            // SAFETY: the pages are this test's.
            unsafe { libc::munmap(self.0.cast(), 2 * PAGE) };
        }
    }

    #[test]
    fn is_memory_that_is_not_there_an_answer() {
        let edge = Edge::new();
        let read = |address, length| {
            let mut wanted = Wanted::default();
            let ticket = wanted.add(address, length);
            wanted.fetch(&OwnMemory).map(|fetched| fetched.bytes(&ticket).to_vec())
        };
        assert_eq!(read(edge.end() - 3, 3), Ok(vec![7; 3]));
        assert_eq!(read(edge.end() - 3, 4), Err(Unreadable { address: edge.end() - 3, length: 4 }));
        for address in [0, 8, u64::MAX - 3, 0x8000_0000_0000_0000] {
            assert_eq!(read(address, 2), Err(Unreadable { address, length: 2 }));
        }
        assert_eq!(read(0, 0), Ok(Vec::new()));
    }

    #[test]
    fn is_memory_that_cannot_be_written_to_an_answer() {
        let edge = Edge::new();
        let mut place = [0u8; 4];
        assert_eq!(OwnMemory.write((&raw mut place) as u64, &[1, 2, 3, 4]), Ok(()));
        // SAFETY: the array is this test's; the compiler does not know that it was written to.
        assert_eq!(unsafe { (&raw const place).read_volatile() }, [1, 2, 3, 4]);
        for address in [0, edge.end() - 3] {
            assert_eq!(OwnMemory.write(address, &[0; 4]), Err(Unwritable { address, length: 4 }));
        }
    }

    #[test]
    fn do_thousands_of_pieces_keep_their_order_and_the_first_bad_one_is_named() {
        let values: Vec<u32> = (0..3000).collect();
        let address = |index: usize| (&raw const values[index]) as u64;
        let mut wanted = Wanted::default();
        let tickets: Vec<Ticket> = (0..values.len()).rev().map(|index| wanted.add(address(index), 4)).collect();
        let fetched = wanted.fetch(&OwnMemory).unwrap();
        let numbers = tickets.iter().map(|ticket| u32::from_le_bytes(fetched.bytes(ticket).try_into().unwrap()));
        assert!(numbers.eq((0..3000).rev()));

        let edge = Edge::new();
        let mut wanted = Wanted::default();
        for index in 0..2000 {
            let _ = wanted.add(address(index), 4);
        }
        wanted.add(edge.end(), 1);
        wanted.add(0, 1);
        assert_eq!(wanted.fetch(&OwnMemory).unwrap_err(), Unreadable { address: edge.end(), length: 1 });
    }
}
