//! The charges that fit the symbols of one object.

use std::collections::HashMap;

use super::Charges;
use super::role::ObjectRole;
use super::symbol::{Key, keys_of};
use crate::time::SimDuration;

/// What the functions that an object imports cost, by symbol.
#[derive(Clone, Debug)]
pub struct ResolvedCharges {
    pub(super) role: ObjectRole,
    by_symbol: HashMap<String, ResolvedCharge>,
    /// Every symbol of the object, charged or not.
    pub(super) seen: Vec<String>,
}

/// The charge of one symbol.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ResolvedCharge {
    /// Which charge of the file it is, from 0.
    pub index: usize,
    /// How far a call advances the caller's virtual time.
    pub cost: SimDuration,
}

impl ResolvedCharges {
    pub(super) fn of<'s>(charges: &Charges, role: ObjectRole, symbols: impl IntoIterator<Item = &'s str>) -> Self {
        let numbered = charges.charges.iter().enumerate().filter(|(_, charge)| charge.applies_to(role));
        let by_key: HashMap<&Key, ResolvedCharge> = numbered
            .map(|(index, charge)| (&charge.symbol.key, ResolvedCharge { index, cost: charge.cost.value }))
            .collect();
        let seen: Vec<String> = symbols.into_iter().map(str::to_owned).collect();
        let charge_of = |symbol: &String| keys_of(symbol).iter().find_map(|key| by_key.get(key).copied());
        let by_symbol = seen.iter().filter_map(|symbol| Some((symbol.clone(), charge_of(symbol)?))).collect();
        ResolvedCharges { role, by_symbol, seen }
    }

    /// The charge of a symbol, which is mangled if its function is one of C++.
    pub fn get(&self, symbol: &str) -> Option<ResolvedCharge> {
        self.by_symbol.get(symbol).copied()
    }

    /// The charges that fit some symbol of the object.
    pub(super) fn matched(&self) -> impl Iterator<Item = ResolvedCharge> {
        self.by_symbol.values().copied()
    }
}
