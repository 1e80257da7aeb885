//! Hooks that load code.

use std::convert::Infallible;
use std::ffi::{c_char, c_int};

use sim_aicore::registry::LoadedKernel;
use sim_aicore::tile_trace::may_leave_traces;
use sim_core::actor::ActorKind;
use sim_core::engine::CurrentActor;
use sim_core::engine::wait_trap;
use sim_core::loader::hooks::{self, Blocking};
use sim_core::loader::ledger::LoadOrigin;
use sim_core::loader::load_error::LoadError;
use sim_core::loader::namespace::ObjectId;
use sim_core::time::SimDuration;
use sim_core::trace::ContentHash;
use sim_hbm::DevicePtr;

use super::super::error::DeviceError;
use super::super::rooms::Rooms;
use super::{guest_bytes, guest_text, on_device_or_host};

/// The function of a kernel object that cores call.
const KERNEL_ENTRY: &str = "kernel_entry";

/// `NPUSIM_ORIGIN_*`
fn origin_of(code: u32) -> Option<LoadOrigin> {
    match code {
        1 => Some(LoadOrigin::Aicpu),
        2 => Some(LoadOrigin::Aicore),
        3 => Some(LoadOrigin::Orchestration),
        _ => None,
    }
}

pub(super) extern "C" fn load(origin: u32, bytes: *const u8, size: usize, name: *const c_char) -> u64 {
    let loaded = on_device_or_host(|actor, rooms| {
        let origin = origin_of(origin)?;
        let name = guest_text(actor, name);
        let bytes = object_bytes(actor, rooms, bytes, size)?;
        match load_guest(actor, rooms, origin, &name, &bytes) {
            Ok(object) => Some(object.to_handle()),
            Err(error) => {
                rooms.failed(error);
                None
            }
        }
    });
    loaded.flatten().unwrap_or(0)
}

/// The bytes of an object, which may be in device memory: then they have to be in one block of it.
pub(super) fn object_bytes(actor: &CurrentActor<'_>, rooms: &Rooms, bytes: *const u8, size: usize) -> Option<Vec<u8>> {
    let hbm = rooms.hbm.borrow();
    let at = DevicePtr::from(bytes);
    if at >= hbm.start() && at < hbm.end() {
        let mut copy = vec![0; size];
        let read = hbm.read(at, &mut copy);
        drop(hbm);
        return match read {
            Ok(()) => Some(copy),
            Err(error) => {
                rooms.failed(error.into());
                None
            }
        };
    }
    drop(hbm);
    if bytes.is_null() || size == 0 { None } else { Some(guest_bytes(actor, bytes, size)) }
}

/// Loads an object; its initialisers run as the guest that asked.
fn load_as_guest(
    actor: &CurrentActor<'_>,
    rooms: &Rooms,
    origin: LoadOrigin,
    name: &str,
    bytes: &[u8],
    device_time: SimDuration,
) -> Result<ObjectId, LoadError> {
    let loaded = rooms.load(origin, name, bytes, device_time, |call| {
        // SAFETY: the call links the object.
        Ok::<u64, Infallible>(actor.as_loaded_object(|| unsafe { call.invoke() }))
    });
    match loaded {
        Ok(loaded) => loaded,
    }
}

/// Loads an object of the runtime, traps its wait loops, and lets the time pass that the load takes on the device.
pub(super) fn load_guest(
    actor: &CurrentActor<'_>,
    rooms: &Rooms,
    origin: LoadOrigin,
    name: &str,
    bytes: &[u8],
) -> Result<ObjectId, DeviceError> {
    // What a load costs the host is not modelled: while host code runs, virtual time stands still.
    let on_device = origin == LoadOrigin::Orchestration && actor.kind() != ActorKind::Host;
    let cost = if on_device { *rooms.profile.aicpu.object_load } else { SimDuration::ZERO };
    let object = load_as_guest(actor, rooms, origin, name, bytes, cost)?;
    if !rooms.free {
        let namespace = rooms.namespace.borrow();
        let content = match namespace.object(object) {
            Some(object) => object.trap_wait_loops().map(|()| object.image.content)?,
            None => unreachable!("the object was just loaded"),
        };
        drop(namespace);
        actor.charge(cost, 0);
        Rooms::record_load(actor, content);
    }
    Ok(object)
}

