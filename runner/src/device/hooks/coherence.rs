//! Hooks of AICPU threads and AICores: device memory word by word, through the caches between them.

use std::collections::BTreeMap;
use std::ffi::c_int;

use sim_core::actor::ActorKind;
use sim_core::engine::{CurrentActor, Poll};
use sim_core::guest_memory::{GuestMemory, OwnMemory, Piece};
use sim_hbm::DevicePtr;
use sim_hbm::coherence::{Access, EMPTY_LINE, LineBytes};

use super::super::rooms::Rooms;
use super::on_device;

/// `NPUSIM_ENTIRE_DATA_CACHE`
const ENTIRE: u32 = 1;

/// The word that a guest names. One that lies across two lines would be two accesses.
fn access_of(actor: &CurrentActor<'_>, address: usize, size: u32, caller: usize) -> Access {
    if !address.is_multiple_of(size as usize) {
        actor.refuse(format!("{size} bytes at {address:#x} are not aligned: no access of one word"), caller)
    }
    Access { address: address as u64, size }
}

/// The line of a word as it is in memory.
fn line_of(actor: &CurrentActor<'_>, rooms: &Rooms, access: Access) -> LineBytes {
    let lines = rooms.coherence.borrow().lines();
    line_at(actor, lines.of(access), lines.size())
}

/// Reading a line can fault, so the guest does.
fn line_at(actor: &CurrentActor<'_>, line: u64, size: usize) -> LineBytes {
    let mut bytes = EMPTY_LINE;
    let to = bytes.as_mut_ptr();
    // SAFETY: the target has the bytes of a line; as the guest, a bad source ends the guest.
    actor.as_guest(|| unsafe { std::ptr::copy_nonoverlapping(line as *const u8, to, size) });
    bytes
}

pub(super) extern "C" fn load(address: usize, size: u32, caller: usize) -> u64 {
    let loaded = on_device(|actor, rooms| {
        let access = access_of(actor, address, size, caller);
        let value = match actor.kind().core() {
            Some(core) => load_on_core(actor, rooms, core, access, caller),
            None => load_on_aicpu(actor, rooms, access, caller),
        };
        actor.saw(Poll::Memory { value }, access.address, value);
        value
    });
    // SAFETY: outside virtual time the guest loads the word that it names, as it would by itself.
    loaded.unwrap_or_else(|| unsafe { plain_load(address, size) })
}

fn load_on_core(actor: &CurrentActor<'_>, rooms: &Rooms, core: u16, access: Access, caller: usize) -> u64 {
    let hit = rooms.coherence.borrow().core_has(core, access);
    actor.look_at_memory(if hit { *rooms.profile.coherence.core_access } else { *rooms.profile.hbm.latency }, caller);
    let line = line_of(actor, rooms, access);
    rooms.coherence.borrow_mut().core_load(actor.kind(), access, &line, actor.now())
}

fn load_on_aicpu(actor: &CurrentActor<'_>, rooms: &Rooms, access: Access, caller: usize) -> u64 {
    let costs = &rooms.profile.coherence;
    let warm = rooms.coherence.borrow().aicpu_is_warm(actor.kind(), access, actor.now());
    actor.look_at_memory(if warm { *costs.aicpu_hit } else { *costs.aicpu_line }, caller);
    if warm && !rooms.coherence.borrow().aicpu_is_warm(actor.kind(), access, actor.now()) {
        // Meanwhile somebody has written there, and the line has to be fetched.
        actor.look_at_memory(*costs.aicpu_line, caller);
    }
    let line = line_of(actor, rooms, access);
    rooms.coherence.borrow_mut().aicpu_load(actor.kind(), access, &line, actor.now())
}

pub(super) extern "C" fn store(address: usize, value: u64, size: u32, caller: usize) {
    let stored = on_device(|actor, rooms| {
        let access = access_of(actor, address, size, caller);
        let costs = &rooms.profile.coherence;
        let price = if actor.kind().core().is_some() { &costs.core_access } else { &costs.aicpu_store };
        rooms.worked(price.confidence, price.value);
        actor.charge(price.value, caller);
        if actor.kind().core().is_some() {
            let line = line_of(actor, rooms, access);
            rooms.coherence.borrow_mut().core_store(actor.kind(), access, value, &line, actor.now());
        } else {
            // SAFETY: as the guest, which names the word; a bad one ends the guest.
            actor.as_guest(|| unsafe { plain_store(address, value, size) });
            rooms.coherence.borrow_mut().aicpu_stored(actor.kind(), access, value, actor.now());
        }
    });
    if stored.is_none() {
        // SAFETY: outside virtual time the guest stores to the word that it names, as it would by itself.
        unsafe { plain_store(address, value, size) };
    }
}

