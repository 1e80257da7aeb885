//! Requests about AICore binaries: registering them once or over and over, and launching them.

use std::ffi::c_int;

use sim_core::driver_hooks::{ArgsEx, DevBinary};
use sim_core::engine::CurrentActor;
use sim_core::loader::image::CodeImage;
use sim_core::loader::ledger::LoadOrigin;
use sim_core::loader::namespace::ObjectId;
use sim_core::shim::Launch;
use sim_core::trace::ContentHash;

use super::super::super::driver::error::DriverError;
use super::super::super::driver::finding::Finding;
use super::super::super::driver::request::{self, MOST_OBJECT_BYTES};
use super::super::super::driver::{LoadedBinary, Plan};
use super::super::super::error::DeviceError;
use super::super::super::rooms::Rooms;
use super::super::code::{load_guest, unload_object};
use super::super::{guest_bytes, guest_value};
use super::launches::{enqueue, read_arguments};
use super::process::check_virtual;
use super::{check_context, check_place, check_sound, put, serve};

/// The function of an AICore object that cores call.
const ENTRY: &str = "aicore_execute_wrapper";

pub(super) extern "C" fn register_binary(binary: *const DevBinary, handle: *mut u64) -> c_int {
    serve(|actor, rooms| {
        check_place(binary.cast_mut(), "the binary")?;
        check_place(handle, "the place for the handle")?;
        let binary = guest_value(actor, binary);
        if binary.magic != DevBinary::MAGIC {
            return Err(DriverError::invalid(format!("the binary's magic number is {:#x}", binary.magic)));
        }
        if binary.data.is_null() || binary.length == 0 || binary.length > MOST_OBJECT_BYTES {
            let data = if binary.data.is_null() { "no data" } else { "data" };
            return Err(DriverError::invalid(format!("the binary has {data} and a length of {}", binary.length)));
        }
        check_sound(actor, rooms)?;
        let bytes = guest_bytes(actor, binary.data, binary.length as usize);
        let content = ContentHash::of(&bytes);
        CodeImage::parse("AICore binary", &bytes)?;
        let mut driver = rooms.driver.borrow_mut();
        let (registered, again) = driver.binaries.add(bytes, content);
        if again {
            driver.find(Finding::RegisteredAgain { content, bytes: binary.length });
        }
        drop(driver);
        put(actor, handle, registered);
        Ok(())
    })
}

pub(super) extern "C" fn unregister_binary(handle: u64) -> c_int {
    serve(|actor, rooms| {
        check_context(actor, rooms)?;
        rooms.driver.borrow().binaries.get(handle)?;
        if rooms.driver.borrow().streams.cores_are_wanted() {
            return Err(DriverError::Unsupported { what: "unregistering a binary while cores run" });
        }
        let removed = rooms.driver.borrow_mut().binaries.remove(handle);
        let (block, object) = removed.unwrap_or_default();
        if let Some(block) = block {
            rooms.hbm.borrow_mut().free(block, "driver")?;
        }
        if let Some(object) = object {
            unload_object(actor, rooms, object);
        }
        Ok(())
    })
}

pub(super) extern "C" fn launch_binary(handle: u64, block_dim: u32, args: *const ArgsEx, stream: u64) -> c_int {
    serve(|actor, rooms| {
        check_place(args.cast_mut(), "the arguments")?;
        let args = guest_value(actor, args);
        if args.host_input_count != 0 || args.has_tiling != 0 || args.no_copy != 0 {
            return Err(DriverError::Unsupported {
                what: "a launch with host inputs, tiling or arguments on the device",
            });
        }
        let arguments = read_arguments(actor, args.args, args.args_size)?;
        let clusters = *rooms.profile.topology.clusters;
        if block_dim == 0 || block_dim > clusters {
            return Err(DriverError::invalid(format!("{block_dim} blocks on a device of {clusters} clusters")));
        }
        let launch = request::core_launch(&arguments, block_dim)?;
        check_virtual(actor, rooms)?;
        rooms.driver.borrow().binaries.get(handle)?;
        rooms.driver.borrow().streams.get(stream)?;
        let loaded = load(actor, rooms, handle).inspect_err(|error| poison_if_exhausted(rooms, error))?;
        let plan = Plan::Cores(Launch { aicore_entry: loaded.entry as u64, ..launch });
        enqueue(actor, rooms, stream, arguments, plan)
    })
}

/// A launch for which there is no memory ends the context, on the board as here.
fn poison_if_exhausted(rooms: &Rooms, error: &DriverError) {
    if matches!(error, DriverError::Hbm(_)) {
        rooms.driver.borrow_mut().poison();
    }
}

/// The copy of a handle on the device; made by its first launch.
fn load(actor: &CurrentActor<'_>, rooms: &Rooms, handle: u64) -> Result<LoadedBinary, DriverError> {
    let binary = rooms.driver.borrow().binaries.get(handle)?.clone();
    if let Some(loaded) = binary.loaded {
        return Ok(loaded);
    }
    let content = binary.content;
    let spinning = rooms.driver.borrow().streams.aicpu_is_busy();
    if spinning {
        rooms.driver.borrow_mut().find(Finding::LoadedWhileAicpuSpins { content });
    }
    let owner = format!("AICore binary {content}");
    let block = rooms.hbm.borrow_mut().allocate(binary.bytes.len() as u64, &owner)?;
    rooms.hbm.borrow_mut().write(block, &binary.bytes)?;
    let costs = &rooms.profile.driver;
    actor.charge(if spinning { *costs.late_module_load } else { *costs.module_load }, 0);
    match code_of(actor, rooms, content, &binary.bytes) {
        Ok(entry) => {
            let loaded = LoadedBinary { block, entry };
            rooms.driver.borrow_mut().binaries.loaded(handle, loaded);
            Ok(loaded)
        }
        Err(error) => {
            rooms.hbm.borrow_mut().free(block, "driver")?;
            Err(error)
        }
    }
}

/// The entry of code that can run; loaded once for all handles of the same bytes.
fn code_of(actor: &CurrentActor<'_>, rooms: &Rooms, content: ContentHash, bytes: &[u8]) -> Result<usize, DriverError> {
    if let Some((object, entry)) = rooms.driver.borrow_mut().binaries.reuse_code(content) {
        rooms.loads.borrow_mut().reuse(object);
        return Ok(entry);
    }
    let object = load_object(actor, rooms, LoadOrigin::Aicore, "libaicore_kernel.so", bytes)?;
    match entry_of(rooms, object, ENTRY) {
        Ok(entry) => {
            rooms.driver.borrow_mut().binaries.add_code(content, object, entry);
            Ok(entry)
        }
        Err(error) => {
            unload_object(actor, rooms, object);
            Err(error)
        }
    }
}

/// Loads an object into the namespace.
pub(super) fn load_object(
    actor: &CurrentActor<'_>,
    rooms: &Rooms,
    origin: LoadOrigin,
    name: &str,
    bytes: &[u8],
) -> Result<ObjectId, DriverError> {
    load_guest(actor, rooms, origin, name, bytes).map_err(|error| match error {
        DeviceError::Load(error) => error.into(),
        other => DriverError::invalid(other.to_string()),
    })
}

/// The address of a function of a loaded object.
pub(super) fn entry_of(rooms: &Rooms, object: ObjectId, symbol: &str) -> Result<usize, DriverError> {
    let namespace = rooms.namespace.borrow();
    match namespace.object(object) {
        Some(object) => Ok(object.symbol(symbol)?),
        None => Err(DriverError::invalid("the object is gone")),
    }
}
