//! A device as the process on its host sees it: calls into the host runtime, and what is known when one fails.

use std::ops::Range;

use sim_core::engine::GuestCall;

use super::Device;
use super::error::DeviceError;

/// Whoever can call a host runtime.
pub trait HostCalls {
    /// The address of a function of the host runtime.
    fn symbol(&self, name: &str) -> Result<usize, DeviceError>;

    /// Calls a function of the host runtime as its host process would. An error is that of a call that did not return.
    ///
    /// # Safety
    ///
    /// The function must take these arguments.
    unsafe fn call(&self, function: usize, arguments: &[u64]) -> Result<u64, DeviceError>;

    /// What ended the device's work, if something did.
    fn fault(&self) -> Option<DeviceError>;

    /// The last failure that the device reported to a guest by a code, once.
    fn take_error(&self) -> Option<DeviceError>;

    /// How it looked when only polling was left, if that ever happened.
    fn stall(&self) -> Option<DeviceError>;

    /// Nobody looks at what is in this memory of the host: copies from and to it need only take their time.
    fn ignore_values(&self, _memory: Vec<Range<usize>>) {}
}

impl HostCalls for Device {
    fn symbol(&self, name: &str) -> Result<usize, DeviceError> {
        let namespace = self.rooms().namespace.borrow();
        let object = namespace.object(self.host_runtime).ok_or(DeviceError::Poisoned)?;
        Ok(object.symbol(name)?)
    }

    unsafe fn call(&self, function: usize, arguments: &[u64]) -> Result<u64, DeviceError> {
        // SAFETY: the caller vouches for the call.
        unsafe { self.engine().call(GuestCall::new(function, arguments)) }.map_err(|fault| self.explain(&fault))
    }

    fn fault(&self) -> Option<DeviceError> {
        self.engine().fault().map(|fault| self.explain(&fault))
    }

    fn take_error(&self) -> Option<DeviceError> {
        self.rooms().last_error.take()
    }

    fn stall(&self) -> Option<DeviceError> {
        let stalled = self.engine().stalled()?;
        Some(DeviceError::Deadlock(self.with_explainer(|explainer| explainer.stall(&stalled))))
    }

    fn ignore_values(&self, memory: Vec<Range<usize>>) {
        self.rooms().programs.ignore_values(memory);
    }
}
