//! What can end a device's work: errors as data.

use super::fiber::Trap;
use super::wait::Deadlock;
use crate::actor::{ActorId, ActorKind};
use crate::time::{SimDuration, SimTime};

/// Why the engine stopped before the guests were done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// A guest was stopped by a signal.
    Crash(Crash),
    /// A guest ran natively for longer than the host-time limit without calling the simulator.
    Hang(Hang),
    /// No actor can make progress.
    Deadlock(Deadlock),
    /// A guest asked for something that a device cannot do.
    Refused(Refusal),
    /// The host's driver ended a task.
    Overdue(Overdue),
}

/// Why a driver ended a task.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EndedBy {
    /// It took longer than a task may.
    TimeOut,
    /// The device was reset while it ran.
    Reset,
}

/// A task that the driver ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Overdue {
    /// The first actor of the task that had not ended.
    pub actor: ActorId,
    /// What the actor is.
    pub kind: ActorKind,
    /// When it was ended.
    pub at: SimTime,
    /// How long it had taken until then.
    pub taken: SimDuration,
    /// Why it was ended.
    pub by: EndedBy,
    /// Code address of the guest that called the simulator last; 0 if it never did.
    pub caller: usize,
}

/// Something that a guest asked for and a device cannot do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// Who asked.
    pub actor: ActorId,
    /// What the actor is.
    pub kind: ActorKind,
    /// The actor's time.
    pub at: SimTime,
    /// What it asked for, and why that cannot be.
    pub reason: String,
    /// Code address of the guest.
    pub caller: usize,
}

/// Guest code that was stopped by a signal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Crash {
    /// Whose code.
    pub actor: ActorId,
    /// What the actor is.
    pub kind: ActorKind,
    /// The actor's time.
    pub at: SimTime,
    /// In a kernel body, not in the executor or scheduler.
    pub in_kernel: bool,
    /// The signal.
    pub trap: Trap,
}

/// Guest code that never came back to the simulator.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hang {
    /// Whose code.
    pub actor: ActorId,
    /// What the actor is.
    pub kind: ActorKind,
    /// The actor's time.
    pub at: SimTime,
    /// In a kernel body, not in the executor or scheduler.
    pub in_kernel: bool,
    /// The instruction at which it was stopped.
    pub instruction: usize,
}

/// How long the device leapt, when only polling was left, and what it looked like before.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stalled {
    /// The state before the first leap.
    pub snapshot: Deadlock,
    /// Virtual time that was leapt over.
    pub leapt: SimDuration,
}

impl Fault {
    /// The virtual time of the fault.
    pub fn at(&self) -> SimTime {
        match self {
            Fault::Crash(crash) => crash.at,
            Fault::Hang(hang) => hang.at,
            Fault::Deadlock(deadlock) => deadlock.at,
            Fault::Refused(refusal) => refusal.at,
            Fault::Overdue(overdue) => overdue.at,
        }
    }
}
