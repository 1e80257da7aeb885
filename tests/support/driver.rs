//! A device whose host runtime is the driver among the traits: it loads what it is told, and calls it.

use std::ffi::CString;

use npusim::bundled::{self, ObjectKind};
use npusim::device::error::DeviceError;
use npusim::device::host_calls::HostCalls;
use npusim::device::pool::Worker;
use npusim::device::{Device, DeviceConfig, NamedObject};
use sim_core::loader::staging::StagingArea;
use sim_core::profile::{Arch, Profile};

/// The bytes of a bundled trait.
pub(crate) fn trait_bytes(name: &str) -> &'static [u8] {
    bundled::object(ObjectKind::Trait, name).unwrap_or_else(|| panic!("{name} is bundled")).bytes
}

fn config(staging: impl FnOnce(&mut StagingArea)) -> DeviceConfig {
    let profile = Profile::load(Arch::A2a3).expect("it is part of the program");
    let mut config = DeviceConfig::new(profile);
    staging(&mut config.staging);
    config
}

fn object() -> NamedObject<'static> {
    NamedObject { name: "host_driver", bytes: trait_bytes("host_driver") }
}

/// A device with the driver loaded.
pub(crate) struct Driver {
    pub(crate) device: Device,
    /// Its functions: load, symbol, call, unload.
    functions: [usize; 4],
}

/// An object that the driver has loaded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Handle(u64);

impl Driver {
    /// One that stages objects in this way from now on.
    pub(crate) fn new(staging: impl FnOnce(&mut StagingArea)) -> Self {
        Driver::on(Device::new(config(staging), bundled::SHIM, object()).expect("the driver can be loaded"))
    }

    /// The same, in the namespace of a worker of a pool, which has to get its device back.
    pub(crate) fn with(worker: &mut Worker<'_>, staging: impl FnOnce(&mut StagingArea)) -> Self {
        Driver::on(worker.device(config(staging), object()).expect("the driver can be loaded"))
    }

    fn on(device: Device) -> Self {
        let functions = ["drive_load", "drive_symbol", "drive_call", "drive_unload"];
        let functions = functions.map(|name| device.symbol(name).expect("the driver has it"));
        Driver { device, functions }
    }

    fn call(&self, function: usize, arguments: &[u64]) -> Result<u64, DeviceError> {
        // SAFETY: each call below passes what the driver's function takes; what arguments point to outlives the call.
        unsafe { self.device.call(function, arguments) }
    }

    /// The error behind a call that came to nothing.
    fn error(&self) -> DeviceError {
        self.device.take_error().unwrap_or(DeviceError::Poisoned)
    }

    /// Loads an object.
    pub(crate) fn load(&self, name: &str, bytes: &[u8]) -> Result<Handle, DeviceError> {
        let text = CString::new(name).expect("a plain name");
        match self.call(self.functions[0], &[bytes.as_ptr() as u64, bytes.len() as u64, text.as_ptr() as u64])? {
            0 => Err(self.error()),
            object => Ok(Handle(object)),
        }
    }

    /// Calls a function of an object that takes nothing.
    pub(crate) fn ask(&self, object: Handle, function: &str) -> Result<u64, DeviceError> {
        let text = CString::new(function).expect("a plain name");
        match self.call(self.functions[1], &[object.0, text.as_ptr() as u64])? {
            0 => Err(self.error()),
            address => self.call(self.functions[2], &[address]),
        }
    }

    /// Unloads an object; whether there was one.
    pub(crate) fn unload(&self, object: Handle) -> Result<bool, DeviceError> {
        Ok(self.call(self.functions[3], &[object.0])? as i32 == 0)
    }
}
