//! The address range of one device: reserved as a whole, committed in chunks, filled with the policy's pattern.

use std::mem;
use std::num::NonZeroUsize;
use std::ops::Range;

use mmap_rs::{MemoryAreas, MmapFlags, MmapMut, MmapOptions, ReservedNone, UnsafeMmapFlags};
use rustix::mm::{Advice, madvise};

use crate::byte_size::ByteSize;
use crate::device_ptr::DevicePtr;
use crate::error::HbmError;
use crate::fill::{FillPattern, FillPolicy};
use crate::ordinal::OrdinalLease;

/// Where device 0 lives: below anything that address randomisation places, and far above the program's heap.
pub const BASE_ADDRESS: u64 = 0x2000_0000_0000;

/// How far apart two devices live.
pub const ORDINAL_STRIDE: u64 = 1 << 40;

/// The most memory that a device can have.
pub const MAX_CAPACITY: u64 = 144 << 30;

/// What is committed at once: one period of the pattern, so that a chunk is one mapping of the pattern's file.
const CHUNK: u64 = FillPattern::LENGTH;

/// From this many bytes on, whole pages are filled by giving them back to the host, which then shows the pattern again.
/// Below, they are written: 16 us a MiB if they are in use already, whereas giving them back costs 240 us a MiB when
/// they are next touched. The price is that a block that nobody touched now occupies memory.
const DISCARD_FROM: u64 = 1 << 20;

/// Blocks of these sizes get their pages when they are allocated, in one call: the device would take a page fault for
/// each otherwise, of 1 to 4 us on a virtual machine, where a whole run needs 2 ms. Smaller ones are not worth a call,
/// larger ones are seldom used as a whole.
const PREFAULTED: std::ops::RangeInclusive<u64> = 16 << 10..=4 << 20;

/// The memory of one device as the host sees it.
///
/// The range is reserved without access. A chunk becomes accessible when it is committed, and then reads as the fill
/// pattern without any page of it being in use; it stays committed until the address space is dropped.
#[derive(Debug)]
pub(crate) struct AddressSpace {
    // The order matters: the range is unmapped before the ordinal is free for the next device.
    range: ReservedNone,
    /// `None` for zeros, which the host provides by itself.
    pattern: Option<FillPattern>,
    /// By chunk.
    committed: Vec<bool>,
    lease: OrdinalLease,
}

impl AddressSpace {
    /// Reserves `capacity` bytes, whole pages, for the device `ordinal`, or for the lowest one that is free.
    pub(crate) fn reserve(ordinal: Option<u32>, capacity: u64, fill: FillPolicy) -> Result<Self, HbmError> {
        let lease = OrdinalLease::take(ordinal)?;
        let start = BASE_ADDRESS + u64::from(lease.ordinal()) * ORDINAL_STRIDE;
        let range = MmapOptions::new(capacity as usize)
            .and_then(|options| options.with_address(start as usize).with_flags(MmapFlags::NO_RESERVE).reserve_none())
            .map_err(|error| HbmError::Reserve {
                ordinal: lease.ordinal(),
                size: ByteSize(capacity),
                cause: error.into(),
            })?;
        if range.start() as u64 != start {
            // The host takes the address as a wish, and found it taken.
            drop(range);
            return Err(HbmError::RangeTaken {
                ordinal: lease.ordinal(),
                start: DevicePtr::new(start),
                end: DevicePtr::new(start + capacity),
                occupant: occupant_of(start as usize..(start + capacity) as usize),
            });
        }
        range.as_ptr().expose_provenance();
        let pattern = match fill {
            FillPolicy::Zero => None,
            FillPolicy::Poison | FillPolicy::Random { .. } | FillPolicy::Sparse { .. } => Some(FillPattern::new(fill)?),
        };
        let committed = vec![false; capacity.div_ceil(CHUNK) as usize];
        Ok(AddressSpace { range, pattern, committed, lease })
    }

    pub(crate) fn ordinal(&self) -> u32 {
        self.lease.ordinal()
    }

    /// The first address.
    pub(crate) fn start(&self) -> u64 {
        self.range.start() as u64
    }

    /// The address behind the last one.
    pub(crate) fn end(&self) -> u64 {
        self.range.end() as u64
    }

    /// Makes `length` bytes at `start` accessible; what was not so before holds the fill pattern.
    pub(crate) fn commit(&mut self, start: u64, length: u64) -> Result<(), HbmError> {
        for chunk in self.chunks(start, length) {
            if !self.committed[chunk] {
                self.commit_chunk(chunk)?;
                self.committed[chunk] = true;
            }
        }
        if PREFAULTED.contains(&length) {
            self.prefault(start, length);
        }
        Ok(())
    }

