//! From records to a program.
//!
//! A record names its operation and says where its operands are; which pipe works on it follows from both. What a record
//! does not say is taken as simple as can be: tiles are as wide as the part of them that counts, and rows in GM touch.

use std::collections::BTreeMap;

use crate::pipes::{Drain, Element, Extent, GmPlace, Instruction, Mad, Path, Program, Transfer, VectorOp, VectorWork};
use crate::task::TensorDescriptor;

use super::dependencies::{Access, Space, Step, in_order};
use super::finding::{OpcodeCounts, OperandProblem, TraceFinding};
use super::memories::{CoreMemory, Memories};
use super::opcodes::{Meaning, Shape, meaning_of};
use super::record::{TileOperand, TileRecord};

/// The program that a call with these tensors was, on a core with these memories.
pub fn program_of(
    records: &[TileRecord],
    memories: &Memories,
    tensors: &[TensorDescriptor],
) -> Result<Program, TraceFinding> {
    let mut steps = Vec::with_capacity(records.len());
    let mut unknown: BTreeMap<String, u64> = BTreeMap::new();
    let mut problem = None;
    for (index, record) in records.iter().enumerate() {
        let Some(meaning) = meaning_of(&record.opcode, record.inputs.len()) else {
            *unknown.entry(record.opcode.clone()).or_default() += 1;
            continue;
        };
        match (Translator { record, memories, tensors }).step(meaning) {
            Ok(step) => steps.extend(step),
            Err(first) => {
                let opcode = record.opcode.clone();
                problem.get_or_insert(TraceFinding::Operand { index, opcode, problem: first });
            }
        }
    }
    // All the names at once: whoever wants to add them needs them all.
    if !unknown.is_empty() {
        return Err(TraceFinding::UnknownOpcodes(OpcodeCounts(unknown)));
    }
    problem.map_or_else(|| Ok(Program::new(in_order(&steps))), Err)
}

/// One record.
struct Translator<'a> {
    record: &'a TileRecord,
    memories: &'a Memories,
    tensors: &'a [TensorDescriptor],
}

/// An operand whose place is known.
#[derive(Clone, Copy)]
struct Operand<'a> {
    raw: &'a TileOperand,
    home: Home,
    element: Element,
}

/// Where an operand is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Home {
    Gm,
    Core(CoreMemory, u64),
}

impl Home {
    fn name(self) -> &'static str {
        match self {
            Home::Gm => "GM",
            Home::Core(memory, _) => memory.name(),
        }
    }
}

impl<'a> Translator<'a> {
    fn step(&self, meaning: Meaning) -> Result<Option<Step>, OperandProblem> {
        if meaning == Meaning::Nothing {
            return Ok(None);
        }
        let inputs = self.operands(&self.record.inputs)?;
        let outputs = self.operands(&self.record.outputs)?;
        let instruction = match meaning {
            Meaning::Nothing => return Ok(None),
            Meaning::Load => self.load(first(&outputs, "output")?, first(&inputs, "input")?)?,
            Meaning::Store => self.store(first(&outputs, "output")?, first(&inputs, "input")?)?,
            Meaning::Move => moved(first(&outputs, "output")?, first(&inputs, "input")?, true)?,
            Meaning::Insert => moved(first(&outputs, "output")?, first(&inputs, "input")?, false)?,
            Meaning::Product => product(&inputs)?,
            Meaning::Vector(op, shape) => vector(op, shape, &inputs, &outputs)?,
            Meaning::Push => Instruction::Push { bytes: first(&inputs, "input")?.bytes()? },
            Meaning::Pop => Instruction::Pop { bytes: first(&outputs, "output")?.bytes()? },
        };
        let read = inputs.iter().map(|operand| operand.access(false));
        let written = outputs.iter().map(|operand| operand.access(true));
        Ok(Some(Step { instruction, accesses: read.chain(written).collect::<Result<_, _>>()? }))
    }

    fn operands(&self, raw: &'a [TileOperand]) -> Result<Vec<Operand<'a>>, OperandProblem> {
        let operand = |raw: &'a TileOperand| {
            let home = match self.memories.locate(raw.address) {
                Some((memory, offset)) => Home::Core(memory, offset),
                None if raw.shape.len() == GM_EXTENTS => Home::Gm,
                None => return Err(OperandProblem::Nowhere { address: raw.address }),
            };
            let element = element_of(&raw.dtype).ok_or_else(|| OperandProblem::Element(raw.dtype.clone()))?;
            Ok(Operand { raw, home, element })
        };
        raw.iter().map(operand).collect()
    }

