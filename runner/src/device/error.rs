//! What can go wrong on a device, with everything that is known of it: who, where in which object, when, which code
//! silicon would give, and a hint.

use std::fmt;

use sim_aicpu::register_file::{Register, RegisterFile};
use sim_core::actor::ActorKind;
use sim_core::engine::{Crash, Deadlock, EndedBy, Fault, Stalled};
use sim_core::loader::cache::CacheError;
use sim_core::loader::load_error::LoadError;
use sim_core::loader::loaded_object::{CodeSite, CodeSites};
use sim_core::profile::ProfileError;
use sim_core::time::{SimDuration, SimTime};
use sim_hbm::{Hbm, HbmError, Place};

use super::driver::error::DriverError;
use crate::exec::report::ReportedError;

/// A device error that silicon has a number for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[repr(u32)]
pub enum DeviceCode {
    /// No device memory left.
    HbmExhausted = 207_001,
    /// A kernel ran beyond its limit.
    AicoreTimeout = 507_014,
    /// A kernel faulted.
    AicoreException = 507_015,
    /// AICPU code ran beyond its limit.
    AicpuTimeout = 507_017,
    /// AICPU code faulted.
    AicpuException = 507_018,
    /// Nothing can make progress any more.
    StreamSyncTimeout = 507_046,
    /// An earlier fault ended this device.
    ContextPoisoned = 507_899,
}

impl DeviceCode {
    const ALL: [DeviceCode; 7] = [
        DeviceCode::HbmExhausted,
        DeviceCode::AicoreTimeout,
        DeviceCode::AicoreException,
        DeviceCode::AicpuTimeout,
        DeviceCode::AicpuException,
        DeviceCode::StreamSyncTimeout,
        DeviceCode::ContextPoisoned,
    ];

    /// The code that is this number.
    pub fn from_number(number: u32) -> Option<Self> {
        Self::ALL.into_iter().find(|code| *code as u32 == number)
    }
}

/// The code that silicon would give for a fault.
pub fn code_of(fault: &Fault) -> DeviceCode {
    let on_core = |kind: &ActorKind| kind.core().is_some();
    match fault {
        Fault::Crash(crash) if on_core(&crash.kind) => DeviceCode::AicoreException,
        Fault::Crash(_) => DeviceCode::AicpuException,
        Fault::Hang(hang) if on_core(&hang.kind) => DeviceCode::AicoreTimeout,
        Fault::Hang(_) => DeviceCode::AicpuTimeout,
        Fault::Deadlock(_) => DeviceCode::StreamSyncTimeout,
        Fault::Refused(refusal) if on_core(&refusal.kind) => DeviceCode::AicoreException,
        Fault::Refused(_) => DeviceCode::AicpuException,
        Fault::Overdue(overdue) if on_core(&overdue.kind) => DeviceCode::AicoreTimeout,
        // Whatever ends an AICPU task, CANN has this one code for it.
        Fault::Overdue(_) => DeviceCode::AicpuException,
    }
}

/// Why a device could not be made or could not go on.
#[derive(Debug, thiserror::Error, displaydoc::Display)]
pub enum DeviceError {
    /// {0}
    Profile(#[from] ProfileError),
    /// {0}
    Hbm(#[from] HbmError),
    /// {0}
    Load(#[from] LoadError),
    /// the engine cannot start its threads: {0}
    Threads(std::io::Error),
    /// {0}
    Crash(Box<CrashReport>),
    /// {0}
    RegisterWindow(Box<WindowReport>),
    /// {0}
    Hang(Box<HangReport>),
    /// {0}
    Deadlock(DeadlockReport),
    /// {kind} asked at {at} for something that a device cannot do: {reason}{place}
    Refused {
        /// Who.
        kind: ActorKind,
        /// When.
        at: SimTime,
        /// What.
        reason: String,
        /// Where.
        place: InCode,
    },
    /// the free-running threads did not end within {seconds} s; they are left behind, end this process
    FreeRunTimeout {
        /// The limit.
        seconds: u64,
    },
    /// this device ended with an earlier fault; make a new one
    Poisoned,
    /// {0}
    Overdue(Box<OverdueReport>),
    /// {0}
    Callable(CacheError),
    /// object {object} was asked for {symbol}, and is not loaded (any more); use its handle only as long as it is
    LateUse {
        /// Its handle.
        object: u64,
        /// What was asked for.
        symbol: String,
    },
    /// {0}
    Driver(#[from] DriverError),
    /// {0}
    Reported(Box<ReportedError>),
}

impl From<CacheError> for DeviceError {
    /// What is wrong with an object is told in the same way, whoever loads it.
    fn from(error: CacheError) -> Self {
        match error {
            CacheError::Load(error) => DeviceError::Load(error),
            CacheError::Image(error) => DeviceError::Load(error.into()),
            error => DeviceError::Callable(error),
        }
    }
}

impl DeviceError {
    /// The code that silicon would give.
    pub fn code(&self) -> Option<DeviceCode> {
        match self {
            DeviceError::Hbm(error) => error.device_code().map(|_| DeviceCode::HbmExhausted),
            DeviceError::Crash(crash) => Some(crash.code),
            DeviceError::RegisterWindow(window) => Some(window.code),
            DeviceError::Hang(hang) => Some(hang.code),
            DeviceError::Deadlock(_) | DeviceError::FreeRunTimeout { .. } => Some(DeviceCode::StreamSyncTimeout),
            DeviceError::Refused { .. } => Some(DeviceCode::AicpuException),
            DeviceError::Poisoned => Some(DeviceCode::ContextPoisoned),
            DeviceError::Overdue(overdue) => Some(overdue.code),
            DeviceError::Driver(error) => DeviceCode::from_number(error.code() as u32),
            DeviceError::Reported(error) => error.device_code.and_then(DeviceCode::from_number),
            DeviceError::Profile(_) | DeviceError::Load(_) | DeviceError::Threads(_) => None,
            DeviceError::Callable(_) | DeviceError::LateUse { .. } => None,
        }
    }
}

/// A place in guest code, if it is known: `, in libx.so: function+0x12`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct InCode(pub Option<CodeSite>);

impl fmt::Display for InCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Some(site) => write!(f, ", in {site}"),
            None => Ok(()),
        }
    }
}

/// A guest that was stopped by a signal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CrashReport {
    /// Who.
    pub kind: ActorKind,
    /// The kernel, if it was one.
    pub kernel: Option<String>,
    /// When.
    pub at: SimTime,
    /// Where.
    pub place: InCode,
    /// What it did.
    pub cause: String,
    /// The code that silicon would give.
    pub code: DeviceCode,
}

