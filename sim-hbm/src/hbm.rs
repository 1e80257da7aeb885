//! The memory of one device: allocation, ownership and checked access.

use std::sync::Arc;

use mmap_rs::MmapOptions;

use crate::address_space::{AddressSpace, MAX_CAPACITY};
use crate::block::{BlockInfo, Place};
use crate::block_table::BlockTable;
use crate::byte_size::ByteSize;
use crate::device_ptr::DevicePtr;
use crate::error::{Access, AccessKind, HbmError, NearestBelow, TopHolders};
use crate::fill::FillPolicy;
use crate::free_extents::FreeExtents;
use crate::residency::Residency;

/// The least alignment of a block: a line of the L2 cache.
pub const MIN_ALIGNMENT: u64 = 512;

/// How many holders an exhausted device names.
const NAMED_HOLDERS: usize = 5;

/// What a device's memory is to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HbmConfig {
    /// Bytes, a multiple of the host's page size and of `alignment`, at most [`MAX_CAPACITY`].
    pub capacity: u64,
    /// The alignment of every block that asks for no more, and the unit in which blocks occupy memory: a power of two
    /// of at least [`MIN_ALIGNMENT`].
    pub alignment: u64,
    /// What memory holds that nobody has written.
    pub fill: FillPolicy,
    /// Which device this is, which decides where it lives; `None` for the lowest ordinal that is free.
    pub ordinal: Option<u32>,
}

/// The memory of one device. See the [crate documentation](crate) for its life and its invariants.
#[derive(Debug)]
pub struct Hbm {
    alignment: u64,
    space: AddressSpace,
    free: FreeExtents,
    blocks: BlockTable,
    residency: Residency,
}

impl Hbm {
    /// Reserves the address range of a device. Memory is used only once it is allocated and written.
    pub fn new(config: HbmConfig) -> Result<Self, HbmError> {
        let HbmConfig { capacity, alignment, fill, ordinal } = config;
        check_alignment(alignment, MIN_ALIGNMENT)?;
        let multiple = alignment.max(MmapOptions::page_size() as u64);
        if capacity == 0 || !capacity.is_multiple_of(multiple) || capacity > MAX_CAPACITY {
            return Err(HbmError::BadCapacity {
                capacity: ByteSize(capacity),
                multiple: ByteSize(multiple),
                max: ByteSize(MAX_CAPACITY),
            });
        }
        let space = AddressSpace::reserve(ordinal, capacity, fill)?;
        let free = FreeExtents::new(space.start(), capacity, alignment);
        Ok(Hbm { alignment, space, free, blocks: BlockTable::default(), residency: Residency::new(capacity) })
    }

    /// Allocates `size` bytes for `owner`, at the device's alignment.
    pub fn allocate(&mut self, size: u64, owner: &str) -> Result<DevicePtr, HbmError> {
        self.allocate_aligned(size, self.alignment, owner)
    }

    /// Allocates `size` bytes for `owner` at a multiple of `alignment`, a power of two. Less than the device's
    /// alignment is raised to it.
    pub fn allocate_aligned(&mut self, size: u64, alignment: u64, owner: &str) -> Result<DevicePtr, HbmError> {
        if size == 0 {
            return Err(HbmError::ZeroSize { owner: owner.into() });
        }
        check_alignment(alignment, 1)?;
        let occupied = size.checked_next_multiple_of(self.alignment);
        let place = occupied.and_then(|occupied| self.free.find(occupied, alignment.max(self.alignment)));
        let (Some(occupied), Some(start)) = (occupied, place) else {
            return Err(self.exhausted(size, alignment, owner));
        };
        self.space.commit(start, occupied)?;
        self.free.take(start, occupied);
        let owner = self.residency.book(owner, occupied);
        self.blocks.insert(start, size, occupied, owner);
        Ok(DevicePtr::new(start))
    }