    fn load(&self, to: Operand<'_>, from: Operand<'_>) -> Result<Instruction, OperandProblem> {
        let path = match (from.home, to.home) {
            (Home::Gm, Home::Core(CoreMemory::Ub, _)) => Path::GmToUb,
            (Home::Gm, Home::Core(CoreMemory::L1, _)) => Path::GmToL1,
            _ => return Err(no_path(from, to)),
        };
        let nd2nz = path == Path::GmToL1 && from.raw.layout != "NZ" && to.raw.layout.contains("inner=");
        self.between_gm_and_core(path, from, nd2nz)
    }

    fn store(&self, to: Operand<'_>, from: Operand<'_>) -> Result<Instruction, OperandProblem> {
        let path = match (from.home, to.home) {
            (Home::Core(CoreMemory::Ub, _), Home::Gm) => Path::UbToGm,
            (Home::Core(CoreMemory::L1, _), Home::Gm) => Path::L1ToGm,
            (Home::Core(CoreMemory::L0c, _), Home::Gm) => {
                let (m, n) = from.tile()?;
                let stride = u64::from(n) * to.element.bytes();
                let place = GmPlace::of(to.raw.address, self.tensors);
                return Ok(Instruction::Drain(Drain { path: Path::L0cToGm, m, n, element: to.element, stride, place }));
            }
            _ => return Err(no_path(from, to)),
        };
        self.between_gm_and_core(path, to, false)
    }

    fn between_gm_and_core(&self, path: Path, gm: Operand<'_>, nd2nz: bool) -> Result<Instruction, OperandProblem> {
        let (rows, cols) = gm.rows_in_gm()?;
        let row_bytes = u64::from(cols) * gm.element.bytes();
        let shape = || OperandProblem::Shape(gm.raw.shape.clone());
        Ok(Instruction::Transfer(Transfer {
            path,
            rows,
            row_bytes: u32::try_from(row_bytes).map_err(|_| shape())?,
            stride: row_bytes,
            place: GmPlace::of(gm.raw.address, self.tensors),
            nd2nz,
        }))
    }
}

/// How many extents the library gives a tensor in GM.
const GM_EXTENTS: usize = 5;

fn first<'a>(operands: &[Operand<'a>], what: &'static str) -> Result<Operand<'a>, OperandProblem> {
    operands.first().copied().ok_or(OperandProblem::Missing(what))
}

fn no_path(from: Operand<'_>, to: Operand<'_>) -> OperandProblem {
    OperandProblem::NoPath { from: from.home.name(), to: to.home.name() }
}

/// A tile goes from one memory of the core to another: the output, or the input if it becomes a part of the output.
fn moved(to: Operand<'_>, from: Operand<'_>, is_output: bool) -> Result<Instruction, OperandProblem> {
    use CoreMemory::{L0a, L0b, L0c, L1, Ub};
    let (Home::Core(source, _), Home::Core(target, _)) = (from.home, to.home) else { return Err(no_path(from, to)) };
    let (rows, cols) = if is_output { to.tile()? } else { from.tile()? };
    let path = match (source, target) {
        (Ub, Ub) => {
            let extent = Extent::Tile { rows, cols, width: cols };
            let work = VectorWork { op: VectorOp::Copy, element: from.element, to: to.element, extent };
            return Ok(Instruction::Vector(work));
        }
        (L0c, Ub | L1) => {
            let path = if target == Ub { Path::L0cToUb } else { Path::L0cToL1 };
            let place = GmPlace::of(0, &[]);
            return Ok(Instruction::Drain(Drain { path, m: rows, n: cols, element: to.element, stride: 0, place }));
        }
        (L1, L0a) => Path::L1ToL0a,
        (L1, L0b) => Path::L1ToL0b,
        (L1, Ub) => Path::L1ToUb,
        (Ub, L1) => Path::UbToL1,
        _ => return Err(no_path(from, to)),
    };
    let row_bytes = u64::from(cols) * from.element.bytes();
    let shape = || OperandProblem::Shape(to.raw.shape.clone());
    let row_bytes = u32::try_from(row_bytes).map_err(|_| shape())?;
    Ok(Instruction::Transfer(Transfer { path, rows, row_bytes, stride: 0, place: GmPlace::of(0, &[]), nd2nz: false }))
}