pub(super) extern "C" fn symbol(object: u64, name: *const c_char) -> usize {
    let found = on_device_or_host(|actor, rooms| {
        let name = guest_text(actor, name);
        let namespace = rooms.namespace.borrow();
        let found = match ObjectId::from_handle(object).and_then(|id| namespace.object(id)) {
            Some(object) => object.symbol(&name).map_err(DeviceError::from),
            // Handles are not used again, so it is not that of another.
            None => Err(DeviceError::LateUse { object, symbol: name }),
        };
        found.map_err(|error| rooms.failed(error)).ok()
    });
    found.flatten().unwrap_or(0)
}

pub(super) extern "C" fn unload(object: u64) -> c_int {
    let unloaded = on_device_or_host(|actor, rooms| {
        let id = ObjectId::from_handle(object)?;
        unload_object(actor, rooms, id)
    });
    if unloaded.flatten().is_some() { 0 } else { -1 }
}

pub(super) fn unload_object(actor: &CurrentActor<'_>, rooms: &Rooms, id: ObjectId) -> Option<()> {
    let (range, whereabouts) =
        rooms.namespace.borrow().object(id).map(|object| (object.range(), object.whereabouts()))?;
    wait_trap::remove(range);
    rooms.loads.borrow_mut().look_after(&rooms.namespace.borrow());
    let mut unlinking = rooms.namespace.borrow_mut().remove(id)?;
    let call = unlinking.call();
    rooms.unlinking.borrow_mut().push(unlinking);
    // SAFETY: the call closes the object, and what it needs waits in the rooms.
    actor.as_loaded_object(|| unsafe { call.invoke() });
    rooms.unlinking.borrow_mut().pop();
    rooms.account_closed(id, &whereabouts);
    Some(())
}

pub(super) extern "C" fn register_kernel(func_id: i32, bytes: *const u8, size: usize) -> u64 {
    let registered = on_device_or_host(|actor, rooms| {
        let bytes = object_bytes(actor, rooms, bytes, size)?;
        match register(actor, rooms, func_id, &bytes) {
            Ok(handle) => Some(handle),
            Err(error) => {
                rooms.failed(error.into());
                None
            }
        }
    });
    registered.flatten().unwrap_or(0)
}

fn register(actor: &CurrentActor<'_>, rooms: &Rooms, func_id: i32, bytes: &[u8]) -> Result<u64, LoadError> {
    let content = ContentHash::of(bytes);
    let reused = rooms.kernels.borrow_mut().reuse(content);
    if let Some(handle) = reused {
        if let Some(kernel) = rooms.kernels.borrow().find(handle) {
            rooms.loads.borrow_mut().reuse(kernel.object);
        }
        return Ok(handle);
    }
    let name = rooms.kernels.borrow().name_of(content, func_id);
    let object = load_as_guest(actor, rooms, LoadOrigin::Kernel, &name, bytes, SimDuration::ZERO)?;
    let namespace = rooms.namespace.borrow();
    let loaded = namespace.object(object).map(|loaded| {
        let image = &*loaded.image;
        let (tiled, traced) = (hooks::records(image), may_leave_traces(image));
        let hands_over = hooks::hands_over(image);
        // A trace has a mutex, and a thread its own trace.
        let blocking = if traced { hooks::blocking_but_for_mutexes(image) } else { hooks::blocking(image) };
        let blocking = blocking != Blocking::Natively;
        loaded.symbol(KERNEL_ENTRY).map(|entry| LoadedKernel { object, entry, blocking, tiled, traced, hands_over })
    });
    drop(namespace);
    match loaded {
        Some(Ok(kernel)) => Ok(rooms.kernels.borrow_mut().add(content, func_id, kernel)),
        Some(Err(error)) => {
            unload_object(actor, rooms, object);
            Err(error)
        }
        None => unreachable!("the object was just loaded"),
    }
}

pub(super) extern "C" fn unregister_kernel(kernel: u64) -> c_int {
    let unregistered = on_device_or_host(|actor, rooms| {
        let object = rooms.kernels.borrow().find(kernel).map(|kernel| kernel.object)?;
        let last = rooms.kernels.borrow_mut().release(kernel).ok()?;
        match last {
            Some(object) => unload_object(actor, rooms, object),
            None => {
                rooms.loads.borrow_mut().release(object);
                Some(())
            }
        }
    });
    if unregistered.flatten().is_some() { 0 } else { -1 }
}
