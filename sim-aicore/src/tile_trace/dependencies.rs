//! The order among pipes that a trace does not tell, from what each instruction touches.
//!
//! Two instructions that touch the same bytes, one of them writing, have to stay in order. If they are on different
//! pipes, the later one waits for a flag that is raised behind the earlier one. On the same pipe, only vectors that need
//! what a vector before them wrote wait for it, at a barrier: transfers and products follow each other anyway.
//!
//! One flag for each pair of pipes is enough: of two waits of a pipe for another, the later one is always for a later
//! instruction, since what comes before is there too.

use std::collections::BTreeMap;
use std::ops::Range;

use crate::pipes::{Instruction, Pipe};

use super::memories::CoreMemory;

/// Where bytes are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Space {
    Gm,
    Core(CoreMemory),
}

/// Bytes that an instruction touches.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Access {
    pub(super) space: Space,
    pub(super) bytes: Range<u64>,
    pub(super) writes: bool,
}

/// An instruction and what it touches.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Step {
    pub(super) instruction: Instruction,
    pub(super) accesses: Vec<Access>,
}

/// The instructions of a program, with the flags and barriers that they need.
pub(super) fn in_order(steps: &[Step]) -> Vec<Instruction> {
    let mut order = Order::new(steps.len());
    for (index, step) in steps.iter().enumerate() {
        if let Some(pipe) = step.instruction.pipe() {
            order.add(index, pipe, &step.accesses);
        }
    }
    order.program(steps)
}

/// An access that later ones may have to wait for.
struct Known {
    bytes: Range<u64>,
    writes: bool,
    pipe: Pipe,
    index: usize,
}

/// What comes before and behind an instruction.
#[derive(Clone, Default)]
struct Around {
    barrier: bool,
    wait_for: Vec<Pipe>,
    raise_for: Vec<Pipe>,
}

struct Order {
    known: BTreeMap<Space, Vec<Known>>,
    around: Vec<Around>,
    /// Up to which instruction of the other pipe, exclusive, each pipe has waited.
    waited: [[usize; Pipe::COUNT]; Pipe::COUNT],
}

impl Order {
    fn new(steps: usize) -> Order {
        let around = vec![Around::default(); steps];
        Order { known: BTreeMap::new(), around, waited: [[0; Pipe::COUNT]; Pipe::COUNT] }
    }

    fn add(&mut self, index: usize, pipe: Pipe, accesses: &[Access]) {
        // By pipe, the first instruction that need not be done.
        let mut needed = [0; Pipe::COUNT];
        for access in accesses {
            for known in self.known.entry(access.space).or_default() {
                if known.holds_up(pipe, access) {
                    needed[known.pipe.index()] = needed[known.pipe.index()].max(known.index + 1);
                }
            }
        }
        for other in Pipe::ALL {
            let waited = &mut self.waited[pipe.index()][other.index()];
            if needed[other.index()] <= *waited {
                continue;
            }
            if other == pipe {
                *waited = index;
                self.around[index].barrier = true;
            } else {
                *waited = needed[other.index()];
                self.around[*waited - 1].raise_for.push(pipe);
                self.around[index].wait_for.push(other);
            }
        }
        for access in accesses {
            let known = self.known.entry(access.space).or_default();
            // Who waits for this access need not wait for one that this one takes the place of.
            known.retain(|before| !before.is_replaced(pipe, access));
            known.push(Known { bytes: access.bytes.clone(), writes: access.writes, pipe, index });
        }
    }

    fn program(self, steps: &[Step]) -> Vec<Instruction> {
        let mut program = Vec::with_capacity(2 * steps.len());
        for (step, around) in steps.iter().zip(self.around) {
            let Some(pipe) = step.instruction.pipe() else { continue };
            let wait = |from: &Pipe| Instruction::WaitFlag { from: *from, to: pipe, event: 0 };
            let raise = |to: &Pipe| Instruction::SetFlag { from: pipe, to: *to, event: 0 };
            program.extend(around.wait_for.iter().map(wait));
            program.extend(around.barrier.then_some(Instruction::Barrier(pipe)));
            program.push(step.instruction);
            program.extend(around.raise_for.iter().map(raise));
        }
        program
    }
}

