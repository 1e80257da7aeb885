//! Charges: what a call of a function costs on the device, for code that takes no virtual time by itself.
//!
//! `npusim exec` runs objects that were built for somewhere else. Their stores and loads pass hooks, which cost time,
//! but the code between two hooks does not. A charge file gives that code its cost: it names functions, and a call of
//! one advances the caller's virtual time. Its life:
//!
//! 1. The file is read into [`Charges`]; `docs/charges.md` shows it. A cost is a value as in a profile, with unit,
//!    source and confidence. Whatever is wrong is a [`ChargeError`] that names the file and the entry.
//! 2. For each object that is loaded, [`Charges::for_symbols`] is given the functions that it imports, and answers with
//!    [`ResolvedCharges`]: the charge of each of these symbols, by hash.
//! 3. Whoever replaced the import slots counts the calls, each of which costs its caller time.
//! 4. At the end [`ChargeUse::usages`] says what became of every charge, and so names those that nothing matched.
//!
//! A call can be charged only where it goes through an import slot. A function that the compiler inlined, or that is
//! called within its object without one, is never seen: its charge shows up as unknown, with the nearest name that is.
//!
//! Charges add up: one of a function and one of a function that it calls both count. So each cost has to be that of the
//! function without the charged ones below it, and without what hooks charge already.

mod document;
mod error;
mod resolved;
mod role;
mod symbol;
#[cfg(test)]
mod tests;
mod usage;

use std::path::Path;

use serde::Serialize;

use crate::profile::{Arch, Sourced};
use crate::time::SimDuration;

pub use error::ChargeError;
pub use resolved::{ResolvedCharge, ResolvedCharges};
pub use role::ObjectRole;
pub use symbol::{Spelling, SymbolMistake};
pub use usage::{ChargeUse, Outcome, Usage};

/// What stands for the embedded charges where the path of a file is expected. `./shipped` is a file.
pub const SHIPPED: &str = "shipped";

/// The charges of one file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Charges {
    /// The file, as errors and reports call it.
    pub origin: String,
    /// Which objects the charges are meant for, such as `simpler 6ebaf771, a2a3`.
    pub meant_for: String,
    /// In the order of the file.
    pub charges: Vec<Charge>,
}

/// What a call of a function costs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Charge {
    /// The function.
    pub symbol: Spelling,
    /// The only kind of object whose calls are charged; `None` for all of them.
    pub object: Option<ObjectRole>,
    /// How far a call advances the caller's virtual time.
    pub cost: Sourced<SimDuration>,
    /// What one call stands for, such as `task`.
    pub per: Option<String>,
    /// Whether some of the objects that the file is meant for have no such function.
    pub optional: bool,
}

impl Charges {
    /// The embedded charges for the runtimes of a generation.
    pub fn shipped(arch: Arch) -> Result<Charges, ChargeError> {
        let (origin, text) = match arch {
            Arch::A2a3 => ("a2a3-2026-08.json", include_str!("../../charges/a2a3-2026-08.json")),
            Arch::A5 => ("a5-2026-08.json", include_str!("../../charges/a5-2026-08.json")),
        };
        Charges::parse(origin, text)
    }

    /// The charges that a user names: [`SHIPPED`] for the embedded ones of a generation, or the path of a file.
    pub fn named(name: &Path, arch: Arch) -> Result<Charges, ChargeError> {
        if name == Path::new(SHIPPED) { Charges::shipped(arch) } else { Charges::read(name) }
    }

    /// Reads the charge file at `path`.
    pub fn read(path: impl AsRef<Path>) -> Result<Charges, ChargeError> {
        let path = path.as_ref();
        let origin = path.display().to_string();
        match std::fs::read_to_string(path) {
            Ok(text) => Charges::parse(&origin, &text),
            Err(error) => Err(ChargeError::Unreadable { origin, reason: error.to_string() }),
        }
    }

    /// Reads the text of a charge file, which errors call `origin`.
    pub fn parse(origin: &str, text: &str) -> Result<Charges, ChargeError> {
        document::parse(origin, text)
    }

    /// What calls of `symbols`, the functions that an object of this role imports, cost.
    pub fn for_symbols<'s>(&self, role: ObjectRole, symbols: impl IntoIterator<Item = &'s str>) -> ResolvedCharges {
        ResolvedCharges::of(self, role, symbols)
    }
}

impl Charge {
    /// Whether calls by an object of this role are charged.
    fn applies_to(&self, role: ObjectRole) -> bool {
        self.object.is_none_or(|object| object == role)
    }
}
