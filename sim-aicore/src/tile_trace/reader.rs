//! From memory to records.
//!
//! A trace is a tree of blocks: the records, the lists of operands of each, their shapes and longer texts. It is read
//! level by level, a few hundred records at a time, so that the system is asked three times for each such part and a
//! structure that only pretends to be large costs no more than that.

use sim_core::guest_memory::{Fetched, GuestMemory, Ticket, Unreadable, Wanted};

use super::finding::Malformed;
use super::layout::{TextHead, VectorHead, record, scalar, state, tile, word};
use super::record::{TileOperand, TileRecord};

/// The most instructions of one call.
const MOST_RECORDS: usize = 1 << 17;
/// The most operands in one list. The library's longest has eight.
const MOST_OPERANDS: usize = 32;
/// The most extents of a shape. The library's longest has eight.
const MOST_EXTENTS: usize = 16;
/// Records that are read together.
const PART: usize = 256;

/// A trace that was read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Recording {
    /// The instructions in the order of the program.
    pub records: Vec<TileRecord>,
    /// Every block of memory that the trace consists of, by address.
    pub blocks: Vec<u64>,
}

/// Whether there is anything in the trace at `address`.
pub(super) fn has_begun(memory: &impl GuestMemory, address: u64) -> Result<bool, Malformed> {
    let what = "the state of the trace";
    let mut wanted = Wanted::default();
    let head = wanted.add(address, state::SIZE);
    let fetched = wanted.fetch(memory).map_err(|unreadable| Malformed::Unreadable { what, unreadable })?;
    let head = fetched.bytes(&head);
    let is_empty = word(head, state::RECORDS) == word(head, state::RECORDS + 8);
    Ok(word(head, state::NEXT_SEQUENCE) != 0 || !is_empty)
}

/// Reads the trace at `address`.
pub fn read(memory: &impl GuestMemory, address: u64) -> Result<Recording, Malformed> {
    let what = "the state of the trace";
    let mut wanted = Wanted::default();
    let head = wanted.add(address, state::SIZE);
    let fetched = wanted.fetch(memory).map_err(unreadable(what))?;
    let all =
        VectorHead::read(fetched.bytes(&head), state::RECORDS, record::SIZE, MOST_RECORDS, "the records of the trace")?;
    let mut recording = Recording { records: Vec::new(), blocks: Vec::new() };
    let mut first = 0;
    while first < all.count {
        let count = PART.min(all.count - first);
        let part = Part { memory, base: all.begin + (first * record::SIZE) as u64, count };
        part.read(&mut recording)?;
        first += count;
    }
    recording.blocks.extend((all.block != 0).then_some(all.block));
    recording.checked()
}

impl Recording {
    /// Records are appended when an instruction ends; inside of others there may be more.
    fn checked(mut self) -> Result<Recording, Malformed> {
        self.blocks.sort_unstable();
        if let Some(pair) = self.blocks.windows(2).find(|pair| pair[0] == pair[1]) {
            return Err(Malformed::Shared { address: pair[0] });
        }
        self.records.sort_by_key(|record| record.sequence);
        let twice = self.records.windows(2).find(|pair| pair[0].sequence == pair[1].sequence);
        match twice.map(|pair| pair[0].sequence) {
            Some(sequence) => Err(Malformed::Sequence { sequence }),
            None => Ok(self),
        }
    }
}

fn unreadable(what: &'static str) -> impl Fn(Unreadable) -> Malformed {
    move |unreadable| Malformed::Unreadable { what, unreadable }
}

/// Some records that follow each other.
struct Part<'a, M> {
    memory: &'a M,
    base: u64,
    count: usize,
}

/// A record whose operands have not been read.
struct Outline {
    sequence: u64,
    opcode: Text,
    inputs: List,
    scalars: List,
    outputs: List,
}

/// Operands that are somewhere.
struct List {
    head: VectorHead,
    bytes: Ticket,
}