impl Known {
    /// Whether an access of `pipe` has to wait for this one.
    fn holds_up(&self, pipe: Pipe, access: &Access) -> bool {
        let overlap = self.bytes.start < access.bytes.end && access.bytes.start < self.bytes.end;
        let conflict = if pipe == self.pipe { pipe == Pipe::V && self.writes } else { self.writes || access.writes };
        overlap && conflict
    }

    /// Whether whoever has to wait for this one would also wait for `access`, which comes later.
    fn is_replaced(&self, pipe: Pipe, access: &Access) -> bool {
        if access.writes {
            access.bytes.start <= self.bytes.start && self.bytes.end <= access.bytes.end
        } else {
            !self.writes && self.pipe == pipe && self.bytes == access.bytes
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pipes::{Element, Extent, GmPlace, Path, Transfer, VectorOp, VectorWork};

    fn transfer(path: Path, at: Range<u64>) -> Step {
        let place = GmPlace { tensor: None, offset: 0, alignment: 0 };
        let instruction =
            Instruction::Transfer(Transfer { path, rows: 1, row_bytes: 64, stride: 64, place, nd2nz: false });
        let writes = path.reads_gm();
        Step { instruction, accesses: vec![Access { space: Space::Core(CoreMemory::Ub), bytes: at, writes }] }
    }

    fn vector(reads: impl IntoIterator<Item = Range<u64>>, writes: Range<u64>) -> Step {
        let extent = Extent::Tile { rows: 1, cols: 16, width: 16 };
        let (element, to) = (Element::Fp32, Element::Fp32);
        let access = |bytes: Range<u64>, writes| Access { space: Space::Core(CoreMemory::Ub), bytes, writes };
        let mut accesses: Vec<Access> = reads.into_iter().map(|bytes| access(bytes, false)).collect();
        accesses.push(access(writes, true));
        Step {
            instruction: Instruction::Vector(VectorWork { op: VectorOp::Add, element, to, extent, places: None }),
            accesses,
        }
    }

    /// The program in short.
    fn short(steps: &[Step]) -> Vec<String> {
        let word = |instruction: &Instruction| match instruction {
            Instruction::WaitFlag { from, to, event } => format!("{to} waits for {from} {event}"),
            Instruction::SetFlag { from, to, event } => format!("{from} raises {to} {event}"),
            Instruction::Barrier(pipe) => format!("{pipe} barrier"),
            other => other.pipe().unwrap().to_string(),
        };
        in_order(steps).iter().map(word).collect()
    }

    #[test]
    fn which_flags_does_a_sum_need() {
        let steps = [
            transfer(Path::GmToUb, 0..64),
            transfer(Path::GmToUb, 64..128),
            vector([0..64, 64..128], 128..192),
            transfer(Path::UbToGm, 128..192),
        ];
        let expected = [
            "MTE2",
            "MTE2",
            "MTE2 raises V 0",
            "V waits for MTE2 0",
            "V",
            "V raises MTE3 0",
            "MTE3 waits for V 0",
            "MTE3",
        ];
        assert_eq!(short(&steps), expected);
    }

    #[test]
    fn does_the_next_load_into_a_tile_wait_for_who_reads_it_and_only_once() {
        let steps = [
            transfer(Path::GmToUb, 0..64),
            vector(Some(0..64), 64..128),
            vector(Some(0..32), 128..192),
            transfer(Path::GmToUb, 0..64),
            transfer(Path::GmToUb, 64..128),
        ];
        let expected = [
            "MTE2",
            "MTE2 raises V 0",
            "V waits for MTE2 0",
            "V",
            "V",
            "V raises MTE2 0",
            "MTE2 waits for V 0",
            "MTE2",
            "MTE2",
        ];
        assert_eq!(short(&steps), expected);
    }

    #[test]
    fn do_vectors_wait_for_results_of_vectors_and_for_nothing_else() {
        let steps = [
            vector([], 0..64),
            vector(Some(0..64), 64..128),
            vector(Some(0..64), 128..192),
            // Writes over the first result, which is there since the barrier, and what others have read.
            vector([], 0..64),
            vector(Some(128..192), 128..192),
        ];
        assert_eq!(short(&steps), ["V", "V barrier", "V", "V", "V", "V barrier", "V"]);
    }

    #[test]
    fn are_tiles_beside_each_other_independent() {
        let steps = [transfer(Path::GmToUb, 0..64), vector(Some(64..128), 128..192), transfer(Path::UbToGm, 192..256)];
        assert_eq!(short(&steps), ["MTE2", "V", "MTE3"]);
    }
}
