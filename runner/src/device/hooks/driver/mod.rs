//! Hooks of the driver front: each request of `rt` and `acl`, with its checks, its time and its code.
//!
//! A request first checks all of its arguments, then whether the context is sound, and only then does something: what
//! is refused has changed nothing. Its code is CANN's; why it was refused is kept for whoever asks the device.

mod binaries;
mod cpu;
mod events;
mod launches;
mod memory;
mod process;
mod queue;
mod streams;
mod wait;

use std::ffi::c_int;

use sim_core::actor::ActorKind;
use sim_core::driver_hooks::DriverHookTable;
use sim_core::engine::CurrentActor;

use super::super::driver::error::{CannCode, DriverError};
use super::super::rooms::Rooms;
use super::on_device;

/// The driver's part of the hook table.
pub(super) static TABLE: DriverHookTable = DriverHookTable {
    init: process::init,
    finalize: process::finalize,
    set_device: process::set_device,
    get_device: process::get_device,
    reset_device: process::reset_device,
    set_op_timeout: process::set_op_timeout,
    memory_info: memory::memory_info,
    stream_create: streams::stream_create,
    stream_destroy: streams::stream_destroy,
    stream_check: streams::stream_check,
    stream_query: streams::stream_query,
    stream_synchronize: streams::stream_synchronize,
    device_synchronize: streams::device_synchronize,
    stream_limit: streams::stream_limit,
    stream_wait_event: events::stream_wait_event,
    event_create: events::event_create,
    event_destroy: events::event_destroy,
    event_record: events::event_record,
    event_synchronize: events::event_synchronize,
    event_timestamp: events::event_timestamp,
    malloc: memory::malloc,
    free: memory::free,
    memcpy: memory::memcpy,
    memset: memory::memset,
    malloc_host: memory::malloc_host,
    free_host: memory::free_host,
    register_binary: binaries::register_binary,
    unregister_binary: binaries::unregister_binary,
    launch_binary: binaries::launch_binary,
    launch_builtin: cpu::launch_builtin,
    load_cpu_binary: cpu::load_cpu_binary,
    unload_cpu_binary: cpu::unload_cpu_binary,
    cpu_function: cpu::cpu_function,
    launch_cpu: cpu::launch_cpu,
    device_info: process::device_info,
};

/// Serves a request of a host thread; its code.
fn serve(request: impl FnOnce(&CurrentActor<'_>, &Rooms) -> Result<(), DriverError>) -> c_int {
    let served = on_device(|actor, rooms| {
        if !matches!(actor.kind(), ActorKind::Host | ActorKind::Thread(_)) {
            return CannCode::ContextNull as c_int;
        }
        request(actor, rooms).map_or_else(|error| refused(rooms, error), |()| 0)
    });
    served.unwrap_or(CannCode::ContextNull as c_int)
}

fn refused(rooms: &Rooms, error: DriverError) -> c_int {
    let code = error.code() as c_int;
    rooms.last_error.replace(Some(error.into()));
    code
}

/// The caller has a context in which something new can be done.
fn check_sound(actor: &CurrentActor<'_>, rooms: &Rooms) -> Result<(), DriverError> {
    wait::settle(actor, rooms);
    rooms.driver.borrow().check_sound(actor.id())
}

/// The caller has a context, if only to clean up.
fn check_context(actor: &CurrentActor<'_>, rooms: &Rooms) -> Result<(), DriverError> {
    wait::settle(actor, rooms);
    rooms.driver.borrow().check_context(actor.id())
}

/// A place for a result.
fn check_place<T>(place: *mut T, what: &str) -> Result<(), DriverError> {
    if place.is_null() { Err(DriverError::invalid(format!("no address for {what}"))) } else { Ok(()) }
}

/// Writes a result to its place.
fn put<T: Copy>(actor: &CurrentActor<'_>, place: *mut T, value: T) {
    // SAFETY: as the guest, a bad pointer ends the guest.
    actor.as_guest(|| unsafe { place.write_unaligned(value) });
}
