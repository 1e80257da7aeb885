//! Heaps: the memory that the objects of one namespace allocate, given back as a whole with the namespace.
//!
//! A libc in a namespace of its own never returns its arenas when it is unloaded, so each runtime that comes and goes
//! would leave a megabyte behind. The shim therefore takes `malloc` and its kin to a heap that belongs to the
//! namespace; whatever guests leak goes with it.
//!
//! Calls come from guest code on any thread, with any thread control block, and in parallel from kernel bodies: nothing
//! in here uses thread-locals, allocates elsewhere, or panics.

use std::cell::{Cell, UnsafeCell};
use std::ffi::c_void;
use std::ptr;
use std::sync::atomic::{AtomicBool, Ordering};

use dlmalloc::{Allocator, Dlmalloc};

/// What precedes each region of memory that the heap got from the system.
struct Region {
    next: *mut Region,
    bytes: usize,
}

/// So much of a region is for its header: the rest stays aligned to pages.
const HEADER_BYTES: usize = 4096;

/// From so many bytes on, zeros come from the system.
const DISCARD_FROM: usize = 4 << 20;

/// The regions of one heap.
struct Regions {
    first: Cell<*mut Region>,
}

// SAFETY: the list is only touched by whoever holds the heap's lock.
unsafe impl Send for Regions {}

impl Regions {
    fn contains(&self, address: usize) -> bool {
        let mut region = self.first.get();
        // SAFETY: regions of the list are mapped.
        while let Some(known) = unsafe { region.as_ref() } {
            if (region as usize..region as usize + known.bytes).contains(&address) {
                return true;
            }
            region = known.next;
        }
        false
    }

    fn unlink(&self, gone: *mut Region) {
        let mut link = self.first.as_ptr();
        // SAFETY: regions of the list are mapped, and the list is ours while the lock is held.
        unsafe {
            while !(*link).is_null() {
                if *link == gone {
                    *link = (*gone).next;
                    return;
                }
                link = &raw mut (**link).next;
            }
        }
    }
}

// SAFETY: regions are private mappings of the size asked for; they are given back only by `free` and `Drop`.
unsafe impl Allocator for Regions {
    fn alloc(&self, size: usize) -> (*mut u8, usize, u32) {
        let bytes = size + HEADER_BYTES;
        let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS;
        // SAFETY: a new private mapping.
        let memory = unsafe { libc::mmap(ptr::null_mut(), bytes, libc::PROT_READ | libc::PROT_WRITE, flags, -1, 0) };
        if memory == libc::MAP_FAILED {
            return (ptr::null_mut(), 0, 0);
        }
        let region = memory.cast::<Region>();
        // SAFETY: the mapping begins with room for the header.
        unsafe { region.write(Region { next: self.first.get(), bytes }) };
        self.first.set(region);
        (memory.cast::<u8>().wrapping_add(HEADER_BYTES), size, 0)
    }

    fn remap(&self, _ptr: *mut u8, _oldsize: usize, _newsize: usize, _can_move: bool) -> *mut u8 {
        ptr::null_mut()
    }

    fn free_part(&self, _ptr: *mut u8, _oldsize: usize, _newsize: usize) -> bool {
        false
    }

    fn free(&self, memory: *mut u8, size: usize) -> bool {
        let region = memory.wrapping_sub(HEADER_BYTES).cast::<Region>();
        self.unlink(region);
        // SAFETY: the whole region was mapped by `alloc` and is not used any more.
        unsafe { libc::munmap(region.cast(), size + HEADER_BYTES) == 0 }
    }

    fn can_release_part(&self, _flags: u32) -> bool {
        false
    }

    fn allocates_zeros(&self) -> bool {
        true
    }

    fn page_size(&self) -> usize {
        HEADER_BYTES
    }
}

impl Drop for Regions {
    fn drop(&mut self) {
        let mut region = self.first.get();
        while !region.is_null() {
            // SAFETY: the region is mapped, and everything in it goes with the heap.
            unsafe {
                let (next, bytes) = ((*region).next, (*region).bytes);
                libc::munmap(region.cast(), bytes);
                region = next;
            }
        }
    }
}

