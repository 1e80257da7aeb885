//! Who acts on a device: identity, kind and name of an actor.

use std::fmt;

use serde::{Serialize, Serializer};

/// The number of an actor in its engine, in order of creation. Ties in virtual time go to the smaller number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(transparent)]
pub struct ActorId(pub u32);

/// What an actor is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ActorKind {
    /// The host process that drives the device.
    Host,
    /// A thread of the AICPU pool, by launch index.
    Aicpu(u16),
    /// A cube core, by physical core id.
    Aic(u16),
    /// A vector core, by physical core id.
    Aiv(u16),
    /// A thread that a guest created, counted per engine.
    Thread(u16),
}

impl ActorKind {
    /// The physical core id of an AICore.
    pub fn core(self) -> Option<u16> {
        match self {
            ActorKind::Aic(core) | ActorKind::Aiv(core) => Some(core),
            ActorKind::Host | ActorKind::Aicpu(_) | ActorKind::Thread(_) => None,
        }
    }

    /// Whether it is a part of the device, and not of the host or of what a guest added.
    pub fn is_device(self) -> bool {
        matches!(self, ActorKind::Aicpu(_) | ActorKind::Aic(_) | ActorKind::Aiv(_))
    }
}

impl fmt::Display for ActorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ActorKind::Host => f.write_str("host"),
            ActorKind::Aicpu(index) => write!(f, "aicpu{index}"),
            ActorKind::Aic(core) => write!(f, "aic{core}"),
            ActorKind::Aiv(core) => write!(f, "aiv{core}"),
            ActorKind::Thread(index) => write!(f, "thread{index}"),
        }
    }
}

impl Serialize for ActorKind {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}
