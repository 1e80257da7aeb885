//! Hooks of the host: launching and waiting.

use std::ffi::c_int;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use sim_aicore::array::CoreArray;
use sim_core::actor::{ActorId, ActorKind};
use sim_core::engine::free::FreeRun;
use sim_core::engine::{CurrentActor, GuestCall, NewActor, Poll, PollPolicy};
use sim_core::shim::{Launch, Topology};
use sim_core::time::{SimDuration, SimTime};

use super::super::error::DeviceError;
use super::super::rooms::Rooms;
use super::{free_rooms, guest_value, on_device};

/// A bad argument.
const INVALID: c_int = -1;

/// The reference's `CoreType`.
const CORE_TYPE_AIC: u64 = 0;
const CORE_TYPE_AIV: u64 = 1;

pub(super) extern "C" fn topology(topology: *mut Topology) {
    if let Some(rooms) = free_rooms() {
        // SAFETY: the guest passes a place for the result; a free-running thread is on its own.
        unsafe { topology.write_unaligned(rooms.topology) };
        return;
    }
    on_device(|actor, rooms| {
        let value = rooms.free_rooms.topology;
        // SAFETY: as the guest, a bad pointer ends the guest.
        actor.as_guest(|| unsafe { topology.write_unaligned(value) });
    });
}

pub(super) extern "C" fn launch(launch: *const Launch) -> c_int {
    let launched = on_device(|actor, rooms| {
        if launch.is_null() {
            return INVALID;
        }
        let launch = guest_value(actor, launch);
        let code = rooms.fault_code(actor.engine().fault().as_deref());
        if code != 0 {
            rooms.failed(DeviceError::Poisoned);
            return -(super::super::error::DeviceCode::ContextPoisoned as i32);
        }
        if launch.block_dim > *rooms.profile.topology.clusters || !actor.is_complete() {
            return INVALID;
        }
        start(actor, rooms, &launch).map_or_else(|error| rooms.failed(DeviceError::Threads(error)), |()| 0)
    });
    launched.unwrap_or(INVALID)
}

fn start(actor: &CurrentActor<'_>, rooms: &Rooms, launch: &Launch) -> std::io::Result<()> {
    actor.charge(*rooms.profile.host_link.launch, 0);
    let array = CoreArray::new(&rooms.profile.topology, launch.block_dim);
    rooms.registers.reset();
    rooms.pool.open_gate();
    rooms.launch.begin(array);
    rooms.memory.borrow_mut().begin();
    rooms.coherence.borrow_mut().empty_cores();
    rooms.clusters.begin();
    // The AICPU alone is launched to prepare something; a run has cores.
    if launch.block_dim > 0 {
        rooms.stopwatch.start(actor.engine(), actor.now());
    }
    if rooms.free { start_free(actor, rooms, launch, array) } else { start_virtual(actor, rooms, launch, array) }
}

fn start_virtual(actor: &CurrentActor<'_>, rooms: &Rooms, launch: &Launch, array: CoreArray) -> std::io::Result<()> {
    start_cores(actor, rooms, launch, array, actor.now())?;
    start_aicpus(actor, launch, actor.now())?;
    Ok(())
}

/// Adds the cores of a launch, in order of core id.
pub(super) fn start_cores(
    actor: &CurrentActor<'_>,
    rooms: &Rooms,
    launch: &Launch,
    array: CoreArray,
    start: SimTime,
) -> std::io::Result<Vec<ActorId>> {
    let start_core = |kind: ActorKind| {
        let core = kind.core().unwrap_or_default();
        let (register, cond) = rooms.registers.cond(core);
        let new = NewActor {
            kind,
            start,
            call: core_call(rooms, launch, kind),
            policy: PollPolicy::Park,
            watched: Some((cond, register.offset)),
            propagation: *rooms.profile.mmio.cond_propagation,
            joinable: false,
        };
        // SAFETY: the host runtime vouches for the entry; the registers outlive the engine.
        let id = unsafe { actor.engine().spawn(&new) }?;
        rooms.launch.add_core(id);
        Ok(id)
    };
    array.kinds().map(start_core).collect()
}

