//! Hooks of AICPU threads: registers, charges, the gate.

use std::sync::atomic::{AtomicU32, Ordering};

use sim_aicpu::mmio;
use sim_aicpu::operation::Operation;
use sim_core::actor::{ActorId, ActorKind};
use sim_core::engine::CurrentActor;
use sim_core::time::SimDuration;

use super::super::rooms::Rooms;
use super::{free_rooms, on_device};

/// The register that an AICPU thread names; one that does not exist ends the device's work.
fn register_at(
    actor: &CurrentActor<'_>,
    rooms: &Rooms,
    word: *const AtomicU32,
    caller: usize,
) -> sim_aicpu::register_file::Register {
    match rooms.registers.locate(word as usize) {
        Some(register) => register,
        None => actor.refuse(format!("{word:p} is not a register of any core"), caller),
    }
}

/// The actor that has a register.
fn core_of(
    actor: &CurrentActor<'_>,
    rooms: &Rooms,
    register: sim_aicpu::register_file::Register,
    caller: usize,
) -> ActorId {
    match rooms.launch.core_actor(register.core) {
        Some(core) => core,
        None => actor.refuse(format!("core {} was not launched", register.core), caller),
    }
}

pub(super) extern "C" fn reg_load(word: *const AtomicU32, caller: usize) -> u32 {
    let loaded = on_device(|actor, rooms| {
        let register = register_at(actor, rooms, word, caller);
        mmio::load(actor, &rooms.registers, register, caller)
    });
    // SAFETY: outside virtual time the guest reads the word that it names, as it would by itself.
    loaded.unwrap_or_else(|| unsafe { &*word }.load(Ordering::Acquire))
}

pub(super) extern "C" fn reg_store(word: *const AtomicU32, value: u32, caller: usize) {
    let stored = on_device(|actor, rooms| {
        let register = register_at(actor, rooms, word, caller);
        let core = core_of(actor, rooms, register, caller);
        // SAFETY: the registers outlive the engine.
        let arrival = unsafe { mmio::store(actor, &rooms.registers, register, value, core, caller) };
        let price = &rooms.profile.mmio.store;
        rooms.worked(price.confidence, price.value);
        if register == rooms.registers.data_main_base(register.core).0 {
            rooms.launch.send(register.core, value, arrival);
        }
    });
    if stored.is_none() {
        // SAFETY: outside virtual time the guest stores to the word that it names, as it would by itself.
        unsafe { &*word }.store(value, Ordering::Release);
    }
}

pub(super) extern "C" fn reg_store64(words: *const AtomicU32, value: u64, caller: usize) {
    let stored = on_device(|actor, rooms| {
        let register = register_at(actor, rooms, words, caller);
        if !register.offset.is_multiple_of(8) {
            actor.refuse(format!("{words:p} is not aligned to 8 bytes: no store of 64 bits"), caller)
        }
        let core = core_of(actor, rooms, register, caller);
        // SAFETY: the registers outlive the engine.
        let arrival = unsafe { mmio::store_64(actor, &rooms.registers, register, value, core, caller) };
        let price = &rooms.profile.mmio.store;
        rooms.worked(price.confidence, price.value);
        if register == rooms.registers.data_main_base(register.core).0 {
            rooms.launch.send(register.core, value as u32, arrival);
        }
    });
    if stored.is_none() {
        for (index, half) in [value as u32, (value >> 32) as u32].into_iter().enumerate() {
            // SAFETY: outside virtual time the guest stores to the words that it names, as it would by itself.
            unsafe { &*words.add(index) }.store(half, Ordering::Release);
        }
    }
}

pub(super) extern "C" fn charge(operation: u32, count: u32) {
    on_device(|actor, rooms| {
        let Some(operation) = Operation::from_code(operation) else {
            actor.refuse(format!("{operation} is not an operation that can be charged for"), 0)
        };
        if let (Operation::Assign, ActorKind::Aicpu(thread)) = (operation, actor.kind())
            && !rooms.pool.is_cold(thread)
        {
            return;
        }
        let cost = rooms.operations.of(operation, count);
        rooms.worked(rooms.operations.confidence(operation, count), cost);
        actor.charge(cost + extra_of(actor, rooms, operation), 0);
    });
}

/// What an operation costs beyond its price: the first task of a core is a cold start.
fn extra_of(actor: &CurrentActor<'_>, rooms: &Rooms, operation: Operation) -> SimDuration {
    match (operation, actor.kind().core()) {
        (Operation::Setup, Some(core)) if rooms.launch.is_first_task(core) => {
            let delay = rooms.cold_start.delay(core);
            rooms.worked(rooms.cold_start.confidence(), delay);
            delay
        }
        _ => SimDuration::ZERO,
    }
}

pub(super) extern "C" fn aicpu_gate() -> i32 {
    let number = match free_rooms() {
        Some(rooms) => rooms.pool.pass_gate(),
        None => on_device(|_, rooms| rooms.pool.pass_gate()).flatten(),
    };
    number.map_or(-1, |number| number as i32)
}

pub(super) extern "C" fn register_bases() -> *const u64 {
    match free_rooms() {
        Some(rooms) => rooms.bases.as_ptr(),
        None => on_device(|_, rooms| rooms.registers.window_bases().as_ptr()).unwrap_or(std::ptr::null()),
    }
}
