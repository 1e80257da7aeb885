//! Blocks of device memory and what is known of an address.

use std::fmt;
use std::sync::Arc;

use serde::Serialize;

use crate::byte_size::ByteSize;
use crate::device_ptr::DevicePtr;

/// A block that was allocated.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct BlockInfo {
    /// The how-manieth allocation of its device it was, from 0.
    pub serial: u64,
    /// Its first byte.
    pub start: DevicePtr,
    /// The size that was asked for. The block may occupy more.
    pub size: u64,
    /// For whom.
    pub owner: Arc<str>,
    /// Who freed it; `None` while it is live.
    pub freed_by: Option<Arc<str>>,
}

/// What is known of an address.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Place {
    /// In a live block, or in the rounding at its end.
    Live(BlockInfo),
    /// In memory that no block holds, and that this one held last.
    Freed(BlockInfo),
    /// In memory of the device that was never part of a block.
    NeverAllocated {
        /// The nearest live block below, which may have been overrun.
        below: Option<BlockInfo>,
    },
    /// Not an address of this device.
    Outside,
}

impl BlockInfo {
    /// The address behind the last byte that was asked for.
    pub fn end(&self) -> DevicePtr {
        DevicePtr::new(self.start.address() + self.size)
    }
}

impl fmt::Display for BlockInfo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let BlockInfo { serial, start, size, owner, freed_by } = self;
        write!(f, "block #{serial} at {start} ({} of `{owner}`", ByteSize(*size))?;
        if let Some(by) = freed_by {
            write!(f, ", freed by `{by}`")?;
        }
        f.write_str(")")
    }
}
