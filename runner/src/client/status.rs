//! What a negative return code of the host runtime means.
//!
//! Three families share the numbers below zero: device codes of CANN (from 65534 upwards), codes of the runtime's
//! orchestrator and schedulers (1 to 11 and 100 to 104), and the interface's own (1 to 3). The last two overlap, and
//! which one is meant depends on the call: only [executing](super::c_api::ApiFunction::executes) calls report
//! the runtime's.

use std::fmt;

use serde::{Deserialize, Serialize};
use sim_hbm::HbmError;

use crate::device::driver::error::DriverError;
use crate::device::error::DeviceError;

/// A negative return code, and whether the call that returned it executes a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Status {
    code: i32,
    executing: bool,
}

/// What kind of failure something is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FailureClass {
    /// What was asked for is not possible, or does not fit the device.
    Input,
    /// The device or the runtime failed.
    Fault,
    /// Nothing could make progress.
    Deadlock,
}

impl FailureClass {
    /// The class of what a device reports.
    pub fn of(error: &DeviceError) -> Self {
        match error {
            DeviceError::Profile(_) | DeviceError::Load(_) | DeviceError::Callable(_) => FailureClass::Input,
            DeviceError::Hbm(HbmError::Exhausted { .. } | HbmError::BadCapacity { .. }) => FailureClass::Input,
            DeviceError::Deadlock(_) | DeviceError::FreeRunTimeout { .. } => FailureClass::Deadlock,
            DeviceError::Reported(error) => error.class,
            DeviceError::Driver(DriverError::Hbm(HbmError::Exhausted { .. })) => FailureClass::Input,
            DeviceError::Driver(DriverError::SyncTimeout { .. }) => FailureClass::Deadlock,
            DeviceError::Hbm(_)
            | DeviceError::Threads(_)
            | DeviceError::Crash(_)
            | DeviceError::RegisterWindow(_)
            | DeviceError::Hang(_)
            | DeviceError::Refused { .. }
            | DeviceError::Overdue(_)
            | DeviceError::LateUse { .. }
            | DeviceError::Driver(_)
            | DeviceError::Poisoned => FailureClass::Fault,
        }
    }
}

/// One known code.
struct KnownCode {
    code: i32,
    name: &'static str,
    meaning: &'static str,
    class: FailureClass,
}

use FailureClass::{Deadlock, Fault, Input};

/// The interface's own codes.
const INTERFACE: [KnownCode; 3] = [
    known(1, "failed", "the call was refused; the runtime gives no reason", Fault),
    known(2, "ERR_UNSUPPORTED", "the runtime does not support this", Fault),
    known(3, "ERR_PREPARED_INCOMPATIBLE", "the prepared run does not fit the device's state", Fault),
];

/// Codes of orchestrator and schedulers.
const RUNTIME: [KnownCode; 15] = [
    known(1, "SCOPE_DEADLOCK", "an open scope holds every slot of its ring; raise ring_task_window", Deadlock),
    known(2, "HEAP_RING_DEADLOCK", "the heap ring cannot hold the outputs; raise ring_heap", Deadlock),
    known(3, "FLOW_CONTROL_DEADLOCK", "the task ring never frees a slot; raise ring_task_window", Deadlock),
    known(4, "DEP_POOL_OVERFLOW", "the ring has no room for the dependencies; raise ring_dep_pool", Fault),
    known(5, "INVALID_ARGS", "the orchestration passed invalid arguments", Fault),
    known(7, "SYNC_START_INVALID", "more blocks have to start at once than there are cores", Fault),
    known(8, "TENSOR_WAIT_TIMEOUT", "the orchestration waited for a tensor that no task completes", Deadlock),
    known(9, "EXPLICIT_ORCH_FATAL", "the orchestration gave up by itself", Fault),
    known(10, "SCOPE_OVERFLOW", "scopes are nested too deep", Fault),
    known(11, "TENSORMAP_OVERFLOW", "the tensor map has no room and nothing will retire", Fault),
    known(100, "SCHEDULER_TIMEOUT", "the schedulers saw no progress", Deadlock),
    known(101, "ASYNC_COMPLETION_INVALID", "an asynchronous completion is malformed", Fault),
    known(102, "ASYNC_WAIT_OVERFLOW", "too many asynchronous completions are in flight", Fault),
    known(103, "ASYNC_REGISTRATION_FAILED", "an asynchronous completion is of an unknown kind", Fault),
    known(104, "CORE_HANDSHAKE_INVALID", "a core answered the handshake with nonsense", Fault),
];

