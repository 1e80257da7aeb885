//! Requests about AICPU functions: getting an object to the device, listing its functions, launching them. Also the
//! older way, which launches functions of the server on the device by name.

use std::ffi::{c_char, c_int};
use std::io::Read;

use sim_core::driver_hooks::{AicpuArgsEx, CpuKernelArgs, LoadBinaryConfig, LoadBinaryOption};
use sim_core::engine::CurrentActor;
use sim_core::loader::ledger::LoadOrigin;
use sim_core::loader::namespace::ObjectId;
use sim_core::shim::Launch;
use sim_core::time::SimDuration;
use sim_hbm::DevicePtr;

use super::super::super::driver::error::{CannCode, DriverError};
use super::super::super::driver::finding::Finding;
use super::super::super::driver::{BootstrapOrder, Installed, LoadedCpuObject, Plan, Preinstall, request};
use super::super::super::rooms::Rooms;
use super::super::{guest_text, guest_value};
use super::binaries::{entry_of, load_object};
use super::launches::{enqueue, enqueue_modelled, read_arguments};
use super::process::check_virtual;
use super::{check_context, check_place, check_sound, put, serve};

// ---- built-in functions by name

/// `KERNEL_TYPE_AICPU`, `KERNEL_TYPE_AICPU_KFC`
const KERNEL_TYPES: [u32; 2] = [2, 5];
/// The server that CANN has on the device, and what it does.
const SERVER: &str = "libaicpu_extend_kernels.so";
const SERVER_INIT: &str = "DynTileFwkKernelServerInit";
const SERVER_RUN: &str = "DynTileFwkKernelServer";
/// What the server calls in the object that it has written.
const SERVED: &str = "DynTileFwkBackendKernelServer";

pub(super) extern "C" fn launch_builtin(
    kernel_type: u32,
    block_dim: u32,
    args: *const AicpuArgsEx,
    stream: u64,
) -> c_int {
    serve(|actor, rooms| {
        check_place(args.cast_mut(), "the arguments")?;
        if !KERNEL_TYPES.contains(&kernel_type) {
            return Err(DriverError::invalid(format!("{kernel_type} is no type of AICPU kernel")));
        }
        let args = guest_value(actor, args);
        let arguments = cpu_arguments(actor, &args)?;
        let so_name = request::name_at(&arguments, args.so_name_offset, "so_name")?;
        let kernel_name = request::name_at(&arguments, args.kernel_name_offset, "kernel_name")?;
        check_threads(rooms, block_dim)?;
        check_virtual(actor, rooms)?;
        rooms.driver.borrow().streams.get(stream)?;
        match (so_name.as_str(), kernel_name.as_str()) {
            (SERVER, SERVER_INIT) => bootstrap(actor, rooms, stream, &arguments),
            (SERVER, SERVER_RUN) => {
                let first = rooms.driver.borrow().preinstall.first().map(str::to_owned);
                match first {
                    Some(object) => launch(actor, rooms, stream, &object, SERVED, block_dim, &arguments),
                    None => {
                        fail(actor, rooms, stream, format!("{SERVER_RUN} has nothing to call: nothing was installed"))
                    }
                }
            }
            _ => launch(actor, rooms, stream, &so_name, &kernel_name, block_dim, &arguments),
        }
    })
}

fn cpu_arguments(actor: &CurrentActor<'_>, args: &AicpuArgsEx) -> Result<Vec<u8>, DriverError> {
    if args.host_input_count != 0 || args.kernel_offset_count != 0 || args.no_copy != 0 || args.timeout != 0 {
        return Err(DriverError::Unsupported {
            what: "an AICPU launch with host inputs, offsets, a time-out or arguments on the device",
        });
    }
    read_arguments(actor, args.args, args.args_size)
}

/// As many threads as there are user CPUs at most: more never start together.
fn check_threads(rooms: &Rooms, count: u32) -> Result<(), DriverError> {
    let most = *rooms.profile.topology.aicpu_launched;
    match count {
        0 => Err(DriverError::invalid("an AICPU launch of 0 threads")),
        _ if count > most => Err(DriverError::TooManyThreads { count, most }),
        _ => Ok(()),
    }
}