fn product(inputs: &[Operand<'_>]) -> Result<Instruction, OperandProblem> {
    let factor = |memory: CoreMemory, what| {
        let is_there = |operand: &&Operand<'_>| matches!(operand.home, Home::Core(home, _) if home == memory);
        inputs.iter().find(is_there).ok_or(OperandProblem::Missing(what))
    };
    let left = factor(CoreMemory::L0a, "factor in L0A")?;
    let right = factor(CoreMemory::L0b, "factor in L0B")?;
    let ((m, k), (_, n)) = (left.tile()?, right.tile()?);
    Ok(Instruction::Mad(Mad { m, k, n, element: left.element }))
}

fn vector(
    op: VectorOp,
    shape: Shape,
    inputs: &[Operand<'_>],
    outputs: &[Operand<'_>],
) -> Result<Instruction, OperandProblem> {
    let elsewhere = |operand: &&Operand<'_>| !matches!(operand.home, Home::Core(CoreMemory::Ub, _));
    if let Some(operand) = inputs.iter().chain(outputs).find(elsewhere) {
        return Err(OperandProblem::NotInUb(operand.home.name()));
    }
    let output = first(outputs, "output")?;
    let (of, element, to) = match shape {
        Shape::Output => (output, output.element, output.element),
        Shape::Pairs => (output, Element::Uint64, Element::Uint64),
        Shape::Input => {
            let input = first(inputs, "input")?;
            (input, input.element, input.element)
        }
        Shape::Converted => {
            let input = first(inputs, "input")?;
            (input, input.element, output.element)
        }
        Shape::Ranked => {
            let input = first(inputs, "input")?;
            (input, input.element, Element::Uint64)
        }
    };
    let (rows, mut cols) = of.tile()?;
    if shape == Shape::Pairs {
        cols = (u64::from(cols) * output.element.bytes()).div_ceil(Element::Uint64.bytes()) as u32;
    }
    let extent = Extent::Tile { rows, cols, width: cols };
    Ok(Instruction::Vector(VectorWork { op, element, to, extent }))
}

impl Operand<'_> {
    fn shape_problem(&self) -> OperandProblem {
        OperandProblem::Shape(self.raw.shape.clone())
    }

    /// Rows and columns of a tile.
    fn tile(&self) -> Result<(u32, u32), OperandProblem> {
        match self.raw.shape[..] {
            [rows, cols] => self.extents(rows, cols),
            _ => Err(self.shape_problem()),
        }
    }

    /// Rows in GM, and the elements of each that touch.
    fn rows_in_gm(&self) -> Result<(u32, u32), OperandProblem> {
        let [a, b, c, d, e] = self.raw.shape[..] else { return Err(self.shape_problem()) };
        let product = |extents: &[i64]| {
            extents.iter().try_fold(1_i64, |all, extent| all.checked_mul(*extent)).ok_or_else(|| self.shape_problem())
        };
        match self.raw.layout.as_str() {
            "ND" => self.extents(product(&[a, b, c, d])?, e),
            "DN" => self.extents(product(&[a, b, c, e])?, d),
            "NZ" => self.extents(product(&[a, b, c])?, product(&[d, e])?),
            other => Err(OperandProblem::Layout(other.to_owned())),
        }
    }

    fn extents(&self, rows: i64, cols: i64) -> Result<(u32, u32), OperandProblem> {
        match (u32::try_from(rows), u32::try_from(cols)) {
            (Ok(rows), Ok(cols)) => Ok((rows, cols)),
            _ => Err(self.shape_problem()),
        }
    }

    fn bytes(&self) -> Result<u64, OperandProblem> {
        let extents = self.raw.shape.iter().map(|extent| u64::try_from(*extent).ok());
        let elements = extents.fold(Some(1_u64), |all, extent| all?.checked_mul(extent?));
        let bytes = elements.and_then(|elements| elements.checked_mul(self.element.bytes()));
        bytes.ok_or_else(|| self.shape_problem())
    }

    fn access(&self, writes: bool) -> Result<Access, OperandProblem> {
        let (space, begin) = match self.home {
            Home::Gm => (Space::Gm, self.raw.address),
            Home::Core(memory, offset) => (Space::Core(memory), offset),
        };
        Ok(Access { space, bytes: begin..begin.saturating_add(self.bytes()?), writes })
    }
}

/// The elements that the library calls so.
fn element_of(dtype: &str) -> Option<Element> {
    Some(match dtype {
        "float32" => Element::Fp32,
        "float16" => Element::Fp16,
        "bfloat16" => Element::Bf16,
        "int64" => Element::Int64,
        "int32" => Element::Int32,
        "int16" => Element::Int16,
        "int8" => Element::Int8,
        "uint64" => Element::Uint64,
        "uint32" => Element::Uint32,
        "uint16" => Element::Uint16,
        "uint8" => Element::Uint8,
        "bool" => Element::Bool,
        _ => return None,
    })
}
