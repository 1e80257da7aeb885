//! What can be wrong with a profile, an override or a table of costs.

use serde_json::Value;

use super::arch::Arch;
use super::name::ProfileName;
use super::quantity::Dimension;

/// Why a value, or the file around it, was refused. `origin` is the file, or `--set` for an override.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error, displaydoc::Display)]
#[ignore_extra_doc_attributes]
pub enum ProfileError {
    /// no generation is named `{name}`: there are a2a3 and a5
    UnknownArch {
        /// The name asked for.
        name: String,
    },
    /// no profile is named `{name}`; the nearest is `{nearest}` (`npusim profiles list` names them all)
    UnknownProfile {
        /// The name asked for.
        name: String,
        /// The one that is most like it.
        nearest: ProfileName,
    },
    /// {origin}: `inherits`: no profile is named `{name}`; the nearest is `{nearest}` (`npusim profiles list` names them all)
    UnknownParent {
        /// The file that names it.
        origin: String,
        /// The name.
        name: String,
        /// The one that is most like it.
        nearest: ProfileName,
    },
    /// the profile `{name}` is one of {own}, not of {asked}: leave out one of the two
    OtherArch {
        /// The profile.
        name: ProfileName,
        /// Its generation.
        own: Arch,
        /// The generation asked for.
        asked: Arch,
    },
    /// {origin}: not JSON: {reason}
    NotJson {
        /// Where.
        origin: String,
        /// What the parser said, with line and column.
        reason: String,
    },
    /// {origin}: `{key}` is {found}, expected {expected}
    Malformed {
        /// Where.
        origin: String,
        /// Path of the key.
        key: String,
        /// What stands there.
        found: String,
        /// What should.
        expected: String,
    },
    /// {origin}: no key `{key}`; the nearest is `{nearest}`
    UnknownKey {
        /// Where.
        origin: String,
        /// Path of the key.
        key: String,
        /// The valid key with the fewest differing letters.
        nearest: String,
    },
    /// {origin}: `{key}` is missing, expected {expected}
    MissingKey {
        /// Where.
        origin: String,
        /// Path of the key.
        key: String,
        /// What should stand there.
        expected: String,
    },
    /// {origin}: `{key}` has the unit `{unit}`, expected {expected}
    WrongUnit {
        /// Where.
        origin: String,
        /// Path of the key.
        key: String,
        /// The unit given.
        unit: String,
        /// What the key measures, and so the units that fit.
        expected: Dimension,
    },
    /// {origin}: `{key}` is `{text}`, expected a number with one of the key's units, such as `{example}`
    NotANumber {
        /// Where.
        origin: String,
        /// Path of the key.
        key: String,
        /// What was given instead.
        text: String,
        /// A value that would do.
        example: String,
    },
    /// {origin}: `{key}` = {value} is out of range, expected {expected}
    OutOfRange {
        /// Where.
        origin: String,
        /// Path of the key.
        key: String,
        /// The value given, with its unit.
        value: String,
        /// What would be in range.
        expected: String,
    },
    /// `{text}` sets nothing: expected key=value, such as `mmio.load=100ns`
    NotAnOverride {
        /// The text given.
        text: String,
    },
}

impl ProfileError {
    /// The error for JSON of the wrong shape: short values are shown, others named by kind.
    pub fn malformed(origin: &str, key: &str, found: &Value, expected: &str) -> Self {
        let found = match found {
            Value::Object(_) => "an object".to_owned(),
            Value::Array(_) => "a list".to_owned(),
            scalar => scalar.to_string(),
        };
        ProfileError::Malformed { origin: origin.to_owned(), key: key.to_owned(), found, expected: expected.to_owned() }
    }
}
