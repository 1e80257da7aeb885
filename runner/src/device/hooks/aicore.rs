//! Hooks of AICores: their register block, and running kernels.

use std::sync::atomic::Ordering;

use sim_aicore::cost::KernelCost;
use sim_aicore::registry::Kernel;
use sim_aicore::task::{MOST_TENSORS, TensorDescriptor, demand};
use sim_core::engine::{CurrentActor, NativeBody, Poll, calling_actor};
use sim_core::shim::KernelCall;
use sim_core::trace::{ContentHash, CostSource, EventKind};

use super::super::programs::Mode;
use super::super::rooms::Rooms;
use super::tiles::{BodyLeft, TiledCall};
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
    let tensors = &tensors[..count];
    let kernels = rooms.kernels.borrow();
    let Some(kernel) = kernels.find(call.kernel) else {
        drop(kernels);
        let reason = format!("task {:#x} names kernel {:#x}, which is not registered", call.task_id, call.kernel);
        actor.refuse(reason, caller)
    };
    let (content, body, tiled) = (kernel.content, kernel.body(call.args), kernel.tiled);
    let active = rooms.launch.active_cores(actor.now());
    let cost = rooms.costs.cost(&kernel.description.name, &demand(tensors, &kernel.description.tensors, active));
    let name = if tiled { kernel.description.name.clone() } else { String::new() };
    drop(kernels);
    if !tiled {
        let run = KernelRun { core, kernel: content, task: call.task_id, cost, caller };
        return run.pass(actor, rooms, Some(&body));
    }
    let tiled = TiledCall { core, kernel: content, name: &name, call: &call, tensors, body: &body, caller };
    let run = |cost| KernelRun { core, kernel: content, task: call.task_id, cost, caller };
    if cost.source == CostSource::Table {
        let computes = rooms.programs.mode == Mode::Functional;
        return run(cost).pass(actor, rooms, computes.then_some(&body));
    }
    let (program, left) = tiled.program(actor, rooms);
    let cost = rooms.costs.program(&program, active);
    match left {
        BodyLeft::Nothing => run(cost).pass(actor, rooms, None),
        BodyLeft::Compared => {
            tiled.lend(actor, rooms);
            run(cost).pass(actor, rooms, Some(&body));
            tiled.compare(actor, rooms, &program);
        }
    }
}

/// A kernel with its cost.
struct KernelRun {
    core: u16,
    kernel: ContentHash,
    task: u64,
    cost: KernelCost,
    caller: usize,
}

impl KernelRun {
    /// Its interval passes, and `body` is run in it if there is one.
    fn pass(&self, actor: &CurrentActor<'_>, rooms: &Rooms, body: Option<&NativeBody>) {
        let KernelRun { core, kernel, task, cost, caller } = *self;
        let now = actor.now();
        // The core reports a task once the kernel's writes have drained.
        let interval = cost.duration + *rooms.profile.aicore.flush;
        rooms.launch.runs_until(now + interval);
        let (token, received) = rooms.launch.receive(core, now);
        let KernelCost { duration, source } = cost;
        actor.record(EventKind::KernelStart { kernel, task, token, received, cost: duration, source });
        match body {
            // SAFETY: the executor vouches for the arguments, as it would by calling the kernel itself.
            Some(body) => unsafe { actor.run_body(body, interval, caller) },
            None => actor.charge(interval, caller),
        }
        actor.record(EventKind::KernelEnd { kernel, task });
    }
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
