//! Where the memories of a core are.
//!
//! The tile library keeps them in eight vectors of bytes of each thread, in this order: registers, UB, L1, L0A, L0B, L0C,
//! scales of A, scales of B. A tile's address says in which of them it is.

use sim_core::guest_memory::{GuestMemory, Wanted};

use super::finding::Malformed;
use super::layout::{VECTOR_SIZE, VectorHead};

/// A memory of a core.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[expect(missing_docs, reason = "each is named for what it is")]
pub enum CoreMemory {
    Registers,
    Ub,
    L1,
    L0a,
    L0b,
    L0c,
    ScalesA,
    ScalesB,
}

impl CoreMemory {
    /// All of them, in order.
    pub const ALL: [CoreMemory; 8] = [
        CoreMemory::Registers,
        CoreMemory::Ub,
        CoreMemory::L1,
        CoreMemory::L0a,
        CoreMemory::L0b,
        CoreMemory::L0c,
        CoreMemory::ScalesA,
        CoreMemory::ScalesB,
    ];

    /// Its name.
    pub const fn name(self) -> &'static str {
        match self {
            CoreMemory::Registers => "registers",
            CoreMemory::Ub => "UB",
            CoreMemory::L1 => "L1",
            CoreMemory::L0a => "L0A",
            CoreMemory::L0b => "L0B",
            CoreMemory::L0c => "L0C",
            CoreMemory::ScalesA => "scales of L0A",
            CoreMemory::ScalesB => "scales of L0B",
        }
    }
}

/// The most bytes of a memory. The library lets a variable of the environment say more than a core has.
const MOST_BYTES: usize = 1 << 30;

/// Where the memories of one core are.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Memories {
    ranges: Vec<(CoreMemory, std::ops::Range<u64>)>,
}

impl Memories {
    /// What the object at `address` says.
    pub fn read(memory: &impl GuestMemory, address: u64) -> Result<Memories, Malformed> {
        let what = "the memories of the core";
        let mut wanted = Wanted::default();
        let all = wanted.add(address, CoreMemory::ALL.len() * VECTOR_SIZE);
        let fetched = wanted.fetch(memory).map_err(|unreadable| Malformed::Unreadable { what, unreadable })?;
        let range = |(index, kind): (usize, CoreMemory)| {
            let vector = VectorHead::read(fetched.bytes(&all), index * VECTOR_SIZE, 1, MOST_BYTES, what)?;
            Ok((kind, vector.begin..vector.begin.saturating_add(vector.count as u64)))
        };
        let ranges = CoreMemory::ALL.into_iter().enumerate().map(range).collect::<Result<_, _>>()?;
        Ok(Memories { ranges })
    }

    /// In which memory an address is, and where in it.
    pub fn locate(&self, address: u64) -> Option<(CoreMemory, u64)> {
        let (kind, range) = self.ranges.iter().find(|(_, range)| range.contains(&address))?;
        Some((*kind, address - range.start))
    }
}
