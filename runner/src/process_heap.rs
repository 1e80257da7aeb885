//! The allocator of the `npusim` process: one without any state per thread.
//!
//! The dynamic linker allocates with this program's `malloc` while a fiber has borrowed the thread control block of a
//! lender, which belongs to a guest's namespace. An allocator with caches per thread would set one up there that nobody
//! ever takes down, a little for each lender of each runtime. This one knows no threads, so that a process which makes
//! and destroys runtimes all day stays as it is.
//!
//! Defined by the program, these functions take the place of libc's for the whole process.

use std::ffi::{c_int, c_void};
use std::ptr;

use sim_core::loader::heap::Heap;

static HEAP: Heap = Heap::new();

/// What `malloc` guarantees.
const ALIGNMENT: usize = 16;

fn allocate(size: usize, alignment: usize) -> *mut c_void {
    HEAP.allocate(size, alignment.max(ALIGNMENT))
}

// SAFETY (of all): these are the C library's functions by name and behaviour; no other code of this program has them.

#[unsafe(no_mangle)]
extern "C" fn malloc(size: usize) -> *mut c_void {
    allocate(size, ALIGNMENT)
}

#[unsafe(no_mangle)]
extern "C" fn calloc(count: usize, size: usize) -> *mut c_void {
    let Some(bytes) = count.checked_mul(size) else { return ptr::null_mut() };
    HEAP.allocate_zeroed(bytes, ALIGNMENT)
}

#[unsafe(no_mangle)]
unsafe extern "C" fn free(block: *mut c_void) {
    // SAFETY: the caller gives a live block; one that is not ours is from before this program had an allocator.
    unsafe { HEAP.release(block) };
}

#[unsafe(no_mangle)]
unsafe extern "C" fn realloc(block: *mut c_void, size: usize) -> *mut c_void {
    // SAFETY: the caller gives a live block of ours, or null.
    unsafe { HEAP.resize(block, size) }
}

#[unsafe(no_mangle)]
extern "C" fn memalign(alignment: usize, size: usize) -> *mut c_void {
    allocate(size, alignment)
}

#[unsafe(no_mangle)]
extern "C" fn aligned_alloc(alignment: usize, size: usize) -> *mut c_void {
    allocate(size, alignment)
}

#[unsafe(no_mangle)]
unsafe extern "C" fn posix_memalign(place: *mut *mut c_void, alignment: usize, size: usize) -> c_int {
    if !alignment.is_power_of_two() || alignment < size_of::<usize>() {
        return libc::EINVAL;
    }
    let block = allocate(size, alignment);
    if block.is_null() {
        return libc::ENOMEM;
    }
    // SAFETY: the caller gives a place for the result.
    unsafe { place.write(block) };
    0
}
