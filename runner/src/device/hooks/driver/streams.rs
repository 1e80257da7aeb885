//! Requests about streams.

use std::ffi::c_int;

use sim_core::engine::{CurrentActor, Poll};
use sim_core::time::{SimDuration, SimTime};

use super::super::super::driver::Stream;
use super::super::super::driver::error::DriverError;
use super::super::super::driver::finding::Finding;
use super::super::super::rooms::Rooms;
use super::{check_context, check_place, check_sound, put, serve, wait};

/// Where arguments of launches go: one block for each stream.
pub(super) const ARGUMENT_BYTES: usize = 4096;

pub(super) extern "C" fn stream_create(stream: *mut u64) -> c_int {
    serve(|actor, rooms| {
        check_place(stream, "the place for the stream")?;
        check_sound(actor, rooms)?;
        let arguments = rooms.hbm.borrow_mut().allocate(ARGUMENT_BYTES as u64, "stream arguments")?;
        actor.charge(*rooms.profile.driver.stream_create, 0);
        let handle = rooms.driver.borrow_mut().streams.add(Stream::new(arguments));
        put(actor, stream, handle);
        Ok(())
    })
}

pub(super) extern "C" fn stream_destroy(stream: u64) -> c_int {
    serve(|actor, rooms| {
        check_context(actor, rooms)?;
        let mut driver = rooms.driver.borrow_mut();
        if driver.streams.get(stream)?.is_busy() {
            driver.find(Finding::StreamDestroyedBusy);
            return Err(DriverError::NotComplete { handle: stream });
        }
        let gone = driver.streams.remove(stream);
        drop(driver);
        if let Some(gone) = gone {
            // The block is the stream's own, so it is live.
            let _ = rooms.hbm.borrow_mut().free(gone.arguments, "stream");
        }
        actor.charge(*rooms.profile.driver.stream_destroy, 0);
        Ok(())
    })
}

pub(super) extern "C" fn stream_check(stream: u64) -> c_int {
    serve(|actor, rooms| {
        check_sound(actor, rooms)?;
        rooms.driver.borrow().streams.get(stream).map(|_| ())
    })
}

pub(super) extern "C" fn stream_query(stream: u64) -> c_int {
    serve(|actor, rooms| {
        check_context(actor, rooms)?;
        let state = wait::query(actor, rooms, stream);
        if matches!(state, Err(DriverError::NotComplete { .. })) {
            actor.spin(*rooms.profile.host_link.poll_interval, Poll::Spin, 0);
        }
        told(actor, rooms, state)
    })
}

pub(super) extern "C" fn stream_synchronize(stream: u64, timeout_ms: i32) -> c_int {
    serve(|actor, rooms| {
        check_context(actor, rooms)?;
        let deadline = deadline_of(actor, timeout_ms)?;
        let ended = synchronize(actor, rooms, stream, deadline, timeout_ms);
        told(actor, rooms, ended)
    })
}

/// Waits for a stream. Learning that something has ended takes its time.
fn synchronize(
    actor: &CurrentActor<'_>,
    rooms: &Rooms,
    stream: u64,
    deadline: SimTime,
    timeout_ms: i32,
) -> Result<(), DriverError> {
    let ended = wait::wait_for_stream(actor, rooms, stream, deadline, timeout_ms);
    if !matches!(ended, Err(DriverError::SyncTimeout { .. })) {
        let used = rooms.driver.borrow_mut().streams.get_mut(stream).map(|stream| std::mem::take(&mut stream.used))?;
        if used {
            actor.charge(*rooms.profile.host_link.completion, 0);
        }
    }
    ended
}

/// Once the first failure has been told, every request gets the same answer.
pub(super) fn told(actor: &CurrentActor<'_>, rooms: &Rooms, news: Result<(), DriverError>) -> Result<(), DriverError> {
    match news {
        Ok(()) => rooms.driver.borrow().check_sound(actor.id()),
        Err(error) => Err(error),
    }
}

pub(super) extern "C" fn device_synchronize(timeout_ms: i32) -> c_int {
    serve(|actor, rooms| {
        check_context(actor, rooms)?;
        let deadline = deadline_of(actor, timeout_ms)?;
        let streams: Vec<u64> = rooms.driver.borrow().streams.iter().map(|(handle, _)| handle).collect();
        let mut first = Ok(());
        for stream in streams {
            let ended = synchronize(actor, rooms, stream, deadline, timeout_ms);
            first = first.and(ended);
        }
        told(actor, rooms, first)
    })
}

/// When the host stops waiting: -1 is never, other negative times are none.
fn deadline_of(actor: &CurrentActor<'_>, timeout_ms: i32) -> Result<SimTime, DriverError> {
    match timeout_ms {
        -1 => Ok(SimTime::from_ps(u64::MAX)),
        0.. => Ok(actor.now() + SimDuration::from_ns(timeout_ms.unsigned_abs().into()) * 1_000_000),
        _ => Err(DriverError::invalid(format!("a time-out of {timeout_ms} ms; -1 is none"))),
    }
}

/// `ACL_RT_DEV_RES_*`
const CUBE_CORE: u32 = 0;
const VECTOR_CORE: u32 = 1;

pub(super) extern "C" fn stream_limit(stream: u64, resource: u32, value: *mut u32) -> c_int {
    serve(|actor, rooms| {
        check_place(value, "the place for the limit")?;
        check_sound(actor, rooms)?;
        rooms.driver.borrow().streams.get(stream)?;
        let topology = &rooms.profile.topology;
        let per_cluster = match resource {
            CUBE_CORE => *topology.aic_per_cluster,
            VECTOR_CORE => *topology.aiv_per_cluster,
            _ => return Err(DriverError::invalid(format!("{resource} is no kind of core"))),
        };
        put(actor, value, *topology.clusters * per_cluster);
        Ok(())
    })
}
