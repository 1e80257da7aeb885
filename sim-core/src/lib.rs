//! The core of npusim: virtual time, the deterministic engine, the loader, profiles and the trace.

pub mod actor;
pub mod charges;
pub mod driver_hooks;
pub mod engine;
pub mod guest_memory;
pub mod loader;
pub mod printable;
pub mod profile;
pub mod shim;
pub mod time;
pub mod trace;