/// The heap of one namespace.
pub struct Heap {
    locked: AtomicBool,
    inner: UnsafeCell<Dlmalloc<Regions>>,
}

// SAFETY: the inner heap is only touched by whoever holds the lock.
unsafe impl Sync for Heap {}

impl Default for Heap {
    fn default() -> Self {
        Heap::new()
    }
}

impl Heap {
    /// An empty heap.
    pub const fn new() -> Heap {
        let regions = Regions { first: Cell::new(ptr::null_mut()) };
        Heap { locked: AtomicBool::new(false), inner: UnsafeCell::new(Dlmalloc::new_with_allocator(regions)) }
    }

    /// A block of `size` bytes, null when the system has no memory. `alignment` is a power of two.
    pub fn allocate(&self, size: usize, alignment: usize) -> *mut c_void {
        // SAFETY: any size and any power of two are fine.
        self.with(|heap| unsafe { heap.c_memalign(alignment, size) }).cast()
    }

    /// The same, of zeros. Pages of a large block are given back to the system instead of written: they are zero when they
    /// are next touched, and cost nothing until then.
    pub fn allocate_zeroed(&self, size: usize, alignment: usize) -> *mut c_void {
        let block = self.allocate(size, alignment);
        if block.is_null() {
            return block;
        }
        let start = block.addr();
        let (first_page, pages_end) =
            (start.next_multiple_of(HEADER_BYTES), (start + size) / HEADER_BYTES * HEADER_BYTES);
        let pages = block.wrapping_byte_add(first_page - start);
        // SAFETY: whole pages of the block: private and anonymous memory, which reads as zero after this call.
        let given_back =
            size >= DISCARD_FROM && unsafe { libc::madvise(pages, pages_end - first_page, libc::MADV_DONTNEED) } == 0;
        let zero = |from: usize, end: usize| {
            // SAFETY: the range lies in the block.
            unsafe { block.wrapping_byte_add(from - start).cast::<u8>().write_bytes(0, end - from) }
        };
        if given_back {
            zero(start, first_page);
            zero(pages_end, start + size);
        } else {
            zero(start, start + size);
        }
        block
    }

    /// Makes a block larger or smaller; it may move.
    ///
    /// # Safety
    ///
    /// `block` must be a live block of this heap, or null.
    pub unsafe fn resize(&self, block: *mut c_void, size: usize) -> *mut c_void {
        // SAFETY: the caller vouches for the block.
        self.with(|heap| unsafe { heap.c_realloc(block.cast(), size) }).cast()
    }

    /// Gives a block back. `false` if it is not of this heap.
    ///
    /// # Safety
    ///
    /// If `block` is of this heap, it must be live.
    pub unsafe fn release(&self, block: *mut c_void) -> bool {
        self.with(|heap| {
            let ours = heap.allocator().contains(block as usize);
            if ours {
                // SAFETY: the caller vouches for the block.
                unsafe { heap.c_free(block.cast()) };
            }
            ours
        })
    }

    /// Runs `function` on the heap, alone. No fiber suspends in here, so the wait is for another thread and short.
    fn with<R>(&self, function: impl FnOnce(&mut Dlmalloc<Regions>) -> R) -> R {
        while self.locked.compare_exchange_weak(false, true, Ordering::Acquire, Ordering::Relaxed).is_err() {
            // SAFETY: a system call without arguments; std's function may not be used on a guest's thread.
            unsafe { libc::syscall(libc::SYS_sched_yield) };
        }
        // SAFETY: the lock is held.
        let result = function(unsafe { &mut *self.inner.get() });
        self.locked.store(false, Ordering::Release);
        result
    }
}

/// # Safety
///
/// `heap` must be a live [`Heap`].
unsafe fn heap_of<'a>(heap: *const c_void) -> &'a Heap {
    // SAFETY: the caller vouches for it.
    unsafe { &*heap.cast::<Heap>() }
}