/// An operand whose shape and texts may be somewhere else.
struct OperandOutline {
    address: u64,
    extents: Ticket,
    layout: Text,
    dtype: Text,
}

/// A text that is known or will be.
enum Text {
    Known(String),
    Wanted(Ticket),
}

impl<M: GuestMemory> Part<'_, M> {
    fn read(&self, recording: &mut Recording) -> Result<(), Malformed> {
        let blocks = &mut recording.blocks;
        let mut wanted = Wanted::default();
        let all = wanted.add(self.base, self.count * record::SIZE);
        let records = wanted.fetch(self.memory).map_err(unreadable("the records of the trace"))?;

        let mut wanted = Wanted::default();
        let records = records.bytes(&all).chunks_exact(record::SIZE).enumerate();
        let outlines: Vec<Outline> = records
            .map(|(index, bytes)| {
                let home = self.base + (index * record::SIZE) as u64;
                Outline::of(bytes, home, &mut wanted, blocks)
            })
            .collect::<Result<_, _>>()?;
        let lists = wanted.fetch(self.memory).map_err(unreadable("the name or the operands of an instruction"))?;

        let mut wanted = Wanted::default();
        let mut operands = Vec::with_capacity(outlines.len());
        for outline in &outlines {
            let inputs = outline.inputs.operands(&lists, &mut wanted, blocks)?;
            let outputs = outline.outputs.operands(&lists, &mut wanted, blocks)?;
            outline.scalars.blocks_of_scalars(&lists, blocks)?;
            operands.push((inputs, outputs));
        }
        let details = wanted.fetch(self.memory).map_err(unreadable("the shape or the type of an operand"))?;

        for (outline, (inputs, outputs)) in outlines.into_iter().zip(operands) {
            let finish = |outlines: Vec<OperandOutline>| outlines.into_iter().map(|it| it.finish(&details)).collect();
            recording.records.push(TileRecord {
                sequence: outline.sequence,
                opcode: outline.opcode.finish(&lists),
                inputs: finish(inputs),
                outputs: finish(outputs),
            });
        }
        Ok(())
    }
}

impl Outline {
    fn of(bytes: &[u8], home: u64, wanted: &mut Wanted, blocks: &mut Vec<u64>) -> Result<Outline, Malformed> {
        let mut list = |offset, size, what| {
            let head = VectorHead::read(bytes, offset, size, MOST_OPERANDS, what)?;
            blocks.extend((head.block != 0).then_some(head.block));
            Ok::<List, Malformed>(List { head, bytes: wanted.add(head.begin, head.count * size) })
        };
        let inputs = list(record::INPUTS, tile::SIZE, "the tiles that an instruction reads")?;
        let scalars = list(record::SCALARS, scalar::SIZE, "the scalars of an instruction")?;
        let outputs = list(record::OUTPUTS, tile::SIZE, "the tiles that an instruction writes")?;
        let opcode = Text::of(bytes, record::OPCODE, home, "the name of an instruction", wanted, blocks)?;
        Ok(Outline { sequence: word(bytes, record::SEQUENCE), opcode, inputs, scalars, outputs })
    }
}

impl List {
    fn operands(
        &self,
        lists: &Fetched,
        wanted: &mut Wanted,
        blocks: &mut Vec<u64>,
    ) -> Result<Vec<OperandOutline>, Malformed> {
        let mut operands = Vec::with_capacity(self.head.count);
        for (index, bytes) in lists.bytes(&self.bytes).chunks_exact(tile::SIZE).enumerate() {
            let home = self.head.begin + (index * tile::SIZE) as u64;
            let shape = VectorHead::read(bytes, tile::SHAPE, 8, MOST_EXTENTS, "the extents of an operand")?;
            blocks.extend((shape.block != 0).then_some(shape.block));
            operands.push(OperandOutline {
                address: word(bytes, tile::ADDRESS),
                extents: wanted.add(shape.begin, shape.count * 8),
                layout: Text::of(bytes, tile::LAYOUT, home, "the layout of an operand", wanted, blocks)?,
                dtype: Text::of(bytes, tile::DTYPE, home, "the type of an operand", wanted, blocks)?,
            });
        }
        Ok(operands)
    }

