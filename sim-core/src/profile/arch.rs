//! The device generations.

use std::fmt;
use std::str::FromStr;

use serde::Serialize;

use super::ProfileError;

/// A device generation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Arch {
    /// Ascend 910B and 910C.
    A2a3,
    /// Ascend 950.
    A5,
}

impl Arch {
    /// Every generation.
    pub const ALL: [Arch; 2] = [Arch::A2a3, Arch::A5];

    /// The name in files and on command lines.
    pub const fn as_str(self) -> &'static str {
        match self {
            Arch::A2a3 => "a2a3",
            Arch::A5 => "a5",
        }
    }
}

impl AsRef<str> for Arch {
    fn as_ref(&self) -> &str {
        self.as_str()
    }
}

impl fmt::Display for Arch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Arch {
    type Err = ProfileError;

    fn from_str(name: &str) -> Result<Self, ProfileError> {
        Arch::ALL
            .into_iter()
            .find(|arch| arch.as_str() == name)
            .ok_or_else(|| ProfileError::UnknownArch { name: name.to_owned() })
    }
}
