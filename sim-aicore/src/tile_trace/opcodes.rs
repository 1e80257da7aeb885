//! What each tile instruction is.
//!
//! Names are those of the tile library's functions. What is not listed here has no published cost, or does more than one
//! thing; it is reported by name.

use crate::pipes::VectorOp;

/// What a tile instruction does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Meaning {
    /// Nothing that takes time on a pipe: it only says where tiles are, or orders what in a trace is in order.
    Nothing,
    /// From GM to UB or L1.
    Load,
    /// From UB, L1 or L0C to GM.
    Store,
    /// From one memory of the core to another; the tile that is moved is the output.
    Move,
    /// The same; the tile that is moved is the input, into a part of the output.
    Insert,
    /// A product of what is in L0A and L0B.
    Product,
    /// A vector operation.
    Vector(VectorOp, Shape),
    /// To or from another core of the cluster, through a pipe of which a trace says nothing.
    HandOver,
}

/// Which tile says how much a vector operation works on, and with which elements.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shape {
    /// The output.
    Output,
    /// The first input.
    Input,
    /// The first input; the output has other elements.
    Converted,
    /// The first input; the output has a pair of a value and an index for each, eight bytes.
    Ranked,
    /// The output, whose elements are such pairs.
    Pairs,
}

/// What the instruction of this name does, if it is known.
pub(super) fn meaning_of(opcode: &str, inputs: usize) -> Option<Meaning> {
    use Shape::{Converted, Input, Output, Pairs, Ranked};
    let (op, shape) = match opcode {
        "TASSIGN" | "TRESHAPE" | "TSUBVIEW" | "TSYNC" | "TPRINT" => return Some(Meaning::Nothing),
        "TLOAD" => return Some(Meaning::Load),
        "TSTORE" => return Some(Meaning::Store),
        "TMOV" | "TEXTRACT" => return Some(Meaning::Move),
        "TINSERT" => return Some(Meaning::Insert),
        "TMATMUL" | "TMATMUL_ACC" | "TMATMUL_BIAS" | "TGEMV" | "TGEMV_ACC" | "TGEMV_BIAS" => {
            return Some(Meaning::Product);
        }
        "TPUSH" | "TPOP" | "TALLOC" | "TFREE" => return Some(Meaning::HandOver),
        "TADD" => (VectorOp::Add, Output),
        "TSUB" => (VectorOp::Sub, Output),
        "TMUL" => (VectorOp::Mul, Output),
        "TDIV" => (VectorOp::Div, Output),
        "TMAX" => (VectorOp::Max, Output),
        "TMIN" => (VectorOp::Min, Output),
        "TAND" => (VectorOp::And, Output),
        "TOR" => (VectorOp::Or, Output),
        // A difference with a scalar is a sum with its negative.
        "TADDS" | "TSUBS" => (VectorOp::Adds, Output),
        "TMULS" => (VectorOp::Muls, Output),
        "TMAXS" => (VectorOp::Maxs, Output),
        "TMINS" => (VectorOp::Mins, Output),
        // Reciprocals are recorded as this.
        "TDIVS" => (VectorOp::Divs, Output),
        "TSHLS" => (VectorOp::Shl, Output),
        "TSHRS" => (VectorOp::Shr, Output),
        "TNEG" => (VectorOp::Neg, Output),
        "TABS" => (VectorOp::Abs, Output),
        "TEXP" => (VectorOp::Exp, Output),
        "TLOG" => (VectorOp::Ln, Output),
        "TSQRT" => (VectorOp::Sqrt, Output),
        "TRSQRT" => (VectorOp::Rsqrt, Output),
        "TRECIP" => (VectorOp::Recip, Output),
        "TRELU" => (VectorOp::Relu, Output),
        "TLRELU" => (VectorOp::Lrelu, Output),
        "TNOT" => (VectorOp::Not, Output),
        "TEXPANDS" => (VectorOp::Fill, Output),
        "TAXPY" => (VectorOp::Axpy, Output),
        "TSEL" => (VectorOp::Select, Output),
        "TCMP" => (VectorOp::Compare, Converted),
        "TCMPS" => (VectorOp::Compares, Converted),
        "TCVT" => (VectorOp::Convert, Converted),
        "TROWSUM" => (VectorOp::RowSum, Input),
        "TROWMAX" => (VectorOp::RowMax, Input),
        "TROWMIN" => (VectorOp::RowMin, Input),
        "TCOLSUM" => (VectorOp::ColSum, Input),
        "TCOLMAX" => (VectorOp::ColMax, Input),
        "TCOLMIN" => (VectorOp::ColMin, Input),
        "TROWEXPAND" => (VectorOp::RowExpand, Output),
        "TCOLEXPAND" => (VectorOp::ColExpand, Output),
        "TROWEXPANDADD" => (VectorOp::RowExpandAdd, Output),
        "TROWEXPANDSUB" => (VectorOp::RowExpandSub, Output),
        "TROWEXPANDMUL" => (VectorOp::RowExpandMul, Output),
        "TROWEXPANDDIV" => (VectorOp::RowExpandDiv, Output),
        "TSORT32" => (VectorOp::Sort32, Ranked),
        "TMRGSORT" => (VectorOp::Merge, Pairs),
        // By a pattern, or by a tile of indices.
        "TGATHER" if inputs < 2 => (VectorOp::GatherMask, Converted),
        "TGATHER" => (VectorOp::Gather, Output),
        "TTRANS" => (VectorOp::Transpose, Input),
        _ => return None,
    };
    Some(Meaning::Vector(op, shape))
}