impl fmt::Display for CrashReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let CrashReport { kind, kernel, at, place, cause, code } = self;
        write!(f, "{kind}")?;
        if let Some(kernel) = kernel {
            write!(f, " in kernel {kernel}")?;
        }
        write!(f, " {cause} at {at}{place} (device code {})", *code as u32)
    }
}

/// A core that accessed the window of all cores' registers inline.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WindowReport {
    /// Who.
    pub kind: ActorKind,
    /// The kernel, if it was one.
    pub kernel: Option<String>,
    /// When.
    pub at: SimTime,
    /// Where.
    pub place: InCode,
    /// Which register.
    pub register: Register,
    /// The code that silicon would give.
    pub code: DeviceCode,
}

impl fmt::Display for WindowReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let WindowReport { kind, kernel, at, place, register: Register { core, offset }, code } = self;
        write!(f, "{kind}")?;
        if let Some(kernel) = kernel {
            write!(f, " in kernel {kernel}")?;
        }
        write!(
            f,
            " accessed register {offset:#x} of core {core} in the window at {at}{place} (device code {}); on silicon \
             that hangs the core: only AICPU threads may, and a core has registers of its own",
            *code as u32
        )
    }
}

/// A guest that did not come back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HangReport {
    /// Who.
    pub kind: ActorKind,
    /// The kernel, if it was one.
    pub kernel: Option<String>,
    /// When.
    pub at: SimTime,
    /// Where it was stopped.
    pub place: InCode,
    /// The code that silicon would give.
    pub code: DeviceCode,
}

impl fmt::Display for HangReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let HangReport { kind, kernel, at, place, code } = self;
        write!(f, "{kind}")?;
        match kernel {
            Some(kernel) => write!(f, " runs kernel {kernel}, begun before {at}, and it does not end")?,
            None => write!(f, " runs at {at} without ever calling the device")?,
        }
        write!(f, "{place} (device code {}); raise --kernel-limit if it only needs longer", *code as u32)
    }
}

/// A task that the driver ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OverdueReport {
    /// Who had not ended.
    pub kind: ActorKind,
    /// When the task was ended.
    pub at: SimTime,
    /// How long it had taken until then.
    pub taken: SimDuration,
    /// Why it was ended.
    pub by: EndedBy,
    /// Where it was.
    pub place: InCode,
    /// The code that silicon would give.
    pub code: DeviceCode,
}

impl fmt::Display for OverdueReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let OverdueReport { kind, at, taken, by, place, code } = self;
        let code = *code as u32;
        match by {
            EndedBy::TimeOut => write!(
                f,
                "{kind} had not ended at {at}, {taken} after its task began{place} (device code {code}); a task that \
                 needs longer needs aclrtSetOpExecuteTimeOutV2 or driver.op_timeout"
            ),
            EndedBy::Reset => write!(f, "{kind} was ended by a reset at {at}, {taken} after its task began{place}"),
        }
    }
}

/// Who waits for what when nothing goes on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeadlockReport {
    /// When it was noticed.
    pub at: SimTime,
    /// When something last happened.
    pub since: SimTime,
    /// One entry per actor.
    pub actors: Vec<WaitingActor>,
}

