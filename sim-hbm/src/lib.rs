//! Simulated HBM: address range, allocator, residency ledger and DMA of npusim.
//!
//! # A device's memory
//!
//! [`Hbm`] is the memory of one device. It reserves one address range of the process at a place that depends on nothing
//! but the device's ordinal ([`BASE_ADDRESS`]` + ordinal * `[`ORDINAL_STRIDE`]), so that device pointers are plain host
//! addresses for guests and yet the same on every run, whatever address randomisation does. The range is reserved as
//! inaccessible: only memory that was allocated is ever mapped, and a guest that strays outside faults.
//!
//! Its life is short to tell:
//!
//! 1. [`Hbm::new`] leases an ordinal and reserves the range. No memory is used yet.
//! 2. [`Hbm::allocate`] picks a place (best fit, lowest address first, hence the same for the same requests), commits
//!    what is not committed yet and books the block in the [`Residency`] ledger under its owner's name.
//! 3. Guests load and store through the addresses. The host goes through [`DmaEngine::submit`], which checks the range,
//!    moves the bytes and says when the copy starts and ends in virtual time; tests and tools may use [`Hbm::read`] and
//!    [`Hbm::write`], which check the range and cost nothing.
//! 4. [`Hbm::free`] fills the block again and remembers whose it was, so that a second free or a late copy is
//!    reported by name.
//! 5. Dropping the `Hbm` unmaps the range, then gives the ordinal back.
//!
//! Invariants: a byte of a device is either in exactly one live block or free; **free memory holds the fill pattern**
//! ([`FillPolicy`]) until a guest writes where it owns nothing; occupied and free bytes add up to the capacity; no Rust
//! reference into device memory ever exists, since guests write there at any time.
//!
//! Filling costs next to nothing: chunks of the range map one sealed file that holds the pattern, copy-on-write, so
//! that fresh memory reads as the pattern without a page being in use, and large freed blocks go back to that state.
//! Blocks under 1 MiB are rewritten when they are freed.
//!
//! Nothing here knows the engine, and nothing reads a clock: virtual times come in and go out as values.
//!
//! [`bandwidth`] is the other half: how fast running kernels move what is in it. [`coherence`] is about single words:
//! which side sees them when.
//!
//! # Example
//!
//! ```
//! use sim_core::time::{SimDuration, SimTime};
//! use sim_hbm::{DmaEngine, DmaRequest, FillPolicy, Hbm, HbmConfig, HostLink};
//!
//! let mut hbm = Hbm::new(HbmConfig { capacity: 64 << 30, alignment: 512, fill: FillPolicy::Poison, ordinal: None })?;
//! let mut dma = DmaEngine::new(HostLink {
//!     to_device_latency: SimDuration::from_us(36),
//!     to_device_bandwidth: 7_800_000_000,
//!     from_device_latency: SimDuration::from_us(10),
//!     from_device_bandwidth: 7_800_000_000,
//!     memset_latency: SimDuration::from_us(10),
//!     memset_bandwidth: 100_000_000_000,
//!     pinned_bandwidth: 21_700_000_000,
//! });
//!
//! let tensor = hbm.allocate(1 << 20, "tensor a")?;
//! let upload = dma.submit(&mut hbm, SimTime::ZERO, DmaRequest::ToDevice { to: tensor, from: &[7; 780] })?;
//! assert_eq!(upload.end, SimTime::from_ns(36_100));
//!
//! let mut back = [0; 781];
//! hbm.read(tensor, &mut back)?;
//! assert_eq!((back[779], back[780]), (7, 0xef)); // beyond the upload: 0xdeadbeef at this address
//!
//! hbm.free(tensor, "host")?;
//! assert_eq!(
//!     hbm.free(tensor, "finalizer").unwrap_err().to_string(),
//!     "double free by `finalizer`: block #0 at 0x200000000000 (1 MiB of `tensor a`, freed by `host`) is free already",
//! );
//! # Ok::<(), sim_hbm::HbmError>(())
//! ```

mod address_space;
pub mod bandwidth;
mod block;
mod block_table;
mod byte_size;
pub mod coherence;
mod device_ptr;
mod dma;
mod error;
mod fill;
mod free_extents;
mod hbm;
mod object_transfer;
mod ordinal;
mod residency;

pub use address_space::{BASE_ADDRESS, MAX_CAPACITY, ORDINAL_STRIDE};
pub use block::{BlockInfo, Place};
pub use byte_size::ByteSize;
pub use device_ptr::DevicePtr;
pub use dma::{Completion, DirectionTotals, DmaEngine, DmaRequest, DmaTotals, HostLink, HostMemory};
pub use error::{Access, AccessKind, HbmError, HostError, NearestBelow, TopHolders};
pub use fill::{FillPolicy, ParseFillPolicyError};
pub use hbm::{Hbm, HbmConfig, MIN_ALIGNMENT};
pub use object_transfer::{FIXED_BUFFER, ObjectTransfer, TooLarge, TransferCost, UnknownTransfer};
pub use ordinal::MAX_DEVICES;
pub use residency::{Holder, OwnerResidency, Residency};

/// Whether an address could be one of some device of this process.
pub fn is_device_address(address: u64) -> bool {
    let end = BASE_ADDRESS + ORDINAL_STRIDE * u64::from(ordinal::MAX_DEVICES);
    (BASE_ADDRESS..end).contains(&address)
}
