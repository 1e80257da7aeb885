//! Hooks for the objects of callables: when they are loaded and unloaded is decided by the device's book of them.

use std::ffi::{c_char, c_int};

use sim_core::engine::CurrentActor;
use sim_core::loader::cache::{CacheError, Callable, Released, Request};
use sim_core::loader::ledger::LoadOrigin;
use sim_core::loader::namespace::ObjectId;
use sim_core::shim::CallableName;
use sim_hbm::ObjectTransfer;

use super::super::error::DeviceError;
use super::super::rooms::Rooms;
use super::code::{load_guest, object_bytes, unload_object};
use super::{guest_text, on_device_or_host};

pub(super) extern "C" fn register_callable(
    callable: CallableName,
    bytes: *const u8,
    size: usize,
    name: *const c_char,
    object: *mut u64,
) -> c_int {
    let registered = on_device_or_host(|actor, rooms| {
        let name = guest_text(actor, name);
        let bytes = object_bytes(actor, rooms, bytes, size)?;
        let registered =
            callable_of(rooms, callable).and_then(|callable| register(actor, rooms, callable, &name, &bytes));
        // SAFETY: as the guest, a bad pointer ends the guest.
        let tell = |found: Option<ObjectId>| unsafe { object.write(found.map_or(0, ObjectId::to_handle)) };
        told(rooms, registered).map(|found| actor.as_guest(|| tell(found)))
    });
    code_of(registered.flatten())
}

pub(super) extern "C" fn begin_callable(callable: CallableName) -> u64 {
    let begun = on_device_or_host(|actor, rooms| {
        let begun = callable_of(rooms, callable).and_then(|callable| begin(actor, rooms, callable));
        told(rooms, begun).map(ObjectId::to_handle)
    });
    begun.flatten().unwrap_or(0)
}

pub(super) extern "C" fn end_callable(callable: CallableName) -> c_int {
    let ended = on_device_or_host(|actor, rooms| {
        let ended = callable_of(rooms, callable).and_then(|callable| end(actor, rooms, callable));
        told(rooms, ended)
    });
    code_of(ended.flatten())
}

pub(super) extern "C" fn unregister_callable(callable: CallableName) -> c_int {
    let unregistered = on_device_or_host(|actor, rooms| {
        let unregistered = callable_of(rooms, callable).and_then(|callable| unregister(actor, rooms, callable));
        told(rooms, unregistered)
    });
    code_of(unregistered.flatten())
}

pub(super) extern "C" fn callable_loads() -> usize {
    on_device_or_host(|_, rooms| rooms.callables.borrow().counts().loads as usize).unwrap_or(0)
}

pub(super) extern "C" fn object_transfer() -> u32 {
    let transfer = on_device_or_host(|_, rooms| rooms.transfer);
    // `NPUSIM_TRANSFER_*`
    match transfer {
        Some(ObjectTransfer::FixedBuffer) => 0,
        Some(ObjectTransfer::RightSized) => 1,
        Some(ObjectTransfer::Separate) | None => 2,
    }
}

/// Workers are numbered in the order in which they are first heard of.
fn callable_of(rooms: &Rooms, name: CallableName) -> Result<Callable, DeviceError> {
    let mut workers = rooms.workers.borrow_mut();
    let number = workers.iter().position(|known| *known == name.worker).unwrap_or_else(|| {
        workers.push(name.worker);
        workers.len() - 1
    });
    Ok(Callable::new(number as u32, name.id.cast_unsigned()).map_err(CacheError::from)?)
}

/// Keeps a failure for whoever asks.
fn told<T>(rooms: &Rooms, result: Result<T, DeviceError>) -> Option<T> {
    result.map_err(|error| rooms.failed(error)).ok()
}

fn code_of(done: Option<()>) -> c_int {
    if done.is_some() { 0 } else { -1 }
}

/// Gives a callable an object; gives that if it is loaded already.
fn register(
    actor: &CurrentActor<'_>,
    rooms: &Rooms,
    callable: Callable,
    name: &str,
    bytes: &[u8],
) -> Result<Option<ObjectId>, DeviceError> {
    let before = rooms.callables.borrow_mut().register(callable, name, bytes);
    let before = before.inspect_err(|error| {
        if let CacheError::Image(error) = error {
            rooms.account_refused(LoadOrigin::Orchestration, name, bytes, error);
        }
    })?;
    let_go(actor, rooms, before);
    if !rooms.callables.borrow().policy().prewarms() {
        return Ok(None);
    }
    let request = rooms.callables.borrow_mut().request(callable);
    match request.map_err(DeviceError::from).and_then(|request| serve(actor, rooms, callable, request)) {
        Ok(object) => Ok(Some(object)),
        Err(error) => {
            unregister(actor, rooms, callable)?;
            Err(error)
        }
    }
}

fn begin(actor: &CurrentActor<'_>, rooms: &Rooms, callable: Callable) -> Result<ObjectId, DeviceError> {
    let request = rooms.callables.borrow_mut().begin_run(callable)?;
    let served = serve(actor, rooms, callable, request);
    if served.is_err() {
        end(actor, rooms, callable)?;
    }
    served
}

fn end(actor: &CurrentActor<'_>, rooms: &Rooms, callable: Callable) -> Result<(), DeviceError> {
    let released = rooms.callables.borrow_mut().end_run(callable)?;
    let_go(actor, rooms, released);
    Ok(())
}

fn unregister(actor: &CurrentActor<'_>, rooms: &Rooms, callable: Callable) -> Result<(), DeviceError> {
    let released = rooms.callables.borrow_mut().unregister(callable)?;
    let_go(actor, rooms, released);
    Ok(())
}

/// The object of a callable, loaded if need be. Nothing is borrowed meanwhile: initialisers run, and time passes.
fn serve(
    actor: &CurrentActor<'_>,
    rooms: &Rooms,
    callable: Callable,
    request: Request,
) -> Result<ObjectId, DeviceError> {
    let object_of = |entry| Ok::<_, DeviceError>(rooms.callables.borrow().object(entry).map_err(CacheError::from)?);
    match request {
        Request::Own(entry) => object_of(entry),
        Request::Shared(entry) => {
            let object = object_of(entry)?;
            rooms.loads.borrow_mut().reuse(object);
            Ok(object)
        }
        Request::Load { name, bytes } => {
            let object = load_guest(actor, rooms, LoadOrigin::Orchestration, &name, &bytes)?;
            rooms.callables.borrow_mut().loaded(callable, object)?;
            Ok(object)
        }
    }
}

fn let_go(actor: &CurrentActor<'_>, rooms: &Rooms, released: Released<ObjectId>) {
    match released {
        Released::Nothing => {}
        Released::Stays(object) => rooms.loads.borrow_mut().release(object),
        Released::Goes(object) => {
            // It is loaded, so there is something to unload.
            let _ = unload_object(actor, rooms, object);
        }
    }
}
