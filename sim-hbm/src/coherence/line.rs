//! Lines: how memory is divided, and the bytes of one.

use std::ops::Range;

/// The largest line.
pub(super) const MOST_BYTES: usize = 64;

/// The bytes of a line; those beyond its size are zero.
pub type LineBytes = [u8; MOST_BYTES];

/// A line of zeroes.
pub const EMPTY_LINE: LineBytes = [0; MOST_BYTES];

/// An aligned word of memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Access {
    /// Its address.
    pub address: u64,
    /// Its bytes, 8 at most.
    pub size: u32,
}

/// How memory is divided into lines.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lines {
    size: u64,
}

impl Lines {
    /// Lines of so many bytes: a power of two, from 8 to 64.
    pub fn new(size: u64) -> Self {
        Lines { size }
    }

    /// Bytes of a line.
    pub fn size(self) -> usize {
        self.size as usize
    }

    /// The address of the line that an access is in.
    pub fn of(self, access: Access) -> u64 {
        self.at(access.address)
    }

    /// The address of the line that an address is in.
    pub fn at(self, address: u64) -> u64 {
        address & !(self.size - 1)
    }

    /// The lines that a range touches.
    pub(super) fn overlapping(self, address: u64, size: u64) -> Range<u64> {
        let end = address.saturating_add(size).saturating_add(self.size - 1);
        self.at(address)..self.at(end)
    }

    /// All bytes of a line, a bit for each.
    pub(super) fn mask_of_line(self) -> u64 {
        u64::MAX >> (64 - self.size)
    }

    /// The bytes of an access in its line.
    pub(super) fn mask(self, access: Access) -> u64 {
        (u64::MAX >> (64 - access.size)) << self.place(access).start
    }

    fn place(self, access: Access) -> Range<usize> {
        let begin = (access.address - self.of(access)) as usize;
        begin..begin + access.size as usize
    }

    pub(super) fn value(self, access: Access, line: &LineBytes) -> u64 {
        let mut value = [0; 8];
        value[..access.size as usize].copy_from_slice(&line[self.place(access)]);
        u64::from_le_bytes(value)
    }

    pub(super) fn set(self, access: Access, line: &mut LineBytes, value: u64) {
        line[self.place(access)].copy_from_slice(&value.to_le_bytes()[..access.size as usize]);
    }
}

/// Which bytes of two lines differ.
pub(super) fn differences(one: &LineBytes, other: &LineBytes) -> u64 {
    let pairs = one.iter().zip(other).enumerate();
    pairs.filter(|(_, (one, other))| one != other).fold(0, |mask, (index, _)| mask | 1 << index)
}
