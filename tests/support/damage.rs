//! Damage: copies of something sound with a few words changed, the same in every run.

use std::ops::Range;

/// What is damaged.
pub(crate) struct Original {
    /// Of which kind it is, as damage is counted.
    pub(crate) kind: &'static str,
    pub(crate) name: String,
    pub(crate) bytes: Vec<u8>,
    /// Where tables are, which say where everything else is.
    pub(crate) tables: Vec<Range<usize>>,
    /// Reads it; whether it would have been taken.
    pub(crate) read: fn(&[u8]) -> bool,
}

/// Numbers that are the same in every run.
pub(crate) struct Numbers(u64);

impl Numbers {
    /// Those of one copy.
    pub(crate) fn of(copy: u64) -> Self {
        Numbers(copy.wrapping_mul(0x9e37_79b9_7f4a_7c15))
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ self.0 >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ mixed >> 31
    }

    pub(crate) fn below(&mut self, bound: usize) -> usize {
        (self.next() % bound as u64) as usize
    }

    /// A value of the kinds that break readers most, in place of `old`.
    fn value(&mut self, old: u64, size: usize) -> u64 {
        let all = u64::MAX >> (64 - 8 * size);
        match self.below(8) {
            0 => 0,
            1 => all,
            2 => all >> 1,
            3 => (all >> 1) + 1,
            4 => old ^ 1 << self.below(8 * size),
            5 => old.wrapping_add(self.next() % 17).wrapping_sub(8),
            6 => self.next() % 0x200,
            _ => self.next(),
        }
    }
}

/// A copy that is damaged, read and repaired again and again.
pub(crate) struct Copy<'o> {
    pub(crate) original: &'o Original,
    pub(crate) bytes: Vec<u8>,
    damaged: Vec<Range<usize>>,
}

impl<'o> Copy<'o> {
    pub(crate) fn of(original: &'o Original) -> Self {
        Copy { original, bytes: original.bytes.clone(), damaged: Vec::new() }
    }

    /// Damages it in up to four places. Returns how much of it is left.
    pub(crate) fn damage(&mut self, numbers: &mut Numbers) -> usize {
        for _ in 0..=numbers.below(4) {
            self.damage_once(numbers);
        }
        let length = self.bytes.len();
        if numbers.below(16) == 0 { numbers.below(length) } else { length }
    }

    fn damage_once(&mut self, numbers: &mut Numbers) {
        let size = [1, 2, 4, 8][numbers.below(4)];
        let length = self.bytes.len();
        let at = match numbers.below(8) {
            0 => numbers.below(length),
            _ => {
                let table = &self.original.tables[numbers.below(self.original.tables.len())];
                table.start + numbers.below(table.len())
            }
        };
        let at = (at & !(size - 1)).min(length - size);
        if numbers.below(16) == 0 {
            // What lies elsewhere.
            let size = (1 + numbers.below(64)).min(length - at);
            let from = numbers.below(length - size);
            self.bytes.copy_within(from..from + size, at);
            self.damaged.push(at..at + size);
            return;
        }
        let word = &mut self.bytes[at..at + size];
        let old = word.iter().rev().fold(0, |number, byte| number << 8 | u64::from(*byte));
        let new = numbers.value(old, size).to_le_bytes();
        word.copy_from_slice(&new[..size]);
        self.damaged.push(at..at + size);
    }

    pub(crate) fn repair(&mut self) {
        for range in self.damaged.drain(..) {
            self.bytes[range.clone()].copy_from_slice(&self.original.bytes[range]);
        }
    }
}
