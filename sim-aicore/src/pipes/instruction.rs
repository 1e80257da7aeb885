//! Instructions of a core's pipes, as data.

use serde::Serialize;

use super::cluster::{Awaited, Role};

/// An in-order queue of a core.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Pipe {
    /// The scalar unit: runs the program, hands the other pipes their instructions.
    S,
    /// Vectors.
    V,
    /// The cube.
    M,
    /// L1 to L0A, L0B and UB.
    Mte1,
    /// GM to UB and L1.
    Mte2,
    /// UB to GM and L1.
    Mte3,
    /// L0C to GM, UB and L1.
    Fix,
}

impl Pipe {
    /// How many there are.
    pub const COUNT: usize = 7;
    /// All of them, by index.
    pub const ALL: [Pipe; Pipe::COUNT] = [Pipe::S, Pipe::V, Pipe::M, Pipe::Mte1, Pipe::Mte2, Pipe::Mte3, Pipe::Fix];

    /// Its place in lists.
    pub const fn index(self) -> usize {
        self as usize
    }

    /// Its name.
    pub const fn name(self) -> &'static str {
        match self {
            Pipe::S => "S",
            Pipe::V => "V",
            Pipe::M => "M",
            Pipe::Mte1 => "MTE1",
            Pipe::Mte2 => "MTE2",
            Pipe::Mte3 => "MTE3",
            Pipe::Fix => "FIX",
        }
    }
}

impl std::fmt::Display for Pipe {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}

/// A type of element, by the code of the task interface.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
#[expect(missing_docs, reason = "each is named for what it is")]
pub enum Element {
    Fp32 = 0,
    Fp16 = 1,
    Int32 = 2,
    Int16 = 3,
    Int8 = 4,
    Uint8 = 5,
    Bf16 = 6,
    Int64 = 7,
    Uint64 = 8,
    Uint16 = 9,
    Uint32 = 10,
    Bool = 11,
    Fp8 = 12,
}

impl Element {
    /// All, by code.
    pub const ALL: [Element; 13] = [
        Element::Fp32,
        Element::Fp16,
        Element::Int32,
        Element::Int16,
        Element::Int8,
        Element::Uint8,
        Element::Bf16,
        Element::Int64,
        Element::Uint64,
        Element::Uint16,
        Element::Uint32,
        Element::Bool,
        Element::Fp8,
    ];

    /// The element of this code.
    pub fn of_code(code: u8) -> Option<Element> {
        Element::ALL.get(usize::from(code)).copied()
    }

    /// Whether it counts.
    pub const fn is_integer(self) -> bool {
        !matches!(self, Element::Fp32 | Element::Fp16 | Element::Bf16 | Element::Fp8)
    }

    /// How many bytes it has.
    pub const fn bytes(self) -> u64 {
        match self {
            Element::Int64 | Element::Uint64 => 8,
            Element::Fp32 | Element::Int32 | Element::Uint32 => 4,
            Element::Fp16 | Element::Int16 | Element::Bf16 | Element::Uint16 => 2,
            Element::Int8 | Element::Uint8 | Element::Bool | Element::Fp8 => 1,
        }
    }
}

/// From which memory to which.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "each is named for what it is")]
pub enum Path {
    GmToUb = 0,
    GmToL1 = 1,
    UbToGm = 2,
    L1ToGm = 3,
    L1ToL0a = 4,
    L1ToL0b = 5,
    L1ToUb = 6,
    UbToL1 = 7,
    UbToUb = 8,
    L0cToGm = 9,
    L0cToUb = 10,
    L0cToL1 = 11,
    L1ToL0Scales = 12,
    /// Half to each vector core of the cluster, at the same time.
    L0cToUbs = 13,
}

impl Path {
    /// All, by code.
    pub const ALL: [Path; 14] = [
        Path::GmToUb,
        Path::GmToL1,
        Path::UbToGm,
        Path::L1ToGm,
        Path::L1ToL0a,
        Path::L1ToL0b,
        Path::L1ToUb,
        Path::UbToL1,
        Path::UbToUb,
        Path::L0cToGm,
        Path::L0cToUb,
        Path::L0cToL1,
        Path::L1ToL0Scales,
        Path::L0cToUbs,
    ];

    /// The path of this code.
    pub fn of_code(code: u8) -> Option<Path> {
        Path::ALL.get(usize::from(code)).copied()
    }

