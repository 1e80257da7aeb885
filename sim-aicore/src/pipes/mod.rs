//! Instruction pipes: how long a kernel occupies its core, from what it does.
//!
//! A kernel that is written with the tile API (`guest/include/npusim/tile.h`) leaves one [record] for each instruction.
//! From the records of one call follows its [`Program`]: plain data, without addresses of this run. A [`PipeModel`] says
//! how long a program takes on a core, alone or with the part of the memory system that the core gets at the moment
//! ([`MemoryRates`]).
//!
//! A core has seven pipes ([`Pipe`]). Each takes its instructions in order, one after the other; among pipes there is no
//! order but what flags and barriers make. That is all of the model: what an instruction costs stands in tables. Cores of
//! a cluster wait for each other by flags too ([cluster]); then their programs are run together.

pub mod cluster;
pub mod cycles;
mod error;
pub mod instruction;
pub mod library;
mod model;
mod pricing;
pub mod program;
pub mod record;
pub mod tables;

pub use error::{CoreKind, PipeError};
pub use instruction::{
    Drain, Element, Extent, GmPlace, Instruction, Mad, Path, Pipe, Transfer, UbPlaces, VectorOp, VectorWork,
};
pub use model::{Moved, PipeModel, PricedProgram};
pub use program::{Program, Traffic};

use sim_core::profile::{Bandwidth, Confidence};
use sim_core::time::SimDuration;

#[cfg(test)]
mod tests;

/// How much of what a core reads comes from the L2, in eighths: finer steps would only make more timelines.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct L2Share(u8);

impl L2Share {
    /// All of it.
    pub const ALL: L2Share = L2Share(8);

    /// The nearest to `hits` of `bytes`.
    pub fn of(hits: u64, bytes: u64) -> L2Share {
        let eighths = (u128::from(hits.min(bytes)) * 16 + u128::from(bytes)) / (u128::from(bytes.max(1)) * 2);
        L2Share(eighths as u8)
    }

    /// `none` if nothing comes from the L2, `all` if everything does, and evenly between.
    const fn between(self, none: u64, all: u64) -> u64 {
        ((none as u128 * (8 - self.0) as u128 + all as u128 * self.0 as u128) / 8) as u64
    }
}

/// What part of the memory system a core gets at the moment. Where nothing is said, only the core's own engine limits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MemoryRates {
    /// Of the HBM, for reading.
    pub read: Option<Bandwidth>,
    /// Of the HBM, for writing.
    pub write: Option<Bandwidth>,
    /// The core's ports to the memory system limit it too, that to the HBM or that to the L2 by what comes from where.
    pub through: Option<L2Share>,
}

impl MemoryRates {
    /// Those of a core whose engine alone limits it.
    pub const fn alone() -> Self {
        MemoryRates { read: None, write: None, through: None }
    }

    /// Those of a core that has the memory system for itself.
    pub const fn of_ports(share: L2Share) -> Self {
        MemoryRates { read: None, write: None, through: Some(share) }
    }
}

/// How a program went.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Timeline {
    /// From its first instruction until all pipes are done.
    pub duration: SimDuration,
    /// How long each pipe worked, by [`Pipe::index`]; waiting is not working.
    pub busy: [SimDuration; Pipe::COUNT],
    /// Bytes that the memory system had to read for it: more than it wanted where rows are not aligned.
    pub read_bytes: u64,
    /// The same of bytes written.
    pub written_bytes: u64,
    /// The least trustworthy constant that was used.
    pub confidence: Confidence,
}
