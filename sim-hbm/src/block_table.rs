//! The blocks of a device: the live ones, and whose the free memory was.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::block::{BlockInfo, Place};
use crate::device_ptr::DevicePtr;

/// Live blocks, and the freed blocks of which some memory has not been given out again.
///
/// Freed memory is remembered in pieces that never overlap each other or a live block; a new block cuts what it covers
/// out of them. There are thus about as many pieces as there ever were live blocks at one time.
#[derive(Debug, Default)]
pub(crate) struct BlockTable {
    live: BTreeMap<u64, LiveBlock>,
    freed: BTreeMap<u64, FreedPiece>,
    next_serial: u64,
}

#[derive(Debug)]
struct LiveBlock {
    info: BlockInfo,
    /// How many bytes the block occupies.
    occupied: u64,
}

#[derive(Clone, Debug)]
struct FreedPiece {
    end: u64,
    block: Arc<BlockInfo>,
}

impl BlockTable {
    /// Enters a block of `size` bytes that occupies `occupied` bytes at `start`.
    pub(crate) fn insert(&mut self, start: u64, size: u64, occupied: u64, owner: Arc<str>) {
        self.forget_freed(start, start + occupied);
        let info = BlockInfo { serial: self.next_serial, start: DevicePtr::new(start), size, owner, freed_by: None };
        self.next_serial += 1;
        self.live.insert(start, LiveBlock { info, occupied });
    }

    /// Moves the live block at `start` to the freed ones. Returns it with the number of bytes that it occupied, or
    /// `None` if no live block begins there.
    pub(crate) fn remove(&mut self, start: u64, freed_by: &str) -> Option<(BlockInfo, u64)> {
        let LiveBlock { mut info, occupied } = self.live.remove(&start)?;
        info.freed_by = Some(Arc::from(freed_by));
        self.freed.insert(start, FreedPiece { end: start + occupied, block: Arc::new(info.clone()) });
        Some((info, occupied))
    }

    /// What is known of `address`, which is one of the device.
    pub(crate) fn locate(&self, address: u64) -> Place {
        let below = self.live.range(..=address).next_back();
        if let Some((start, block)) = below
            && address - start < block.occupied
        {
            return Place::Live(block.info.clone());
        }
        match self.freed.range(..=address).next_back() {
            Some((_, piece)) if address < piece.end => Place::Freed(BlockInfo::clone(&piece.block)),
            _ => Place::NeverAllocated { below: below.map(|(_, block)| block.info.clone()) },
        }
    }

    /// Whether the `length` bytes at `address` were all asked for by one live block.
    pub(crate) fn has_live(&self, address: u64, length: u64) -> bool {
        let below = self.live.range(..=address).next_back();
        below.is_some_and(|(start, block)| {
            let offset = address - start;
            offset <= block.info.size && length <= block.info.size - offset
        })
    }

    /// The live blocks by address.
    pub(crate) fn live(&self) -> impl Iterator<Item = &BlockInfo> {
        self.live.values().map(|block| &block.info)
    }

    /// Cuts `start..end` out of the freed memory.
    fn forget_freed(&mut self, start: u64, end: u64) {
        if let Some((_, piece)) = self.freed.range_mut(..start).next_back()
            && piece.end > start
        {
            let rest = FreedPiece { end: piece.end, block: Arc::clone(&piece.block) };
            piece.end = start;
            if rest.end > end {
                self.freed.insert(end, rest);
            }
        }
        while let Some((&from, _)) = self.freed.range(start..end).next() {
            let piece = self.freed.remove(&from).expect("the piece was just seen");
            if piece.end > end {
                self.freed.insert(end, piece);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn owner_at(table: &BlockTable, address: u64) -> String {
        match table.locate(address) {
            Place::Live(block) => format!("live {}", block.owner),
            Place::Freed(block) => format!("freed {}", block.owner),
            Place::NeverAllocated { below } => format!("never, above {:?}", below.map(|block| block.serial)),
            Place::Outside => "outside".to_owned(),
        }
    }

    #[test]
    fn does_a_new_block_cut_what_it_covers_out_of_freed_memory() {
        let mut table = BlockTable::default();
        table.insert(0x1000, 0x3000, 0x3000, "old".into());
        table.insert(0x4000, 0x1000, 0x1000, "next".into());
        table.remove(0x1000, "host");
        table.remove(0x4000, "host");
        table.insert(0x2000, 0xe00, 0x1000, "middle".into());
        let seen = [0x1000, 0x1fff, 0x2000, 0x2fff, 0x3000, 0x3fff, 0x4000, 0x5000].map(|at| owner_at(&table, at));
        assert_eq!(
            seen,
            [
                "freed old",
                "freed old",
                "live middle",
                "live middle",
                "freed old",
                "freed old",
                "freed next",
                "never, above Some(2)",
            ]
        );
        table.remove(0x2000, "host");
        table.insert(0x1800, 0x3000, 0x3000, "wide".into());
        let seen = [0xfff, 0x1000, 0x1800, 0x47ff, 0x4800].map(|at| owner_at(&table, at));
        assert_eq!(seen, ["never, above None", "freed old", "live wide", "live wide", "freed next"]);
        assert_eq!(table.freed.len(), 2);
    }
}
