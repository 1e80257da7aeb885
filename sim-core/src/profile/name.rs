//! The embedded profiles: one per generation, and one per part of it that is sold.

use std::fmt;
use std::str::FromStr;

use serde::Serialize;

use super::ProfileError;
use super::arch::Arch;
use super::spelling::distance;

/// An embedded profile.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ProfileName {
    /// The generation of 910B and 910C.
    A2a3,
    /// A part of a2a3.
    Ascend910B1,
    /// A part of a2a3.
    Ascend910B2,
    /// A part of a2a3.
    Ascend910B3,
    /// A part of a2a3: one die of an A3 package.
    Ascend910_9392,
    /// The generation of 950.
    A5,
    /// A part of a5.
    Ascend950Pr958x,
    /// A part of a5.
    Ascend950Pr957x,
    /// A part of a5.
    Ascend950Dt958x,
    /// What the reference runtime takes an a5 to be.
    A5Repo,
}

impl ProfileName {
    /// Every embedded profile, each after the one that it inherits from.
    pub const ALL: [ProfileName; 10] = [
        ProfileName::A2a3,
        ProfileName::Ascend910B1,
        ProfileName::Ascend910B2,
        ProfileName::Ascend910B3,
        ProfileName::Ascend910_9392,
        ProfileName::A5,
        ProfileName::Ascend950Pr958x,
        ProfileName::Ascend950Pr957x,
        ProfileName::Ascend950Dt958x,
        ProfileName::A5Repo,
    ];

    /// The name in files and on command lines.
    pub const fn as_str(self) -> &'static str {
        match self {
            ProfileName::A2a3 => "a2a3",
            ProfileName::Ascend910B1 => "910B1",
            ProfileName::Ascend910B2 => "910B2",
            ProfileName::Ascend910B3 => "910B3",
            ProfileName::Ascend910_9392 => "910_9392",
            ProfileName::A5 => "a5",
            ProfileName::Ascend950Pr958x => "950PR_958x",
            ProfileName::Ascend950Pr957x => "950PR_957x",
            ProfileName::Ascend950Dt958x => "950DT_958x",
            ProfileName::A5Repo => "a5-repo",
        }
    }

    /// The generation that it is a part of.
    pub const fn arch(self) -> Arch {
        match self {
            ProfileName::A2a3
            | ProfileName::Ascend910B1
            | ProfileName::Ascend910B2
            | ProfileName::Ascend910B3
            | ProfileName::Ascend910_9392 => Arch::A2a3,
            ProfileName::A5
            | ProfileName::Ascend950Pr958x
            | ProfileName::Ascend950Pr957x
            | ProfileName::Ascend950Dt958x
            | ProfileName::A5Repo => Arch::A5,
        }
    }

    /// The generation, if it is the one that is asked for or none is.
    pub fn arch_as_asked(self, asked: Option<Arch>) -> Result<Arch, ProfileError> {
        match asked {
            Some(asked) if asked != self.arch() => Err(ProfileError::OtherArch { name: self, own: self.arch(), asked }),
            Some(_) | None => Ok(self.arch()),
        }
    }

    /// The embedded file: the name that errors give it, and its text.
    pub(super) const fn file(self) -> (&'static str, &'static str) {
        match self {
            ProfileName::A2a3 => ("a2a3.json", include_str!("../../profiles/a2a3.json")),
            ProfileName::Ascend910B1 => ("910B1.json", include_str!("../../profiles/910B1.json")),
            ProfileName::Ascend910B2 => ("910B2.json", include_str!("../../profiles/910B2.json")),
            ProfileName::Ascend910B3 => ("910B3.json", include_str!("../../profiles/910B3.json")),
            ProfileName::Ascend910_9392 => ("910_9392.json", include_str!("../../profiles/910_9392.json")),
            ProfileName::A5 => ("a5.json", include_str!("../../profiles/a5.json")),
            ProfileName::Ascend950Pr958x => ("950PR_958x.json", include_str!("../../profiles/950PR_958x.json")),
            ProfileName::Ascend950Pr957x => ("950PR_957x.json", include_str!("../../profiles/950PR_957x.json")),
            ProfileName::Ascend950Dt958x => ("950DT_958x.json", include_str!("../../profiles/950DT_958x.json")),
            ProfileName::A5Repo => ("a5-repo.json", include_str!("../../profiles/a5-repo.json")),
        }
    }
}

impl From<Arch> for ProfileName {
    /// The profile of the whole generation.
    fn from(arch: Arch) -> Self {
        match arch {
            Arch::A2a3 => ProfileName::A2a3,
            Arch::A5 => ProfileName::A5,
        }
    }
}

impl AsRef<str> for ProfileName {
    fn as_ref(&self) -> &str {
        self.as_str()
    }
}

impl fmt::Display for ProfileName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl Serialize for ProfileName {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl FromStr for ProfileName {
    type Err = ProfileError;

    fn from_str(name: &str) -> Result<Self, ProfileError> {
        if let Some(known) = ProfileName::ALL.into_iter().find(|known| known.as_str() == name) {
            return Ok(known);
        }
        let written = name.to_ascii_lowercase();
        // Who writes the beginning of a name means that name, however long the rest is.
        let edits = |known: &ProfileName| {
            let known = known.as_str().to_ascii_lowercase();
            (written.is_empty() || !known.starts_with(&written), distance(&written, &known))
        };
        let nearest = ProfileName::ALL.into_iter().min_by_key(edits).unwrap_or(ProfileName::A2a3);
        Err(ProfileError::UnknownProfile { name: name.to_owned(), nearest })
    }
}
