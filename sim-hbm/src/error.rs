//! What can go wrong with device memory.

use std::fmt;
use std::sync::Arc;

use crate::block::BlockInfo;
use crate::byte_size::ByteSize;
use crate::device_ptr::DevicePtr;
use crate::residency::Holder;

/// What the operating system said.
pub type HostError = Box<dyn std::error::Error + Send + Sync>;

/// A request that device memory refused. Nothing has changed then.
#[derive(Debug, thiserror::Error, displaydoc::Display)]
pub enum HbmError {
    /// HBM exhausted (207001): `{owner}` asked for {requested} aligned to {alignment}, but only {free} of {capacity}
    /// are free, the largest free block has {largest_free}; most is held by {holders}. Free some of it or give the
    /// device more HBM
    Exhausted {
        /// Bytes asked for.
        requested: ByteSize,
        /// The alignment asked for.
        alignment: ByteSize,
        /// For whom.
        owner: Arc<str>,
        /// Free bytes.
        free: ByteSize,
        /// Bytes of the device.
        capacity: ByteSize,
        /// The longest run of free bytes.
        largest_free: ByteSize,
        /// Who holds the most.
        holders: TopHolders,
    },
    /// `{owner}` asked for a block of 0 bytes; ask for at least 1
    ZeroSize {
        /// For whom.
        owner: Arc<str>,
    },
    /// alignment {alignment} is not a power of two of at least {min}
    BadAlignment {
        /// The alignment asked for.
        alignment: u64,
        /// The least that is allowed.
        min: u64,
    },
    /// double free by `{by}`: {block} is free already
    DoubleFree {
        /// The block, with its owner and who freed it first.
        block: Box<BlockInfo>,
        /// Who tried to free it again.
        by: Arc<str>,
    },
    /// free of {ptr} by `{by}`: no block is or was there
    UnknownFree {
        /// The address.
        ptr: DevicePtr,
        /// Who tried to free it.
        by: Arc<str>,
    },
    /// free of {ptr} by `{by}`: this is {offset} into {block}; free a block by its start
    NotABlockStart {
        /// The address.
        ptr: DevicePtr,
        /// How far into the block it is.
        offset: ByteSize,
        /// The block that the address is in, live or freed.
        block: Box<BlockInfo>,
        /// Who tried to free it.
        by: Arc<str>,
    },
    /// out of range: {access} ends {beyond} past the end of {block}
    OutOfRange {
        /// The access.
        access: Access,
        /// How far its end lies behind that of the block.
        beyond: ByteSize,
        /// The block in which it begins.
        block: Box<BlockInfo>,
    },
    /// use after free: {access} lies in {block}
    UseAfterFree {
        /// The access.
        access: Access,
        /// The block that was there, with its owner and who freed it.
        block: Box<BlockInfo>,
    },
    /// not allocated: {access} lies in memory that was never allocated{below}
    NotAllocated {
        /// The access.
        access: Access,
        /// The nearest live block below.
        below: NearestBelow,
    },
    /// not device memory: {access} lies outside {start} to {end}, the memory of device {ordinal}
    NotDeviceMemory {
        /// The access.
        access: Access,
        /// The device.
        ordinal: u32,
        /// Its first address.
        start: DevicePtr,
        /// The address behind its last one.
        end: DevicePtr,
    },
    /// an HBM capacity of {capacity} is not possible: it must be a multiple of {multiple}, at least that and at most
    /// {max}
    BadCapacity {
        /// The capacity asked for.
        capacity: ByteSize,
        /// What it has to be a multiple of.
        multiple: ByteSize,
        /// The largest possible one.
        max: ByteSize,
    },
    /// device ordinal {ordinal} does not exist: ordinals are below {max}
    BadOrdinal {
        /// The ordinal asked for.
        ordinal: u32,
        /// How many there are.
        max: u32,
    },
    /// device ordinal {ordinal} is in use by another live device of this process; drop that one first
    OrdinalInUse {
        /// The ordinal asked for.
        ordinal: u32,
    },
    /// all {max} device ordinals of this process are in use; drop a device first
    TooManyDevices {
        /// How many there are.
        max: u32,
    },
    /// the address range {start} to {end} of device {ordinal} is taken by {occupant}; device addresses are fixed, so
    /// take another ordinal or unmap it
    RangeTaken {
        /// The device.
        ordinal: u32,
        /// Its first address.
        start: DevicePtr,
        /// The address behind its last one.
        end: DevicePtr,
        /// What is mapped there.
        occupant: String,
    },
    /// the host refused {size} of address space for device {ordinal}: {cause}; see the limit on virtual memory (ulimit
    /// -v)
    Reserve {
        /// The device.
        ordinal: u32,
        /// How much was asked for.
        size: ByteSize,
        /// What the host said.
        cause: HostError,
    },
    /// the host refused to map {size} of device memory at {start}: {cause}; see the limits on memory and on mappings
    /// (vm.max_map_count)
    Commit {
        /// Where.
        start: DevicePtr,
        /// How much.
        size: ByteSize,
        /// What the host said.
        cause: HostError,
    },
    /// cannot create the fill pattern of device memory: {cause}
    Pattern {
        /// What the host said.
        cause: HostError,
    },
}

/// What silicon reports when its HBM is exhausted.
const EXHAUSTED: u32 = 207_001;

impl HbmError {
    /// The code that silicon has for this error, if it has one.
    pub fn device_code(&self) -> Option<u32> {
        matches!(self, HbmError::Exhausted { .. }).then_some(EXHAUSTED)
    }
}

/// An access to a range of device memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Access {
    /// Which kind.
    pub kind: AccessKind,
    /// First address.
    pub start: DevicePtr,
    /// How many bytes.
    pub length: u64,
}

/// The kinds of access.
#[derive(Clone, Copy, Debug, PartialEq, Eq, displaydoc::Display)]
pub enum AccessKind {
    /// copy to device
    CopyToDevice,
    /// copy from device
    CopyFromDevice,
    /// memset
    Memset,
    /// read
    Read,
    /// write
    Write,
    /// access
    Any,
}

/// The owners that hold the most memory, as an error names them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TopHolders(pub Vec<Holder>);

/// The nearest live block below a stray access, as an error names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NearestBelow(pub Option<Box<BlockInfo>>);

impl fmt::Display for Access {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} of {} at {}", self.kind, ByteSize(self.length), self.start)
    }
}

impl fmt::Display for TopHolders {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some((first, others)) = self.0.split_first() else {
            return f.write_str("nobody");
        };
        first.fmt(f)?;
        others.iter().try_for_each(|holder| write!(f, ", {holder}"))
    }
}

impl fmt::Display for NearestBelow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.as_ref().map_or(Ok(()), |block| write!(f, "; nearest below is {block}"))
    }
}
