//! What threads wait for. An actor never waits in the kernel for something that another actor has: it would stop the
//! engine. It blocks in virtual time, and whoever lets go wakes it. What a thread of the host has is waited for as ever:
//! that thread goes on by itself.
//!
//! A thread of the host that waits for an actor lets the device run meanwhile. If another one is doing that already, it
//! waits as ever, a little at a time, in case the device comes to rest before it is signalled.

use std::ffi::c_int;
use std::sync::Arc;
use std::sync::atomic::{AtomicI32, AtomicU8, Ordering};

use sim_core::engine::{Wait, calling_actor};
use sim_core::time::SimTime;

use super::entry::entry;
use super::time::{host_ahead, nanoseconds};
use crate::caller::{Caller, current_device, is_actor, on_actor, with_caller};
use crate::device::{Device, EPOCH_NS};

type Mutex = libc::pthread_mutex_t;
type Condition = libc::pthread_cond_t;

entry!(
    /// `pthread_mutex_lock(mutex)`
    mutex_lock, 1, mutex_lock_from
);
entry!(
    /// `pthread_cond_wait(condition, mutex)`
    cond_wait, 2, cond_wait_from
);
entry!(
    /// `pthread_cond_timedwait(condition, mutex, deadline)`
    cond_timedwait, 3, cond_timedwait_from
);
entry!(
    /// `pthread_cond_clockwait(condition, mutex, clock, deadline)`
    cond_clockwait, 4, cond_clockwait_from
);
entry!(
    /// `std::condition_variable::wait(lock)`
    condition_wait, 2, condition_wait_from
);
entry!(
    /// `pthread_once(once, routine)`
    once, 2, once_from
);
entry!(
    /// `__cxa_guard_acquire(guard)`
    guard_acquire, 1, guard_acquire_from
);

fn block(wait: Wait, key: usize, caller: usize) {
    on_actor(|actor, _| actor.block(wait, key, caller));
}

fn wake(key: usize, most: u32) {
    with_caller(|caller| match caller {
        Caller::Actor(actor, _) => actor.wake(key, most),
        Caller::Other => {
            if let Some(device) = host_device() {
                device.signal(key, most);
            }
        }
    });
}

/// The device that a thread of the host works for. A kernel that runs natively is none.
fn host_device() -> Option<Arc<Device>> {
    if calling_actor().is_some() { None } else { current_device() }
}

// ---- mutexes

/// Notes that the calling actor has the mutex now.
fn hold(mutex: *mut Mutex) {
    on_actor(|actor, rooms| rooms.held.borrow_mut().insert(mutex as usize, actor.id()));
}

extern "C" fn mutex_lock_from(mutex: *mut Mutex, caller: usize) -> c_int {
    if !is_actor() {
        return lock_for_host(mutex);
    }
    loop {
        // SAFETY: the guest's mutex.
        let status = unsafe { libc::pthread_mutex_trylock(mutex) };
        if status != libc::EBUSY {
            if status == 0 {
                hold(mutex);
            }
            return status;
        }
        let with_actor = on_actor(|_, rooms| rooms.held.borrow().contains_key(&(mutex as usize)));
        if with_actor == Some(true) {
            block(Wait::Mutex, mutex as usize, caller);
        } else {
            // SAFETY: a thread of the host has it, or a kernel that runs natively: it will let go by itself.
            unsafe { libc::sched_yield() };
        }
    }
}

/// A thread of the host takes a mutex. If an actor has it, the device has to run until that lets go.
fn lock_for_host(mutex: *mut Mutex) -> c_int {
    loop {
        // SAFETY: the guest's mutex.
        let status = unsafe { libc::pthread_mutex_trylock(mutex) };
        let device = host_device().filter(|_| status == libc::EBUSY);
        let Some(device) = device else {
            // SAFETY: as the guest asks, unless it has the mutex now.
            return if status == libc::EBUSY { unsafe { libc::pthread_mutex_lock(mutex) } } else { status };
        };
        let with_actor = device.try_with_engine(|engine, rooms| {
            let held = rooms.held.borrow().contains_key(&(mutex as usize));
            if held {
                engine.wait_for(Wait::Mutex, mutex as usize, None);
            }
            held
        });
        if with_actor == Some(false) {
            // SAFETY: another thread of the host has it.
            return unsafe { libc::pthread_mutex_lock(mutex) };
        }
        if with_actor.is_none() {
            // SAFETY: it has no preconditions.
            unsafe { libc::sched_yield() };
        }
    }
}