    /// Of scalars nothing matters but the memory that they have.
    fn blocks_of_scalars(&self, lists: &Fetched, blocks: &mut Vec<u64>) -> Result<(), Malformed> {
        for (index, bytes) in lists.bytes(&self.bytes).chunks_exact(scalar::SIZE).enumerate() {
            let home = self.head.begin + (index * scalar::SIZE) as u64;
            for (offset, what) in [(scalar::DTYPE, "the type of a scalar"), (scalar::VALUE, "the value of a scalar")] {
                if let TextHead::Block { address, .. } = TextHead::read(bytes, offset, home, what)? {
                    blocks.push(address);
                }
            }
        }
        Ok(())
    }
}

impl OperandOutline {
    fn finish(self, details: &Fetched) -> TileOperand {
        let extents = details.bytes(&self.extents).chunks_exact(8);
        TileOperand {
            address: self.address,
            shape: extents.map(|extent| word(extent, 0) as i64).collect(),
            layout: self.layout.finish(details),
            dtype: self.dtype.finish(details),
        }
    }
}

impl Text {
    fn of(
        bytes: &[u8],
        offset: usize,
        home: u64,
        what: &'static str,
        wanted: &mut Wanted,
        blocks: &mut Vec<u64>,
    ) -> Result<Text, Malformed> {
        Ok(match TextHead::read(bytes, offset, home, what)? {
            TextHead::Here { offset, length } => Text::Known(text(&bytes[offset..offset + length])),
            TextHead::Block { address, length } => {
                blocks.push(address);
                Text::Wanted(wanted.add(address, length))
            }
        })
    }

