//! What the driver refuses, with CANN's code for it.

use sim_core::engine::Fault;
use sim_core::loader::image_error::ImageError;
use sim_core::loader::load_error::LoadError;
use sim_hbm::HbmError;

use crate::device::error::{DeviceCode, code_of};

/// A code of CANN's runtime.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(i32)]
pub enum CannCode {
    /// `acl` is not initialised.
    Uninitialize = 100_001,
    /// `acl` was initialised twice.
    RepeatInitialize = 100_002,
    /// `acl` was finalised twice.
    RepeatFinalize = 100_037,
    /// An argument cannot be.
    ParamInvalid = 107_000,
    /// There is no such device.
    InvalidDeviceId = 107_001,
    /// The thread has set no device.
    ContextNull = 107_002,
    /// The stream is none of this context.
    StreamContext = 107_003,
    /// An event has no time.
    EventTimestampInvalid = 107_006,
    /// A file cannot be opened.
    FileOpen = 107_009,
    /// A handle is none.
    InvalidHandle = 107_017,
    /// A task ended because another one failed.
    DeviceTaskAbort = 107_022,
    /// The driver does not do this.
    FeatureNotSupport = 207_000,
    /// No device memory left.
    MemoryAllocation = 207_001,
    /// The device refuses.
    InternalError = 507_000,
    /// A stream is at work.
    StreamNotComplete = 507_004,
    /// An AICore task took too long.
    AicoreTimeout = 507_014,
    /// An AICore task crashed.
    AicoreException = 507_015,
    /// An AICPU task hung.
    AicpuTimeout = 507_017,
    /// An AICPU task crashed, or was ended because it took too long.
    AicpuException = 507_018,
    /// The host has waited long enough.
    StreamSyncTimeout = 507_046,
    /// The context is of no use after an earlier failure.
    DrvInternalError = 507_899,
}

impl CannCode {
    /// What a fault of the device is to the host.
    pub(super) fn of_fault(fault: &Fault) -> CannCode {
        match code_of(fault) {
            DeviceCode::HbmExhausted => CannCode::MemoryAllocation,
            DeviceCode::AicoreTimeout => CannCode::AicoreTimeout,
            DeviceCode::AicoreException => CannCode::AicoreException,
            DeviceCode::AicpuTimeout => CannCode::AicpuTimeout,
            DeviceCode::AicpuException => CannCode::AicpuException,
            DeviceCode::StreamSyncTimeout => CannCode::StreamSyncTimeout,
            DeviceCode::ContextPoisoned => CannCode::DrvInternalError,
        }
    }
}

/// A request that the driver refused, or work that it could not have done.
#[derive(Debug, thiserror::Error, displaydoc::Display)]
pub enum DriverError {
    /// acl is not initialised; call aclInit first
    NotInitialised,
    /// acl is initialised already
    InitialisedTwice,
    /// acl is finalised already
    FinalisedTwice,
    /// there is no device {device}: this host has device 0
    NoSuchDevice {
        /// The number asked for.
        device: i32,
    },
    /// this thread has set no device; call rtSetDevice on each thread that uses one
    NoContext,
    /// {what}
    Invalid {
        /// Which argument, and what is wrong with it.
        what: String,
    },
    /// {handle:#x} is no stream of this context
    NoSuchStream {
        /// The handle.
        handle: u64,
    },
    /// {handle:#x} is no {kind}, or one that is gone
    NoSuchHandle {
        /// What it should be.
        kind: &'static str,
        /// The handle.
        handle: u64,
    },
    /// {path:?} cannot be read as a list of AICPU functions: {reason}
    BadList {
        /// The file.
        path: String,
        /// What is wrong.
        reason: String,
    },
    /// {0}
    Hbm(#[from] HbmError),
    /// {0}
    Image(#[from] ImageError),
    /// {0}
    Load(#[from] LoadError),
    /// an AICPU task was launched with {count} threads, but there are {most} user CPUs
    TooManyThreads {
        /// The threads asked for.
        count: u32,
        /// The most there can be.
        most: u32,
    },
    /// {what} is not simulated
    Unsupported {
        /// What.
        what: &'static str,
    },
    /// the device's threads cannot be started: {0}
    Threads(std::io::Error),
    /// no stream has come to the last record of event {handle:#x}, or it was never recorded: it has no time
    NotRecorded {
        /// The event.
        handle: u64,
    },
    /// stream {handle:#x} has not finished its tasks
    NotComplete {
        /// The stream.
        handle: u64,
    },
    /// the stream, or the event, has not come to its end within {timeout_ms} ms
    SyncTimeout {
        /// How long the host was ready to wait.
        timeout_ms: i32,
    },
    /// a task of the stream failed ({code:?})
    TaskFailed {
        /// The code.
        code: CannCode,
    },
    /// this context failed before; reset the device
    Poisoned,
}

impl DriverError {
    /// CANN's code for it.
    pub fn code(&self) -> CannCode {
        match self {
            DriverError::NotInitialised => CannCode::Uninitialize,
            DriverError::InitialisedTwice => CannCode::RepeatInitialize,
            DriverError::FinalisedTwice => CannCode::RepeatFinalize,
            DriverError::NoSuchDevice { .. } => CannCode::InvalidDeviceId,
            DriverError::NoContext => CannCode::ContextNull,
            DriverError::Invalid { .. } | DriverError::Image(_) | DriverError::Load(_) => CannCode::ParamInvalid,
            DriverError::NoSuchStream { .. } => CannCode::StreamContext,
            DriverError::NoSuchHandle { .. } => CannCode::InvalidHandle,
            DriverError::NotRecorded { .. } => CannCode::EventTimestampInvalid,
            DriverError::BadList { .. } => CannCode::FileOpen,
            DriverError::Hbm(HbmError::Exhausted { .. }) => CannCode::MemoryAllocation,
            DriverError::Hbm(_) => CannCode::ParamInvalid,
            DriverError::Unsupported { .. } => CannCode::FeatureNotSupport,
            DriverError::TooManyThreads { .. } | DriverError::Threads(_) => CannCode::InternalError,
            DriverError::NotComplete { .. } => CannCode::StreamNotComplete,
            DriverError::SyncTimeout { .. } => CannCode::StreamSyncTimeout,
            DriverError::TaskFailed { code } => *code,
            DriverError::Poisoned => CannCode::DrvInternalError,
        }
    }

    /// An argument that cannot be.
    pub(in crate::device) fn invalid(what: impl Into<String>) -> Self {
        DriverError::Invalid { what: what.into() }
    }
}
