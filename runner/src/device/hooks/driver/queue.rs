//! What waits in streams begins at the very moment at which it can.
//!
//! Whoever sees that a task has ended begins the next ones. As long as something waits there is an actor that sees each
//! end when it happens, whatever the host does meanwhile; it is a thread of the driver's, and ends when nothing waits.

use sim_aicore::array::CoreArray;
use sim_core::engine::{CurrentActor, GuestCall};
use sim_core::shim::Launch;
use sim_core::time::SimTime;

use super::super::super::driver::error::{CannCode, DriverError};
use super::super::super::driver::{Item, Plan, Prepared, Task, Work};
use super::super::super::rooms::Rooms;
use super::super::launch::{start_aicpus, start_cores};
use super::super::on_device;
use super::wait;

/// Something comes behind everything else of a stream; what can begin does.
pub(super) fn push(actor: &CurrentActor<'_>, rooms: &Rooms, stream: u64, item: Item) -> Result<(), DriverError> {
    rooms.driver.borrow_mut().streams.enqueue(stream, item)?;
    begin_due(actor, rooms);
    let mut driver = rooms.driver.borrow_mut();
    if !driver.streams.have_waiting() || std::mem::replace(&mut driver.is_scheduled, true) {
        return Ok(());
    }
    drop(driver);
    let call = GuestCall::new(schedule as *const () as usize, &[]);
    // SAFETY: the function takes no arguments, and what it touches belongs to the device, which outlives its threads.
    unsafe { actor.spawn_thread(call) }.map(drop).map_err(|error| {
        rooms.driver.borrow_mut().is_scheduled = false;
        DriverError::Threads(error)
    })
}

/// Begins tasks as long as any can begin.
pub(super) fn begin_due(actor: &CurrentActor<'_>, rooms: &Rooms) {
    loop {
        let due = rooms.driver.borrow_mut().take_due(actor.now());
        let Some((stream, prepared)) = due else { return };
        if begin(actor, rooms, stream, prepared).is_err()
            && let Ok(stream) = rooms.driver.borrow_mut().streams.get_mut(stream)
        {
            stream.fail(CannCode::InternalError);
        }
    }
}

/// The thread that sees to what waits.
extern "C" fn schedule(_: u64) -> u64 {
    on_device(|actor, rooms| {
        loop {
            wait::settle(actor, rooms);
            let mut driver = rooms.driver.borrow_mut();
            if !driver.streams.have_waiting() {
                driver.is_scheduled = false;
                return;
            }
            let until = driver.streams.next_modelled_end().unwrap_or(wait::NEVER);
            drop(driver);
            actor.wait_for_an_end(until);
        }
    });
    0
}

fn begin(actor: &CurrentActor<'_>, rooms: &Rooms, stream: u64, prepared: Prepared) -> Result<(), DriverError> {
    let begins = prepared.ready.max(actor.now());
    let place = rooms.driver.borrow().streams.get(stream)?.arguments;
    rooms.hbm.borrow_mut().write(place, &prepared.arguments)?;
    let work = match prepared.plan {
        Plan::Cores(launch) => begin_cores(actor, rooms, &launch, begins)?,
        Plan::Aicpu(launch) => begin_aicpus(actor, rooms, Launch { runtime: place.address(), ..launch }, begins)?,
        Plan::Modelled { span, failure } => Work::Modelled { ends: begins + span, failure },
    };
    let task = Task { work, begins, limit: prepared.limit };
    rooms.driver.borrow_mut().streams.get_mut(stream)?.begin(task);
    Ok(())
}

fn begin_cores(actor: &CurrentActor<'_>, rooms: &Rooms, launch: &Launch, begins: SimTime) -> Result<Work, DriverError> {
    let array = CoreArray::new(&rooms.profile.topology, launch.block_dim);
    rooms.registers.reset();
    rooms.launch.begin(array);
    rooms.memory.borrow_mut().begin();
    rooms.coherence.borrow_mut().empty_cores();
    rooms.stopwatch.start(actor.engine(), begins);
    start_cores(actor, rooms, launch, array, begins).map(Work::Cores).map_err(DriverError::Threads)
}

fn begin_aicpus(actor: &CurrentActor<'_>, rooms: &Rooms, launch: Launch, begins: SimTime) -> Result<Work, DriverError> {
    rooms.pool.open_gate();
    if !rooms.driver.borrow().streams.cores_are_busy() {
        // Cores of an earlier task are no longer there.
        rooms.registers.reset();
        rooms.launch.begin(CoreArray::new(&rooms.profile.topology, 0));
    }
    start_aicpus(actor, &launch, begins).map(Work::Aicpu).map_err(DriverError::Threads)
}