/// Device codes.
const DEVICE: [KnownCode; 11] = [
    known(65534, "DRV_ERROR_NOT_SUPPORT", "the driver does not support this", Fault),
    known(107022, "DEVICE_TASK_ABORT", "the task was aborted after an earlier fault", Fault),
    known(207001, "MEMORY_ALLOCATION", "the device's memory is exhausted; give it more with --hbm", Input),
    known(507000, "INTERNAL_ERROR", "the device failed internally", Fault),
    known(507014, "AICORE_TIMEOUT", "a kernel ran beyond its limit", Fault),
    known(507015, "AICORE_EXCEPTION", "a kernel faulted", Fault),
    known(507017, "AICPU_TIMEOUT", "AICPU code ran beyond its limit", Fault),
    known(507018, "AICPU_EXCEPTION", "AICPU code faulted", Fault),
    known(507046, "STREAM_SYNC_TIMEOUT", "nothing could make progress any more", Deadlock),
    known(507899, "DRV_INTERNAL_ERROR", "an earlier fault had ended the device", Fault),
    known(507901, "HDC_DISCONNECT", "the connection to the device was lost", Fault),
];

const fn known(code: i32, name: &'static str, meaning: &'static str, class: FailureClass) -> KnownCode {
    KnownCode { code, name, meaning, class }
}

impl Status {
    /// The status behind a return value; `None` if that is not negative.
    pub fn of(code: i32, executing: bool) -> Option<Self> {
        (code < 0).then_some(Status { code, executing })
    }

    /// The code, which is negative.
    pub fn code(self) -> i32 {
        self.code
    }

    /// What kind of failure this is; a [`FailureClass::Fault`] if the code is unknown.
    pub fn class(self) -> FailureClass {
        self.known().map_or(Fault, |known| known.class)
    }

    /// The entry of the table that applies.
    fn known(self) -> Option<&'static KnownCode> {
        let own: &'static [KnownCode] = if self.executing { &RUNTIME } else { &INTERFACE };
        let magnitude = self.code.checked_neg()?;
        own.iter().chain(&DEVICE).find(|known| known.code == magnitude)
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.known() {
            Some(known) => write!(f, "{} ({}: {})", self.code, known.name, known.meaning),
            None => write!(f, "{} (no known code)", self.code),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn status(code: i32, executing: bool) -> Status {
        Status::of(code, executing).unwrap()
    }

    #[test]
    fn does_a_shared_number_depend_on_the_call() {
        assert_eq!(
            status(-3, true).to_string(),
            "-3 (FLOW_CONTROL_DEADLOCK: the task ring never frees a slot; raise ring_task_window)"
        );
        assert_eq!(
            status(-3, false).to_string(),
            "-3 (ERR_PREPARED_INCOMPATIBLE: the prepared run does not fit the device's state)"
        );
    }

    #[test]
    fn does_a_device_code_mean_the_same_in_every_call() {
        for executing in [false, true] {
            let exhausted = status(-207001, executing);
            assert_eq!(exhausted.class(), FailureClass::Input);
            assert_eq!(
                exhausted.to_string(),
                "-207001 (MEMORY_ALLOCATION: the device's memory is exhausted; give it more with --hbm)"
            );
        }
    }

    #[test]
    fn are_success_and_unknown_codes_told_apart() {
        assert_eq!(Status::of(0, true), None);
        assert_eq!(Status::of(1, true), None);
        assert_eq!(status(-4242, true).to_string(), "-4242 (no known code)");
        assert_eq!(status(i32::MIN, false).class(), FailureClass::Fault);
    }
}
