//! Findings that are as they should be, by key: `first_wins:a64l`, or of one object alone, `first_wins:a64l@my_kernel`.

use std::fmt;
use std::str::FromStr;

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use sim_core::loader::audit::{Finding, FindingKind};

use crate::case::nearest;

/// Which findings are as they should be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Allowance {
    kind: FindingKind,
    symbol: String,
    /// None: of any object.
    object: Option<String>,
}

/// Why a text names no findings.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error, displaydoc::Display)]
pub enum AllowanceError {
    /// `{text}` is no finding: write kind:symbol or kind:symbol@object, such as `first_wins:a64l`
    Form {
        /// What was written.
        text: String,
    },
    /// `{kind}` is no kind of finding; the nearest is `{nearest}`
    UnknownKind {
        /// What was written.
        kind: String,
        /// The kind with the fewest differing letters.
        nearest: &'static str,
    },
}

impl Allowance {
    /// The one that covers this finding, of any object.
    pub fn of(finding: &Finding) -> Allowance {
        Allowance { kind: finding.kind, symbol: finding.symbol.clone(), object: None }
    }

    /// Whether it says that this finding is as it should be.
    pub fn covers(&self, finding: &Finding) -> bool {
        let of_object = self.object.as_ref().is_none_or(|object| *object == finding.object);
        self.kind == finding.kind && self.symbol == finding.symbol && of_object
    }
}

impl<'de> Deserialize<'de> for Allowance {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(D::Error::custom)
    }
}

impl FromStr for Allowance {
    type Err = AllowanceError;

    fn from_str(text: &str) -> Result<Self, AllowanceError> {
        let form = || AllowanceError::Form { text: text.to_owned() };
        let (kind, rest) = text.split_once(':').ok_or_else(form)?;
        let Some(known) = FindingKind::ALL.into_iter().find(|known| known.name() == kind) else {
            let nearest = nearest(kind, FindingKind::ALL.map(FindingKind::name)).unwrap_or_default();
            return Err(AllowanceError::UnknownKind { kind: kind.to_owned(), nearest });
        };
        // Symbols may have versions or be paths; the object is behind the last sign.
        let (symbol, object) = rest.rsplit_once('@').map_or((rest, None), |(symbol, object)| (symbol, Some(object)));
        if symbol.is_empty() || object.is_some_and(str::is_empty) {
            return Err(form());
        }
        Ok(Allowance { kind: known, symbol: symbol.to_owned(), object: object.map(str::to_owned) })
    }
}

impl fmt::Display for Allowance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.kind, self.symbol)?;
        self.object.iter().try_for_each(|object| write!(f, "@{object}"))
    }
}

impl Serialize for Allowance {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}
