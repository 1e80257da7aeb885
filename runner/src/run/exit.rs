//! How a run ends, as the process that ran it tells others.

use std::process::ExitCode;

use crate::client::status::FailureClass;

/// The exit code of the process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum ExitStatus {
    /// All went well.
    Success = 0,
    /// The run went well and its results are wrong, or the audit has found something.
    Mismatch = 1,
    /// What was asked for is not possible.
    BadInput = 2,
    /// The device or a guest failed.
    DeviceFault = 3,
    /// Nothing could make progress.
    Deadlock = 4,
}

impl ExitStatus {
    /// The one with this number.
    pub fn from_code(code: u8) -> Option<Self> {
        use ExitStatus::{BadInput, Deadlock, DeviceFault, Mismatch, Success};
        [Success, Mismatch, BadInput, DeviceFault, Deadlock].into_iter().find(|status| status.code() == code)
    }

    /// The number.
    pub const fn code(self) -> u8 {
        self as u8
    }
}

impl From<FailureClass> for ExitStatus {
    fn from(class: FailureClass) -> Self {
        match class {
            FailureClass::Input => ExitStatus::BadInput,
            FailureClass::Fault => ExitStatus::DeviceFault,
            FailureClass::Deadlock => ExitStatus::Deadlock,
        }
    }
}

impl From<ExitStatus> for ExitCode {
    fn from(status: ExitStatus) -> Self {
        ExitCode::from(status.code())
    }
}
