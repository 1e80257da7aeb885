//! Hooks of the engine: time, waiting, threads.

use std::ffi::{c_int, c_void};

use sim_core::engine::{GuestCall, Poll, Standing, Wait, calling_actor};
use sim_core::shim::ThreadStart;
use sim_core::time::{SimDuration, SimTime};

use super::on_device;

/// Virtual clocks start here, so that a guest that computes "an hour ago" does not get below zero.
const EPOCH_NS: u64 = 1_000_000_000_000;

const NO_DEADLINE: u64 = u64::MAX;

/// `NPUSIM_WAIT_*`
fn wait_of(kind: u32) -> Wait {
    match kind {
        0 => Wait::Mutex,
        1 => Wait::Condition,
        2 => Wait::Once,
        3 => Wait::StaticInit,
        _ => Wait::Semaphore,
    }
}

pub(super) extern "C" fn on_actor() -> c_int {
    c_int::from(calling_actor().is_some_and(|context| context.standing() == Standing::Fiber))
}

pub(super) extern "C" fn spin(caller: usize) -> c_int {
    let spun = on_device(|actor, rooms| actor.spin(rooms.spin_cost(actor.kind()), Poll::Spin, caller));
    c_int::from(spun.is_some())
}

pub(super) extern "C" fn clock_ns() -> u64 {
    let now = on_device(|actor, rooms| actor.read_clock(rooms.counter_cost(actor.kind())));
    EPOCH_NS + now.unwrap_or(SimTime::ZERO).as_ns()
}

pub(super) extern "C" fn sleep_ns(span: u64) {
    on_device(|actor, _| actor.sleep(SimDuration::from_ns(span.max(1))));
}

pub(super) extern "C" fn block(kind: u32, key: usize, caller: usize) {
    on_device(|actor, _| actor.block(wait_of(kind), key, caller));
}

pub(super) extern "C" fn block_until(kind: u32, key: usize, deadline_ns: u64, caller: usize) -> c_int {
    let deadline = (deadline_ns != NO_DEADLINE).then(|| SimTime::from_ns(deadline_ns.saturating_sub(EPOCH_NS)));
    let timed_out = on_device(|actor, _| actor.block_until(wait_of(kind), key, deadline, caller));
    if timed_out == Some(true) { libc::ETIMEDOUT } else { 0 }
}

pub(super) extern "C" fn wake(key: usize, most: u32) {
    on_device(|actor, _| actor.wake(key, most));
}

pub(super) extern "C" fn thread_create(thread: *mut libc::pthread_t, start: ThreadStart, arg: *mut c_void) -> c_int {
    let created = on_device(|actor, _| {
        let call = GuestCall::new(start as *const () as usize, &[arg as u64]);
        // SAFETY: the guest asked for this call, on a thread of its own.
        let created = unsafe { actor.spawn_thread(call) };
        let handle = created.map_err(|error| error.raw_os_error().unwrap_or(libc::EAGAIN))?;
        // SAFETY: as the guest, a bad pointer ends the guest.
        actor.as_guest(|| unsafe { thread.write(handle) });
        Ok(())
    });
    match created {
        Some(Ok(())) => 0,
        Some(Err(code)) => code,
        None => libc::EAGAIN,
    }
}

pub(super) extern "C" fn thread_join(thread: libc::pthread_t, result: *mut *mut c_void) -> c_int {
    let joined = on_device(|actor, _| {
        let Some(other) = actor.engine().find_thread(thread) else { return libc::ESRCH };
        let value = actor.join(other, 0);
        actor.engine().release_thread(other);
        if !result.is_null() {
            // SAFETY: as the guest, a bad pointer ends the guest.
            actor.as_guest(|| unsafe { result.write(value as *mut c_void) });
        }
        0
    });
    joined.unwrap_or(libc::ESRCH)
}
