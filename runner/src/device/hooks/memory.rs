//! Hooks of the host: device memory.

use std::ffi::{c_char, c_int};

use sim_core::engine::CurrentActor;
use sim_core::trace::{CopyDirection, EventKind};
use sim_hbm::{DevicePtr, DmaRequest, HbmError, HostMemory};

use super::super::rooms::Rooms;
use super::coherence;
use super::{guest_bytes, guest_text, on_device};

/// A bad argument.
const INVALID: c_int = -1;

pub(super) extern "C" fn malloc(size: usize, alignment: usize, owner: *const c_char) -> usize {
    let allocated = on_device(|actor, rooms| {
        if actor.engine().fault().is_some() {
            rooms.failed(super::super::error::DeviceError::Poisoned);
            return 0;
        }
        let owner = guest_text(actor, owner);
        let mut hbm = rooms.hbm.borrow_mut();
        match hbm.allocate_aligned(size as u64, alignment as u64, &owner) {
            Ok(block) => block.address() as usize,
            Err(error) => {
                drop(hbm);
                rooms.failed(error.into());
                0
            }
        }
    });
    allocated.unwrap_or(0)
}

pub(super) extern "C" fn free(device: usize) -> c_int {
    let freed = on_device(|actor, rooms| {
        let by = actor.kind().to_string();
        let freed = rooms.hbm.borrow_mut().free(DevicePtr::new(device as u64), &by);
        freed.map_or_else(|error| rooms.failed(error.into()), |_| 0)
    });
    freed.unwrap_or(INVALID)
}

/// Performs a transfer, lets its time pass and notes it.
pub(super) fn transfer(actor: &CurrentActor<'_>, rooms: &Rooms, request: DmaRequest<'_>) -> Result<(), HbmError> {
    transfer_with(HostMemory::Pageable, actor, rooms, request)
}

/// The same with host memory of this kind.
fn transfer_with(
    host: HostMemory,
    actor: &CurrentActor<'_>,
    rooms: &Rooms,
    request: DmaRequest<'_>,
) -> Result<(), HbmError> {
    let (direction, bytes) = (request.direction(), request.bytes());
    let begun = actor.now();
    if let Some(to) = request.written() {
        coherence::host_writes(actor, rooms, to, bytes);
    }
    let completion = rooms.dma.borrow_mut().submit_from(host, &mut rooms.hbm.borrow_mut(), begun, request)?;
    actor.charge(completion.end.since(begun), 0);
    actor.record(EventKind::Copy { direction, bytes, cost: completion.cost() });
    Ok(())
}

fn result_of(rooms: &Rooms, done: Result<(), HbmError>) -> c_int {
    done.map_or_else(|error| rooms.failed(error.into()), |()| 0)
}

fn unseen(direction: CopyDirection, at: DevicePtr, size: usize) -> DmaRequest<'static> {
    DmaRequest::Unseen { direction, at, length: size as u64 }
}

/// Copies from memory of the host, which is of kind `memory`. What nobody looks at is copied in time alone.
pub(super) fn to_device(
    actor: &CurrentActor<'_>,
    rooms: &Rooms,
    memory: HostMemory,
    to: DevicePtr,
    from: *const u8,
    size: usize,
) -> Result<(), HbmError> {
    rooms.hbm.borrow().check_range(to, size as u64)?;
    if rooms.programs.ignores(from.addr(), size) {
        return transfer_with(memory, actor, rooms, unseen(CopyDirection::ToDevice, to, size));
    }
    let bytes = guest_bytes(actor, from, size);
    transfer_with(memory, actor, rooms, DmaRequest::ToDevice { to, from: &bytes })
}

/// The other way round.
pub(super) fn from_device(
    actor: &CurrentActor<'_>,
    rooms: &Rooms,
    memory: HostMemory,
    to: *mut u8,
    from: DevicePtr,
    size: usize,
) -> Result<(), HbmError> {
    rooms.hbm.borrow().check_range(from, size as u64)?;
    if rooms.programs.ignores(to.addr(), size) {
        return transfer_with(memory, actor, rooms, unseen(CopyDirection::FromDevice, from, size));
    }
    let mut bytes = vec![0; size];
    transfer_with(memory, actor, rooms, DmaRequest::FromDevice { to: &mut bytes, from })?;
    let source = bytes.as_ptr();
    // SAFETY: the source has `size` bytes; as the guest, a bad target ends the guest.
    actor.as_guest(|| unsafe { std::ptr::copy_nonoverlapping(source, to, size) });
    Ok(())
}

pub(super) extern "C" fn copy_to_device(device: usize, host: *const u8, size: usize) -> c_int {
    let copied = on_device(|actor, rooms| {
        let to = DevicePtr::new(device as u64);
        result_of(rooms, to_device(actor, rooms, HostMemory::Pageable, to, host, size))
    });
    copied.unwrap_or(INVALID)
}

pub(super) extern "C" fn copy_from_device(host: *mut u8, device: usize, size: usize) -> c_int {
    let copied = on_device(|actor, rooms| {
        let from = DevicePtr::new(device as u64);
        result_of(rooms, from_device(actor, rooms, HostMemory::Pageable, host, from, size))
    });
    copied.unwrap_or(INVALID)
}

pub(super) extern "C" fn memset(device: usize, value: c_int, size: usize) -> c_int {
    let filled = on_device(|actor, rooms| {
        let request = DmaRequest::Memset { at: DevicePtr::new(device as u64), value: value as u8, length: size as u64 };
        let done = transfer(actor, rooms, request);
        result_of(rooms, done)
    });
    filled.unwrap_or(INVALID)
}

pub(super) extern "C" fn committed() -> usize {
    on_device(|_, rooms| rooms.hbm.borrow().residency().device.live_bytes as usize).unwrap_or(0)
}

pub(super) extern "C" fn last_error() -> c_int {
    on_device(|_, rooms| rooms.last_code.get()).unwrap_or(0)
}
