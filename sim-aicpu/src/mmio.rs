//! MMIO: what a load or store of a register by an AICPU thread does in virtual time.

use sim_core::actor::{ActorId, ActorKind};
use sim_core::engine::{CurrentActor, Poll};
use sim_core::time::{SimDuration, SimTime};
use sim_core::trace::EventKind;

use crate::register_file::{Register, RegisterFile};
use crate::split_store::Split;

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
    let response = registers.response();
    actor.look(registers.load_cost(thread_of(actor), actor.now()) - response, caller);
    let (value, news) = registers.read(register);
    if response > SimDuration::ZERO {
        actor.look(response, caller);
    }
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

/// The actor posts a store of 64 bits to two neighbouring registers of the core that is the actor `to`. The bus makes two
/// of it, the lower register's first. Gives when the first arrives.
///
/// # Safety
///
/// As [`store`].
pub unsafe fn store_64(
    actor: &CurrentActor<'_>,
    registers: &RegisterFile,
    low: Register,
    value: u64,
    to: ActorId,
    caller: usize,
) -> SimTime {
    let high = Register { offset: low.offset + 4, ..low };
    actor.charge(registers.store_cost(), caller);
    let beats = registers.post_64(thread_of(actor), actor.now());
    registers.split(Split { low, high: (value >> 32) as u32, beats, by: actor.kind() });
    for (register, value, at) in [(low, value as u32, beats[0]), (high, (value >> 32) as u32, beats[1])] {
        actor.record(EventKind::RegisterStore { core: register.core, offset: register.offset, value });
        // SAFETY: the caller vouches for the registers.
        unsafe { actor.store_at(at, registers.target(register), value, to) };
    }
    beats[0]
}
