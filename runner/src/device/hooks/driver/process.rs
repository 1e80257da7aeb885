//! Requests of a process about itself and the device: beginning, ending, resets, limits.

use std::ffi::c_int;

use sim_core::engine::{CurrentActor, EndedBy};
use sim_core::time::SimDuration;

use super::super::super::driver::DEVICE;
use super::super::super::driver::error::{CannCode, DriverError};
use super::super::super::driver::finding::Finding;
use super::super::super::rooms::Rooms;
use super::super::code::unload_object;
use super::{check_context, check_place, check_sound, put, serve, wait};

pub(super) extern "C" fn init() -> c_int {
    serve(|_, rooms| rooms.driver.borrow_mut().init())
}

pub(super) extern "C" fn finalize() -> c_int {
    serve(|actor, rooms| {
        wait::settle(actor, rooms);
        rooms.driver.borrow().check_finalize()?;
        release_all(actor, rooms, "aclFinalize");
        rooms.driver.borrow_mut().finalize();
        Ok(())
    })
}

pub(super) extern "C" fn set_device(device: i32) -> c_int {
    serve(|actor, rooms| rooms.driver.borrow_mut().bind(actor.id(), device))
}

pub(super) extern "C" fn get_device(device: *mut i32) -> c_int {
    serve(|actor, rooms| {
        check_place(device, "the place for the device")?;
        check_context(actor, rooms)?;
        put(actor, device, DEVICE);
        Ok(())
    })
}

/// A reset gives back whatever the context holds. One by force also ends what is running, and then takes its time; the
/// device's own fault it cannot mend.
pub(super) extern "C" fn reset_device(device: i32, force: c_int) -> c_int {
    serve(|actor, rooms| {
        wait::settle(actor, rooms);
        rooms.driver.borrow().check_device(device)?;
        let busy = !actor.is_complete() || rooms.driver.borrow().streams.iter().any(|(_, stream)| stream.is_busy());
        if busy && force == 0 {
            let driver = rooms.driver.borrow();
            let handle = driver.streams.iter().find(|(_, stream)| stream.is_busy()).map_or(0, |(it, _)| it);
            return Err(DriverError::NotComplete { handle });
        }
        if busy {
            end_work(actor, rooms);
        }
        if force != 0 {
            actor.charge(*rooms.profile.driver.device_reset, 0);
        }
        release_all(actor, rooms, "the reset of the device");
        let mut driver = rooms.driver.borrow_mut();
        driver.unbind_all();
        if actor.engine().fault().is_none() {
            driver.heal();
        }
        Ok(())
    })
}

/// Ends what is running, as a task that has taken long enough.
fn end_work(actor: &CurrentActor<'_>, rooms: &Rooms) {
    let driver = rooms.driver.borrow();
    let Some(task) = driver.streams.first_overdue() else { return };
    let late = super::super::super::driver::Streams::late_actor(task, |other| actor.has_ended(other));
    let taken = actor.now().since(task.begins);
    drop(driver);
    if let Some(late) = late {
        actor.end_task(late, taken, EndedBy::Reset);
        wait::settle(actor, rooms);
    }
}

/// Gives back whatever the context holds.
fn release_all(actor: &CurrentActor<'_>, rooms: &Rooms, by: &'static str) {
    let mut driver = rooms.driver.borrow_mut();
    let left = Finding::LeftBehind {
        what: by,
        streams: driver.streams.len(),
        binaries: driver.binaries.len(),
        blocks: driver.blocks.len(),
    };
    if !matches!(left, Finding::LeftBehind { streams: 0, binaries: 0, blocks: 0, .. }) {
        driver.find(left);
    }
    let (mut blocks, mut objects) = driver.binaries.take_all();
    blocks.extend(std::mem::take(&mut driver.blocks));
    driver.events.take_all();
    blocks.extend(driver.streams.take_all().into_iter().map(|stream| stream.arguments));
    for loaded in driver.cpu_objects.take_all() {
        blocks.push(loaded.block);
        objects.push(loaded.object);
    }
    drop(driver);
    for block in blocks {
        // They are the driver's own, so they are live.
        let _ = rooms.hbm.borrow_mut().free(block, by);
    }
    for object in objects {
        unload_object(actor, rooms, object);
    }
}

pub(super) extern "C" fn set_op_timeout(timeout_us: u64, actual_us: *mut u64) -> c_int {
    serve(|actor, rooms| {
        check_context(actor, rooms)?;
        let default = *rooms.profile.driver.op_timeout;
        let limit = match timeout_us {
            0 => default,
            us => us
                .checked_mul(1_000)
                .map(SimDuration::from_ns)
                .filter(|limit| *limit < SimDuration::FOREVER)
                .ok_or_else(|| {
                    DriverError::invalid(format!("a time-out of {us} us is longer than the simulator can wait"))
                })?,
        };
        if !actual_us.is_null() {
            put(actor, actual_us, limit.as_ns() / 1_000);
        }
        rooms.driver.borrow_mut().op_timeout = limit;
        Ok(())
    })
}

/// The driver library's own codes.
const DRV_ERROR_INVALID_VALUE: c_int = 3;
const DRV_ERROR_NOT_SUPPORT: c_int = 65534;

/// `MODULE_TYPE_*` and `INFO_TYPE_*`
const AICPU: i32 = 1;
const AICORE: i32 = 4;
const VECTOR_CORE: i32 = 7;
const CORE_NUM: i32 = 3;
const OCCUPY: i32 = 8;

pub(super) extern "C" fn device_info(device: u32, module: i32, info: i32, value: *mut i64) -> c_int {
    let told = super::on_device(|actor, rooms| {
        if value.is_null() || device != DEVICE as u32 {
            return DRV_ERROR_INVALID_VALUE;
        }
        match fact(rooms, module, info) {
            Some(fact) => {
                put(actor, value, fact);
                0
            }
            None => DRV_ERROR_NOT_SUPPORT,
        }
    });
    told.unwrap_or(CannCode::ContextNull as c_int)
}

fn fact(rooms: &Rooms, module: i32, info: i32) -> Option<i64> {
    let topology = &rooms.profile.topology;
    let (clusters, user_cpus) = (i64::from(*topology.clusters), *topology.aicpu_launched);
    match (module, info) {
        (AICPU, CORE_NUM) => Some(i64::from(user_cpus)),
        (AICPU, OCCUPY) => {
            let all = (1i64 << user_cpus.min(32)) - 1;
            Some(all << *rooms.profile.driver.first_user_cpu)
        }
        (AICORE, CORE_NUM) => Some(clusters * i64::from(*topology.aic_per_cluster)),
        (VECTOR_CORE, CORE_NUM) => Some(clusters * i64::from(*topology.aiv_per_cluster)),
        _ => None,
    }
}

/// Refuses what free-running threads cannot do.
pub(super) fn check_virtual(actor: &CurrentActor<'_>, rooms: &Rooms) -> Result<(), DriverError> {
    check_sound(actor, rooms)?;
    if rooms.free { Err(DriverError::Unsupported { what: "the driver front on free-running threads" }) } else { Ok(()) }
}
