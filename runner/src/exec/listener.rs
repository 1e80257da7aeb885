//! How the preloaded object tells the program that it is in what became of runs.
//!
//! It exports one function of its own, [`LISTEN`]. Whoever finds it knows that the object is there, and may pass a
//! [`Listener`]; from then on that is told what would have gone to standard error, and what becomes of each run, as the
//! JSON of [`Told`].

use std::ffi::CStr;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::report::{ExecReport, ReportedError};

/// The function of the preloaded object that takes a listener; only that object exports it.
pub const LISTEN: &CStr = c"npusim_listen";

/// The version of this conversation: of [`Told`] and all that it has.
pub const VERSION: u32 = 1;

/// Type of [`LISTEN`]. `false`: it speaks another version.
pub type Listen = unsafe extern "C" fn(version: u32, listener: Listener) -> bool;

/// Whom to tell.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub struct Listener {
    /// Called with `data` and the JSON of something [`Told`], by the thread of the host that caused it.
    pub tell: unsafe extern "C" fn(data: usize, json: *const u8, size: usize),
    /// Whatever the listener needs.
    pub data: usize,
}

/// What a listener is told.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Told {
    /// A run of a device is over.
    Run(Box<ExecReport>),
    /// Something failed that was not the end of a run: the runtime knows by a code, at most.
    Failure(ReportedError),
    /// A device is gone: the ledger of its loads, as `loads.json` has it.
    Loads(Box<RawValue>),
}
