//! Requests about events.

use std::ffi::c_int;

use super::super::super::driver::Item;
use super::super::super::driver::error::DriverError;
use super::{check_context, check_place, check_sound, put, queue, serve, streams, wait};

/// `ACL_EVENT_SYNC`, `ACL_EVENT_CAPTURE_STREAM_PROGRESS`, `ACL_EVENT_TIME_LINE`
const FLAGS: u32 = 0x1 | 0x2 | 0x8;

pub(super) extern "C" fn event_create(event: *mut u64, flags: u32) -> c_int {
    serve(|actor, rooms| {
        check_place(event, "the place for the event")?;
        if flags & !FLAGS != 0 {
            return Err(DriverError::invalid(format!("{flags:#x} are no flags of an event")));
        }
        check_sound(actor, rooms)?;
        let handle = rooms.driver.borrow_mut().events.create();
        put(actor, event, handle);
        Ok(())
    })
}

pub(super) extern "C" fn event_destroy(event: u64) -> c_int {
    serve(|actor, rooms| {
        check_context(actor, rooms)?;
        rooms.driver.borrow_mut().events.destroy(event)
    })
}

pub(super) extern "C" fn event_record(event: u64, stream: u64) -> c_int {
    serve(|actor, rooms| {
        check_sound(actor, rooms)?;
        let mut driver = rooms.driver.borrow_mut();
        driver.streams.get(stream)?;
        let mark = driver.events.record(event, stream)?;
        drop(driver);
        queue::push(actor, rooms, stream, Item::Record(mark))
    })
}

/// What is asked of the stream from now on waits for the event's last record.
pub(super) extern "C" fn stream_wait_event(stream: u64, event: u64) -> c_int {
    serve(|actor, rooms| {
        check_sound(actor, rooms)?;
        let driver = rooms.driver.borrow();
        driver.streams.get(stream)?;
        let mark = driver.events.last(event)?;
        drop(driver);
        queue::push(actor, rooms, stream, Item::Wait(mark))
    })
}

/// Waits until a stream has come to the event's last record. Learning of it takes its time, and what went wrong on that
/// stream is told here if it was not told yet.
pub(super) extern "C" fn event_synchronize(event: u64) -> c_int {
    serve(|actor, rooms| {
        check_context(actor, rooms)?;
        let mark = rooms.driver.borrow().events.last(event)?;
        wait::wait_for_event(actor, rooms, mark)?;
        let stream = rooms.driver.borrow_mut().events.take_news(event)?;
        let told = match stream {
            Some(stream) => {
                actor.charge(*rooms.profile.host_link.completion, 0);
                wait::tell_if_there(rooms, stream)
            }
            None => Ok(()),
        };
        streams::told(actor, rooms, told)
    })
}

/// When a stream came to the event's last record, in microseconds of the device's uptime.
pub(super) extern "C" fn event_timestamp(event: u64, timestamp: *mut u64) -> c_int {
    serve(|actor, rooms| {
        check_place(timestamp, "the place for the time")?;
        check_sound(actor, rooms)?;
        let at = rooms.driver.borrow().events.reached_at(event)?;
        put(actor, timestamp, at.as_ns() / 1_000);
        Ok(())
    })
}