/// `pthread_mutex_trylock(mutex)`
pub(crate) extern "C" fn mutex_trylock(mutex: *mut Mutex) -> c_int {
    // SAFETY: as the guest asks.
    let status = unsafe { libc::pthread_mutex_trylock(mutex) };
    if status == 0 && is_actor() {
        hold(mutex);
    }
    status
}

/// `pthread_mutex_unlock(mutex)`
pub(crate) extern "C" fn mutex_unlock(mutex: *mut Mutex) -> c_int {
    // SAFETY: as the guest asks.
    let status = unsafe { libc::pthread_mutex_unlock(mutex) };
    on_actor(|actor, rooms| {
        if rooms.held.borrow_mut().remove(&(mutex as usize)).is_some() {
            actor.wake(mutex as usize, 1);
        }
    });
    status
}

// ---- condition variables

/// The virtual time at which the device's clock shows these nanoseconds.
fn on_device_clock(ns: u64) -> SimTime {
    SimTime::from_ns(ns.saturating_sub(EPOCH_NS))
}

/// The calling actor lets go of the mutex, waits, and takes the mutex again.
fn wait_for(condition: *mut Condition, mutex: *mut Mutex, deadline: Option<u64>, caller: usize) -> c_int {
    mutex_unlock(mutex);
    let deadline = deadline.map(on_device_clock);
    let timed_out =
        on_actor(|actor, _| actor.block_until(Wait::Condition, condition as usize, deadline, caller)) == Some(true);
    mutex_lock_from(mutex, caller);
    if timed_out { libc::ETIMEDOUT } else { 0 }
}

/// A thread of the host waits for a condition that actors may signal: the device runs meanwhile. `None`: no actor is
/// left that could, or the caller has no device.
fn wait_for_actors(condition: *mut Condition, mutex: *mut Mutex, deadline: Option<u64>) -> Option<c_int> {
    let device = host_device()?;
    let deadline = deadline.map(on_device_clock);
    let waited = device.try_with_engine(|engine, _| {
        engine.is_running().then(|| {
            // SAFETY: the guest's mutex, which it holds.
            unsafe { libc::pthread_mutex_unlock(mutex) };
            engine.wake(mutex as usize, 1);
            engine.wait_for(Wait::Condition, condition as usize, deadline)
        })
    });
    let timed_out = match waited {
        Some(None) => return None,
        Some(Some(timed_out)) => timed_out,
        None => {
            wait_a_little(condition, mutex);
            return Some(0);
        }
    };
    lock_for_host(mutex);
    Some(if timed_out { libc::ETIMEDOUT } else { 0 })
}

/// Waits for a condition for a short time of the host. Whoever waits has to look again anyway.
fn wait_a_little(condition: *mut Condition, mutex: *mut Mutex) {
    const SLICE_NS: i64 = 5_000_000;
    let mut deadline = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: a place for the result; then the guest's condition and mutex.
    unsafe {
        libc::clock_gettime(libc::CLOCK_MONOTONIC, &raw mut deadline);
        let end = deadline.tv_nsec + SLICE_NS;
        deadline = libc::timespec { tv_sec: deadline.tv_sec + end / NS_PER_S, tv_nsec: end % NS_PER_S };
        pthread_cond_clockwait(condition, mutex, libc::CLOCK_MONOTONIC, &raw const deadline);
    }
}

const NS_PER_S: i64 = 1_000_000_000;

extern "C" fn cond_wait_from(condition: *mut Condition, mutex: *mut Mutex, caller: usize) -> c_int {
    if is_actor() {
        return wait_for(condition, mutex, None, caller);
    }
    // SAFETY: as the guest asks.
    wait_for_actors(condition, mutex, None).unwrap_or_else(|| unsafe { libc::pthread_cond_wait(condition, mutex) })
}

/// The lock of `std::unique_lock<std::mutex>` begins with the address of its mutex.
extern "C" fn condition_wait_from(condition: *mut Condition, lock: *const *mut Mutex, caller: usize) {
    // SAFETY: the guest passes its lock.
    cond_wait_from(condition, unsafe { lock.read() }, caller);
}

extern "C" fn cond_timedwait_from(
    condition: *mut Condition,
    mutex: *mut Mutex,
    deadline: *const libc::timespec,
    caller: usize,
) -> c_int {
    if is_actor() {
        // SAFETY: the guest passes a time.
        let deadline = nanoseconds(unsafe { &*deadline });
        return wait_for(condition, mutex, Some(deadline), caller);
    }
    // SAFETY: as the guest asks; the time of day is the host's for those who are not of the device.
    unsafe { libc::pthread_cond_timedwait(condition, mutex, deadline) }
}

