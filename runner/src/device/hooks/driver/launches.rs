//! What launches of all kinds have in common: arguments, and a place in a stream.

use sim_core::engine::CurrentActor;
use sim_core::time::SimDuration;

use super::super::super::driver::error::{CannCode, DriverError};
use super::super::super::driver::{Item, Plan, Prepared};
use super::super::super::rooms::Rooms;
use super::super::guest_bytes;
use super::queue;
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

/// A stream gets one more task.
pub(super) fn enqueue(
    actor: &CurrentActor<'_>,
    rooms: &Rooms,
    stream: u64,
    arguments: Vec<u8>,
    plan: Plan,
) -> Result<(), DriverError> {
    // The host does not wait for the launch to arrive.
    let ready = actor.now() + *rooms.profile.host_link.launch;
    let limit = rooms.driver.borrow().op_timeout;
    queue::push(actor, rooms, stream, Item::Launch(Prepared { ready, limit, arguments, plan }))
}

/// A stream gets a task that no guest's code belongs to: it takes `span`, and ends with this code if it fails.
pub(super) fn enqueue_modelled(
    actor: &CurrentActor<'_>,
    rooms: &Rooms,
    stream: u64,
    span: SimDuration,
    failure: Option<CannCode>,
) -> Result<(), DriverError> {
    enqueue(actor, rooms, stream, Vec::new(), Plan::Modelled { span, failure })
}
