//! The programs that are known: what a kernel does is written down once for each kind of call.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

use sim_core::time::{SimDuration, SimTime};
use sim_core::trace::ContentHash;

use super::cluster::{Part, Role, Together, run_together};
use super::error::{CoreKind, PipeError};
use super::model::{Moved, PipeModel, PricedProgram};
use super::program::{Program, Traffic};
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

/// What a call does: which bytes of its tensors it touches, and how long it takes.
#[derive(Debug)]
pub struct KnownProgram {
    /// What it moves between its core and GM, by tensor.
    pub traffic: Vec<Traffic>,
    /// The cores of its cluster that it waits for.
    pub waits_for: Vec<Role>,
    /// Those and the ones that it raises flags for.
    pub peers: Vec<Role>,
    /// Shared with all calls of the same time.
    timed: Rc<TimedProgram>,
}

/// A program with its prices. Calls that differ only in places have one together, however many there are.
#[derive(Debug)]
struct TimedProgram {
    content: ContentHash,
    priced: PricedProgram,
    moved: Moved,
    /// How it went at the rates that were asked for so far.
    timelines: RefCell<BTreeMap<MemoryRates, Rc<Timeline>>>,
}

impl KnownProgram {
    /// The identity of all that its time depends on.
    pub fn content(&self) -> ContentHash {
        self.timed.content
    }

    /// Bytes that it reads and writes.
    pub fn wanted(&self) -> (u64, u64) {
        let sum = |(read, written), entry: &Traffic| (read + entry.read_bytes, written + entry.written_bytes);
        self.traffic.iter().fold((0, 0), sum)
    }

    /// Bytes that the memory system has to move for it.
    pub fn moved(&self) -> Moved {
        self.timed.moved
    }

    /// How it goes with this part of the memory system, if it never has to wait for another core.
    pub fn timeline(&self, rates: &MemoryRates) -> Rc<Timeline> {
        self.timed.timeline(rates)
    }
}

impl TimedProgram {
    /// A program with its prices, if it runs to its end.
    fn new(content: ContentHash, priced: PricedProgram) -> Result<Self, PipeError> {
        let alone = MemoryRates::alone();
        let timeline = priced.run(&alone)?;
        let moved = priced.moved();
        Ok(TimedProgram {
            content,
            priced,
            moved,
            timelines: RefCell::new(BTreeMap::from([(alone, Rc::new(timeline))])),
        })
    }

    /// How it goes with this part of the memory system.
    fn timeline(&self, rates: &MemoryRates) -> Rc<Timeline> {
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
    timed: BTreeMap<(CoreKind, ContentHash), Rc<TimedProgram>>,
    together: RefCell<BTreeMap<GroupKey, Rc<Together>>>,
}

/// One core's part of a task whose parts wait for each other.
#[derive(Clone, Debug)]
pub struct Member {
    /// Whose.
    pub role: Role,
    /// What it does.
    pub program: Rc<KnownProgram>,
    /// When it begins.
    pub begin: SimTime,
    /// What it gets of the memory system.
    pub rates: MemoryRates,
}

/// All that decides how parts of a task go together: what each does, how long after the first it begins, and what it gets
/// of the memory.
type GroupKey = [Option<(ContentHash, SimDuration, MemoryRates)>; Role::COUNT];

/// So many groups are remembered. Cores hardly ever begin at the same distances again, but each part of a task asks for
/// the whole group.
const MOST_GROUPS: usize = 1024;

impl ProgramLibrary {
    /// That of a call like this one, if there was one.
    pub fn get(&self, key: &ProgramKey) -> Option<Rc<KnownProgram>> {
        self.programs.get(key).map(Rc::clone)
    }

    /// How the parts of a task go together.
    pub fn together(&self, members: &[Member]) -> Together {
        let Some(first) = members.iter().map(|member| member.begin).min() else { return Together::default() };
        let mut key = GroupKey::default();
        for Member { role, program, begin, rates } in members {
            key[role.index()] = Some((program.content(), begin.since(first), *rates));
        }
        let known = self.together.borrow().get(&key).map(Rc::clone);
        let together = known.unwrap_or_else(|| {
            let parts = members.iter().map(|member| Part {
                role: member.role,
                program: &member.program.timed.priced,
                begin: SimTime::ZERO + member.begin.since(first),
                rates: member.rates,
            });
            let parts: Vec<Part<'_>> = parts.collect();
            let together = Rc::new(run_together(&parts));
            let mut known = self.together.borrow_mut();
            if known.len() >= MOST_GROUPS {
                known.clear();
            }
            known.insert(key, Rc::clone(&together));
            together
        });
        together.later(first.since(SimTime::ZERO))
    }

    /// Every call like this one does what `program` says, on these pipes.
    pub fn add(
        &mut self,
        key: ProgramKey,
        program: &Program,
        pipes: &PipeModel,
    ) -> Result<Rc<KnownProgram>, PipeError> {
        let content = program.content();
        let timed = match self.timed.get(&(key.core, content)) {
            Some(timed) => Rc::clone(timed),
            None => {
                let timed = Rc::new(TimedProgram::new(content, pipes.price(program)?)?);
                self.timed.insert((key.core, content), Rc::clone(&timed));
                timed
            }
        };
        let (waits_for, peers) = (program.waits_for(), program.peers());
        let known = Rc::new(KnownProgram { traffic: program.traffic(), waits_for, peers, timed });
        self.programs.insert(key, Rc::clone(&known));
        Ok(known)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tensor(address: u64, shape: [u32; 5], strides: [u32; 5]) -> TensorDescriptor {
        TensorDescriptor { buffer: address, dimensions: 2, shape, strides, ..TensorDescriptor::default() }
    }

    #[test]
    fn do_calls_that_differ_only_in_places_have_one_program_together() {
        use crate::pipes::{GmPlace, Instruction, Path, Transfer};
        let copy = |offset| {
            let place = GmPlace { tensor: Some(0), offset, alignment: 0 };
            let (path, rows, row_bytes, stride, nd2nz) = (Path::GmToUb, 1, 512, 512, false);
            Program::new(vec![Instruction::Transfer(Transfer { path, rows, row_bytes, stride, place, nd2nz })])
        };
        let key = |block_idx| {
            let part = CallPart { block_idx, block_num: 2, sub_block_id: 0 };
            ProgramKey::new(ContentHash(7), CoreKind::Aiv, &[], &[], part)
        };
        let profile = sim_core::profile::Profile::load(sim_core::profile::Arch::A2a3).unwrap();
        let pipes = PipeModel::of(&profile, CoreKind::Aiv);
        let mut library = ProgramLibrary::default();
        let first = library.add(key(0), &copy(0), &pipes).unwrap();
        let second = library.add(key(1), &copy(1024), &pipes).unwrap();
        assert!(Rc::ptr_eq(&first.timed, &second.timed));
        assert_eq!([first.traffic[0].begin, second.traffic[0].begin], [0, 1024]);
        assert!(Rc::ptr_eq(&library.get(&key(1)).unwrap(), &second));
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
