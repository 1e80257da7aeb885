//! Device memory: what a runtime's allocator takes from the C library is memory of the device.
//!
//! The allocator stays the runtime's own, with its books; only the blocks come from elsewhere. So a call of it is noted
//! ([`allocate`]), and the one call of `malloc` that it makes then gives device memory; any other `malloc` of the
//! runtime is the C library's. What is freed is told apart by its address.

use std::cell::Cell;
use std::ffi::c_void;
use std::sync::Arc;

use npusim::device::error::DeviceError;
use sim_core::loader::thunk::Arguments;
use sim_core::trace::CopyDirection;
use sim_hbm::{DevicePtr, HostMemory};

use crate::caller::{Caller, with_caller};
use crate::device::Device;
use crate::process::{Process, lock};

thread_local! {
    /// The runtime's allocator was called on this thread, and has not called `malloc` yet.
    static ALLOCATING: Cell<bool> = const { Cell::new(false) };
}

/// Who allocates, in the books of the device.
const OWNER: &str = "host runtime";

/// `MemoryAllocator::alloc(size)`
pub(crate) extern "C" fn allocate(bound: usize, arguments: &Arguments) -> u64 {
    // SAFETY: the runtime's own function of this type.
    let own: extern "C" fn(u64, u64) -> u64 = unsafe { std::mem::transmute(bound) };
    ALLOCATING.set(true);
    let block = own(arguments[0], arguments[1]);
    ALLOCATING.set(false);
    block
}

/// `malloc(size)`
pub(crate) extern "C" fn malloc(size: usize) -> *mut c_void {
    if ALLOCATING.replace(false)
        && let Some(block) = with_caller(|caller| caller.device().map(|device| device_block(&device, size)))
    {
        return block as *mut c_void;
    }
    // SAFETY: as the guest asks.
    unsafe { libc::malloc(size) }
}

/// The address of a new block of device memory; 0 if there is none.
fn device_block(device: &Device, size: usize) -> usize {
    let allocated = lock(&device.memory).hbm.allocate(size.max(1) as u64, OWNER);
    match allocated {
        Ok(block) => block.address() as usize,
        Err(error) => {
            Process::get().complain((&DeviceError::from(error)).into());
            0
        }
    }
}

/// `free(block)`
pub(crate) extern "C" fn free(block: *mut c_void) {
    let address = block as usize;
    if !sim_hbm::is_device_address(address as u64) {
        // SAFETY: as the guest asks.
        unsafe { libc::free(block) };
        return;
    }
    with_caller(|_| {
        let Some(device) = Process::get().device_at(address) else { return };
        let freed = lock(&device.memory).hbm.free(DevicePtr::new(address as u64), OWNER);
        if let Err(error) = freed {
            Process::get().complain((&DeviceError::from(error)).into());
        }
    });
}

/// `SimDeviceRunnerBase::copy_to_device(to, from, size)`
pub(crate) extern "C" fn copied_to_device(_data: usize, arguments: &Arguments, _caller: usize) {
    charge(CopyDirection::ToDevice, arguments[3]);
}

/// `SimDeviceRunnerBase::copy_from_device(to, from, size)`
pub(crate) extern "C" fn copied_from_device(_data: usize, arguments: &Arguments, _caller: usize) {
    charge(CopyDirection::FromDevice, arguments[3]);
}

/// `SimDeviceRunnerBase::device_memset(at, value, size)`
pub(crate) extern "C" fn filled(_data: usize, arguments: &Arguments, _caller: usize) {
    charge(CopyDirection::Memset, arguments[3]);
}

/// Whoever copies is charged for it.
fn charge(direction: CopyDirection, bytes: u64) {
    let cost = |device: &Arc<Device>| lock(&device.memory).dma.link().cost(direction, bytes, HostMemory::Pageable);
    with_caller(|caller| {
        let Some(device) = caller.device() else { return };
        match caller {
            Caller::Actor(actor, _) => actor.charge(cost(&device), 0),
            Caller::Other => device.spend(cost(&device)),
        }
    });
}
