//! What actors wait for, and who they are when nothing goes on.

use std::fmt;

use serde::Serialize;

use crate::actor::{ActorId, ActorKind};
use crate::time::SimTime;

/// What a blocked actor waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Wait {
    /// A mutex that somebody holds.
    Mutex,
    /// A condition variable.
    Condition,
    /// A `pthread_once` or `call_once` that somebody is at.
    Once,
    /// A static that somebody is initialising.
    StaticInit,
    /// A semaphore.
    Semaphore,
    /// The end of another actor.
    Join(ActorId),
    /// The end of everything that was launched.
    Completion,
    /// Another core of its cluster, until that begins its part of the task.
    Part(ActorKind),
    /// A flag of another core of its cluster.
    CrossFlag {
        /// Who raises it.
        peer: ActorKind,
        /// Which.
        flag: u16,
    },
}

/// What an actor that runs in circles looked at last.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Poll {
    /// Nothing that is known: it called the spin hint.
    Spin,
    /// A register of a core.
    Register {
        /// Physical core id.
        core: u16,
        /// Offset in the core's block.
        offset: u32,
        /// What it holds.
        value: u32,
    },
    /// A word of device memory.
    Memory {
        /// What it holds, as far as the actor can see.
        value: u64,
    },
    /// A loop that only loads and compares.
    WaitLoop,
    /// It sleeps and looks again.
    Sleep,
}

/// The state of an actor that makes no progress.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Stall {
    /// It is blocked.
    Blocked(Wait),
    /// It runs in circles.
    Polling(Poll),
}

impl fmt::Display for Stall {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Stall::Blocked(Wait::Mutex) => f.write_str("waits for a mutex"),
            Stall::Blocked(Wait::Condition) => f.write_str("waits for a condition variable"),
            Stall::Blocked(Wait::Once) => f.write_str("waits for a call_once that another actor runs"),
            Stall::Blocked(Wait::StaticInit) => f.write_str("waits for a static that another actor initialises"),
            Stall::Blocked(Wait::Semaphore) => f.write_str("waits for a semaphore"),
            Stall::Blocked(Wait::Join(actor)) => write!(f, "waits for the end of actor {}", actor.0),
            Stall::Blocked(Wait::Part(peer)) => write!(f, "waits for the part of {peer} in its task"),
            Stall::Blocked(Wait::CrossFlag { peer, flag }) => write!(f, "waits for flag {flag} of {peer}"),
            Stall::Blocked(Wait::Completion) => f.write_str("waits for the device to finish"),
            Stall::Polling(Poll::Spin) => f.write_str("spins"),
            Stall::Polling(Poll::Register { core, offset, value }) => {
                write!(f, "polls register {offset:#x} of core {core}, which holds {value:#x}")
            }
            Stall::Polling(Poll::Memory { value }) => {
                write!(f, "polls a word of device memory, in which it sees {value:#x}")
            }
            Stall::Polling(Poll::WaitLoop) => f.write_str("spins in a loop that only loads and compares"),
            Stall::Polling(Poll::Sleep) => f.write_str("sleeps and looks again"),
        }
    }
}

/// One actor of a [`Deadlock`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StalledActor {
    /// Its number.
    pub actor: ActorId,
    /// What it is.
    pub kind: ActorKind,
    /// Since when it has made no progress.
    pub since: SimTime,
    /// What it waits for.
    pub stall: Stall,
    /// Code address of the guest that called the simulator last; 0 if it never did.
    pub caller: usize,
}

/// Nothing can make progress any more: one entry per actor that has not ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Deadlock {
    /// When it was noticed.
    pub at: SimTime,
    /// When something last happened.
    pub since: SimTime,
    /// Who waits for what, by number.
    pub actors: Vec<StalledActor>,
}
