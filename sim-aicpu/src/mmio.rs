//! MMIO: what a load or store of a register by an AICPU thread does in virtual time.

use sim_core::actor::{ActorId, ActorKind};
use sim_core::engine::{CurrentActor, Poll};
use sim_core::time::SimTime;
use sim_core::trace::EventKind;

use crate::register_file::{Register, RegisterFile};

/// The index of an AICPU thread, for what it has posted.
fn thread_of(actor: &CurrentActor<'_>) -> usize {
    match actor.kind() {
        ActorKind::Aicpu(index) => usize::from(index),
        _ => usize::MAX,
    }
}

/// The actor loads a register: a round trip, after its own posted stores.
#[inline(always)]
pub fn load(actor: &CurrentActor<'_>, registers: &RegisterFile, register: Register, caller: usize) -> u32 {
    let Register { core, offset } = register;
    actor.look(registers.load_cost(thread_of(actor), actor.now()), caller);
    let (value, news) = registers.read(register);
    actor.saw(Poll::Register { core, offset, value }, u64::from(core) << 32 | u64::from(offset), u64::from(value));
    if news {
        actor.record(EventKind::RegisterSeen { core, offset, value });
    }
    value
}

/// The actor posts a store to a register of the core that is the actor `to`. Gives when it arrives there.
///
/// # Safety
///
/// The registers must outlive the engine's run.
#[inline(always)]
pub unsafe fn store(
    actor: &CurrentActor<'_>,
    registers: &RegisterFile,
    register: Register,
    value: u32,
    to: ActorId,
    caller: usize,
) -> SimTime {
    let Register { core, offset } = register;
    actor.charge(registers.store_cost(), caller);
    let arrival = registers.post(thread_of(actor), actor.now());
    actor.record(EventKind::RegisterStore { core, offset, value });
    // SAFETY: the caller vouches for the registers.
    unsafe { actor.store_at(arrival, registers.target(register), value, to) };
    arrival
}
