//! Time: actors have the device's, kernels that run natively the time at which they began, and the host's threads that
//! of the device they work for, which stands still while they work.

use std::ffi::{c_int, c_uint};

use sim_core::actor::ActorKind;
use sim_core::engine::{Poll, Standing, calling_actor};
use sim_core::time::SimDuration;

use super::entry::entry;
use crate::caller::{current_device, is_actor, on_actor};
use crate::device::{EPOCH_NS, Rooms};

const NS_PER_S: u64 = 1_000_000_000;

entry!(
    /// `sched_yield()`
    sched_yield, 0, spin_from
);

fn spin_cost(rooms: &Rooms, kind: ActorKind) -> SimDuration {
    if kind.core().is_some() { *rooms.profile.aicore.spin } else { *rooms.profile.aicpu.spin }
}

extern "C" fn spin_from(caller: usize) -> c_int {
    let spun = on_actor(|actor, rooms| actor.spin(spin_cost(rooms, actor.kind()), Poll::Spin, caller));
    if spun.is_none() {
        // SAFETY: it has no preconditions.
        unsafe { libc::sched_yield() };
    }
    0
}

/// The device's clock for whoever calls, in nanoseconds; `None` for those who have the host's.
fn device_clock() -> Option<u64> {
    if is_actor() {
        let now = on_actor(|actor, rooms| {
            let clock = &rooms.profile;
            let cost =
                if actor.kind().core().is_some() { *clock.aicore.counter_read } else { *clock.aicpu.counter_read };
            actor.read_clock(cost)
        });
        return now.map(|now| EPOCH_NS + now.as_ns());
    }
    match calling_actor() {
        Some(context) if context.standing() == Standing::Native => Some(EPOCH_NS + context.native_now().as_ns()),
        Some(_) => None,
        None => current_device().map(|device| EPOCH_NS + device.host_time().as_ns()),
    }
}

/// The host's clock.
fn host_clock(clock: libc::clockid_t) -> u64 {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: a place for the result; clocks that do not exist leave it as it is.
    unsafe { libc::clock_gettime(clock, &raw mut time) };
    time.tv_sec as u64 * NS_PER_S + time.tv_nsec as u64
}

/// How far a clock of the host is ahead of what the caller takes it to be: a deadline that was computed with the
/// device's clock has to be put off by as much.
pub(super) fn host_ahead(clock: libc::clockid_t) -> i64 {
    match device_clock() {
        Some(now) if clock == libc::CLOCK_MONOTONIC => host_clock(clock) as i64 - now as i64,
        _ => 0,
    }
}

/// `std::chrono::steady_clock::now()`
pub(crate) extern "C" fn steady_clock_now() -> i64 {
    device_clock().unwrap_or_else(|| host_clock(libc::CLOCK_MONOTONIC)) as i64
}

/// Whether the caller is of the device, where there is no time of day but the device's.
fn is_on_device() -> bool {
    calling_actor().is_some()
}

/// `std::chrono::system_clock::now()`
pub(crate) extern "C" fn system_clock_now() -> i64 {
    let now = if is_on_device() { device_clock() } else { None };
    now.unwrap_or_else(|| host_clock(libc::CLOCK_REALTIME)) as i64
}

/// `clock_gettime(clock, time)`
pub(crate) extern "C" fn clock_gettime(clock: libc::clockid_t, time: *mut libc::timespec) -> c_int {
    let now = match clock {
        libc::CLOCK_MONOTONIC | libc::CLOCK_MONOTONIC_RAW | libc::CLOCK_MONOTONIC_COARSE | libc::CLOCK_BOOTTIME => {
            device_clock()
        }
        libc::CLOCK_REALTIME | libc::CLOCK_REALTIME_COARSE if is_on_device() => device_clock(),
        _ => None,
    };
    let Some(now) = now else {
        // SAFETY: as the guest asks.
        return unsafe { libc::clock_gettime(clock, time) };
    };
    // SAFETY: the guest passes a place for the result.
    unsafe { time.write(libc::timespec { tv_sec: (now / NS_PER_S) as i64, tv_nsec: (now % NS_PER_S) as i64 }) };
    0
}

/// `gettimeofday(time, zone)`
pub(crate) extern "C" fn gettimeofday(time: *mut libc::timeval, _zone: usize) -> c_int {
    let now = system_clock_now() as u64;
    if !time.is_null() {
        let time_of_day = libc::timeval {
            tv_sec: (now / NS_PER_S) as libc::time_t,
            tv_usec: (now % NS_PER_S / 1000) as libc::suseconds_t,
        };
        // SAFETY: the guest passes a place for the result.
        unsafe { time.write(time_of_day) };
    }
    0
}

/// Sleeps in virtual time. `false`: the caller has to sleep in real time; a kernel that does so is alive.
fn sleep_ns(span: u64) -> bool {
    let slept = on_actor(|actor, _| actor.sleep(SimDuration::from_ns(span.max(1)))).is_some();
    if let Some(context) = calling_actor().filter(|_| !slept) {
        context.beat();
    }
    slept
}

pub(super) fn nanoseconds(span: &libc::timespec) -> u64 {
    span.tv_sec.max(0) as u64 * NS_PER_S + span.tv_nsec.max(0) as u64
}

/// `nanosleep(span, remaining)`
pub(crate) extern "C" fn nanosleep(span: *const libc::timespec, remaining: *mut libc::timespec) -> c_int {
    // SAFETY: the guest passes a span.
    if sleep_ns(nanoseconds(unsafe { &*span })) {
        return 0;
    }
    // SAFETY: as the guest asks.
    unsafe { libc::nanosleep(span, remaining) }
}

/// `clock_nanosleep(clock, flags, span, remaining)`
pub(crate) extern "C" fn clock_nanosleep(
    clock: libc::clockid_t,
    flags: c_int,
    span: *const libc::timespec,
    remaining: *mut libc::timespec,
) -> c_int {
    if !is_actor() {
        // SAFETY: as the guest asks.
        return unsafe { libc::clock_nanosleep(clock, flags, span, remaining) };
    }
    // SAFETY: the guest passes a span.
    let target = nanoseconds(unsafe { &*span });
    let absolute = flags & libc::TIMER_ABSTIME != 0;
    let now = if absolute { device_clock().unwrap_or(0) } else { 0 };
    sleep_ns(target.saturating_sub(now));
    0
}

/// `usleep(span)`
pub(crate) extern "C" fn usleep(span: libc::useconds_t) -> c_int {
    // SAFETY: as the guest asks.
    if sleep_ns(u64::from(span) * 1000) { 0 } else { unsafe { libc::usleep(span) } }
}

/// `sleep(seconds)`
pub(crate) extern "C" fn sleep(seconds: c_uint) -> c_uint {
    // SAFETY: as the guest asks.
    if sleep_ns(u64::from(seconds) * NS_PER_S) { 0 } else { unsafe { libc::sleep(seconds) } }
}

/// `std::thread::hardware_concurrency()` and `get_nprocs()`: a core has no other beside it, whatever the host has.
pub(crate) extern "C" fn processors() -> c_int {
    if is_on_device() {
        return 1;
    }
    std::thread::available_parallelism().map_or(1, |count| count.get() as c_int)
}
