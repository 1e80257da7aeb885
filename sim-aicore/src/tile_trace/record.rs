//! What a kernel says of one instruction.

/// One tile instruction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TileRecord {
    /// Its place in the program.
    pub sequence: u64,
    /// Its name.
    pub opcode: String,
    /// The tiles that it reads.
    pub inputs: Vec<TileOperand>,
    /// The tiles that it writes.
    pub outputs: Vec<TileOperand>,
}

/// A tile, or a tensor in GM.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TileOperand {
    /// Its first element.
    pub address: u64,
    /// Of a tile: rows and columns that count. Of a tensor in GM: five extents.
    pub shape: Vec<i64>,
    /// How its elements lie.
    pub layout: String,
    /// Its elements.
    pub dtype: String,
}