    /// Frees the block at `ptr` on behalf of `by`, and fills it again. Returns what it was.
    pub fn free(&mut self, ptr: DevicePtr, by: &str) -> Result<BlockInfo, HbmError> {
        let Some((block, occupied)) = self.blocks.remove(ptr.address(), by) else {
            return Err(self.bad_free(ptr, by));
        };
        self.residency.release(&block.owner, occupied);
        self.free.give_back(ptr.address(), occupied);
        self.space.refill(ptr.address(), occupied);
        Ok(block)
    }

    /// Copies `bytes` to `at`, at no virtual cost; for tests and tools.
    pub fn write(&mut self, at: DevicePtr, bytes: &[u8]) -> Result<(), HbmError> {
        self.copy_in(AccessKind::Write, at, bytes)
    }

    /// Copies from `at` to `bytes`, at no virtual cost; for tests and tools.
    pub fn read(&self, at: DevicePtr, bytes: &mut [u8]) -> Result<(), HbmError> {
        self.copy_out(AccessKind::Read, at, bytes)
    }

    /// Whether `length` bytes at `ptr` lie in one live block. Of no bytes this is always so.
    pub fn check_range(&self, ptr: DevicePtr, length: u64) -> Result<(), HbmError> {
        self.check(AccessKind::Any, ptr, length)
    }

    /// What is known of an address, for those who have to explain a stray access.
    pub fn locate(&self, ptr: DevicePtr) -> Place {
        if ptr < self.start() || ptr >= self.end() { Place::Outside } else { self.blocks.locate(ptr.address()) }
    }

    /// The ledger: what holds how many bytes, and for whom.
    pub fn residency(&self) -> &Residency {
        &self.residency
    }

    /// The live blocks by address.
    pub fn blocks(&self) -> impl Iterator<Item = &BlockInfo> {
        self.blocks.live()
    }

    /// The longest run of free bytes.
    pub fn largest_free(&self) -> u64 {
        self.free.largest()
    }

    /// Into how many runs the free memory is split.
    pub fn free_runs(&self) -> usize {
        self.free.count()
    }

    /// Which device this is.
    pub fn ordinal(&self) -> u32 {
        self.space.ordinal()
    }

    /// The device's first address.
    pub fn start(&self) -> DevicePtr {
        DevicePtr::new(self.space.start())
    }

    /// The address behind the device's last one.
    pub fn end(&self) -> DevicePtr {
        DevicePtr::new(self.space.end())
    }

    /// Checks and copies to the device.
    pub(crate) fn copy_in(&mut self, kind: AccessKind, to: DevicePtr, bytes: &[u8]) -> Result<(), HbmError> {
        self.check(kind, to, bytes.len() as u64)?;
        if !bytes.is_empty() {
            self.space.write(to.address(), bytes);
        }
        Ok(())
    }

    /// Checks and copies from the device.
    pub(crate) fn copy_out(&self, kind: AccessKind, from: DevicePtr, bytes: &mut [u8]) -> Result<(), HbmError> {
        self.check(kind, from, bytes.len() as u64)?;
        if !bytes.is_empty() {
            self.space.read(from.address(), bytes);
        }
        Ok(())
    }

    /// Checks and sets memory of the device.
    pub(crate) fn set(&mut self, at: DevicePtr, value: u8, length: u64) -> Result<(), HbmError> {
        self.check(AccessKind::Memset, at, length)?;
        if length > 0 {
            self.space.set(at.address(), value, length);
        }
        Ok(())
    }

    fn check(&self, kind: AccessKind, start: DevicePtr, length: u64) -> Result<(), HbmError> {
        if length == 0 || self.blocks.has_live(start.address(), length) {
            return Ok(());
        }
        let access = Access { kind, start, length };
        Err(match self.locate(start) {
            Place::Live(block) => {
                let beyond = ByteSize(start.address().saturating_add(length) - block.end().address());
                HbmError::OutOfRange { access, beyond, block: Box::new(block) }
            }
            Place::Freed(block) => HbmError::UseAfterFree { access, block: Box::new(block) },
            Place::NeverAllocated { below } => {
                HbmError::NotAllocated { access, below: NearestBelow(below.map(Box::new)) }
            }
            Place::Outside => {
                HbmError::NotDeviceMemory { access, ordinal: self.ordinal(), start: self.start(), end: self.end() }
            }
        })
    }