/// The server writes an object from device memory into the preinstall directory.
fn bootstrap(actor: &CurrentActor<'_>, rooms: &Rooms, stream: u64, arguments: &[u8]) -> Result<(), DriverError> {
    let cost = *rooms.profile.driver.bootstrap;
    match install(rooms, arguments) {
        Ok(()) => enqueue_modelled(actor, rooms, stream, cost, None),
        Err(reason) => fail(actor, rooms, stream, reason),
    }
}

/// An error is why the server could not do it.
fn install(rooms: &Rooms, arguments: &[u8]) -> Result<(), String> {
    let at = request::order_at(arguments).ok_or("the bootstrap's arguments end before its structure is named")?;
    let hbm = rooms.hbm.borrow();
    let mut bytes = [0; BootstrapOrder::BYTES];
    hbm.read(DevicePtr::new(at), &mut bytes).map_err(|error| error.to_string())?;
    let order = request::object_to_write(&bytes)?;
    if !order.dispatcher.is_nothing() {
        hbm.check_range(DevicePtr::new(order.dispatcher.address), order.dispatcher.length.max(1))
            .map_err(|error| format!("the dispatcher: {error}"))?;
    }
    let inner = order.inner;
    hbm.check_range(DevicePtr::new(inner.address), inner.length).map_err(|error| error.to_string())?;
    let mut object = vec![0; inner.length as usize];
    hbm.read(DevicePtr::new(inner.address), &mut object).map_err(|error| error.to_string())?;
    drop(hbm);
    let name = Preinstall::name_of(&object, order.device);
    let mut driver = rooms.driver.borrow_mut();
    match driver.preinstall.install(&name, object) {
        Installed::Written => {}
        Installed::WrittenPastLatch { first } => driver.find(Finding::WrittenPastLatch { name, first }),
        Installed::NotWritten { first } => driver.find(Finding::NotWritten { name, first }),
    }
    Ok(())
}

/// The task begins and fails at once: the host hears of it when it waits.
fn fail(actor: &CurrentActor<'_>, rooms: &Rooms, stream: u64, reason: String) -> Result<(), DriverError> {
    rooms.driver.borrow_mut().find(Finding::NoAicpuFunction { reason });
    enqueue_modelled(actor, rooms, stream, SimDuration::ZERO, Some(CannCode::AicpuException))
}

// ---- functions of objects that are listed in a file

/// A longer list is none.
const MOST_LIST_BYTES: u64 = 1 << 20;
/// The more options there are, the less it is a structure of CANN.
const MOST_OPTIONS: usize = 16;
const JSON_ONLY: u32 = 0;

pub(super) extern "C" fn load_cpu_binary(
    json_path: *const c_char,
    config: *const LoadBinaryConfig,
    binary: *mut u64,
) -> c_int {
    serve(|actor, rooms| {
        check_place(json_path.cast_mut(), "the path")?;
        check_place(binary, "the place for the handle")?;
        check_options(actor, config)?;
        check_sound(actor, rooms)?;
        let path = guest_text(actor, json_path);
        let text = read_list(&path).map_err(|reason| DriverError::BadList { path: path.clone(), reason })?;
        let list = rooms.driver.borrow_mut().cpu_objects.add_list(&path, &text)?;
        put(actor, binary, list);
        Ok(())
    })
}

fn check_options(actor: &CurrentActor<'_>, config: *const LoadBinaryConfig) -> Result<(), DriverError> {
    if config.is_null() {
        return Ok(());
    }
    let config = guest_value(actor, config);
    if config.count > MOST_OPTIONS || (config.count > 0 && config.options.is_null()) {
        return Err(DriverError::invalid(format!(
            "the configuration has {} options, or none at its address",
            config.count
        )));
    }
    for index in 0..config.count {
        let option = guest_value(actor, config.options.wrapping_add(index));
        if option.id == LoadBinaryOption::CPU_KERNEL_MODE && option.value[0] != JSON_ONLY {
            return Err(DriverError::Unsupported { what: "loading an AICPU object from the host's files" });
        }
    }
    Ok(())
}

