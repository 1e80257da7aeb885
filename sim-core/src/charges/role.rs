//! What an object is for.

use std::fmt;

use serde::Serialize;

/// What an object of a run is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum ObjectRole {
    /// The runtime's half on the host.
    Host,
    /// The runtime's half on the AICPU: schedulers, and on some runtimes the orchestrator.
    Aicpu,
    /// The runtime's half on the AICores.
    Aicore,
    /// A user's orchestration, which submits tasks.
    Orchestration,
}

impl ObjectRole {
    /// Every role.
    pub const ALL: [ObjectRole; 4] =
        [ObjectRole::Host, ObjectRole::Aicpu, ObjectRole::Aicore, ObjectRole::Orchestration];

    /// The name in files and messages.
    pub const fn as_str(self) -> &'static str {
        match self {
            ObjectRole::Host => "host",
            ObjectRole::Aicpu => "aicpu",
            ObjectRole::Aicore => "aicore",
            ObjectRole::Orchestration => "orchestration",
        }
    }

    /// The role with this name.
    pub(super) fn from_name(name: &str) -> Option<ObjectRole> {
        ObjectRole::ALL.into_iter().find(|role| role.as_str() == name)
    }
}

impl fmt::Display for ObjectRole {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}
