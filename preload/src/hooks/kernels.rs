//! Kernels: a core calls one by its entry; its body runs while its modelled time passes.

use sim_aicore::kernel_run::{KernelRun, MemoryUse};
use sim_aicore::task::demand;
use sim_aicore::tile_trace::{Prices, TracedCall};
use sim_core::engine::{BodyPlace, CurrentActor, GuestCall, NativeBody};
use sim_core::loader::thunk::Arguments;

use super::traces::{SeenArguments, kind_of, places};
use crate::caller::on_actor;
use crate::device::Rooms;
use crate::objects::Kernel;

/// `kernel_entry(int64_t *)`
pub(crate) extern "C" fn run(data: usize, arguments: &Arguments) -> u64 {
    // SAFETY: the thunk was made with the address of a kernel, and goes with it.
    let kernel = unsafe { &*(data as *const Kernel) };
    let call = GuestCall::new(kernel.entry, arguments);
    let ran = on_actor(|actor, rooms| run_on_core(actor, rooms, kernel, call));
    if ran.is_none() {
        // SAFETY: the caller calls the kernel, with its arguments.
        unsafe { call.invoke() };
    }
    0
}

/// Where a kernel's body runs. One that sleeps until something is written waits for another kernel of its device, which
/// virtual time decides; or for another device, where the process shares memory with others: then real time has to
/// pass, and virtual time waits at the kernel's end.
fn place_of(kernel: &Kernel, rooms: &Rooms) -> BodyPlace {
    if kernel.only_sleeps && rooms.shares_memory() { BodyPlace::OwnThread } else { BodyPlace::of(kernel.blocking) }
}

fn run_on_core(actor: &CurrentActor<'_>, rooms: &Rooms, kernel: &Kernel, call: GuestCall) {
    let body = NativeBody { call, place: place_of(kernel, rooms), host_cost: kernel.host_cost.clone() };
    let Some(core) = actor.kind().core() else {
        // SAFETY: as above; whoever runs a kernel without being a core is charged for nothing.
        actor.as_guest(|| unsafe { call.invoke() });
        return;
    };
    let otherwise = rooms.costs.cost(&kernel.name, &demand(&[], &[]));
    let pass = |cost, memory, body: Option<&NativeBody>| {
        // The token names the task; nothing else of the task is known here.
        let (kernel, task, caller) = (kernel.content, None, kernel.entry);
        let run = KernelRun { core, kernel, task, cost, memory, caller };
        // SAFETY: the executor vouches for the arguments, as it would by calling the kernel itself.
        let spent = unsafe { run.pass(actor, rooms.kernel_device(), body) };
        rooms.tally.borrow_mut().add(spent);
        rooms.worked(spent.confidence, spent.duration);
        rooms.worked(rooms.profile.aicore.flush.confidence, *rooms.profile.aicore.flush);
    };
    let traced = places(actor, kernel).zip(rooms.device());
    let Some((places, device)) = traced else { return pass(otherwise, MemoryUse::Nothing, Some(&body)) };
    let arguments = SeenArguments::of(&device, call.arguments[0]);
    drop(device);
    let kind = kind_of(actor);
    let traced = TracedCall {
        kernel: kernel.content,
        name: &kernel.name,
        core: kind,
        tensors: &arguments.tensors,
        places,
        body: &body,
        caller: kernel.entry,
    };
    let prices = Prices { costs: &rooms.costs, otherwise };
    let begun = traced.begin(actor, &rooms.traces, &prices, || arguments.key(kernel, kind));
    let memory = begun
        .program
        .as_ref()
        .map_or(MemoryUse::Nothing, |it| MemoryUse::of_program(it, &arguments.tensors, *rooms.profile.l2.line));
    pass(begun.cost, memory, begun.body_is_left.then_some(&body));
    traced.end(actor, &rooms.traces, begun);
}
