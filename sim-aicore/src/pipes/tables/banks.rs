//! Banks of UB: which operands of a vector instruction get into each other's way.
//!
//! A repeat touches eight blocks of each operand, which lie in as many groups of banks, one after the other. A group
//! gives one block a cycle, so that two operands whose groups overlap take turns. A bank reads or writes: a result in
//! the same bank as an operand waits, but not where both begin in the same bank, since results are written a repeat
//! later and the operand has moved on by then.

use serde::Deserialize;

use super::Origin;
use crate::pipes::cycles::MicroCycles;
use crate::pipes::instruction::UbPlaces;

/// How UB is laid out, and what conflicts cost.
#[derive(Debug, Deserialize)]
pub struct Banks {
    /// Bytes that a bank gives at once.
    pub block_bytes: u32,
    /// Groups of banks; the next block is in the next group.
    pub groups: u32,
    /// Bytes until a group goes on with another of its banks.
    pub bank_span: u32,
    /// Cycles of a repeat whose operands share groups.
    pub read_read: MicroCycles,
    /// Cycles of a repeat whose result shares banks with an operand.
    pub read_write: MicroCycles,
    /// Who says so.
    #[serde(flatten)]
    pub origin: Origin,
}

/// What the places of an instruction mean for its repeats.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Conflicts {
    /// Cycles that UB needs for a repeat.
    pub(super) cycles: MicroCycles,
    /// All three are in the same banks, as in the programs that costs of instructions were measured with.
    pub(super) is_worst: bool,
}

impl Banks {
    pub(super) fn of(&self, places: &UbPlaces) -> Conflicts {
        let UbPlaces { result, first, second } = *places;
        let reads = second.is_some_and(|second| second != first && self.distance(first, second) < self.repeat_blocks());
        let same_bank = |operand: u32| operand / self.bank_span == result / self.bank_span;
        let operands = || [Some(first), second].into_iter().flatten().filter(|operand| same_bank(*operand));
        let is_late = |operand| self.distance(operand, result) == 0;
        let writes =
            operands().any(|operand| !is_late(operand) && self.distance(operand, result) < self.repeat_blocks());
        let of = |conflict, cycles| if conflict { cycles } else { MicroCycles::ZERO };
        Conflicts {
            cycles: MicroCycles::whole(1) + of(reads, self.read_read) + of(writes, self.read_write),
            is_worst: reads && operands().any(is_late),
        }
    }

    /// Blocks of an operand that a repeat touches.
    fn repeat_blocks(&self) -> u32 {
        self.groups / 2
    }

    /// Groups from one address to the other, the shorter way round.
    fn distance(&self, one: u32, other: u32) -> u32 {
        let group = |address: u32| address / self.block_bytes % self.groups;
        let apart = group(one).abs_diff(group(other));
        apart.min(self.groups - apart)
    }
}

#[cfg(test)]
mod tests {
    use sim_core::profile::Arch;

    use super::super::Tables;
    use super::*;

    #[test]
    fn which_places_are_in_each_others_way() {
        let banks = Tables::of(Arch::A2a3).vector.banks.as_ref().unwrap();
        let of = |first, second, result| {
            let conflicts = banks.of(&UbPlaces { result, first, second });
            (conflicts.cycles.as_micro(), conflicts.is_worst)
        };
        // Groups 0 to 7, 8 to 15, and a result in another bank; in the same one as an operand; or over an operand.
        assert_eq!(of(0, Some(0x10100), 0x20000), (1_000_000, false));
        assert_eq!(of(0, Some(0x10100), 0x4000), (1_000_000, false));
        assert_eq!(of(0, Some(0x10100), 0x10100), (1_000_000, false));
        // The same bank, the same group of banks, and groups of which one is shared.
        assert_eq!(of(0, Some(0x4000), 0x10000), (2_000_000, false));
        assert_eq!(of(0, Some(0x10000), 0x14100), (2_000_000, false));
        assert_eq!(of(0, Some(0x100e0), 0x20000), (2_000_000, false));
        // The result begins a block later than an operand in its bank.
        assert_eq!(of(0, Some(0x10100), 0x4020), (1_787_000, false));
        assert_eq!(of(0, None, 0x4020), (1_787_000, false));
        assert_eq!(of(0, None, 0x4000), (1_000_000, false));
        // What is read twice is read once.
        assert_eq!(of(0, Some(0), 0x20000), (1_000_000, false));
        assert_eq!(of(0, Some(0x4000), 0x8000), (2_000_000, true));
    }
}
