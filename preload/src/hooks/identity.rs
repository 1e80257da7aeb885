//! Who an actor is: threads of a runtime say so when they enter the AICore or the AICPU object.

use std::sync::atomic::AtomicU32;

use sim_aicpu::register_file::RegisterFile;
use sim_core::actor::ActorKind;
use sim_core::engine::{CurrentActor, PollPolicy};
use sim_core::loader::thunk::Arguments;
use sim_core::time::SimDuration;

use crate::caller::on_actor;
use crate::device::Rooms;

/// The reference's `CoreType`.
const CORE_TYPE_AIC: u32 = 0;

/// `aicore_execute_wrapper(runtime, block_idx, core_type, physical_core, regs, ...)`
pub(crate) extern "C" fn become_core(_data: usize, arguments: &Arguments, _caller: usize) {
    let [_, _, core_type, core, bases, _] = *arguments;
    on_actor(|actor, rooms| {
        let (core, aic) = (core as u16, core_type as u32 == CORE_TYPE_AIC);
        let bases = bases as *const u64;
        // SAFETY: as the guest, a bad pointer ends the guest. The table has an entry for each core up to this one.
        let (first, own) = actor.as_guest(|| unsafe { (bases.read(), bases.add(usize::from(core)).read()) });
        let expected = first + u64::from(core) * u64::from(rooms.layout.block_size);
        if own != expected {
            let reason = format!(
                "the registers of core {core} are {:#x} bytes behind those of core 0, not {:#x}: the runtime is built \
                 for another generation; say which with --arch",
                own.wrapping_sub(first),
                expected - first
            );
            actor.refuse(reason, 0);
        }
        take_part(actor, rooms, core, aic, first);
    });
}

fn take_part(actor: &CurrentActor<'_>, rooms: &Rooms, core: u16, aic: bool, first: u64) {
    let threads = u32::from(*rooms.profile.topology.aicpu_launched as u16);
    let cores = u32::from(core) + 1;
    // SAFETY: the runtime frees the registers after it has joined its threads; the next run replaces the file.
    let registers = unsafe { RegisterFile::adopt(&rooms.profile, rooms.layout, first, cores, threads) };
    let (register, cond) = registers.cond(core);
    let watched = (std::ptr::from_ref::<AtomicU32>(cond), register.offset);
    rooms.launch.add_core(actor.id());
    rooms.registers.replace(Some(registers));
    let kind = if aic { ActorKind::Aic(core) } else { ActorKind::Aiv(core) };
    // SAFETY: as above.
    unsafe {
        actor.become_device(kind, PollPolicy::Park, Some(watched), *rooms.profile.mmio.cond_propagation);
    }
}

/// `aicpu_execute(runtime)`
pub(crate) extern "C" fn become_aicpu(_data: usize, _arguments: &Arguments, _caller: usize) {
    on_actor(|actor, rooms| {
        let index = rooms.aicpus.get();
        rooms.aicpus.set(index + 1);
        // SAFETY: no word is watched.
        unsafe { actor.become_device(ActorKind::Aicpu(index), PollPolicy::Execute, None, SimDuration::ZERO) };
    });
}