    /// The pipe that goes it.
    pub const fn pipe(self) -> Pipe {
        match self {
            Path::GmToUb | Path::GmToL1 => Pipe::Mte2,
            Path::UbToGm | Path::L1ToGm | Path::UbToL1 => Pipe::Mte3,
            Path::L1ToL0a | Path::L1ToL0b | Path::L1ToL0Scales | Path::L1ToUb => Pipe::Mte1,
            Path::UbToUb => Pipe::V,
            Path::L0cToGm | Path::L0cToUb | Path::L0cToL1 | Path::L0cToUbs => Pipe::Fix,
        }
    }

    /// Whether it begins in GM.
    pub const fn reads_gm(self) -> bool {
        matches!(self, Path::GmToUb | Path::GmToL1)
    }

    /// Whether it ends in GM.
    pub const fn writes_gm(self) -> bool {
        matches!(self, Path::UbToGm | Path::L1ToGm | Path::L0cToGm)
    }
}

/// A place in GM, as far as it is the same in every run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
pub struct GmPlace {
    /// The tensor argument that it is in, the first one of several; none if it is in none of them.
    pub tensor: Option<u16>,
    /// From the first element of that tensor, in bytes; else 0.
    pub offset: u64,
    /// The address modulo 512.
    pub alignment: u16,
}

/// Bytes from one memory to another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
pub struct Transfer {
    /// From where to where.
    pub path: Path,
    /// How many rows.
    pub rows: u32,
    /// Bytes of each.
    pub row_bytes: u32,
    /// Bytes from one row in GM to the next.
    pub stride: u64,
    /// Where in GM the first row is. Of a path that touches no GM it says nothing.
    pub place: GmPlace,
    /// The cube's fractal layout is made on the way.
    pub nd2nz: bool,
}

impl Transfer {
    /// All its bytes.
    pub const fn bytes(&self) -> u64 {
        self.rows as u64 * self.row_bytes as u64
    }
}

/// What a vector operation does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "each is named for what it does")]
pub enum VectorOp {
    Add = 0,
    Sub = 1,
    Mul = 2,
    Div = 3,
    Max = 4,
    Min = 5,
    And = 6,
    Or = 7,
    Adds = 8,
    Muls = 9,
    Maxs = 10,
    Mins = 11,
    Divs = 12,
    Shl = 13,
    Shr = 14,
    Neg = 15,
    Abs = 16,
    Exp = 17,
    Ln = 18,
    Sqrt = 19,
    Rsqrt = 20,
    Recip = 21,
    Relu = 22,
    Lrelu = 23,
    Not = 24,
    Copy = 25,
    Fill = 26,
    Axpy = 27,
    Select = 28,
    Compare = 29,
    Compares = 30,
    Convert = 31,
    RowSum = 32,
    RowMax = 33,
    RowMin = 34,
    ColSum = 35,
    ColMax = 36,
    ColMin = 37,
    RowExpand = 38,
    ColExpand = 39,
    RowExpandAdd = 40,
    RowExpandSub = 41,
    RowExpandMul = 42,
    RowExpandDiv = 43,
    Sort32 = 44,
    Merge = 45,
    Gather = 46,
    GatherMask = 47,
    Transpose = 48,
}

impl VectorOp {
    /// Whether it reads two tiles, element by element.
    pub const fn takes_two_tiles(self) -> bool {
        use VectorOp::{Add, And, Div, Max, Min, Mul, Or, Sub};
        matches!(self, Add | Sub | Mul | Div | Max | Min | And | Or)
    }

    /// Whether it takes columns together, row after row.
    pub const fn reduces_columns(self) -> bool {
        matches!(self, VectorOp::ColSum | VectorOp::ColMax | VectorOp::ColMin)
    }

    /// All, by code.
    pub const ALL: [VectorOp; 49] = {
        use VectorOp::*;
        [
            Add,
            Sub,
            Mul,
            Div,
            Max,
            Min,
            And,
            Or,
            Adds,
            Muls,
            Maxs,
            Mins,
            Divs,
            Shl,
            Shr,
            Neg,
            Abs,
            Exp,
            Ln,
            Sqrt,
            Rsqrt,
            Recip,
            Relu,
            Lrelu,
            Not,
            Copy,
            Fill,
            Axpy,
            Select,
            Compare,
            Compares,
            Convert,
            RowSum,
            RowMax,
            RowMin,
            ColSum,
            ColMax,
            ColMin,
            RowExpand,
            ColExpand,
            RowExpandAdd,
            RowExpandSub,
            RowExpandMul,
            RowExpandDiv,
            Sort32,
            Merge,
            Gather,
            GatherMask,
            Transpose,
        ]
    };

