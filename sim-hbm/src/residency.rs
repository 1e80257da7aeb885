//! What holds how many bytes, and for whom.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use serde::Serialize;

use crate::byte_size::ByteSize;

/// The ledger of a device's memory. Bytes are those that blocks occupy, the requested size rounded up to the device's
/// alignment, so that the live bytes and the free bytes make the capacity.
///
/// It serialises as it stands, owners in the order of their names.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Residency {
    /// Bytes of the device.
    pub capacity: u64,
    /// All owners together.
    #[serde(flatten)]
    pub device: OwnerResidency,
    /// Each owner that ever held anything.
    pub owners: BTreeMap<Arc<str>, OwnerResidency>,
}

/// The part of one owner in a device's memory.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct OwnerResidency {
    /// Bytes held now.
    pub live_bytes: u64,
    /// Blocks held now.
    pub live_blocks: u64,
    /// The most bytes that were held at any time.
    pub peak_bytes: u64,
    /// Bytes of all allocations ever made.
    pub total_bytes: u64,
    /// Allocations ever made.
    pub allocations: u64,
    /// Blocks given back.
    pub frees: u64,
}

/// An owner and what it holds now.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Holder {
    /// Who.
    pub owner: Arc<str>,
    /// Bytes held.
    pub live_bytes: u64,
    /// In how many blocks.
    pub live_blocks: u64,
}

impl Residency {
    /// The ledger of an empty device.
    pub(crate) fn new(capacity: u64) -> Self {
        Residency { capacity, device: OwnerResidency::default(), owners: BTreeMap::new() }
    }

    /// Bytes that nobody holds.
    pub fn free_bytes(&self) -> u64 {
        self.capacity - self.device.live_bytes
    }

    /// The `count` owners that hold the most bytes now, the most first, equals by name.
    pub fn top_holders(&self, count: usize) -> Vec<Holder> {
        let held = self.owners.iter().filter(|(_, part)| part.live_blocks > 0);
        let mut holders: Vec<Holder> = held
            .map(|(owner, part)| Holder {
                owner: Arc::clone(owner),
                live_bytes: part.live_bytes,
                live_blocks: part.live_blocks,
            })
            .collect();
        // Owners come in the order of their names and the sort is stable.
        holders.sort_by_key(|holder| std::cmp::Reverse(holder.live_bytes));
        holders.truncate(count);
        holders
    }

    /// Books an allocation of `bytes`; returns the owner's name as it is shared by all its blocks.
    pub(crate) fn book(&mut self, owner: &str, bytes: u64) -> Arc<str> {
        self.device.book(bytes);
        let owner = self.owners.get_key_value(owner).map_or_else(|| Arc::from(owner), |(name, _)| Arc::clone(name));
        self.owners.entry(Arc::clone(&owner)).or_default().book(bytes);
        owner
    }

    /// Books the return of `bytes` by `owner`, who holds them.
    pub(crate) fn release(&mut self, owner: &str, bytes: u64) {
        self.device.release(bytes);
        self.owners.get_mut(owner).expect("a block's owner is in the ledger").release(bytes);
    }
}

impl OwnerResidency {
    fn book(&mut self, bytes: u64) {
        self.live_bytes += bytes;
        self.live_blocks += 1;
        self.peak_bytes = self.peak_bytes.max(self.live_bytes);
        self.total_bytes += bytes;
        self.allocations += 1;
    }

    fn release(&mut self, bytes: u64) {
        self.live_bytes -= bytes;
        self.live_blocks -= 1;
        self.frees += 1;
    }
}

impl fmt::Display for Holder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let plural = if self.live_blocks == 1 { "" } else { "s" };
        write!(f, "`{}` {} in {} block{plural}", self.owner, ByteSize(self.live_bytes), self.live_blocks)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ledger() -> Residency {
        let mut ledger = Residency::new(1 << 20);
        for (owner, bytes) in [("ring heap", 65536), ("tensor b", 4096), ("tensor a", 4096), ("ring heap", 65536)] {
            ledger.book(owner, bytes);
        }
        ledger.release("ring heap", 65536);
        ledger.book("kernel", 512);
        ledger.release("kernel", 512);
        ledger
    }

    #[test]
    fn does_the_ledger_say_who_holds_what() {
        insta::assert_json_snapshot!(ledger(), @r#"
        {
          "capacity": 1048576,
          "live_bytes": 73728,
          "live_blocks": 3,
          "peak_bytes": 139264,
          "total_bytes": 139776,
          "allocations": 5,
          "frees": 2,
          "owners": {
            "kernel": {
              "live_bytes": 0,
              "live_blocks": 0,
              "peak_bytes": 512,
              "total_bytes": 512,
              "allocations": 1,
              "frees": 1
            },
            "ring heap": {
              "live_bytes": 65536,
              "live_blocks": 1,
              "peak_bytes": 131072,
              "total_bytes": 131072,
              "allocations": 2,
              "frees": 1
            },
            "tensor a": {
              "live_bytes": 4096,
              "live_blocks": 1,
              "peak_bytes": 4096,
              "total_bytes": 4096,
              "allocations": 1,
              "frees": 0
            },
            "tensor b": {
              "live_bytes": 4096,
              "live_blocks": 1,
              "peak_bytes": 4096,
              "total_bytes": 4096,
              "allocations": 1,
              "frees": 0
            }
          }
        }
        "#);
    }

    #[test]
    fn are_the_top_holders_ordered_by_bytes_then_name() {
        let shown: Vec<String> = ledger().top_holders(8).iter().map(ToString::to_string).collect();
        insta::assert_json_snapshot!(shown, @r#"
        [
          "`ring heap` 64 KiB in 1 block",
          "`tensor a` 4 KiB in 1 block",
          "`tensor b` 4 KiB in 1 block"
        ]
        "#);
        assert_eq!(ledger().top_holders(1).len(), 1);
        assert_eq!(ledger().free_bytes(), (1 << 20) - 65536 - 2 * 4096);
    }
}
