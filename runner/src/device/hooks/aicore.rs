//! Hooks of AICores: their register block, and running kernels.

use std::sync::atomic::Ordering;

use sim_aicore::cost::KernelCost;
use sim_aicore::kernel_run::{KernelRun, MemoryUse, MemoryWork};
use sim_aicore::registry::Kernel;
use sim_aicore::task::{MOST_TENSORS, TensorDescriptor, demand, transfers};
use sim_aicore::tile_trace::{Places, Prices, TracedCall};
use sim_core::engine::{CurrentActor, NativeBody, Poll, calling_actor};
use sim_core::loader::namespace::ObjectId;
use sim_core::shim::KernelCall;
use sim_core::trace::CostSource;

use super::super::programs::Mode;
use super::super::rooms::Rooms;
use super::tiles::{BodyLeft, TiledCall, kind_of};
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
        if rooms.registers.may_be_split() {
            rooms.registers.looked_at(actor.kind(), core, actor.now());
        }
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
    let (content, body, object) = (kernel.content, kernel.body(call.args), kernel.object);
    let (tiled, traced, hands_over) = (kernel.tiled, kernel.traced, kernel.hands_over);
    let access = &kernel.description.tensors;
    let demand = demand(tensors, access);
    let cost = rooms.costs.cost(&kernel.description.name, &demand);
    let by_tensors = if cost.shares_memory() && !tiled {
        let work = MemoryWork::Once { instructions: demand.instructions };
        MemoryUse::Moves { transfers: transfers(tensors, access), work }
    } else {
        MemoryUse::Nothing
    };
    let name = if tiled || traced { kernel.description.name.clone() } else { String::new() };
    drop(kernels);
    let pass = |cost: KernelCost, memory, body: Option<&NativeBody>| {
        let run = KernelRun { core, kernel: content, task: Some(call.task_id), cost, memory, caller };
        // SAFETY: the executor vouches for the arguments, as it would by calling the kernel itself.
        let spent = unsafe { run.pass(actor, rooms.kernel_device(), body) };
        rooms.worked(spent.confidence, spent.duration);
        rooms.worked(rooms.profile.aicore.flush.confidence, *rooms.profile.aicore.flush);
    };
    let described = TiledCall { core, kernel: content, name: &name, call: &call, tensors, body: &body, caller };
    if !tiled {
        let traced = if traced { find_places(actor, rooms, object) } else { None };
        let Some(places) = traced else { return pass(cost, by_tensors, Some(&body)) };
        let kind = kind_of(actor);
        let traced = TracedCall { kernel: content, name: &name, core: kind, tensors, places, body: &body, caller };
        let prices = Prices { costs: &rooms.costs, otherwise: cost };
        let begun = traced.begin(actor, &rooms.traces, &prices, || described.key(actor));
        let memory = begun
            .program
            .as_ref()
            .map_or(by_tensors, |program| MemoryUse::of_program(program, tensors, *rooms.profile.l2.line));
        pass(begun.cost, memory, begun.body_is_left.then_some(&body));
        return traced.end(actor, &rooms.traces, begun);
    }
    let tiled = described;
    if hands_over {
        return pass_together(actor, rooms, &tiled, cost.source);
    }
    if cost.source == CostSource::Table {
        let computes = rooms.programs.mode == Mode::Functional;
        return pass(cost, MemoryUse::Nothing, computes.then_some(&body));
    }
    let (program, left) = tiled.program(actor, rooms);
    let (cost, memory) =
        (rooms.costs.program(&program), MemoryUse::of_program(&program, tensors, *rooms.profile.l2.line));
    match left {
        BodyLeft::Nothing => pass(cost, memory, None),
        BodyLeft::Compared => {
            tiled.lend(actor, rooms);
            pass(cost, memory, Some(&body));
            tiled.compare(actor, rooms, &program);
        }
    }
}

/// A call that hands tiles to other cores of its cluster.
fn pass_together(actor: &CurrentActor<'_>, rooms: &Rooms, tiled: &TiledCall<'_>, source: CostSource) {
    if source == CostSource::Table {
        tiled.refuse(actor, &FromTable);
    }
    let (program, left) = tiled.program_of_part(actor, rooms);
    let place = (tiled.core, tiled.call.task_id, tiled.block(actor));
    let seat = rooms.clusters.take_seat(actor, rooms.launch.array.get(), place, &program, tiled.caller);
    let run = KernelRun {
        core: tiled.core,
        kernel: tiled.kernel,
        task: Some(tiled.call.task_id),
        cost: rooms.costs.program(&program),
        memory: MemoryUse::of_program(&program, tiled.tensors, *rooms.profile.l2.line),
        caller: tiled.caller,
    };
    let body = (left == BodyLeft::Compared).then_some(tiled.body);
    if body.is_some() {
        tiled.lend(actor, rooms);
    }
    // SAFETY: the executor vouches for the arguments, as it would by calling the kernel itself.
    let passed = unsafe { run.pass_together(actor, rooms.kernel_device(), (&seat, &rooms.programs.library), body) };
    let spent = passed.unwrap_or_else(|error| tiled.refuse(actor, &error));
    rooms.clusters.leave(&seat);
    rooms.worked(spent.confidence, spent.duration);
    rooms.worked(rooms.profile.aicore.flush.confidence, *rooms.profile.aicore.flush);
    if body.is_some() {
        tiled.compare(actor, rooms, &program);
    }
}

/// the table of costs has it, but it hands tiles to other cores of its cluster: when it ends follows from what they do
#[derive(displaydoc::Display)]
struct FromTable;

/// Where the core that calls has the traces of a kernel.
fn find_places(actor: &CurrentActor<'_>, rooms: &Rooms, object: ObjectId) -> Option<Places> {
    let namespace = rooms.namespace.borrow();
    let object = namespace.object(object)?;
    Places::find(actor, |symbol| object.address_for_thread(symbol))
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
