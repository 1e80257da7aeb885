//! What launches of both kinds have in common: arguments, and a stream that is free for a task.

use sim_core::engine::CurrentActor;
use sim_core::time::{SimDuration, SimTime};
use sim_hbm::DevicePtr;

use super::super::super::driver::error::{CannCode, DriverError};
use super::super::super::driver::{Task, Work};
use super::super::super::rooms::Rooms;
use super::super::guest_bytes;
use super::streams::ARGUMENT_BYTES;

/// The arguments of a launch, copied from the host.
pub(super) fn read_arguments(actor: &CurrentActor<'_>, from: *const u8, size: u32) -> Result<Vec<u8>, DriverError> {
    if from.is_null() || size == 0 {
        let place = if from.is_null() { "null" } else { "an address" };
        return Err(DriverError::invalid(format!("the launch has {size} bytes of arguments at {place}")));
    }
    if size as usize > ARGUMENT_BYTES {
        return Err(DriverError::invalid(format!("{size} bytes of arguments, {ARGUMENT_BYTES} are the most")));
    }
    Ok(guest_bytes(actor, from, size as usize))
}

/// The 8 bytes at `offset` of a launch's arguments.
pub(super) fn word(arguments: &[u8], offset: usize) -> Option<u64> {
    let bytes = arguments.get(offset..offset.checked_add(8)?)?;
    Some(u64::from_le_bytes(bytes.try_into().ok()?))
}

/// A stream exists and has no task.
pub(super) fn check_free(rooms: &Rooms, stream: u64) -> Result<(), DriverError> {
    match rooms.driver.borrow().streams.get(stream)?.task() {
        None => Ok(()),
        Some(_) => Err(DriverError::Unsupported { what: "a task behind another one on the same stream" }),
    }
}

/// Puts the arguments of a launch where its task finds them.
pub(super) fn place_arguments(rooms: &Rooms, stream: u64, arguments: &[u8]) -> Result<DevicePtr, DriverError> {
    let place = rooms.driver.borrow().streams.get(stream)?.arguments;
    rooms.hbm.borrow_mut().write(place, arguments)?;
    Ok(place)
}

/// When the task of a launch that is made now begins. The host does not wait for that.
pub(super) fn beginning(actor: &CurrentActor<'_>, rooms: &Rooms) -> SimTime {
    actor.now() + *rooms.profile.host_link.launch
}

/// A stream has a task from now on.
pub(super) fn begin(rooms: &Rooms, stream: u64, work: Work, begins: SimTime) -> Result<(), DriverError> {
    let mut driver = rooms.driver.borrow_mut();
    let limit = driver.op_timeout;
    driver.streams.get_mut(stream)?.begin(Task { work, begins, limit });
    Ok(())
}

/// A stream has a task that no guest's code belongs to: it takes `span`, and ends with this code if it fails.
pub(super) fn begin_modelled(
    actor: &CurrentActor<'_>,
    rooms: &Rooms,
    stream: u64,
    span: SimDuration,
    failure: Option<CannCode>,
) -> Result<(), DriverError> {
    let begins = beginning(actor, rooms);
    begin(rooms, stream, Work::Modelled { ends: begins + span, failure }, begins)
}