fn read_list(path: &str) -> Result<Vec<u8>, String> {
    let file = std::fs::File::open(path).map_err(|error| error.to_string())?;
    let mut text = Vec::new();
    file.take(MOST_LIST_BYTES + 1).read_to_end(&mut text).map_err(|error| error.to_string())?;
    if text.len() as u64 > MOST_LIST_BYTES {
        Err(format!("it has more than {MOST_LIST_BYTES} bytes"))
    } else {
        Ok(text)
    }
}

pub(super) extern "C" fn unload_cpu_binary(binary: u64) -> c_int {
    serve(|actor, rooms| {
        check_context(actor, rooms)?;
        rooms.driver.borrow_mut().cpu_objects.remove_list(binary)
    })
}

pub(super) extern "C" fn cpu_function(binary: u64, name: *const c_char, function: *mut u64) -> c_int {
    serve(|actor, rooms| {
        check_place(name.cast_mut(), "the name")?;
        check_place(function, "the place for the handle")?;
        check_sound(actor, rooms)?;
        let name = guest_text(actor, name);
        let handle = rooms.driver.borrow_mut().cpu_objects.hand_out(binary, &name)?;
        put(actor, function, handle);
        Ok(())
    })
}

pub(super) extern "C" fn launch_cpu(function: u64, count: u32, args: *const CpuKernelArgs, stream: u64) -> c_int {
    serve(|actor, rooms| {
        check_place(args.cast_mut(), "the arguments")?;
        let args = guest_value(actor, args);
        let arguments = cpu_arguments(actor, &args.base)?;
        check_threads(rooms, count)?;
        check_virtual(actor, rooms)?;
        let function = rooms.driver.borrow().cpu_objects.function(function)?;
        rooms.driver.borrow().streams.get(stream)?;
        launch(actor, rooms, stream, &function.object, &function.symbol, count, &arguments)
    })
}

// ---- launching

/// Launches a function of an object of the preinstall directory. If there is no such object or function, that is found
/// out on the AICPU: the task fails, not the launch.
fn launch(
    actor: &CurrentActor<'_>,
    rooms: &Rooms,
    stream: u64,
    object: &str,
    symbol: &str,
    count: u32,
    arguments: &[u8],
) -> Result<(), DriverError> {
    let entry = match find(actor, rooms, object, symbol) {
        Ok(entry) => entry,
        Err(error @ DriverError::Hbm(_)) => {
            rooms.driver.borrow_mut().poison();
            return Err(error);
        }
        Err(error) => return fail(actor, rooms, stream, error.to_string()),
    };
    let launch = Launch {
        aicpu_entry: entry as u64,
        aicore_entry: 0,
        // Where the arguments will be.
        runtime: 0,
        aicpu_threads: count,
        block_dim: 0,
        profiling_flags: 0,
        reserved: 0,
        rotation_table: 0,
    };
    enqueue(actor, rooms, stream, arguments.to_vec(), Plan::Aicpu(launch))
}

/// The function's address. The AICPU loads an object when it is needed first, and keeps it.
fn find(actor: &CurrentActor<'_>, rooms: &Rooms, name: &str, symbol: &str) -> Result<usize, DriverError> {
    let loaded = rooms.driver.borrow().cpu_objects.loaded(name);
    let object = match loaded {
        Some(loaded) => loaded.object,
        None => load(actor, rooms, name)?,
    };
    entry_of(rooms, object, symbol)
}

fn load(actor: &CurrentActor<'_>, rooms: &Rooms, name: &str) -> Result<ObjectId, DriverError> {
    let file = rooms.driver.borrow().preinstall.file(name);
    let bytes = file.ok_or_else(|| DriverError::invalid(format!("{name} is not in the preinstall directory")))?;
    let block = rooms.hbm.borrow_mut().allocate(bytes.len() as u64, &format!("AICPU object {name}"))?;
    match load_object(actor, rooms, LoadOrigin::Aicpu, name, &bytes) {
        Ok(object) => {
            rooms.driver.borrow_mut().cpu_objects.add_loaded(name, LoadedCpuObject { object, block });
            Ok(object)
        }
        Err(error) => {
            rooms.hbm.borrow_mut().free(block, "driver")?;
            Err(error)
        }
    }
}
