//! Bandwidth that running kernels share: device memory, and the L2 cache before it.
//!
//! A kernel is a [`Flow`]: so many bytes, and how fast they move when nobody else moves any. While it runs, its progress
//! goes from zero to one at a speed that depends on who else runs: a **fluid model**. Whenever a kernel begins or ends,
//! all speeds are computed anew and with them the ends of all that run:
//!
//! ```text
//!   join ──> what of it is in the L2,  ──> Traffic ──> Flow ──┐
//!            and who still brings it there?                   │
//!            (ResidentSet, Misses)                            v
//!                                    fair shares of HBM and L2 at this instant (Levels)
//!                                                             │
//!   leave ────────────────────────────────────────────────────┤
//!                                                             v
//!                                    speeds ──> ends, in whole picoseconds
//! ```
//!
//! # Invariants
//!
//! - Shares are **max-min fair**: nobody gets more than it can use, and what that leaves is divided evenly. The HBM is
//!   one resource for cube and vector cores, for reads and for writes: both take turns on it, each at its own rate.
//! - What several read at the same time and the L2 has not, comes from the HBM once; they bring it together.
//! - A flow that nothing slows down takes exactly as long as alone, to the picosecond.
//! - Speeds are fixed-point fractions; no float is used, so every machine gets the same numbers.
//! - Nothing here knows the engine: instants come in, ends go out. Flows are joined and taken out in the order of time.

mod fluid;
mod level;
mod misses;
mod pace;
mod resident;
mod shared_memory;
mod transfer;

pub use fluid::{Flow, Fluid};
pub use pace::Pace;
pub use resident::{Bringer, ResidentSet};
pub use shared_memory::SharedMemory;
pub use transfer::{Direction, ShortRows, Traffic, Transfer};
