//! The programs that are known: what a kernel does is written down once for each kind of call.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

use sim_core::trace::ContentHash;

use super::error::{CoreKind, PipeError};
use super::model::PricedProgram;
use super::program::Program;
use super::{MemoryRates, Timeline};
use crate::task::TensorDescriptor;

/// All that decides what a call of a kernel does, unless that depends on what is in its tensors.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ProgramKey {
    kernel: ContentHash,
    core: CoreKind,
    /// Types, shapes, strides and alignments of the tensors, which of them share a buffer, the scalars, and which part
    /// of the task it is.
    words: Box<[u64]>,
}

/// Which part of a task a call is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CallPart {
    /// Its block.
    pub block_idx: i32,
    /// Of so many.
    pub block_num: i32,
    /// Its core in the cluster.
    pub sub_block_id: i32,
}

impl ProgramKey {
    /// That of a call.
    pub fn new(
        kernel: ContentHash,
        core: CoreKind,
        tensors: &[TensorDescriptor],
        scalars: &[u64],
        part: CallPart,
    ) -> Self {
        let mut words = vec![tensors.len() as u64];
        for (index, tensor) in tensors.iter().enumerate() {
            let dimensions = (tensor.dimensions as usize).min(tensor.shape.len());
            let first = tensors[..index].iter().position(|other| other.buffer == tensor.buffer).unwrap_or(index);
            words.extend([u64::from(tensor.data_type), dimensions as u64, tensor.address() % 512, first as u64]);
            let extents = tensor.shape[..dimensions].iter().zip(&tensor.strides);
            words.extend(extents.map(|(extent, stride)| u64::from(*extent) << 32 | u64::from(*stride)));
        }
        words.extend(scalars);
        words.extend([part.block_idx, part.block_num, part.sub_block_id].map(|part| part as u64));
        ProgramKey { kernel, core, words: words.into() }
    }

    /// The kernel.
    pub fn kernel(&self) -> ContentHash {
        self.kernel
    }
}

/// A program with its prices.
#[derive(Debug)]
pub struct KnownProgram {
    /// What it does.
    pub program: Program,
    /// The identity of that.
    pub content: ContentHash,
    priced: PricedProgram,
    /// How it went at the rates that were asked for so far.
    timelines: RefCell<BTreeMap<MemoryRates, Rc<Timeline>>>,
}

impl KnownProgram {
    /// A program with its prices, if it runs to its end.
    pub fn new(program: Program, priced: PricedProgram) -> Result<Self, PipeError> {
        let content = program.content();
        let known = KnownProgram { program, content, priced, timelines: RefCell::default() };
        let alone = MemoryRates::alone();
        let timeline = known.priced.run(&alone)?;
        known.timelines.borrow_mut().insert(alone, Rc::new(timeline));
        Ok(known)
    }

    /// How it goes with this part of the memory system.
    pub fn timeline(&self, rates: &MemoryRates) -> Rc<Timeline> {
        if let Some(known) = self.timelines.borrow().get(rates) {
            return Rc::clone(known);
        }
        // Whether it runs to its end does not depend on rates: it did alone.
        let run = self.priced.run(rates);
        let timeline = Rc::new(run.unwrap_or_else(|error| unreachable!("it ran alone, and now: {error}")));
        self.timelines.borrow_mut().insert(*rates, Rc::clone(&timeline));
        timeline
    }
}

/// The programs that were written down so far.
#[derive(Debug, Default)]
pub struct ProgramLibrary {
    programs: BTreeMap<ProgramKey, Rc<KnownProgram>>,
}

impl ProgramLibrary {
    /// That of a call like this one, if there was one.
    pub fn get(&self, key: &ProgramKey) -> Option<Rc<KnownProgram>> {
        self.programs.get(key).map(Rc::clone)
    }

    /// Every call like this one does that.
    pub fn add(&mut self, key: ProgramKey, program: Rc<KnownProgram>) {
        self.programs.insert(key, program);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tensor(address: u64, shape: [u32; 5], strides: [u32; 5]) -> TensorDescriptor {
        TensorDescriptor { buffer: address, dimensions: 2, shape, strides, ..TensorDescriptor::default() }
    }

    #[test]
    fn which_calls_do_the_same() {
        let dense = |address| tensor(address, [4, 8, 0, 0, 0], [8, 1, 0, 0, 0]);
        let key = |tensors: &[TensorDescriptor], scalars: &[u64], block_idx| {
            let part = CallPart { block_idx, block_num: 2, sub_block_id: 0 };
            ProgramKey::new(ContentHash(7), CoreKind::Aiv, tensors, scalars, part)
        };
        let one = key(&[dense(0x1000), dense(0x2000)], &[5], 0);
        // Elsewhere, and what no dimension has does not count.
        assert_eq!(key(&[tensor(0x5000, [4, 8, 9, 0, 0], [8, 1, 0, 0, 0]), dense(0x9000)], &[5], 0), one);
        for other in [
            key(&[dense(0x1000), dense(0x1000)], &[5], 0),
            key(&[dense(0x1040), dense(0x2000)], &[5], 0),
            key(&[tensor(0x1000, [4, 8, 0, 0, 0], [16, 1, 0, 0, 0]), dense(0x2000)], &[5], 0),
            key(&[dense(0x1000), dense(0x2000)], &[6], 0),
            key(&[dense(0x1000), dense(0x2000)], &[5], 1),
        ] {
            assert_ne!(other, one);
        }
    }
}
