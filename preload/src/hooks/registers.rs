//! Registers: an AICPU thread reaches them by functions, a core asks for its block and accesses that inline.

use std::ffi::c_int;
use std::sync::atomic::{AtomicU32, Ordering};

use sim_aicpu::mmio;
use sim_aicpu::register_file::{Register, RegisterFile};
use sim_core::engine::{CurrentActor, Poll};

use super::entry::entry;
use crate::caller::on_actor;
use crate::device::Rooms;

entry!(
    /// `reg_load_acquire(const volatile uint32_t *)`
    load, 1, load_from
);
entry!(
    /// `reg_store_release(volatile uint32_t *, uint32_t)`
    store, 2, store_from
);
entry!(
    /// `sim_get_reg_base()`
    base, 0, base_from
);

/// Which register of a core an address is. There are others, such as those of the performance counters.
fn locate(rooms: &Rooms, word: *const AtomicU32) -> Option<Register> {
    rooms.registers.borrow().as_ref()?.locate(word as usize)
}

/// The register file, once a core has said where its registers are.
fn with_registers<R>(rooms: &Rooms, function: impl FnOnce(&RegisterFile) -> R) -> Option<R> {
    // SAFETY: the file is replaced only by cores that begin, which no function here lets run while it is used; a
    // borrow must not be held while the actor is suspended.
    unsafe { &*rooms.registers.as_ptr() }.as_ref().map(function)
}

extern "C" fn load_from(word: *const AtomicU32, caller: usize) -> u32 {
    let loaded = on_actor(|actor, rooms| match locate(rooms, word) {
        Some(register) => with_registers(rooms, |registers| mmio::load(actor, registers, register, caller)),
        None => {
            actor.charge(*rooms.profile.mmio.load, caller);
            None
        }
    });
    // SAFETY: the guest loads the word that it names, as it would by itself.
    loaded.flatten().unwrap_or_else(|| unsafe { &*word }.load(Ordering::Acquire))
}

extern "C" fn store_from(word: *const AtomicU32, value: u32, caller: usize) {
    let stored = on_actor(|actor, rooms| store_as(actor, rooms, word, value, caller)).flatten();
    if stored.is_none() {
        // SAFETY: the guest stores to the word that it names, as it would by itself.
        unsafe { &*word }.store(value, Ordering::Release);
    }
}

/// `None`: the word is no register of a core.
fn store_as(actor: &CurrentActor<'_>, rooms: &Rooms, word: *const AtomicU32, value: u32, caller: usize) -> Option<()> {
    let price = &rooms.profile.mmio.store;
    let Some(register) = locate(rooms, word) else {
        rooms.worked(price.confidence, price.value);
        actor.charge(price.value, caller);
        return None;
    };
    let core = rooms.launch.core_actor(register.core)?;
    rooms.worked(price.confidence, price.value);
    with_registers(rooms, |registers| {
        // SAFETY: the runtime frees the registers after it has joined the cores and the AICPU threads.
        let arrival = unsafe { mmio::store(actor, registers, register, value, core, caller) };
        if register.offset == rooms.layout.data_main_base {
            rooms.launch.send(register.core, value, arrival);
        }
    })
}

extern "C" fn base_from(caller: usize) -> *mut u8 {
    let base = on_actor(|actor, rooms| {
        let Some(core) = actor.kind().core() else {
            actor.refuse("only an AICore has a register block".to_owned(), caller)
        };
        let (poll, base) = with_registers(rooms, |registers| {
            let (register, word) = registers.data_main_base(core);
            let value = word.load(Ordering::Relaxed);
            (Poll::Register { core, offset: register.offset, value }, registers.bases()[usize::from(core)])
        })?;
        actor.access_registers(*rooms.profile.aicore.register_access, poll, caller);
        Some(base)
    });
    base.flatten().unwrap_or(0) as *mut u8
}

/// Invalidates or writes back a range of the cache.
pub(crate) extern "C" fn maintain_cache(_address: usize, _size: usize) -> c_int {
    on_actor(|actor, rooms| actor.look(*rooms.profile.aicpu.cache_maintenance, 0));
    0
}
