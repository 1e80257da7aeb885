//! What the host pays for memory: allocations that nobody had before and that somebody had, copies both ways, from
//! memory that the host may move and from memory that the device has mapped.

use super::host::{BoardHost, Called, at, of};

/// Large enough for the bandwidth to count.
const LARGE: u64 = 64 << 20;
const TO_DEVICE: u64 = 1;
const TO_HOST: u64 = 2;

pub(super) fn copies(host: &mut BoardHost) -> Called {
    host.begin()?;
    let stream = host.stream()?;
    let mut block = 0;
    host.expect_of(0, "rtMalloc", "1 GiB that nobody had before", &[at(&mut block), 1 << 30, 1, 0])?;
    host.expect(0, "rtFree", &[block])?;
    host.expect_of(0, "rtMalloc", "the same again", &[at(&mut block), 1 << 30, 1, 0])?;

    let small = [0u8; 632];
    host.expect_of(0, "rtMemcpy", "632 B to the device", &[block, 632, of(&small), 632, TO_DEVICE])?;
    let large = vec![0u8; LARGE as usize];
    let from = large.as_ptr().expose_provenance() as u64;
    host.expect_of(0, "rtMemcpy", "64 MiB of pageable memory", &[block, LARGE, from, LARGE, TO_DEVICE])?;
    let mut pinned = 0;
    host.expect_of(0, "aclrtMallocHost", "64 MiB", &[at(&mut pinned), LARGE])?;
    host.expect_of(0, "rtMemcpy", "64 MiB of pinned memory", &[block, LARGE, pinned, LARGE, TO_DEVICE])?;
    host.expect_of(0, "rtMemcpy", "64 MiB back into it", &[pinned, LARGE, block, LARGE, TO_HOST])?;
    host.expect(0, "aclrtFreeHost", &[pinned])?;
    host.expect_of(107_000, "aclrtFreeHost", "once more", &[pinned])?;
    let mut word = 0u64;
    host.expect_of(0, "rtMemcpy", "8 B back", &[at(&mut word), 8, block, 8, TO_HOST])?;
    host.expect(0, "rtFree", &[block])?;
    host.expect(0, "rtStreamDestroy", &[stream])?;
    Ok(())
}