unsafe extern "C" {
    fn pthread_cond_clockwait(
        condition: *mut Condition,
        mutex: *mut Mutex,
        clock: libc::clockid_t,
        deadline: *const libc::timespec,
    ) -> c_int;
    fn pthread_once(once: *const AtomicI32, routine: extern "C" fn()) -> c_int;
}

extern "C" fn cond_clockwait_from(
    condition: *mut Condition,
    mutex: *mut Mutex,
    clock: libc::clockid_t,
    deadline: *const libc::timespec,
    caller: usize,
) -> c_int {
    // SAFETY: the guest passes a time.
    let deadline = nanoseconds(unsafe { &*deadline });
    if is_actor() {
        return wait_for(condition, mutex, Some(deadline), caller);
    }
    if clock == libc::CLOCK_MONOTONIC
        && let Some(status) = wait_for_actors(condition, mutex, Some(deadline))
    {
        return status;
    }
    let put_off = (deadline as i64 + host_ahead(clock)).max(0);
    let deadline = libc::timespec { tv_sec: put_off / NS_PER_S, tv_nsec: put_off % NS_PER_S };
    // SAFETY: as the guest asks, with its deadline on the host's clock.
    unsafe { pthread_cond_clockwait(condition, mutex, clock, &raw const deadline) }
}

/// `pthread_cond_signal(condition)` and `std::condition_variable::notify_one()`
pub(crate) extern "C" fn cond_signal(condition: *mut Condition) -> c_int {
    wake(condition as usize, 1);
    // SAFETY: as the guest asks.
    unsafe { libc::pthread_cond_signal(condition) }
}

/// `pthread_cond_broadcast(condition)` and `std::condition_variable::notify_all()`
pub(crate) extern "C" fn cond_broadcast(condition: *mut Condition) -> c_int {
    wake(condition as usize, u32::MAX);
    // SAFETY: as the guest asks.
    unsafe { libc::pthread_cond_broadcast(condition) }
}

// ---- what happens once

/// glibc's states of a `pthread_once_t`.
const ONCE_NEW: i32 = 0;
const ONCE_RUNNING: i32 = 1;
const ONCE_DONE: i32 = 2;

extern "C" fn once_from(once: *const AtomicI32, routine: extern "C" fn(), caller: usize) -> c_int {
    if !is_actor() {
        // SAFETY: as the guest asks.
        return unsafe { pthread_once(once, routine) };
    }
    // SAFETY: the guest's own control word.
    let state = unsafe { &*once };
    while state.load(Ordering::Acquire) != ONCE_DONE {
        match state.compare_exchange(ONCE_NEW, ONCE_RUNNING, Ordering::AcqRel, Ordering::Acquire) {
            Ok(_) => {
                routine();
                state.store(ONCE_DONE, Ordering::Release);
                wake(once as usize, u32::MAX);
            }
            Err(ONCE_DONE) => {}
            Err(_) => block(Wait::Once, once as usize, caller),
        }
    }
    0
}

/// A guard of a static: byte 0 says that it is initialised, byte 1 that somebody is at it.
#[repr(C)]
pub(crate) struct Guard {
    done: AtomicU8,
    busy: AtomicU8,
}

extern "C" fn guard_acquire_from(guard: *const Guard, caller: usize) -> c_int {
    // SAFETY: the guest's own guard.
    let Guard { done, busy } = unsafe { &*guard };
    while done.load(Ordering::Acquire) == 0 {
        if busy.compare_exchange(0, 1, Ordering::AcqRel, Ordering::Acquire).is_ok() {
            return 1;
        }
        if is_actor() {
            block(Wait::StaticInit, guard as usize, caller);
        } else {
            // SAFETY: whoever initialises it is another thread, and goes on by itself.
            unsafe { libc::sched_yield() };
        }
    }
    0
}

fn end_guard(guard: *const Guard, initialised: u8) {
    // SAFETY: the guest's own guard.
    let Guard { done, busy } = unsafe { &*guard };
    done.store(initialised, Ordering::Release);
    busy.store(0, Ordering::Release);
    wake(guard as usize, u32::MAX);
}

/// `__cxa_guard_release(guard)`
pub(crate) extern "C" fn guard_release(guard: *const Guard) {
    end_guard(guard, 1);
}

/// `__cxa_guard_abort(guard)`
pub(crate) extern "C" fn guard_abort(guard: *const Guard) {
    end_guard(guard, 0);
}
