//! Kernels: a core calls one by its entry; its body runs while its modelled time passes.

use sim_aicore::cost::KernelCost;
use sim_aicore::task::demand;
use sim_core::engine::{BodyPlace, CurrentActor, GuestCall, NativeBody};
use sim_core::loader::thunk::Arguments;
use sim_core::trace::EventKind;

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
    let KernelCost { duration: cost, source, .. } = rooms.costs.cost(&kernel.name, &demand(&[], &[], 1));
    let (token, received) = rooms.launch.receive(core, actor.now());
    // The token names the task; nothing else of the task is known here, and so not what it moves.
    let task = u64::from(token);
    let content = kernel.content;
    actor.record(EventKind::KernelStart { kernel: content, task, token, received, cost, source });
    // SAFETY: the executor vouches for the arguments, as it would by calling the kernel itself.
    unsafe { actor.run_body(&body, cost + *rooms.profile.aicore.flush, kernel.entry) };
    actor.record(EventKind::KernelEnd { kernel: content, task, cost });
}