    fn finish(self, fetched: &Fetched) -> String {
        match self {
            Text::Known(text) => text,
            Text::Wanted(ticket) => text(fetched.bytes(&ticket)),
        }
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::super::layout::VECTOR_SIZE;
    use super::super::test_memory::{TestMemory, record, tensor, tile};
    use super::*;

    const LONG_LAYOUT: &str = "outer=col_major,inner=row_major,fractal_size=512";

    fn sum() -> Vec<TileRecord> {
        let mut boxed = tile(0x9000, 64, 64, "float32");
        boxed.layout = LONG_LAYOUT.to_owned();
        vec![
            record(0, "TLOAD", &[boxed.clone()], &[tensor(0x7000, 64, 64, "float32")]),
            record(1, "TADD", &[tile(0x9100, 64, 64, "float32")], &[boxed, tile(0x9200, 64, 64, "float32")]),
            record(2, "TROWEXPANDEXPDIF", &[], &[]),
        ]
    }

    #[test]
    fn is_what_a_kernel_left_read_in_the_order_of_its_program() {
        let mut memory = TestMemory::default();
        let mut left = sum();
        left.swap(0, 2);
        let state = memory.trace(&left);
        let recording = read(&memory, state).unwrap();
        assert_eq!(recording.records, sum());
        // The records; a name; three lists; five shapes; two long layouts.
        let lists = 4;
        assert_eq!(recording.blocks.len(), 1 + 1 + lists + 5 + 2);
        assert!(recording.blocks.is_sorted());
        assert_eq!(has_begun(&memory, state), Ok(true));
    }

    #[test]
    fn is_a_long_trace_read_whole() {
        let mut memory = TestMemory::default();
        let records: Vec<TileRecord> = (0..1000).map(|index| record(index, "TASSIGN", &[], &[])).collect();
        let state = memory.trace(&records);
        assert_eq!(read(&memory, state).unwrap().records, records);
    }

    #[test]
    fn is_a_trace_that_never_began_empty() {
        let mut memory = TestMemory::default();
        let state = memory.add(vec![0; 72]);
        assert_eq!(read(&memory, state), Ok(Recording::default()));
        assert_eq!(has_begun(&memory, state), Ok(false));
    }

    /// What is said of a trace in which some words are others.
    fn spoilt(change: impl FnOnce(&mut TestMemory, u64, u64)) -> String {
        let mut memory = TestMemory::default();
        let state = memory.trace(&sum());
        let records = memory.word(state + state::RECORDS as u64);
        change(&mut memory, state, records);
        read(&memory, state).expect_err("it is none").to_string()
    }

    fn set_vector(memory: &mut TestMemory, place: u64, [begin, end, limit]: [u64; 3]) {
        for (offset, word) in [(0, begin), (8, end), (16, limit)] {
            memory.set(place + offset, word);
        }
    }

    #[test]
    fn what_is_said_of_garbage() {
        const RECORDS: u64 = state::RECORDS as u64;
        const INPUTS: u64 = record::INPUTS as u64;
        const OPCODE: u64 = record::OPCODE as u64;
        let of_state = |words: [u64; 3]| spoilt(|memory, state, _| set_vector(memory, state + RECORDS, words));
        let of_inputs = |words: [u64; 3]| spoilt(|memory, _, first| set_vector(memory, first + INPUTS, words));
        let of_opcode = |length: u64| {
            spoilt(|memory, _, first| {
                memory.set(first + OPCODE, 0xdead_0000);
                memory.set(first + OPCODE + 8, length);
            })
        };
        let of_shape = |words: [u64; 3]| {
            spoilt(|memory, _, first| {
                let inputs = memory.word(first + INPUTS);
                set_vector(memory, inputs + tile::SHAPE as u64, words);
            })
        };
        let same_number = spoilt(|memory, _, first| memory.set(first + record::SEQUENCE as u64, 1));
        let huge = 0x1000 + ((record::SIZE as u64) << 40);
        for (said, expected) in [
            (
                of_state([0xdead_0000, 0xdead_0078, 0xdead_0078]),
                "the records of the trace: 120 bytes at 0xdead0000 cannot be read",
            ),
            (
                of_state([0x2000, 0x10, 0x3000]),
                "the records of the trace are no vector: 0x2000 to 0x10, with room to 0x3000",
            ),
            (
                of_state([0x2000, 0x2000, 0]),
                "the records of the trace are no vector: 0x2000 to 0x2000, with room to 0x0",
            ),
            (of_state([0x1000, huge, huge]), "the records of the trace are 1099511627776, of at most 131072"),
            (
                of_inputs([0x1000, 0x1008, 0x1060]),
                "the tiles that an instruction reads are no vector: 0x1000 to 0x1008, with room to 0x1060",
            ),
            (
                of_inputs([0x1001, 0x1061, 0x1061]),
                "the tiles that an instruction reads are no vector: 0x1001 to 0x1061, with room to 0x1061",
            ),
            (of_opcode(5), "the name or the operands of an instruction: 5 bytes at 0xdead0000 cannot be read"),
            (of_opcode(1 << 40), "the name of an instruction is no text: 1099511627776 bytes at 0xdead0000"),
            (of_shape([0x1000, 0x80_1000, 0x80_1000]), "the extents of an operand are 1048576, of at most 16"),
            (same_number, "two instructions have the number 1"),
        ] {
            assert_eq!(said, expected);
        }
    }

    #[test]
    fn is_a_block_that_two_parts_share_noticed_before_it_is_given_back_twice() {
        let said = spoilt(|memory, _, first| {
            let inputs = first + record::INPUTS as u64;
            let of_second = inputs + record::SIZE as u64;
            for offset in (0..VECTOR_SIZE as u64).step_by(8) {
                let word = memory.word(inputs + offset);
                memory.set(of_second + offset, word);
            }
        });
        assert!(said.starts_with("two of its parts are in one block, at 0x"), "{said}");
    }
}
