//! Addresses in device memory.

use std::fmt;

use serde::{Serialize, Serializer};

/// An address in a device's memory. It is the host address as well: guests load and store through it directly.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(transparent)]
pub struct DevicePtr(u64);

impl DevicePtr {
    /// The null pointer, which lies in no device.
    pub const NULL: DevicePtr = DevicePtr(0);

    /// The pointer to `address`.
    pub const fn new(address: u64) -> Self {
        DevicePtr(address)
    }

    /// The address.
    pub const fn address(self) -> u64 {
        self.0
    }

    /// The pointer `bytes` further; `None` beyond the end of the address space.
    pub const fn checked_add(self, bytes: u64) -> Option<Self> {
        match self.0.checked_add(bytes) {
            Some(address) => Some(DevicePtr(address)),
            None => None,
        }
    }

    /// The pointer as guests take it.
    pub fn as_ptr(self) -> *mut u8 {
        std::ptr::with_exposed_provenance_mut(self.0 as usize)
    }
}

impl From<*const u8> for DevicePtr {
    fn from(ptr: *const u8) -> Self {
        DevicePtr(ptr.expose_provenance() as u64)
    }
}

impl fmt::Display for DevicePtr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:#x}", self.0)
    }
}

impl fmt::Debug for DevicePtr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "DevicePtr({:#x})", self.0)
    }
}

impl Serialize for DevicePtr {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}