    /// Fills `length` committed bytes at `start` with the pattern again.
    pub(crate) fn refill(&mut self, start: u64, length: u64) {
        let page = MmapOptions::page_size() as u64;
        let end = start + length;
        let (inner_start, inner_end) = (start.next_multiple_of(page), end / page * page);
        if inner_end.saturating_sub(inner_start) < DISCARD_FROM || !self.discard(inner_start, inner_end - inner_start) {
            self.write_pattern(start, end);
        } else {
            self.write_pattern(start, inner_start);
            self.write_pattern(inner_end, end);
        }
    }

    /// Copies `bytes` to `at`, all of it committed.
    pub(crate) fn write(&mut self, at: u64, bytes: &[u8]) {
        let to = self.pointer(at, bytes.len() as u64);
        // SAFETY: `pointer` has checked that the bytes are mapped and writable. `copy` allows that `bytes` lies in
        // device memory itself, as that of a guest's host side may.
        unsafe { std::ptr::copy(bytes.as_ptr(), to, bytes.len()) }
    }

    /// Copies from `at`, all of it committed, to `bytes`.
    pub(crate) fn read(&self, at: u64, bytes: &mut [u8]) {
        let from = self.pointer(at, bytes.len() as u64);
        // SAFETY: `pointer` has checked that the bytes are mapped and readable. `copy` allows an overlap, as above.
        unsafe { std::ptr::copy(from, bytes.as_mut_ptr(), bytes.len()) }
    }

    /// Sets `length` bytes at `at`, all of it committed, to `value`.
    pub(crate) fn set(&mut self, at: u64, value: u8, length: u64) {
        let to = self.pointer(at, length);
        // SAFETY: `pointer` has checked that the bytes are mapped and writable.
        unsafe { std::ptr::write_bytes(to, value, length as usize) }
    }

    /// The pointer to `length` committed bytes at `at`.
    fn pointer(&self, at: u64, length: u64) -> *mut u8 {
        assert!(
            at >= self.start() && at.checked_add(length).is_some_and(|end| end <= self.end()),
            "{length} bytes at {at:#x} are not of this device"
        );
        assert!(
            self.chunks(at, length).all(|chunk| self.committed[chunk]),
            "{length} bytes at {at:#x} are not committed"
        );
        DevicePtr::new(at).as_ptr()
    }

    /// The chunks that `length` bytes at `start` touch.
    fn chunks(&self, start: u64, length: u64) -> Range<usize> {
        let offset = start - self.start();
        (offset / CHUNK) as usize..(offset + length).div_ceil(CHUNK) as usize
    }

    fn commit_chunk(&self, chunk: usize) -> Result<(), HbmError> {
        let start = self.start() + chunk as u64 * CHUNK;
        let length = CHUNK.min(self.end() - start);
        let map = || -> Result<MmapMut, mmap_rs::Error> {
            let options =
                MmapOptions::new(length as usize)?.with_address(start as usize).with_flags(MmapFlags::NO_RESERVE);
            // SAFETY: this replaces inaccessible pages of `self.range`, in which nothing points.
            let options = unsafe { options.with_unsafe_flags(UnsafeMmapFlags::MAP_FIXED) };
            match &self.pattern {
                // SAFETY: the file is sealed, so that it neither changes nor shrinks beneath the mapping.
                Some(pattern) => unsafe { options.with_file(pattern.file(), 0) }.map_mut(),
                None => options.map_mut(),
            }
        };
        let mapping = map().map_err(|error| HbmError::Commit {
            start: DevicePtr::new(start),
            size: ByteSize(length),
            cause: error.into(),
        })?;
        // The chunk is a part of `self.range` and is unmapped with it.
        mem::forget(mapping);
        Ok(())
    }

    /// Sees to it that the host has pages for committed bytes. Where it refuses, they come with the first access.
    fn prefault(&self, start: u64, length: u64) {
        let page = MmapOptions::page_size() as u64;
        let (start, end) = (start / page * page, (start + length).next_multiple_of(page).min(self.end()));
        let pages = self.pointer(start, end - start).cast();
        // SAFETY: the pages are committed memory of this device; what they hold stays as it is.
        let _ = unsafe { madvise(pages, (end - start) as usize, Advice::LinuxPopulateWrite) };
    }

    /// Gives whole committed pages back to the host, so that they read as the pattern again. False if it refused.
    fn discard(&self, start: u64, length: u64) -> bool {
        let pages = self.pointer(start, length).cast();
        // SAFETY: the pages are committed memory of this device, to which no Rust reference exists. They are private,
        // so that they next read as what they map: the pattern, or zeros.
        unsafe { madvise(pages, length as usize, Advice::LinuxDontNeed) }.is_ok()
    }