/// `malloc` and `memalign` of a namespace: null when the system has no memory.
///
/// # Safety
///
/// `heap` must be a live [`Heap`].
pub unsafe extern "C" fn allocate(heap: *const c_void, size: usize, alignment: usize) -> *mut c_void {
    // SAFETY: the caller vouches for the heap.
    unsafe { heap_of(heap) }.allocate(size, alignment)
}

/// `realloc` of a namespace, for a block of this heap.
///
/// # Safety
///
/// `heap` must be a live [`Heap`], and `block` a live block of it or null.
pub unsafe extern "C" fn resize(heap: *const c_void, block: *mut c_void, size: usize) -> *mut c_void {
    // SAFETY: the caller vouches for heap and block.
    unsafe { heap_of(heap).resize(block, size) }
}

/// `free` of a namespace.
///
/// A block that is not of this heap was allocated by the dynamic linker, which uses the allocator of this program and
/// lets the libc of any namespace free it.
///
/// # Safety
///
/// `heap` must be a live [`Heap`], and `block` a live block of it or of this program's allocator.
pub unsafe extern "C" fn release(heap: *const c_void, block: *mut c_void) {
    // SAFETY: the caller vouches for heap and block; what is not of this heap is of this program's allocator.
    unsafe {
        if !heap_of(heap).release(block) {
            libc::free(block);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn does_a_heap_serve_and_recognise_its_own_blocks() {
        let heap = Heap::default();
        let address = ptr::from_ref(&heap).cast();
        let blocks: Vec<*mut c_void> = (1..200).map(|index| heap.allocate(index * 37, 1 << (4 + index % 8))).collect();
        for (index, block) in blocks.iter().enumerate() {
            assert_eq!(*block as usize % (1 << (4 + (index + 1) % 8)), 0);
            // SAFETY: the block has at least so many bytes.
            unsafe { block.cast::<u8>().write_bytes(0xab, (index + 1) * 37) };
        }
        // SAFETY: a live block of this heap, which is not used any more.
        let grown = unsafe { resize(address, blocks[0], 5_000_000) };
        // SAFETY: the first bytes were copied.
        assert_eq!(unsafe { grown.cast::<u8>().read() }, 0xab);
        // SAFETY: a live block of this heap.
        unsafe { release(address, grown) };
        // SAFETY: a plain allocation, which the heap has to give back to where it came from.
        unsafe { release(address, libc::malloc(100)) };
        // SAFETY: live blocks of this heap, each given back once.
        blocks[1..].iter().for_each(|block| assert!(unsafe { heap.release(*block) }));
    }

    #[test]
    fn is_a_block_of_zeros_zero_wherever_it_lies() {
        let heap = Heap::new();
        for size in [1, 5000, DISCARD_FROM + 1, DISCARD_FROM + 4096] {
            // What was there before is not zero, whether the block is in the middle of a page or not.
            let before = heap.allocate(2 * size, 16);
            // SAFETY: the block has so many bytes, and is given back once.
            unsafe {
                before.cast::<u8>().write_bytes(0xa5, 2 * size);
                assert!(heap.release(before));
            }
            let block = heap.allocate_zeroed(size, 16).cast::<u8>();
            // SAFETY: the block has so many bytes.
            let bytes = unsafe { std::slice::from_raw_parts(block, size) };
            assert!(bytes.iter().all(|byte| *byte == 0), "{size}");
        }
    }

    #[test]
    fn does_everything_go_with_the_heap() {
        let mapped = |memory: *mut c_void| {
            let page = (memory as usize & !4095) as *mut c_void;
            let mut state = 0_u8;
            // SAFETY: mincore only looks; it fails for what is not mapped.
            unsafe { libc::mincore(page, 1, &raw mut state) == 0 }
        };
        let heap = Heap::default();
        let (small, large) = (heap.allocate(100, 16), heap.allocate(100 << 20, 16));
        assert!(mapped(small) && mapped(large));
        drop(heap);
        assert!(!mapped(small) && !mapped(large));
    }
}
