//! Why a trace cannot be used.

use std::collections::BTreeMap;

use sim_core::guest_memory::Unreadable;

use crate::pipes::PipeError;

/// Why the trace of a kernel says nothing about what the kernel costs.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error, displaydoc::Display)]
pub enum TraceFinding {
    /// its trace is none: {0}; was it built with another C++ library, or another release of the tile library?
    Malformed(#[from] Malformed),
    /// it uses tile instructions that the model does not know: {0}
    UnknownOpcodes(OpcodeCounts),
    /// {opcode} (instruction {index}): {problem}
    Operand {
        /// Which record, counted from 0.
        index: usize,
        /// What it says.
        opcode: String,
        /// What is wrong.
        problem: OperandProblem,
    },
    /// its program cannot be priced: {0}
    Program(#[from] PipeError),
    /// it does not export pto::NPUMemoryModel::Instance()::instance, so nobody can tell in which memory its tiles are
    NoMemories,
    /// it waits for others by itself, so its time is not that of its instructions alone
    Waits,
    /// it went another way than in an earlier call with arguments of the same shapes and values, whose cost it was given: it decides by what is in memory
    AnotherWay,
}

/// What is wrong with a structure in memory.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error, displaydoc::Display)]
pub enum Malformed {
    /// {what}: {unreadable}
    Unreadable {
        /// What was to be there.
        what: &'static str,
        /// What is not.
        unreadable: Unreadable,
    },
    /// {what} are no vector: {begin:#x} to {end:#x}, with room to {limit:#x}
    Vector {
        /// Which vector.
        what: &'static str,
        /// Its begin.
        begin: u64,
        /// Its end.
        end: u64,
        /// The end of its block.
        limit: u64,
    },
    /// {what} are {count}, of at most {most}
    TooMany {
        /// Which vector.
        what: &'static str,
        /// What it says.
        count: u64,
        /// What it may say.
        most: usize,
    },
    /// {what} is no text: {length} bytes at {address:#x}
    Text {
        /// Which one.
        what: &'static str,
        /// Where it should be.
        address: u64,
        /// How long it should be.
        length: u64,
    },
    /// two of its parts are in one block, at {address:#x}
    Shared {
        /// Where the block is.
        address: u64,
    },
    /// two instructions have the number {sequence}
    Sequence {
        /// The number.
        sequence: u64,
    },
}

/// What is wrong with an operand.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error, displaydoc::Display)]
#[expect(missing_docs, reason = "the messages say it")]
pub enum OperandProblem {
    /// it has no {0}
    Missing(&'static str),
    /// the trace does not say through which pipe, in which direction and with how many slots: when it waits for the other core cannot be known
    NoSlots,
    /// {address:#x} is in none of the core's memories
    Nowhere { address: u64 },
    /// there is no way from {from} to {to} for it
    NoPath { from: &'static str, to: &'static str },
    /// its tile is in {0}, where vectors cannot work on it
    NotInUb(&'static str),
    /// nothing is known of elements of type {0}
    Element(String),
    /// nothing is known of tensors with the layout {0}
    Layout(String),
    /// {0:?} is no shape of it
    Shape(Vec<i64>),
}

/// Names of opcodes, and how often each was there.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OpcodeCounts(pub BTreeMap<String, u64>);

impl std::fmt::Display for OpcodeCounts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for (index, (name, count)) in self.0.iter().enumerate() {
            write!(f, "{}{name} ({count})", if index == 0 { "" } else { ", " })?;
        }
        Ok(())
    }
}