    /// Writes the pattern to the committed bytes `start..end`.
    fn write_pattern(&mut self, start: u64, end: u64) {
        let mut at = start;
        while let Some(length) = NonZeroUsize::new((end - at) as usize) {
            let to = self.pointer(at, end - at);
            let Some(pattern) = &self.pattern else {
                return self.set(at, 0, end - at);
            };
            let bytes = pattern.bytes_at(at, length);
            // SAFETY: `pointer` has checked that the bytes are mapped and writable; the pattern lies elsewhere.
            unsafe { std::ptr::copy_nonoverlapping(bytes.as_ptr(), to, bytes.len()) }
            at += bytes.len() as u64;
        }
    }
}

/// What is mapped in `range`, for people.
fn occupant_of(range: Range<usize>) -> String {
    let areas = MemoryAreas::open(None).into_iter().flatten().flatten();
    let mut overlapping = areas.filter(|area| area.start() < range.end && area.end() > range.start);
    match overlapping.next() {
        Some(area) => {
            let name = area.path().map_or("anonymous memory".into(), |path| path.display().to_string());
            format!("{name} at {:#x} to {:#x}", area.start(), area.end())
        }
        None => "something that /proc/self/maps does not show".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_a_range_that_something_else_occupies_refused_by_name() {
        let taken = BASE_ADDRESS + 31 * ORDINAL_STRIDE + (4 << 20);
        let squatter = MmapOptions::new(8192).unwrap().with_address(taken as usize).map().unwrap();
        let error = AddressSpace::reserve(Some(31), 64 << 20, FillPolicy::Zero).unwrap_err();
        assert_eq!(
            error.to_string(),
            "the address range 0x3f0000000000 to 0x3f0004000000 of device 31 is taken by anonymous memory at \
             0x3f0000400000 to 0x3f0000402000; device addresses are fixed, so take another ordinal or unmap it"
        );
        drop(squatter);
        let space = AddressSpace::reserve(Some(31), 64 << 20, FillPolicy::Zero).unwrap();
        assert_eq!((space.start(), space.ordinal()), (0x3f00_0000_0000, 31));
    }

    #[test]
    #[should_panic(expected = "are not committed")]
    fn is_memory_that_was_never_committed_out_of_reach() {
        let space = AddressSpace::reserve(Some(30), 64 << 20, FillPolicy::Zero).unwrap();
        space.read(space.start() + CHUNK, &mut [0]);
    }

    /// How many of the pages at `start` are in use, by the host's own account.
    fn pages_in_use(start: u64, pages: u64) -> usize {
        use std::os::unix::fs::FileExt;
        let mut entries = vec![0; pages as usize * 8];
        let pagemap = std::fs::File::open("/proc/self/pagemap").unwrap();
        pagemap.read_exact_at(&mut entries, start / MmapOptions::page_size() as u64 * 8).unwrap();
        entries.chunks(8).filter(|entry| entry[7] & 0x80 != 0).count()
    }

    #[test]
    fn which_blocks_have_their_pages_before_they_are_touched() {
        for fill in [FillPolicy::Zero, FillPolicy::Poison] {
            let mut space = AddressSpace::reserve(Some(28), 64 << 20, fill).unwrap();
            let start = space.start();
            for (at, length, in_use) in [(0, 12 << 10, 0), (1 << 20, 64 << 10, 16), (16 << 20, 8 << 20, 0)] {
                space.commit(start + at, length).unwrap();
                assert_eq!(pages_in_use(start + at, length >> 12), in_use, "{length:#x} bytes, {fill}");
            }
        }
    }

    #[test]
    fn does_a_refill_restore_the_pattern_and_nothing_beside_it() {
        for fill in [FillPolicy::Zero, FillPolicy::Poison, FillPolicy::Random { seed: 3 }] {
            let mut space = AddressSpace::reserve(Some(29), 64 << 20, fill).unwrap();
            let start = space.start();
            space.commit(start, 24 << 20).unwrap();
            let contents = |space: &AddressSpace| {
                let mut bytes = vec![0; 24 << 20];
                space.read(start, &mut bytes);
                bytes
            };
            let fresh = contents(&space);
            // Small, across pages, and large enough to be discarded, also across a chunk.
            for (from, length) in [(520, 8), (4000, 9000), (CHUNK - 5000, 2 << 20), (1 << 20, 20 << 20)] {
                space.set(start, 0x55, 24 << 20);
                space.refill(start + from, length);
                let (from, length) = (from as usize, length as usize);
                let mut expected = vec![0x55; 24 << 20];
                expected[from..from + length].copy_from_slice(&fresh[from..from + length]);
                assert!(contents(&space) == expected, "{fill} at {from:#x}");
            }
        }
    }
}
