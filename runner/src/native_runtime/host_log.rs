//! The state of the log that every host-side object of a runtime shares.
//!
//! Each object has a logger of its own and no state: the process lends it this one right after loading it. Lines go to
//! standard error.

use std::sync::atomic::AtomicI32;

/// Its function that takes the state.
pub(super) const BIND: &str = "simpler_host_log_bind_state";

/// Type of [`BIND`]; it returns 0 if it accepts the state.
pub(super) type Bind = unsafe extern "C" fn(*const HostLogState) -> i32;

/// The version of [`HostLogState`].
const VERSION: u32 = 1;

/// Lines below this level are not written: 10 debug, 20 info, 25 timing, 30 warning, 40 error, 60 nothing.
const ERRORS: i32 = 40;

/// What loggers share.
#[derive(Debug)]
#[repr(C)]
pub(super) struct HostLogState {
    version: u32,
    bytes: u32,
    threshold: AtomicI32,
    /// The process that has set the origin of the log's clock; loggers agree on it among themselves.
    clock_anchor: AtomicI32,
}

const _: () = assert!(size_of::<HostLogState>() == 16);

/// The state of this process. Only errors are written: everything else would stand between results.
pub(super) static STATE: HostLogState = HostLogState {
    version: VERSION,
    bytes: size_of::<HostLogState>() as u32,
    threshold: AtomicI32::new(ERRORS),
    clock_anchor: AtomicI32::new(0),
};
