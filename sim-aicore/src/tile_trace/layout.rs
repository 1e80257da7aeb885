//! How a trace lies in memory: structures of the tile library, and the vectors and strings of libstdc++ in them.
//!
//! Everything here is bytes that have been copied; nothing follows a pointer.

use super::finding::Malformed;

/// `InstructionTraceState`: the next sequence number, then the vector of records. A mutex follows.
pub(super) mod state {
    /// `next_sequence_id`
    pub(in super::super) const NEXT_SEQUENCE: usize = 0;
    /// `records`
    pub(in super::super) const RECORDS: usize = 8;
    /// As much of it as is needed.
    pub(in super::super) const SIZE: usize = 32;
}

/// `InstructionTraceRecord`
pub(super) mod record {
    /// `sequence_id`
    pub(in super::super) const SEQUENCE: usize = 8;
    /// `opcode`
    pub(in super::super) const OPCODE: usize = 16;
    /// `input_tiles`
    pub(in super::super) const INPUTS: usize = 48;
    /// `scalar_inputs`
    pub(in super::super) const SCALARS: usize = 72;
    /// `output_tiles`
    pub(in super::super) const OUTPUTS: usize = 96;
    /// All of it.
    pub(in super::super) const SIZE: usize = 120;
}

/// `TileOperandTrace`
pub(super) mod tile {
    /// `address`
    pub(in super::super) const ADDRESS: usize = 0;
    /// `shape`
    pub(in super::super) const SHAPE: usize = 8;
    /// `layout`
    pub(in super::super) const LAYOUT: usize = 32;
    /// `dtype`
    pub(in super::super) const DTYPE: usize = 64;
    /// All of it.
    pub(in super::super) const SIZE: usize = 96;
}

/// `ScalarOperandTrace`
pub(super) mod scalar {
    /// `dtype`
    pub(in super::super) const DTYPE: usize = 0;
    /// `value`
    pub(in super::super) const VALUE: usize = 32;
    /// All of it.
    pub(in super::super) const SIZE: usize = 64;
}

/// `std::vector`: begin, end, end of the block.
pub(super) const VECTOR_SIZE: usize = 24;

/// The most bytes that a text of a trace has. The longest layout that the library writes has 89.
const MOST_TEXT: u64 = 256;

/// The number at `offset`.
pub(super) fn word(bytes: &[u8], offset: usize) -> u64 {
    bytes.get(offset..offset + 8).and_then(|word| word.try_into().ok()).map_or(0, u64::from_le_bytes)
}

/// A vector.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct VectorHead {
    /// Its first element.
    pub(super) begin: u64,
    /// How many it has.
    pub(super) count: usize,
    /// The block that holds them; null if there is none.
    pub(super) block: u64,
}

impl VectorHead {
    /// The vector at `offset`, of at most `most` elements of `size` bytes.
    pub(super) fn read(
        bytes: &[u8],
        offset: usize,
        size: usize,
        most: usize,
        what: &'static str,
    ) -> Result<VectorHead, Malformed> {
        let (begin, end, limit) = (word(bytes, offset), word(bytes, offset + 8), word(bytes, offset + 16));
        if begin == 0 && end == 0 && limit == 0 {
            return Ok(VectorHead { begin, count: 0, block: 0 });
        }
        let size = size as u64;
        let is_vector = begin != 0 && begin <= end && end <= limit && begin.is_multiple_of(8);
        if !is_vector || !(end - begin).is_multiple_of(size) {
            return Err(Malformed::Vector { what, begin, end, limit });
        }
        let count = (end - begin) / size;
        if count > most as u64 {
            return Err(Malformed::TooMany { what, count, most });
        }
        Ok(VectorHead { begin, count: count as usize, block: begin })
    }
}

/// A string: a short one lies in the object itself, where its pointer then leads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum TextHead {
    /// Its bytes are here, at this offset.
    Here { offset: usize, length: usize },
    /// They are in a block of their own.
    Block { address: u64, length: usize },
}

impl TextHead {
    /// The string at `offset` of something that lies at `home`.
    pub(super) fn read(bytes: &[u8], offset: usize, home: u64, what: &'static str) -> Result<TextHead, Malformed> {
        const ROOM: u64 = 15;
        let (address, length) = (word(bytes, offset), word(bytes, offset + 8));
        let is_here = address == home.wrapping_add(offset as u64 + 16);
        if length > MOST_TEXT || (is_here && length > ROOM) || address == 0 {
            return Err(Malformed::Text { what, address, length });
        }
        let length = length as usize;
        Ok(if is_here { TextHead::Here { offset: offset + 16, length } } else { TextHead::Block { address, length } })
    }
}
