//! Memory in which a kernel has left a trace of its tile instructions, as one block: the state of the trace, the memories
//! of the core, then everything that those lead to, as libstdc++ lays it out.

use sim_aicore::task::TensorDescriptor;

/// Where the memory begins.
pub(crate) const BASE: u64 = 0x7000_0000_0000;
/// Where the state of the trace is.
pub(crate) const STATE: u64 = BASE;
/// Where it says where the memories of the core are.
pub(crate) const MEMORIES: u64 = BASE + STATE_BYTES as u64;

const STATE_BYTES: usize = 32;
const MEMORY_COUNT: usize = 8;
const VECTOR_BYTES: usize = 24;
const RECORD_BYTES: usize = 120;
const TILE_BYTES: usize = 96;
/// Where the memories of the core begin, one behind the other.
const UB: u64 = 0x1000_0000;
const GM: u64 = 0x10_0000_0000;

/// The tensor that is read.
pub(crate) fn tensor() -> TensorDescriptor {
    let (shape, strides) = ([64, 64, 0, 0, 0], [64, 1, 0, 0, 0]);
    TensorDescriptor { buffer: GM, buffer_bytes: 16_384, dimensions: 2, shape, strides, ..TensorDescriptor::default() }
}

/// Memory that grows.
struct Block(Vec<u8>);

/// A tile or a tensor.
struct Operand {
    address: u64,
    shape: &'static [u64],
    layout: &'static str,
}

/// The trace of a kernel that loads two tiles, adds them, and stores the sum. The first layout is too long to lie in its
/// string.
pub(crate) fn image() -> Vec<u8> {
    let tile = |index: u64| Operand {
        address: UB + index * 0x4000,
        shape: &[64, 64],
        layout: "outer=row_major,inner=none_box,fractal_size=512",
    };
    let global = |index: u64| Operand { address: GM + index * 0x4000, shape: &[1, 1, 1, 64, 64], layout: "ND" };
    let instructions = [
        ("TLOAD", tile(0), vec![global(0)]),
        ("TLOAD", tile(1), vec![global(1)]),
        ("TADD", tile(2), vec![tile(0), tile(1)]),
        ("TSTORE", global(2), vec![tile(2)]),
    ];
    let mut block = Block(vec![0; STATE_BYTES + MEMORY_COUNT * VECTOR_BYTES]);
    for index in 0..MEMORY_COUNT {
        let begin = if index == 1 { UB } else { 0x2000_0000 * (index as u64 + 1) };
        block.vector(STATE_BYTES + index * VECTOR_BYTES, begin, 192 << 10);
    }
    block.word(0, instructions.len() as u64);
    let records = block.room(instructions.len() * RECORD_BYTES);
    block.vector(8, BASE + records as u64, instructions.len() * RECORD_BYTES);
    for (index, (opcode, output, inputs)) in instructions.into_iter().enumerate() {
        let record = records + index * RECORD_BYTES;
        block.word(record + 8, index as u64);
        block.text(record + 16, opcode);
        block.operands(record + 48, &inputs);
        block.operands(record + 96, &[output]);
    }
    block.0
}

impl Block {
    /// New bytes at the end; where they begin.
    fn room(&mut self, size: usize) -> usize {
        let begin = self.0.len();
        self.0.resize(begin + size.next_multiple_of(8), 0);
        begin
    }

    fn word(&mut self, at: usize, word: u64) {
        self.0[at..at + 8].copy_from_slice(&word.to_le_bytes());
    }

    fn vector(&mut self, at: usize, begin: u64, size: usize) {
        let end = begin + size as u64;
        [begin, end, end].into_iter().enumerate().for_each(|(index, word)| self.word(at + 8 * index, word));
    }

    fn text(&mut self, at: usize, text: &str) {
        const SHORT: usize = 15;
        let place = if text.len() > SHORT { self.room(text.len()) } else { at + 16 };
        self.word(at, BASE + place as u64);
        self.word(at + 8, text.len() as u64);
        self.0[place..place + text.len()].copy_from_slice(text.as_bytes());
    }

    fn operands(&mut self, at: usize, operands: &[Operand]) {
        let home = self.room(operands.len() * TILE_BYTES);
        self.vector(at, BASE + home as u64, operands.len() * TILE_BYTES);
        for (index, operand) in operands.iter().enumerate() {
            let tile = home + index * TILE_BYTES;
            self.word(tile, operand.address);
            let shape = self.room(8 * operand.shape.len());
            operand.shape.iter().enumerate().for_each(|(index, extent)| self.word(shape + 8 * index, *extent));
            self.vector(tile + 8, BASE + shape as u64, 8 * operand.shape.len());
            self.text(tile + 32, operand.layout);
            self.text(tile + 64, "float32");
        }
    }
}
