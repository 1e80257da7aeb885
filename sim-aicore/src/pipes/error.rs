//! What a program can ask for in vain.

use super::cluster::Role;
use super::instruction::{Element, Pipe, VectorOp};

/// A program that no core can run to its end.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error, displaydoc::Display)]
#[expect(missing_docs, reason = "the messages say it")]
pub enum PipeError {
    /// instruction {index}: {pipe} waits for event {event} of {from}, which nobody sets: its set_flag is missing, or cannot be reached while this waits
    NeverSet { index: usize, pipe: Pipe, from: Pipe, event: u16 },
    /// instruction {index}: {core} has no pipe {pipe}: the kernel is one for the other kind of core
    NoSuchPipe { index: usize, core: CoreKind, pipe: Pipe },
    /// instruction {index}: {arch} has no path {path}
    NoSuchPath { index: usize, arch: &'static str, path: String },
    /// instruction {index}: nothing is known of {op:?} on {element:?}
    UnknownCost { index: usize, op: VectorOp, element: Element },
    /// instruction {index}: {core} and {peer} have no flags between them: those are between the AIC of a cluster and each of its AIVs
    NoSuchPeer { index: usize, core: CoreKind, peer: Role },
    /// the kernel has {used} bytes of {memory}, the core {size}
    TooLarge { memory: &'static str, used: u64, size: u64 },
}

/// A kind of core.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum CoreKind {
    /// A cube core.
    Aic,
    /// A vector core.
    Aiv,
}

impl CoreKind {
    /// Whether it has this pipe.
    pub const fn has(self, pipe: Pipe) -> bool {
        match (self, pipe) {
            (_, Pipe::S | Pipe::Mte2 | Pipe::Mte3) => true,
            (CoreKind::Aic, Pipe::M | Pipe::Mte1 | Pipe::Fix) => true,
            (CoreKind::Aiv, Pipe::V) => true,
            (CoreKind::Aic, Pipe::V) | (CoreKind::Aiv, Pipe::M | Pipe::Mte1 | Pipe::Fix) => false,
        }
    }
}

impl std::fmt::Display for CoreKind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            CoreKind::Aic => "an AIC",
            CoreKind::Aiv => "an AIV",
        })
    }
}