pub(super) extern "C" fn dcci(address: usize, extent: u32, caller: usize) {
    on_device(|actor, rooms| {
        if actor.kind().core().is_none() {
            actor.refuse("only an AICore has a data cache to give back by dcci".to_owned(), caller)
        }
        let line = (extent != ENTIRE).then(|| rooms.coherence.borrow().lines().at(address as u64));
        give_back(actor, rooms, line, caller);
    });
}

/// A core gives back a line, or all that it has. If there is nothing to write back, it may be part of a poll.
fn give_back(actor: &CurrentActor<'_>, rooms: &Rooms, line: Option<u64>, caller: usize) {
    let price = &rooms.profile.aicore.cache_maintenance;
    let core = actor.kind().core().unwrap_or_default();
    if !rooms.coherence.borrow().stored_lines(core, line).is_empty() {
        rooms.worked(price.confidence, price.value);
        actor.charge(price.value, caller);
    } else {
        actor.look_at_memory(price.value, caller);
    }
    // Reading a line can end the guest on the spot: nothing is borrowed meanwhile.
    let (stored, size) = {
        let coherence = rooms.coherence.borrow();
        (coherence.stored_lines(core, line), coherence.lines().size())
    };
    let memory: BTreeMap<u64, LineBytes> = stored.into_iter().map(|line| (line, line_at(actor, line, size))).collect();
    let back = rooms.coherence.borrow_mut().core_gives_back(actor.kind(), line, actor.now(), &memory);
    for back in back {
        // SAFETY: the core has stored to this line, which it could read before: memory of guests.
        unsafe { actor.write_at(back.at, back.address, back.bytes) };
    }
}

/// `invalidate_range_impl` and `flush_range_impl`.
pub(super) extern "C" fn maintain(address: usize, size: usize, _flush: c_int) {
    on_device(|actor, rooms| match actor.kind() {
        ActorKind::Aic(_) | ActorKind::Aiv(_) => {
            // One call is one price, however many lines there are.
            let line = rooms.coherence.borrow().lines().at(address as u64);
            give_back(actor, rooms, Some(line), 0);
        }
        ActorKind::Host | ActorKind::Aicpu(_) | ActorKind::Thread(_) => {
            actor.look(*rooms.profile.aicpu.cache_maintenance, 0);
            rooms.coherence.borrow_mut().aicpu_forgets(address as u64, size as u64);
        }
    });
}

/// The host is about to write to device memory: what AICPU threads have of it in their caches may stay as it is.
pub(super) fn host_writes(actor: &CurrentActor<'_>, rooms: &Rooms, to: DevicePtr, size: u64) {
    let mut coherence = rooms.coherence.borrow_mut();
    let length = coherence.lines().size();
    let read = |address: u64| {
        let mut bytes = EMPTY_LINE;
        // Memory that is not there has nothing to keep.
        let _ = OwnMemory.read(&[Piece { address, length }], &mut bytes[..length]);
        bytes
    };
    coherence.host_writes(to.address(), size, actor.now(), read);
}

/// # Safety
///
/// There must be a word of this size.
unsafe fn plain_load(address: usize, size: u32) -> u64 {
    // SAFETY: the caller vouches for the word.
    unsafe {
        match size {
            4 => u64::from((address as *const u32).read_volatile()),
            _ => (address as *const u64).read_volatile(),
        }
    }
}

/// # Safety
///
/// There must be a word of this size.
unsafe fn plain_store(address: usize, value: u64, size: u32) {
    // SAFETY: the caller vouches for the word.
    unsafe {
        match size {
            4 => (address as *mut u32).write_volatile(value as u32),
            _ => (address as *mut u64).write_volatile(value),
        }
    }
}