/// Adds the AICPU threads of a launch.
pub(super) fn start_aicpus(actor: &CurrentActor<'_>, launch: &Launch, start: SimTime) -> std::io::Result<Vec<ActorId>> {
    let fast_forward = actor.engine().settings().fast_forward;
    let start_thread = |index: u32| {
        let new = NewActor {
            kind: ActorKind::Aicpu(index as u16),
            start,
            call: aicpu_call(launch),
            policy: if fast_forward { PollPolicy::FastForward } else { PollPolicy::Execute },
            watched: None,
            propagation: SimDuration::ZERO,
            joinable: false,
        };
        // SAFETY: the host runtime vouches for the entry.
        unsafe { actor.engine().spawn(&new) }
    };
    (0..launch.aicpu_threads).map(start_thread).collect()
}

fn start_free(actor: &CurrentActor<'_>, rooms: &Rooms, launch: &Launch, array: CoreArray) -> std::io::Result<()> {
    let cores = array.kinds().map(|kind| core_call(rooms, launch, kind));
    let aicpus = (0..launch.aicpu_threads).map(|_| aicpu_call(launch));
    let calls: Vec<GuestCall> = cores.chain(aicpus).collect();
    let free_rooms = Arc::clone(&rooms.free_rooms);
    free_rooms.launched.store(u32::from(array.clusters()), Ordering::Relaxed);
    // SAFETY: the host runtime vouches for the entries.
    let run = unsafe { FreeRun::start(actor.engine().thread_functions(), free_rooms, &calls) }?;
    rooms.free_run.replace(Some(run));
    Ok(())
}

/// `aicore_execute_wrapper(runtime, block_idx, core_type, physical_core, regs, prof_flags, rotation_table)`
fn core_call(rooms: &Rooms, launch: &Launch, kind: ActorKind) -> GuestCall {
    let core = u64::from(kind.core().unwrap_or_default());
    let core_type = if matches!(kind, ActorKind::Aic(_)) { CORE_TYPE_AIC } else { CORE_TYPE_AIV };
    let registers = rooms.registers.window_bases().as_ptr() as u64;
    let flags = u64::from(launch.profiling_flags);
    let arguments = [launch.runtime, core, core_type, core, registers, flags, launch.rotation_table];
    GuestCall::new(launch.aicore_entry as usize, &arguments)
}

/// `aicpu_execute(runtime)`
fn aicpu_call(launch: &Launch) -> GuestCall {
    GuestCall::new(launch.aicpu_entry as usize, &[launch.runtime])
}

pub(super) extern "C" fn wait() -> c_int {
    on_device(|actor, rooms| if rooms.free { wait_free(actor, rooms) } else { wait_virtual(actor, rooms) })
        .unwrap_or(INVALID)
}

fn wait_virtual(actor: &CurrentActor<'_>, rooms: &Rooms) -> c_int {
    let fault = actor.wait_for_completion();
    finish(actor, rooms);
    actor.charge(*rooms.profile.host_link.completion, 0);
    rooms.fault_code(fault.as_ref())
}

fn wait_free(actor: &CurrentActor<'_>, rooms: &Rooms) -> c_int {
    let run = rooms.free_run.take();
    let ended = run.is_none_or(|run| run.wait(actor, rooms.free_limit).is_some());
    finish(actor, rooms);
    if ended { 0 } else { rooms.failed(DeviceError::FreeRunTimeout { seconds: rooms.free_limit.as_secs() }) }
}

/// Everything that was launched has ended.
fn finish(actor: &CurrentActor<'_>, rooms: &Rooms) {
    rooms.stopwatch.stop(actor.engine(), actor.now());
}

pub(super) extern "C" fn poll() -> c_int {
    let state = on_device(|actor, rooms| {
        let complete = match &*rooms.free_run.borrow() {
            Some(run) => run.is_complete(actor),
            None => actor.is_complete(),
        };
        let code = rooms.fault_code(actor.engine().fault().as_deref());
        if code != 0 {
            finish(actor, rooms);
            return code;
        }
        if !complete {
            actor.spin(*rooms.profile.host_link.poll_interval, Poll::Spin, 0);
            return 0;
        }
        if rooms.free {
            wait_free(actor, rooms);
        }
        finish(actor, rooms);
        1
    });
    state.unwrap_or(INVALID)
}
