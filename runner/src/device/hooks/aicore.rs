//! Hooks of AICores: their register block, and running kernels.

use std::cell::Cell;
use std::sync::atomic::Ordering;

use sim_aicore::registry::Kernel;
use sim_aicore::task::{MOST_TENSORS, TensorDescriptor, demand, transfers};
use sim_core::engine::{CurrentActor, NativeBody, Poll, calling_actor};
use sim_core::shim::KernelCall;
use sim_core::time::{SimDuration, SimTime};
use sim_core::trace::EventKind;
use sim_hbm::bandwidth::{Pace, Traffic, Transfer};

use super::super::rooms::Rooms;
use super::{free_rooms, guest_value, on_device};

pub(super) extern "C" fn reg_base(caller: usize) -> *mut u8 {
    if let Some(rooms) = free_rooms() {
        return free_base(rooms);
    }
    let base = on_device(|actor, rooms| {
        let core = core_of(actor, caller);
        let (register, word) = rooms.registers.data_main_base(core);
        let poll = Poll::Register { core, offset: register.offset, value: word.load(Ordering::Relaxed) };
        actor.access_registers(*rooms.profile.aicore.register_access, poll, caller);
        rooms.registers.bases()[usize::from(core)]
    });
    base.unwrap_or(0) as *mut u8
}

/// A free-running core's number follows from its actor's: cores are started first, from 1.
fn free_base(rooms: &super::super::rooms::FreeRooms) -> *mut u8 {
    let index = calling_actor().map_or(0, |context| context.actor().0.saturating_sub(1));
    rooms.bases.get(index as usize).copied().unwrap_or(0) as *mut u8
}

fn core_of(actor: &CurrentActor<'_>, caller: usize) -> u16 {
    match actor.kind().core() {
        Some(core) => core,
        None => actor.refuse("only an AICore has a register block".to_owned(), caller),
    }
}

pub(super) extern "C" fn execute(call: *const KernelCall, caller: usize) {
    if let Some(rooms) = free_rooms() {
        // SAFETY: the guest passes its own call structure, with a kernel that is registered while it runs.
        unsafe { execute_free(rooms, &*call) };
        return;
    }
    on_device(|actor, rooms| execute_on_core(actor, rooms, call, caller));
}

/// # Safety
///
/// The kernel must be registered.
unsafe fn execute_free(rooms: &super::super::rooms::FreeRooms, call: &KernelCall) {
    // SAFETY: handles are addresses of registered kernels, which are not changed during a run.
    let kernel = unsafe { &*(call.kernel as *const Kernel) };
    rooms.kernels.fetch_add(1, Ordering::Relaxed);
    // SAFETY: the entry of a kernel object takes the argument array.
    let entry: extern "C" fn(*mut i64) = unsafe { std::mem::transmute(kernel.entry) };
    entry(call.args);
}

fn execute_on_core(actor: &CurrentActor<'_>, rooms: &Rooms, call: *const KernelCall, caller: usize) {
    let core = core_of(actor, caller);
    // Reading the guest's memory can end the guest on the spot: nothing is borrowed meanwhile.
    let call = guest_value(actor, call);
    let (tensors, count) = read_tensors(actor, &call);
    let kernels = rooms.kernels.borrow();
    let Some(kernel) = kernels.find(call.kernel) else {
        drop(kernels);
        let reason = format!("task {:#x} names kernel {:#x}, which is not registered", call.task_id, call.kernel);
        actor.refuse(reason, caller)
    };
    let (content, body) = (kernel.content, kernel.body(call.args));
    let (tensors, access) = (&tensors[..count], &kernel.description.tensors);
    let demand = demand(tensors, access, 1);
    let cost = rooms.costs.cost(&kernel.description.name, &demand);
    let moved = if cost.shares_memory() { transfers(tensors, access) } else { Vec::new() };
    drop(kernels);
    let (token, received) = rooms.launch.receive(core, actor.now());
    let task = call.task_id;
    actor.record(EventKind::KernelStart {
        kernel: content,
        task,
        token,
        received,
        cost: cost.duration,
        source: cost.source,
    });
    // The core reports a task once the kernel's writes have drained.
    let flush = &rooms.profile.aicore.flush;
    let spent = if moved.is_empty() {
        // SAFETY: the executor vouches for the arguments, as it would by calling the kernel itself.
        unsafe { actor.run_body(&body, cost.duration + flush.value, caller) };
        cost.duration
    } else {
        let kernel = |traffic: Traffic| {
            let bytes = traffic.bytes();
            (traffic, Pace::overlapped(bytes, rooms.costs.roofline().engine(bytes, demand.instructions)))
        };
        // SAFETY: as above.
        let spent = unsafe { run_sharing(actor, rooms, &body, &moved, kernel, caller) };
        actor.charge(flush.value, 0);
        spent
    };
    rooms.worked(cost.confidence, spent);
    rooms.worked(flush.confidence, flush.value);
    actor.record(EventKind::KernelEnd { kernel: content, task, cost: spent });
}

/// Runs a body that shares the memory with others: its end, and theirs, move as kernels come and go. How long it took.
///
/// # Safety
///
/// The call must be sound to make as this actor.
unsafe fn run_sharing(
    actor: &CurrentActor<'_>,
    rooms: &Rooms,
    body: &NativeBody,
    moved: &[Transfer],
    kernel: impl FnOnce(Traffic) -> (Traffic, Pace),
    caller: usize,
) -> SimDuration {
    let begun = Cell::new(SimTime::ZERO);
    let join = |now: SimTime| {
        begun.set(now);
        let mut memory = rooms.memory.borrow_mut();
        let end = memory.join(now, actor.id(), moved, kernel);
        actor.move_ends(memory.moved());
        end
    };
    // SAFETY: the caller vouches for the call.
    unsafe { actor.run_body_until(body, caller, join) };
    let now = actor.now();
    let mut memory = rooms.memory.borrow_mut();
    memory.leave(now, actor.id());
    actor.move_ends(memory.moved());
    now.since(begun.get())
}

/// The tensor descriptors of a task, as many as there can be.
fn read_tensors(actor: &CurrentActor<'_>, call: &KernelCall) -> ([TensorDescriptor; MOST_TENSORS], usize) {
    let mut tensors = [TensorDescriptor::default(); MOST_TENSORS];
    let count = (call.tensor_count as usize).min(MOST_TENSORS);
    let to = &mut tensors;
    actor.as_guest(|| {
        for (index, tensor) in to.iter_mut().enumerate().take(count) {
            // SAFETY: descriptors are plain data; a bad pointer ends the guest.
            *tensor = unsafe { (*call.args.add(index) as *const TensorDescriptor).read_unaligned() };
        }
    });
    (tensors, count)
}
