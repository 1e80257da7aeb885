//! The hooks: what the shim calls.
//!
//! Each one finds out for whom it was called. An actor under virtual time is served by the rooms of its device, with
//! the host's thread control block ([`on_device`]). A kernel that runs natively, or a thread of the `threads` engine,
//! gets the plain effect at once. Nothing here decides anything: it prices, borrows a room, and hands over.

mod aicore;
mod aicpu;
mod callables;
mod clusters;
mod code;
mod coherence;
mod driver;
mod engine;
mod launch;
mod memory;
mod notes;
mod tiles;

use std::ffi::{CStr, c_char};

use sim_core::engine::{CurrentActor, Standing, calling_actor, on_host};
use sim_core::loader::heap;
use sim_core::shim::{HOOK_ABI, HookTable};

use super::rooms::{FreeRooms, Rooms};

/// The table that every shim of this process is tied to.
pub(super) static TABLE: HookTable = HookTable {
    abi: HOOK_ABI,
    size: size_of::<HookTable>() as u32,
    on_actor: engine::on_actor,
    heap_allocate: heap::allocate,
    heap_resize: heap::resize,
    heap_release: heap::release,
    spin: engine::spin,
    clock_ns: engine::clock_ns,
    sleep_ns: engine::sleep_ns,
    block: engine::block,
    block_until: engine::block_until,
    wake: engine::wake,
    thread_create: engine::thread_create,
    thread_join: engine::thread_join,
    reg_load: aicpu::reg_load,
    reg_store: aicpu::reg_store,
    reg_base: aicore::reg_base,
    reg_store64: aicpu::reg_store64,
    cache_maintenance: coherence::maintain,
    gm_load: coherence::load,
    gm_store: coherence::store,
    dcci: coherence::dcci,
    malloc: memory::malloc,
    free: memory::free,
    copy_to_device: memory::copy_to_device,
    copy_from_device: memory::copy_from_device,
    memset: memory::memset,
    committed: memory::committed,
    last_error: memory::last_error,
    load: code::load,
    symbol: code::symbol,
    unload: code::unload,
    register_callable: callables::register_callable,
    begin_callable: callables::begin_callable,
    end_callable: callables::end_callable,
    unregister_callable: callables::unregister_callable,
    callable_loads: callables::callable_loads,
    object_transfer: callables::object_transfer,
    register_kernel: code::register_kernel,
    unregister_kernel: code::unregister_kernel,
    topology: launch::topology,
    launch: launch::launch,
    wait: launch::wait,
    poll: launch::poll,
    aicpu_gate: aicpu::aicpu_gate,
    register_bases: aicpu::register_bases,
    charge: aicpu::charge,
    execute: aicore::execute,
    recorder: tiles::recorder,
    recorder_grow: tiles::recorder_grow,
    cross_set: clusters::cross_set,
    cross_wait: clusters::cross_wait,
    note_task: notes::note_task,
    note_edge: notes::note_edge,
    note_phase: notes::note_phase,
    log: notes::log,
    driver: &driver::TABLE,
};

/// Serves the actor that calls from its fiber, with the rooms of its device. `None`: no such actor calls.
#[inline(always)]
fn on_device<R>(function: impl FnOnce(&CurrentActor<'_>, &Rooms) -> R) -> Option<R> {
    on_host(|actor| actor.engine().rooms::<Rooms>().map(|rooms| function(actor, rooms))).flatten()
}

/// As [`on_device`]; what only the host may do is asked of it when a free-running thread calls.
fn on_device_or_host<R>(function: impl FnOnce(&CurrentActor<'_>, &Rooms) -> R) -> Option<R> {
    let context = calling_actor()?;
    if context.standing() != Standing::Free {
        return on_device(function);
    }
    sim_core::engine::free::ask_host(context, |host| host.engine().rooms::<Rooms>().map(|rooms| function(host, rooms)))
        .flatten()
}

/// What the free run of the calling thread needs, if it belongs to one.
fn free_rooms<'a>() -> Option<&'a FreeRooms> {
    calling_actor().filter(|context| context.standing() == Standing::Free).and_then(sim_core::engine::free::rooms_of)
}

/// A copy of a guest's text. Reading it can fault, so the guest does.
fn guest_text(actor: &CurrentActor<'_>, text: *const c_char) -> String {
    if text.is_null() {
        return String::new();
    }
    // SAFETY: as the guest, a bad pointer ends the guest.
    let length = actor.as_guest(|| unsafe { CStr::from_ptr(text).count_bytes() });
    let bytes = guest_bytes(actor, text.cast(), length);
    String::from_utf8_lossy(&bytes).into_owned()
}

/// A copy of a guest's bytes. Reading them can fault, so the guest does.
fn guest_bytes(actor: &CurrentActor<'_>, from: *const u8, size: usize) -> Vec<u8> {
    let mut copy = vec![0; size];
    let to = copy.as_mut_ptr();
    if size > 0 {
        // SAFETY: the target has `size` bytes; as the guest, a bad source ends the guest.
        actor.as_guest(|| unsafe { std::ptr::copy_nonoverlapping(from, to, size) });
    }
    copy
}

/// A copy of a structure that a guest passes. Reading it can fault, so the guest does.
fn guest_value<T: Copy>(actor: &CurrentActor<'_>, from: *const T) -> T {
    // SAFETY: the types that are read are plain data, valid for any bytes; a bad pointer ends the guest.
    actor.as_guest(|| unsafe { from.read_unaligned() })
}
