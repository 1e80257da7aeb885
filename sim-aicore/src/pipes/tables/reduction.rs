//! Reductions along rows that are several hardware instructions, for the shapes of tiles that have a way of their own.
//!
//! An instruction that reduces groups makes one element of each block of 32 bytes; what is left of a row is taken
//! together by an operation on two tiles, or grouped again. Each step waits for the one before. Which steps a shape takes
//! is what the reference's library does; tiles of other shapes go row by row, which the fits are of.

use serde::Deserialize;

use super::Origin;
use crate::pipes::cycles::MicroCycles;
use crate::pipes::instruction::VectorOp;

/// What some reductions along rows are made of.
#[derive(Debug, Deserialize)]
pub struct Reduction {
    /// The operations that it serves.
    pub ops: Vec<VectorOp>,
    /// Of elements of so many bytes.
    pub element_bytes: Vec<u64>,
    /// The instruction that reduces groups.
    pub instruction: String,
    /// Of every such instruction.
    pub startup: MicroCycles,
    /// For each repeat of it.
    pub slope: MicroCycles,
    /// What takes two parts of rows together.
    pub combine: VectorOp,
    /// Tiles whose rows touch, and how they are reduced.
    pub shapes: Vec<ReducedShape>,
    /// Who says so.
    #[serde(flatten)]
    pub origin: Origin,
}

/// How a tile of one shape is reduced.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReducedShape {
    /// Its rows.
    pub rows: u64,
    /// Its columns.
    pub cols: u64,
    /// One after the other.
    pub steps: Vec<ReductionStep>,
}

/// An instruction of so many repeats.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ReductionStep {
    /// It reduces groups.
    Group(u64),
    /// It takes two parts together.
    Combine(u64),
}

impl Reduction {
    /// The steps of a tile of this shape, if it has a way of its own.
    pub(super) fn steps(&self, rows: u64, cols: u64) -> Option<&[ReductionStep]> {
        let shape = self.shapes.iter().find(|shape| (shape.rows, shape.cols) == (rows, cols))?;
        Some(&shape.steps)
    }

    /// Cycles of an instruction that reduces groups.
    pub(super) fn group(&self, repeats: u64) -> MicroCycles {
        self.startup + self.slope * repeats
    }
}
