//! Memory that tests make: traces as libstdc++ lays them out.

use std::collections::BTreeMap;

use sim_core::guest_memory::{GuestMemory, Piece, Unreadable};

use super::layout;
use super::record::{TileOperand, TileRecord};

/// Blocks by address.
#[derive(Default)]
pub(super) struct TestMemory {
    blocks: BTreeMap<u64, Vec<u8>>,
    next: u64,
}

impl GuestMemory for TestMemory {
    fn read(&self, pieces: &[Piece], mut to: &mut [u8]) -> Result<(), Unreadable> {
        for Piece { address, length } in pieces {
            let unreadable = Unreadable { address: *address, length: *length as u64 };
            let (begin, block) = self.blocks.range(..=*address).next_back().ok_or(unreadable)?;
            let offset = (address - begin) as usize;
            let bytes = block.get(offset..offset.saturating_add(*length)).ok_or(unreadable)?;
            to[..*length].copy_from_slice(bytes);
            to = &mut to[*length..];
        }
        Ok(())
    }
}

impl TestMemory {
    /// A new block.
    pub(super) fn add(&mut self, bytes: Vec<u8>) -> u64 {
        let address = self.next + 0x1_0000;
        self.next = address + (bytes.len() as u64).next_multiple_of(16);
        self.blocks.insert(address, bytes);
        address
    }

    /// Another word in a block.
    pub(super) fn set(&mut self, address: u64, word: u64) {
        let (begin, block) = self.blocks.range_mut(..=address).next_back().expect("there is a block");
        let offset = (address - begin) as usize;
        block[offset..offset + 8].copy_from_slice(&word.to_le_bytes());
    }

    /// The word at an address.
    pub(super) fn word(&self, address: u64) -> u64 {
        let mut word = [0; 8];
        self.read(&[Piece { address, length: 8 }], &mut word).expect("there is a block");
        u64::from_le_bytes(word)
    }

    /// A trace of these records: the address of its state.
    pub(super) fn trace(&mut self, records: &[TileRecord]) -> u64 {
        let home = self.add(vec![0; records.len() * layout::record::SIZE]);
        for (index, record) in records.iter().enumerate() {
            let at = home + (index * layout::record::SIZE) as u64;
            self.set(at + layout::record::SEQUENCE as u64, record.sequence);
            self.text(at + layout::record::OPCODE as u64, &record.opcode);
            self.operands(at + layout::record::INPUTS as u64, &record.inputs);
            self.operands(at + layout::record::OUTPUTS as u64, &record.outputs);
        }
        let state = self.add(vec![0; 72]);
        self.set(state, records.len() as u64);
        self.vector(state + layout::state::RECORDS as u64, home, records.len() * layout::record::SIZE);
        state
    }

    /// The object that says where memories of these sizes are, and where they begin.
    pub(super) fn memories(&mut self, sizes: [usize; 8]) -> (u64, [u64; 8]) {
        let object = self.add(vec![0; 8 * layout::VECTOR_SIZE]);
        let begins = sizes.map(|size| self.add(vec![0; size]));
        for (index, (begin, size)) in begins.into_iter().zip(sizes).enumerate() {
            self.vector(object + (index * layout::VECTOR_SIZE) as u64, begin, size);
        }
        (object, begins)
    }

    fn operands(&mut self, place: u64, operands: &[TileOperand]) {
        if operands.is_empty() {
            return;
        }
        let home = self.add(vec![0; operands.len() * layout::tile::SIZE]);
        self.vector(place, home, operands.len() * layout::tile::SIZE);
        for (index, operand) in operands.iter().enumerate() {
            let at = home + (index * layout::tile::SIZE) as u64;
            self.set(at, operand.address);
            let extents: Vec<u8> = operand.shape.iter().flat_map(|extent| extent.to_le_bytes()).collect();
            let length = extents.len();
            let shape = self.add(extents);
            self.vector(at + layout::tile::SHAPE as u64, shape, length);
            self.text(at + layout::tile::LAYOUT as u64, &operand.layout);
            self.text(at + layout::tile::DTYPE as u64, &operand.dtype);
        }
    }

    fn vector(&mut self, place: u64, begin: u64, length: usize) {
        let end = begin + length as u64;
        for (index, word) in [begin, end, end].into_iter().enumerate() {
            self.set(place + 8 * index as u64, word);
        }
    }

    fn text(&mut self, place: u64, text: &str) {
        let mut bytes = text.as_bytes().to_vec();
        self.set(place + 8, text.len() as u64);
        if bytes.len() > 15 {
            let block = self.add(bytes);
            self.set(place, block);
            return;
        }
        bytes.resize(16, 0);
        let word = |half: &[u8]| u64::from_le_bytes(half.try_into().expect("eight bytes"));
        self.set(place, place + 16);
        self.set(place + 16, word(&bytes[..8]));
        self.set(place + 24, word(&bytes[8..]));
    }
}

/// A tile.
pub(super) fn tile(address: u64, rows: i64, cols: i64, dtype: &str) -> TileOperand {
    TileOperand { address, shape: vec![rows, cols], layout: "ND".to_owned(), dtype: dtype.to_owned() }
}

/// A tensor in GM.
pub(super) fn tensor(address: u64, rows: i64, cols: i64, dtype: &str) -> TileOperand {
    TileOperand { address, shape: vec![1, 1, 1, rows, cols], layout: "ND".to_owned(), dtype: dtype.to_owned() }
}

/// An instruction.
pub(super) fn record(sequence: u64, opcode: &str, outputs: &[TileOperand], inputs: &[TileOperand]) -> TileRecord {
    TileRecord { sequence, opcode: opcode.to_owned(), inputs: inputs.to_vec(), outputs: outputs.to_vec() }
}