    /// Why no live block begins at `ptr`.
    fn bad_free(&self, ptr: DevicePtr, by: &str) -> HbmError {
        let by = Arc::from(by);
        match self.locate(ptr) {
            Place::Freed(block) if block.start == ptr => HbmError::DoubleFree { block: Box::new(block), by },
            Place::Live(block) | Place::Freed(block) => {
                let offset = ByteSize(ptr.address() - block.start.address());
                HbmError::NotABlockStart { ptr, offset, block: Box::new(block), by }
            }
            Place::NeverAllocated { .. } | Place::Outside => HbmError::UnknownFree { ptr, by },
        }
    }

    fn exhausted(&self, size: u64, alignment: u64, owner: &str) -> HbmError {
        HbmError::Exhausted {
            requested: ByteSize(size),
            alignment: ByteSize(alignment),
            owner: owner.into(),
            free: ByteSize(self.free.total()),
            capacity: ByteSize(self.residency.capacity),
            largest_free: ByteSize(self.free.largest()),
            holders: TopHolders(self.residency.top_holders(NAMED_HOLDERS)),
        }
    }
}

fn check_alignment(alignment: u64, min: u64) -> Result<(), HbmError> {
    if alignment.is_power_of_two() && alignment >= min {
        Ok(())
    } else {
        Err(HbmError::BadAlignment { alignment, min })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::address_space::{BASE_ADDRESS, ORDINAL_STRIDE};

    const CAPACITY: u64 = 1 << 30;

    /// Tests of one process run side by side: each has device ordinals of its own, so that it knows its addresses.
    fn device(ordinal: u32, fill: FillPolicy) -> Hbm {
        Hbm::new(HbmConfig { capacity: CAPACITY, alignment: 512, fill, ordinal: Some(ordinal) }).unwrap()
    }

    fn contents(hbm: &Hbm, at: DevicePtr, length: usize) -> Vec<u8> {
        let mut bytes = vec![0x55; length];
        hbm.read(at, &mut bytes).unwrap();
        bytes
    }

    fn message<T: std::fmt::Debug>(result: Result<T, HbmError>) -> String {
        result.unwrap_err().to_string()
    }

    #[test]
    fn is_an_impossible_configuration_refused() {
        let config = HbmConfig { capacity: CAPACITY, alignment: 512, fill: FillPolicy::Zero, ordinal: Some(0) };
        let bad = |capacity, alignment| message(Hbm::new(HbmConfig { capacity, alignment, ..config.clone() }));
        assert_eq!(
            [bad(CAPACITY, 768), bad(CAPACITY, 256)],
            [
                "alignment 768 is not a power of two of at least 512",
                "alignment 256 is not a power of two of at least 512",
            ]
        );
        let page = ByteSize(MmapOptions::page_size() as u64);
        for (capacity, shown) in [(0, "0 B"), ((1 << 30) + 512, "1073742336 B"), (145 << 30, "145 GiB")] {
            assert_eq!(
                bad(capacity, 512),
                format!(
                    "an HBM capacity of {shown} is not possible: it must be a multiple of {page}, at least that and at \
                     most 144 GiB"
                )
            );
        }
    }

    #[test]
    fn is_a_live_ordinal_refused_until_its_device_is_dropped() {
        let first = device(1, FillPolicy::Zero);
        let config = HbmConfig { capacity: CAPACITY, alignment: 512, fill: FillPolicy::Zero, ordinal: Some(1) };
        assert_eq!(
            message(Hbm::new(config.clone())),
            "device ordinal 1 is in use by another live device of this process; drop that one first"
        );
        drop(first);
        assert_eq!(Hbm::new(config).unwrap().start().address(), BASE_ADDRESS + ORDINAL_STRIDE);
    }

    #[test]
    fn are_addresses_the_same_for_the_same_requests() {
        let offsets = |ordinal| {
            let mut hbm = device(ordinal, FillPolicy::Zero);
            let heap = hbm.allocate(3_000_000, "heap").unwrap();
            let small = hbm.allocate(1, "small").unwrap();
            let paged = hbm.allocate_aligned(512, 4096, "paged").unwrap();
            hbm.free(heap, "test").unwrap();
            let again = hbm.allocate(2_999_809, "again").unwrap();
            [heap, small, paged, again].map(|ptr| ptr.address() - hbm.start().address())
        };
        assert_eq!(offsets(2), [0, 3_000_320, 3_002_368, 0]);
        assert_eq!(offsets(2), offsets(3));
    }

    #[test]
    fn does_exhaustion_name_the_device_code_and_who_holds_the_memory() {
        let mut hbm = device(4, FillPolicy::Poison);
        assert_eq!(
            message(hbm.allocate(CAPACITY + 1, "tensor")),
            "HBM exhausted (207001): `tensor` asked for 1073741825 B aligned to 512 B, but only 1 GiB of 1 GiB are \
             free, the largest free block has 1 GiB; most is held by nobody. Free some of it or give \
             the device more HBM"
        );
        let heaps = [0; 4].map(|_| hbm.allocate(200 << 20, "ring heap").unwrap());
        hbm.allocate(64 << 20, "arena").unwrap();
        for kernel in ["add", "mul", "exp", "log", "abs"] {
            hbm.allocate(kernel.len() as u64, kernel).unwrap();
        }
        hbm.free(heaps[0], "host").unwrap();
        let error = hbm.allocate(300 << 20, "weights").unwrap_err();
        assert_eq!(error.device_code(), Some(207_001));
        assert_eq!(
            error.to_string(),
            "HBM exhausted (207001): `weights` asked for 300 MiB aligned to 512 B, but only 377484800 B of 1 GiB are \
             free, the largest free block has 200 MiB; most is held by `ring heap` 600 MiB in 3 blocks, `arena` \
             64 MiB in 1 block, `abs` 512 B in 1 block, `add` 512 B in 1 block, `exp` 512 B in 1 block. Free some of \
             it or give the device more HBM"
        );
        assert!(message(hbm.allocate(u64::MAX, "typo")).contains("`typo` asked for 18446744073709551615 B"));
        assert!(message(hbm.allocate_aligned(1, 1 << 50, "typo")).contains("1 B aligned to 1048576 GiB"));
        assert_eq!(hbm.allocate(200 << 20, "refill").unwrap(), heaps[0]);
    }

    #[test]
    fn is_a_request_that_makes_no_sense_refused() {
        let mut hbm = device(5, FillPolicy::Zero);
        assert_eq!(message(hbm.allocate(0, "tensor")), "`tensor` asked for a block of 0 bytes; ask for at least 1");
        assert_eq!(message(hbm.allocate_aligned(1, 0, "tensor")), "alignment 0 is not a power of two of at least 1");
        assert_eq!(
            message(hbm.allocate_aligned(1, 1536, "tensor")),
            "alignment 1536 is not a power of two of at least 1"
        );
        assert_eq!(hbm.allocate_aligned(1, 2, "tensor").unwrap(), hbm.start());
        assert_eq!(hbm.residency().device.allocations, 1);
    }

    #[test]
    fn does_a_double_free_name_both_frees() {
        let mut hbm = device(6, FillPolicy::Poison);
        let block = hbm.allocate(4096, "tensor a").unwrap();
        assert_eq!(hbm.free(block, "host").unwrap().size, 4096);
        assert_eq!(
            message(hbm.free(block, "finalizer")),
            "double free by `finalizer`: block #0 at 0x260000000000 (4 KiB of `tensor a`, freed by `host`) is free \
             already"
        );
        assert_eq!((hbm.residency().device.frees, hbm.largest_free()), (1, CAPACITY));
    }

    #[test]
    fn is_a_free_of_anything_but_a_block_start_refused() {
        let mut hbm = device(7, FillPolicy::Poison);
        let block = hbm.allocate(1000, "tensor a").unwrap();
        let inside = block.checked_add(24).unwrap();
        assert_eq!(
            message(hbm.free(inside, "host")),
            "free of 0x270000000018 by `host`: this is 24 B into block #0 at 0x270000000000 (1000 B of `tensor a`); \
             free a block by its start"
        );
        hbm.free(block, "host").unwrap();
        assert_eq!(
            message(hbm.free(inside, "host")),
            "free of 0x270000000018 by `host`: this is 24 B into block #0 at 0x270000000000 (1000 B of `tensor a`, \
             freed by `host`); free a block by its start"
        );
        let never = hbm.start().checked_add(1 << 20).unwrap();
        assert_eq!(message(hbm.free(never, "host")), "free of 0x270000100000 by `host`: no block is or was there");
        assert_eq!(message(hbm.free(DevicePtr::NULL, "host")), "free of 0x0 by `host`: no block is or was there");
    }

    #[test]
    fn does_a_stray_access_name_whose_memory_it_hit() {
        let mut hbm = device(8, FillPolicy::Poison);
        let first = hbm.allocate(1000, "tensor a").unwrap();
        let second = hbm.allocate(1024, "tensor b").unwrap();
        let at = |ptr: DevicePtr, offset| ptr.checked_add(offset).unwrap();
        assert_eq!(
            message(hbm.check_range(at(first, 900), 101)),
            "out of range: access of 101 B at 0x280000000384 ends 1 B past the end of block #0 at 0x280000000000 \
             (1000 B of `tensor a`)"
        );
        assert_eq!(
            message(hbm.write(at(first, 1000), &[1])),
            "out of range: write of 1 B at 0x2800000003e8 ends 1 B past the end of block #0 at 0x280000000000 \
             (1000 B of `tensor a`)"
        );
        assert_eq!(
            message(hbm.check_range(second, u64::MAX)),
            format!(
                "out of range: access of 18446744073709551615 B at 0x280000000400 ends {} past the end of block \
                 #1 at 0x280000000400 (1 KiB of `tensor b`)",
                ByteSize(u64::MAX - 0x2800_0000_0800)
            )
        );
        assert_eq!(
            message(hbm.read(at(second, 1 << 20), &mut [0; 4])),
            "not allocated: read of 4 B at 0x280000100400 lies in memory that was never allocated; nearest below is \
             block #1 at 0x280000000400 (1 KiB of `tensor b`)"
        );
        assert_eq!(
            message(hbm.read(DevicePtr::NULL, &mut [0; 4])),
            "not device memory: read of 4 B at 0x0 lies outside 0x280000000000 to 0x280040000000, the memory of \
             device 8"
        );
        hbm.free(second, "host").unwrap();
        assert_eq!(
            message(hbm.read(at(second, 8), &mut [0; 4])),
            "use after free: read of 4 B at 0x280000000408 lies in block #1 at 0x280000000400 (1 KiB of `tensor b`, \
             freed by `host`)"
        );
        hbm.free(first, "host").unwrap();
        let reused = hbm.allocate(512, "tensor c").unwrap();
        assert_eq!(reused, first);
        let Place::Freed(rest) = hbm.locate(at(first, 512)) else { panic!("the rest of tensor a is forgotten") };
        assert_eq!(&*rest.owner, "tensor a");
        assert_eq!(hbm.locate(hbm.end()), Place::Outside);
        assert_eq!(hbm.check_range(DevicePtr::NULL, 0).ok(), Some(()));
    }

    #[test]
    fn do_fresh_and_freed_memory_hold_the_policys_pattern() {
        let bytes = 3 << 20;
        let mut random = Vec::new();
        let seed = 42;
        for (ordinal, fill) in [
            (9, FillPolicy::Zero),
            (10, FillPolicy::Poison),
            (11, FillPolicy::Sparse { seed }),
            (12, FillPolicy::Random { seed }),
        ] {
            let mut hbm = device(ordinal, fill);
            let before = hbm.allocate(700, "before").unwrap();
            let block = hbm.allocate(bytes as u64, "block").unwrap();
            let after = hbm.allocate(700, "after").unwrap();
            let fresh = contents(&hbm, block, bytes);
            match fill {
                FillPolicy::Zero => assert!(fresh.iter().all(|&byte| byte == 0)),
                FillPolicy::Poison => assert!(fresh.chunks(4).any(|word| word == [0xef, 0xbe, 0xad, 0xde])),
                FillPolicy::Sparse { .. } => assert!(fresh.chunks(4).any(|half| half == [0; 4])),
                FillPolicy::Random { .. } => random = fresh.clone(),
            }
            for (ptr, length) in [(before, 700), (block, bytes), (after, 700)] {
                hbm.write(ptr, &vec![0x77; length]).unwrap();
            }
            hbm.free(block, "host").unwrap();
            let again = hbm.allocate(bytes as u64, "again").unwrap();
            assert_eq!(again, block);
            assert!(contents(&hbm, again, bytes) == fresh, "{fill}");
            assert_eq!((contents(&hbm, before, 700), contents(&hbm, after, 700)), (vec![0x77; 700], vec![0x77; 700]));
        }
        // The random fill goes by address, so that another history gives the same bytes at the same place.
        let mut hbm = device(17, FillPolicy::Random { seed });
        let all = hbm.allocate(1024 + bytes as u64, "all").unwrap();
        assert!(contents(&hbm, all.checked_add(1024).unwrap(), bytes) == random);
        let mut other = device(13, FillPolicy::Random { seed: 43 });
        let block = other.allocate(1024 + bytes as u64, "all").unwrap();
        assert!(contents(&other, block, 1024) != contents(&hbm, all, 1024));
    }

    #[test]
    fn do_random_allocations_and_frees_leave_one_free_run_and_no_holder() {
        let mut hbm = device(14, FillPolicy::Zero);
        let mut live = Vec::new();
        let mut state = 2026_u64;
        let mut random = |below: u64| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 33) % below
        };
        for _ in 0..5_000 {
            if random(5) < 3 || live.is_empty() {
                let (size, alignment) = (1 + random(40_000), 1 << random(15));
                live.push(hbm.allocate_aligned(size, alignment, ["a", "b", "c"][random(3) as usize]).unwrap());
            } else {
                hbm.free(live.swap_remove(random(live.len() as u64) as usize), "test").unwrap();
            }
        }
        assert_eq!(hbm.blocks().count(), live.len());
        assert!(hbm.free_runs() > 50, "the walk never fragmented the memory");
        for ptr in live {
            hbm.free(ptr, "test").unwrap();
        }
        assert_eq!((hbm.free_runs(), hbm.largest_free(), hbm.blocks().count()), (1, CAPACITY, 0));
        assert_eq!(hbm.residency().top_holders(3), []);
        assert_eq!(hbm.residency().device.live_bytes, 0);
    }

    #[test]
    fn can_guests_use_a_device_pointer_as_it_is() {
        let mut hbm = device(15, FillPolicy::Poison);
        let ptr = hbm.allocate(8, "counter").unwrap();
        let counter = ptr.as_ptr().cast::<u64>();
        // SAFETY: `counter` points to a live, aligned block of eight bytes, and nothing else uses it.
        unsafe { counter.write(*counter + 1) };
        assert_eq!(contents(&hbm, ptr, 8), 0xdead_beef_dead_bef0_u64.to_le_bytes());
        assert_eq!(DevicePtr::from(counter.cast_const().cast::<u8>()), ptr);
    }

    #[test]
    fn does_the_device_list_its_live_blocks() {
        let mut hbm = device(16, FillPolicy::Poison);
        let tensor = hbm.allocate(1000, "tensor a").unwrap();
        hbm.allocate(4096, "ring heap").unwrap();
        hbm.free(tensor, "host").unwrap();
        insta::assert_json_snapshot!(hbm.blocks().collect::<Vec<_>>(), @r#"
        [
          {
            "serial": 1,
            "start": "0x300000000400",
            "size": 4096,
            "owner": "ring heap",
            "freed_by": null
          }
        ]
        "#);
    }
}