    /// The operation of this code.
    pub fn of_code(code: u8) -> Option<VectorOp> {
        VectorOp::ALL.get(usize::from(code)).copied()
    }
}

/// How much a vector operation works on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Extent {
    /// A tile. Of a reduction or an expansion it is the larger one.
    Tile {
        /// Its rows.
        rows: u32,
        /// Its columns, in elements.
        cols: u32,
        /// Elements from one row to the next; equal to `cols` if the rows touch.
        width: u32,
    },
    /// Repeats of 256 bytes of a single hardware instruction.
    Repeats(u32),
}

/// Where in UB a vector operation finds its operands and puts its result: bytes from the beginning of UB.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
pub struct UbPlaces {
    /// The result.
    pub result: u32,
    /// The first operand.
    pub first: u32,
    /// The second one, of operations on two tiles.
    pub second: Option<u32>,
}

/// One vector operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
pub struct VectorWork {
    /// What it does.
    pub op: VectorOp,
    /// The elements that it reads.
    pub element: Element,
    /// The elements that it writes.
    pub to: Element,
    /// On how much.
    pub extent: Extent,
    /// Where, if that is known.
    pub places: Option<UbPlaces>,
}

/// A product of matrices in L0: m × k by k × n.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
pub struct Mad {
    /// Rows of the product.
    pub m: u32,
    /// What is summed over.
    pub k: u32,
    /// Columns of the product.
    pub n: u32,
    /// Of the factors.
    pub element: Element,
}

/// A product leaves L0C.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
pub struct Drain {
    /// Where to.
    pub path: Path,
    /// Its rows.
    pub m: u32,
    /// Its columns.
    pub n: u32,
    /// What its elements are made into on the way.
    pub element: Element,
    /// Bytes from one row in GM to the next.
    pub stride: u64,
    /// Where in GM the first row goes; says nothing of another path.
    pub place: GmPlace,
}

impl Drain {
    /// Bytes that arrive.
    pub const fn bytes(&self) -> u64 {
        self.m as u64 * self.n as u64 * self.element.bytes()
    }
}

/// One instruction of a core.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Instruction {
    /// Bytes from one memory to another.
    Transfer(Transfer),
    /// A vector operation.
    Vector(VectorWork),
    /// A product of matrices.
    Mad(Mad),
    /// A product leaves L0C.
    Drain(Drain),
    /// The scalar unit works for so many cycles.
    Scalar {
        /// Of the core's clock.
        cycles: u32,
    },
    /// What `from` was given so far has to be done, then `to` may go on.
    SetFlag {
        /// Who sets it.
        from: Pipe,
        /// For whom.
        to: Pipe,
        /// Which of their flags.
        event: u16,
    },
    /// `to` goes on when `from` has set the flag, and takes it down.
    WaitFlag {
        /// Who sets it.
        from: Pipe,
        /// Who waits.
        to: Pipe,
        /// Which of their flags.
        event: u16,
    },
    /// The pipe is done with what it was given so far before it begins what comes.
    Barrier(Pipe),
    /// All pipes are done with what they were given so far before any of them begins what comes.
    BarrierAll,
    /// What `pipe` was given so far has to be done, then the other core of the cluster may go on.
    SetCross {
        /// Who sets the flag.
        pipe: Pipe,
        /// For whom.
        peer: Role,
        /// Which of the flags between them.
        flag: u16,
    },
    /// `pipe` goes on when the other core of the cluster has set the flag, and takes it down.
    WaitCross {
        /// Who waits.
        pipe: Pipe,
        /// For whom.
        peer: Role,
        /// Which of the flags between them.
        flag: u16,
        /// What that says.
        awaited: Awaited,
    },
}

impl Instruction {
    /// The pipe that executes it; none for a barrier of all.
    pub const fn pipe(&self) -> Option<Pipe> {
        match self {
            Instruction::Transfer(transfer) => Some(transfer.path.pipe()),
            Instruction::Vector(_) => Some(Pipe::V),
            Instruction::Mad(_) => Some(Pipe::M),
            Instruction::Drain(_) => Some(Pipe::Fix),
            Instruction::Scalar { .. } => Some(Pipe::S),
            Instruction::SetFlag { from, .. } => Some(*from),
            Instruction::WaitFlag { to, .. } => Some(*to),
            Instruction::Barrier(pipe) => Some(*pipe),
            Instruction::SetCross { pipe, .. } | Instruction::WaitCross { pipe, .. } => Some(*pipe),
            Instruction::BarrierAll => None,
        }
    }
}
