//! What became of each charge: how often it was due, and whether any object has its function.

use std::collections::BTreeSet;
use std::fmt;

use serde::Serialize;

use super::resolved::ResolvedCharges;
use super::role::ObjectRole;
use super::symbol::{Key, qualified_name};
use super::{Charge, Charges};
use crate::time::SimDuration;

/// The charges, and the objects that were loaded. Who leads the imports of these counts the calls.
#[derive(Clone, Debug)]
pub struct ChargeUse {
    charges: Charges,
    /// Whether some object has the function, per charge.
    matched: Vec<bool>,
    /// The symbols of all objects.
    seen: BTreeSet<(ObjectRole, String)>,
}

/// What became of one charge. Its text is a line that names the file and the charge.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Usage {
    /// The file.
    pub origin: String,
    /// Which charge of the file it is, from 0.
    pub index: usize,
    /// The charge.
    pub charge: Charge,
    /// What became of it.
    pub outcome: Outcome,
}

/// What became of a charge.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case", tag = "outcome")]
pub enum Outcome {
    /// It was due.
    Called {
        /// How often.
        calls: u64,
        /// The virtual time of all calls.
        time: SimDuration,
    },
    /// An object imports the function, and never called it.
    NeverCalled,
    /// No object imports the function, which the file allows.
    Absent,
    /// No object imports the function: a mistake, or the compiler inlined it.
    Unknown {
        /// The most similar function that one does import.
        nearest: Option<String>,
    },
}

/// How similar two names have to be for one to be taken for the other misspelt, from 0 to 1.
const SIMILAR: f64 = 0.5;

impl ChargeUse {
    /// These charges, before any object was loaded.
    pub fn of(charges: &Charges) -> Self {
        let count = charges.charges.len();
        ChargeUse { charges: charges.clone(), matched: vec![false; count], seen: BTreeSet::new() }
    }

    /// Notes an object that was loaded, resolved with the same charges.
    pub fn loaded(&mut self, object: &ResolvedCharges) {
        for charge in object.matched() {
            self.matched[charge.index] = true;
        }
        self.seen.extend(object.seen.iter().map(|symbol| (object.role, symbol.clone())));
    }

    /// What became of every charge, in the order of the file, when each was due as often as `calls` says.
    pub fn usages(&self, calls: impl Fn(usize) -> u64) -> impl Iterator<Item = Usage> {
        self.charges.charges.iter().enumerate().map(move |(index, charge)| {
            let outcome = match calls(index) {
                0 if self.matched[index] => Outcome::NeverCalled,
                0 if charge.optional => Outcome::Absent,
                0 => Outcome::Unknown { nearest: self.nearest(charge) },
                calls => Outcome::Called { calls, time: charge.cost.value * calls },
            };
            Usage { origin: self.charges.origin.clone(), index, charge: charge.clone(), outcome }
        })
    }

    /// The function that a charge without one may have meant, spelt in the same way.
    fn nearest(&self, charge: &Charge) -> Option<String> {
        let wanted = charge.symbol.as_str();
        let symbols = self.seen.iter().filter(|(role, _)| charge.applies_to(*role)).map(|(_, symbol)| symbol);
        let names: BTreeSet<String> = match charge.symbol.key {
            Key::Mangled(_) => symbols.cloned().collect(),
            Key::Instance(_) | Key::Name(_) => symbols.map(|symbol| qualified_name(symbol)).collect(),
        };
        let alike = |name: &str| {
            // A name without its class is compared with the names in all of them.
            let compared = if wanted.contains("::") { name } else { name.rsplit("::").next().unwrap_or(name) };
            strsim::normalized_damerau_levenshtein(wanted, compared)
        };
        let scored = names.into_iter().map(|name| (alike(&name), name)).filter(|(score, _)| *score >= SIMILAR);
        // Of equally similar names the first in the alphabet.
        scored.reduce(|best, next| if next.0 > best.0 { next } else { best }).map(|(_, name)| name)
    }
}

impl fmt::Display for Usage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Usage { origin, index, charge, outcome } = self;
        write!(f, "{origin}: `charges[{index}]`: ")?;
        let importing = match charge.object {
            Some(role) => format!("{role} object"),
            None => "object".to_owned(),
        };
        match outcome {
            Outcome::Called { calls: 1, time } => {
                write!(f, "1 call of `{}`, {} ns", charge.symbol, time.as_ns_f64())
            }
            Outcome::Called { calls, time } => {
                write!(f, "{calls} calls of `{}`, {} ns", charge.symbol, time.as_ns_f64())
            }
            Outcome::NeverCalled => write!(f, "`{}` was never called", charge.symbol),
            Outcome::Absent => write!(f, "no {importing} imports `{}`, which is optional", charge.symbol),
            Outcome::Unknown { nearest: Some(name) } => {
                write!(f, "no {importing} imports `{}`; did you mean `{name}`?", charge.symbol)
            }
            Outcome::Unknown { nearest: None } => {
                write!(f, "no {importing} imports `{}`, nor one of a similar name; was it inlined?", charge.symbol)
            }
        }
    }
}
