//! Waiting for streams: until their tasks are over, the host has waited long enough, or a task takes too long.

use sim_core::engine::{CurrentActor, EndedBy};
use sim_core::time::SimTime;

use super::super::super::driver::error::DriverError;
use super::super::super::driver::{Mark, Streams, Work};
use super::super::super::rooms::Rooms;
use super::queue;

/// Further than any run goes.
pub(super) const NEVER: SimTime = SimTime::from_ps(u64::MAX);

/// Takes note of what has become of tasks since the last request.
pub(super) fn settle(actor: &CurrentActor<'_>, rooms: &Rooms) {
    end_overdue(actor, rooms);
    let mut driver = rooms.driver.borrow_mut();
    // After a fault every actor counts as ended, whatever had become of it.
    if let Some(fault) = actor.engine().fault().as_deref() {
        driver.absorb(fault);
    }
    driver.settle(actor.now(), |other| actor.has_ended(other));
    drop(driver);
    stop_the_watch(actor, rooms);
    queue::begin_due(actor, rooms);
}

/// Ends the device's work if a task has taken too long.
fn end_overdue(actor: &CurrentActor<'_>, rooms: &Rooms) {
    if actor.engine().fault().is_some() {
        return;
    }
    let driver = rooms.driver.borrow();
    let Some(task) = driver.streams.first_overdue().filter(|task| task.overdue_at() <= actor.now()) else { return };
    let late = Streams::late_actor(task, |other| actor.has_ended(other));
    let limit = task.limit;
    drop(driver);
    if let Some(late) = late {
        actor.end_task(late, limit, EndedBy::TimeOut);
    }
}

/// The cores' run is over when everything has ended.
fn stop_the_watch(actor: &CurrentActor<'_>, rooms: &Rooms) {
    if actor.engine().fault().is_some() {
        rooms.stopwatch.stop(actor.engine(), actor.now());
    } else if actor.is_complete() {
        rooms.stopwatch.stop(actor.engine(), actor.engine().device_end());
    }
}

/// When there is something to look at again on a stream with a task.
fn next_look(work: &Work) -> SimTime {
    match work {
        Work::Modelled { ends, .. } => *ends,
        Work::Cores(_) | Work::Aicpu(_) => NEVER,
    }
}

/// Waits until a stream has come to a record of an event.
pub(super) fn wait_for_event(actor: &CurrentActor<'_>, rooms: &Rooms, mark: Mark) -> Result<(), DriverError> {
    loop {
        settle(actor, rooms);
        let driver = rooms.driver.borrow();
        if driver.events.is_reached(mark) {
            return Ok(());
        }
        let overdue = driver.streams.first_overdue().map_or(NEVER, |task| task.overdue_at());
        let until = driver.streams.next_modelled_end().unwrap_or(NEVER).min(overdue);
        drop(driver);
        actor.wait_for_an_end(until);
    }
}

/// What a wait for a stream that may be gone is told.
pub(super) fn tell_if_there(rooms: &Rooms, stream: u64) -> Result<(), DriverError> {
    let is_there = rooms.driver.borrow().streams.get(stream).is_ok();
    if is_there { tell(rooms, stream) } else { Ok(()) }
}

/// Waits until the stream has no task, or `deadline`. An error is what the wait is told.
pub(super) fn wait_for_stream(
    actor: &CurrentActor<'_>,
    rooms: &Rooms,
    stream: u64,
    deadline: SimTime,
    timeout_ms: i32,
) -> Result<(), DriverError> {
    loop {
        settle(actor, rooms);
        let driver = rooms.driver.borrow();
        let waited_for = driver.streams.get(stream)?;
        if !waited_for.is_busy() {
            break;
        }
        // What is behind something else can begin when any task of the model's ends.
        let look = match waited_for.task() {
            Some(task) if !waited_for.has_waiting() => next_look(&task.work),
            _ => driver.streams.next_modelled_end().unwrap_or(NEVER),
        };
        let overdue = driver.streams.first_overdue().map_or(NEVER, |task| task.overdue_at());
        let until = look.min(overdue).min(deadline);
        drop(driver);
        if actor.now() >= deadline {
            return Err(DriverError::SyncTimeout { timeout_ms });
        }
        actor.wait_for_an_end(until);
    }
    tell(rooms, stream)
}

/// What a wait for a stream without a task is told.
fn tell(rooms: &Rooms, stream: u64) -> Result<(), DriverError> {
    let mut driver = rooms.driver.borrow_mut();
    match driver.streams.get_mut(stream)?.take_failure() {
        Some(code) => {
            driver.poison();
            Err(DriverError::TaskFailed { code })
        }
        None => Ok(()),
    }
}

/// As [`wait_for_stream`], without waiting.
pub(super) fn query(actor: &CurrentActor<'_>, rooms: &Rooms, stream: u64) -> Result<(), DriverError> {
    settle(actor, rooms);
    let busy = rooms.driver.borrow().streams.get(stream)?.is_busy();
    if busy { Err(DriverError::NotComplete { handle: stream }) } else { tell(rooms, stream) }
}
