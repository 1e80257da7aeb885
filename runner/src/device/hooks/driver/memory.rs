//! Requests about device memory.

use std::ffi::c_int;

use sim_core::time::SimDuration;
use sim_hbm::{DevicePtr, DmaRequest};

use super::super::super::driver::error::DriverError;
use super::super::super::rooms::Rooms;
use super::super::memory::{from_device, to_device, transfer};
use super::{check_context, check_place, check_sound, put, serve};

/// The owner of what the host allocates: CANN is told no name.
const OWNER: &str = "rtMalloc";

/// `RT_MEMCPY_*`, and the same in `acl`
const HOST_TO_DEVICE: u32 = 1;
const DEVICE_TO_HOST: u32 = 2;

pub(super) extern "C" fn malloc(device: *mut u64, size: u64) -> c_int {
    serve(|actor, rooms| {
        check_place(device, "the place for the address")?;
        check_sound(actor, rooms)?;
        if size == 0 {
            return Err(DriverError::invalid("0 bytes were asked for"));
        }
        let mut hbm = rooms.hbm.borrow_mut();
        let touched = hbm.residency().device.peak_bytes;
        let block = hbm.allocate(size, OWNER)?;
        let cold = (hbm.residency().device.peak_bytes - touched).min(size);
        drop(hbm);
        rooms.driver.borrow_mut().blocks.insert(block);
        actor.charge(cost_of(rooms, cold, size - cold), 0);
        put(actor, device, block.address());
        Ok(())
    })
}

/// What an allocation costs, by bytes that nobody and that somebody had before.
fn cost_of(rooms: &Rooms, cold: u64, warm: u64) -> SimDuration {
    let driver = &rooms.profile.driver;
    *driver.malloc
        + SimDuration::of_transfer(cold, driver.first_touch_bandwidth.as_bytes_per_s())
        + SimDuration::of_transfer(warm, driver.warm_bandwidth.as_bytes_per_s())
}

pub(super) extern "C" fn free(device: u64) -> c_int {
    serve(|actor, rooms| {
        check_context(actor, rooms)?;
        let block = DevicePtr::new(device);
        if !rooms.driver.borrow_mut().blocks.remove(&block) {
            return Err(DriverError::invalid(format!("{device:#x} was not allocated by rtMalloc, or is free already")));
        }
        rooms.hbm.borrow_mut().free(block, "host")?;
        Ok(())
    })
}

pub(super) extern "C" fn memcpy(to: usize, most: u64, from: usize, size: u64, kind: u32) -> c_int {
    serve(|actor, rooms| {
        if to == 0 || from == 0 || size == 0 {
            let [from, to] = [from, to].map(|address| if address == 0 { "null" } else { "an address" });
            return Err(DriverError::invalid(format!("a copy of {size} bytes from {from} to {to}")));
        }
        if size > most {
            return Err(DriverError::invalid(format!("a copy of {size} bytes to a place of {most}")));
        }
        check_sound(actor, rooms)?;
        let memory = |host: usize| rooms.driver.borrow().kind_of(host as u64, size);
        let length = size as usize;
        match kind {
            HOST_TO_DEVICE => {
                let device = DevicePtr::new(to as u64);
                Ok(to_device(actor, rooms, memory(from), device, from as *const u8, length)?)
            }
            DEVICE_TO_HOST => {
                let device = DevicePtr::new(from as u64);
                Ok(from_device(actor, rooms, memory(to), to as *mut u8, device, length)?)
            }
            _ => Err(DriverError::Unsupported { what: "a copy that is not between host and device" }),
        }
    })
}

pub(super) extern "C" fn memset(device: u64, most: u64, value: i32, size: u64) -> c_int {
    serve(|actor, rooms| {
        if size == 0 || size > most {
            return Err(DriverError::invalid(format!("a fill of {size} bytes of {most}")));
        }
        check_sound(actor, rooms)?;
        let request = DmaRequest::Memset { at: DevicePtr::new(device), value: value as u8, length: size };
        Ok(transfer(actor, rooms, request)?)
    })
}

pub(super) extern "C" fn malloc_host(host: *mut u64, size: u64) -> c_int {
    serve(|actor, rooms| {
        check_place(host, "the place for the address")?;
        check_sound(actor, rooms)?;
        if size == 0 {
            return Err(DriverError::invalid("0 bytes were asked for"));
        }
        let mut block = Vec::new();
        if block.try_reserve_exact(size as usize).is_err() {
            return Err(DriverError::invalid(format!("the host has no {size} bytes left")));
        }
        block.resize(size as usize, 0);
        let block = block.into_boxed_slice();
        let address = block.as_ptr().expose_provenance() as u64;
        rooms.driver.borrow_mut().pinned.insert(address, block);
        put(actor, host, address);
        Ok(())
    })
}

pub(super) extern "C" fn free_host(host: u64) -> c_int {
    serve(|actor, rooms| {
        check_context(actor, rooms)?;
        match rooms.driver.borrow_mut().pinned.remove(&host) {
            Some(_) => Ok(()),
            None => Err(DriverError::invalid("the memory was not allocated by aclrtMallocHost, or is free already")),
        }
    })
}

pub(super) extern "C" fn memory_info(free: *mut u64, total: *mut u64) -> c_int {
    serve(|actor, rooms| {
        check_place(free, "the place for the free bytes")?;
        check_place(total, "the place for all bytes")?;
        check_context(actor, rooms)?;
        let (free_bytes, capacity) = {
            let hbm = rooms.hbm.borrow();
            (hbm.residency().free_bytes(), hbm.residency().capacity)
        };
        put(actor, free, free_bytes);
        put(actor, total, capacity);
        Ok(())
    })
}