/// One actor that waits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WaitingActor {
    /// Who.
    pub kind: ActorKind,
    /// Since when.
    pub since: SimTime,
    /// For what.
    pub wait: String,
    /// Where in its code.
    pub site: Option<CodeSite>,
}

impl fmt::Display for DeadlockReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let DeadlockReport { at, since, actors } = self;
        write!(f, "deadlock at {at}: nothing has happened since {since} and {} actors wait", actors.len())
    }
}

/// Turns what the engine knows into what a person needs.
pub struct Explainer<'a> {
    /// Knows the guests' code.
    pub sites: &'a dyn CodeSites,
    /// The device's memory.
    pub hbm: &'a Hbm,
    /// The cores' registers, if AICPU threads see them in a window.
    pub registers: Option<&'a RegisterFile>,
}

impl Explainer<'_> {
    /// The error behind a fault.
    pub fn explain(&self, fault: &Fault) -> DeviceError {
        let code = code_of(fault);
        match fault {
            Fault::Crash(crash) => self.crash(crash, code),
            Fault::Hang(hang) => DeviceError::Hang(Box::new(HangReport {
                kind: hang.kind,
                kernel: hang.in_kernel.then(|| self.object_at(hang.instruction)).flatten(),
                at: hang.at,
                place: self.place(hang.instruction),
                code,
            })),
            Fault::Deadlock(deadlock) => DeviceError::Deadlock(self.deadlock(deadlock)),
            Fault::Refused(refusal) => DeviceError::Refused {
                kind: refusal.kind,
                at: refusal.at,
                reason: refusal.reason.clone(),
                place: self.place(refusal.caller),
            },
            Fault::Overdue(overdue) => DeviceError::Overdue(Box::new(OverdueReport {
                kind: overdue.kind,
                at: overdue.at,
                taken: overdue.taken,
                by: overdue.by,
                place: self.place(overdue.caller),
                code,
            })),
        }
    }

    fn crash(&self, crash: &Crash, code: DeviceCode) -> DeviceError {
        let Crash { kind, at, trap, .. } = *crash;
        let kernel = crash.in_kernel.then(|| self.object_at(trap.instruction)).flatten();
        let place = self.place(trap.instruction);
        let accessed = trap.address.filter(|_| kind.core().is_some());
        match accessed.and_then(|address| self.registers?.locate_in_window(address & !3)) {
            Some(register) => {
                DeviceError::RegisterWindow(Box::new(WindowReport { kind, kernel, at, place, register, code }))
            }
            None => {
                let cause = self.cause(&trap);
                DeviceError::Crash(Box::new(CrashReport { kind, kernel, at, place, cause, code }))
            }
        }
    }

    /// The report of a stall that guests' own timeouts ended.
    pub fn stall(&self, stalled: &Stalled) -> DeadlockReport {
        self.deadlock(&stalled.snapshot)
    }

    fn deadlock(&self, deadlock: &Deadlock) -> DeadlockReport {
        let actors = deadlock.actors.iter().map(|actor| WaitingActor {
            kind: actor.kind,
            since: actor.since,
            wait: actor.stall.to_string(),
            site: self.sites.site(actor.caller),
        });
        DeadlockReport { at: deadlock.at, since: deadlock.since, actors: actors.collect() }
    }

    fn place(&self, address: usize) -> InCode {
        InCode(self.sites.site(address))
    }

    fn object_at(&self, address: usize) -> Option<String> {
        self.sites.site(address).map(|site| site.object)
    }

    fn cause(&self, trap: &sim_core::engine::Trap) -> String {
        let signal = trap.signal;
        if trap.stack_overflow {
            return "overflowed its stack".to_owned();
        }
        match signal {
            libc::SIGSEGV | libc::SIGBUS => match trap.address {
                Some(address) => format!("accessed address {address:#x}, {}", self.describe(address)),
                None => "accessed an address that is misaligned or that no process can have (a pointer from unwritten \
                         memory?)"
                    .to_owned(),
            },
            libc::SIGFPE => "divided by zero or overflowed".to_owned(),
            libc::SIGILL => "executed an illegal instruction".to_owned(),
            libc::SIGABRT => "aborted (abort(), a failed assertion or an uncaught C++ exception)".to_owned(),
            _ => format!("was stopped by signal {signal}"),
        }
    }

    /// What an address is, for somebody who wonders why it cannot be accessed.
    fn describe(&self, address: usize) -> String {
        const NULL_PAGES: usize = 64 << 10;
        match self.hbm.locate(sim_hbm::DevicePtr::new(address as u64)) {
            _ if address < NULL_PAGES => "which is null or near it".to_owned(),
            Place::Live(block) => format!("in device memory of {}", block.owner),
            Place::Freed(block) => format!("in device memory that was freed, once of {}", block.owner),
            Place::NeverAllocated { .. } => "in device memory that was never allocated".to_owned(),
            Place::Outside => "which is not device memory".to_owned(),
        }
    }
}
