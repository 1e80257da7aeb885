//! From records to a program.
//!
//! A record names its operation and says where its operands are; which pipe works on it follows from both. What a record
//! does not say is taken as simple as can be: tiles are as wide as the part of them that counts, and rows in GM touch,
//! unless they are as long as those of a view whose rows do not.

use std::collections::BTreeMap;

use sim_hbm::bandwidth::Direction;

use crate::pipes::{
    Drain, Element, Extent, GmPlace, Instruction, Mad, Path, Program, Transfer, UbPlaces, VectorOp, VectorWork,
};
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
        if meaning == Meaning::HandOver {
            return Err(OperandProblem::NoSlots);
        }
        let inputs = self.operands(&self.record.inputs)?;
        let outputs = self.operands(&self.record.outputs)?;
        let instruction = match meaning {
            Meaning::Nothing | Meaning::HandOver => return Ok(None),
            Meaning::Load => self.load(first(&outputs, "output")?, first(&inputs, "input")?)?,
            Meaning::Store => self.store(first(&outputs, "output")?, first(&inputs, "input")?)?,
            Meaning::Move => moved(first(&outputs, "output")?, first(&inputs, "input")?, true)?,
            Meaning::Insert => moved(first(&outputs, "output")?, first(&inputs, "input")?, false)?,
            Meaning::Product => product(&inputs)?,
            Meaning::Vector(op, shape) => vector(op, shape, &inputs, &outputs)?,
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
                let place = GmPlace::of(to.raw.address, self.tensors);
                let stride = self.row_stride(place, u64::from(n) * to.element.bytes());
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
        let place = GmPlace::of(gm.raw.address, self.tensors);
        Ok(Instruction::Transfer(Transfer {
            path,
            rows,
            row_bytes: u32::try_from(row_bytes).map_err(|_| shape())?,
            stride: self.row_stride(place, row_bytes),
            place,
            nd2nz,
        }))
    }

    /// From one row of this length to the next. A trace does not say; but rows that begin where a row of the task's view
    /// begins, and are as long, lie as that does: else they would go beyond it.
    fn row_stride(&self, place: GmPlace, row_bytes: u64) -> u64 {
        let view = place.tensor.and_then(|index| self.tensors.get(usize::from(index)));
        let rows = view.map(|tensor| tensor.transfer(Direction::Read));
        let same = rows.filter(|view| {
            view.rows > 1 && view.row_bytes == row_bytes && place.offset.is_multiple_of(view.row_stride)
        });
        same.map_or(row_bytes, |view| view.row_stride)
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
            let work = VectorWork { op: VectorOp::Copy, element: from.element, to: to.element, extent, places: None };
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
    Ok(Instruction::Vector(VectorWork { op, element, to, extent, places: places(op, inputs, output) }))
}

/// Where in UB operands and result of a vector operation are; all of them are there.
fn places(op: VectorOp, inputs: &[Operand<'_>], output: Operand<'_>) -> Option<UbPlaces> {
    let place = |operand: &Operand<'_>| match operand.home {
        Home::Core(CoreMemory::Ub, offset) => u32::try_from(offset).ok(),
        _ => None,
    };
    let second = inputs.get(1).filter(|_| op.takes_two_tiles()).and_then(place);
    Some(UbPlaces { result: place(&output)?, first: place(inputs.first()?)?, second })
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
        let mut extents = self.raw.shape.iter().map(|extent| u64::try_from(*extent).ok());
        let elements = extents.try_fold(1_u64, |all, extent| all.checked_mul(extent?));
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

#[cfg(test)]
mod tests {
    use super::super::test_memory::{TestMemory, record, tensor, tile};
    use std::slice::from_ref;

    use super::*;
    use crate::pipes::Pipe;

    const SIZES: [usize; 8] = [128, 192 << 10, 512 << 10, 64 << 10, 64 << 10, 128 << 10, 4096, 4096];
    const GM: u64 = 0x10_0000_0000;

    /// The memories of a core, and where UB, L1, L0A, L0B and L0C begin.
    fn core() -> (Memories, [u64; 5]) {
        let mut memory = TestMemory::default();
        let (object, begins) = memory.memories(SIZES);
        let memories = Memories::read(&memory, object).unwrap();
        (memories, [begins[1], begins[2], begins[3], begins[4], begins[5]])
    }

    /// A 64 × 64 matrix of float32 in GM.
    fn matrix(index: u64) -> TensorDescriptor {
        let (shape, strides) = ([64, 64, 0, 0, 0], [64, 1, 0, 0, 0]);
        let buffer = GM + index * 0x1_0000;
        TensorDescriptor { buffer, buffer_bytes: 16_384, dimensions: 2, shape, strides, ..TensorDescriptor::default() }
    }

    #[test]
    fn how_far_apart_are_the_rows_of_a_view_of_which_a_trace_says_nothing() {
        let (memories, [ub, ..]) = core();
        // The left half of a matrix of 64 rows of 512 bytes.
        let (shape, strides, extent) = ([64, 64, 0, 0, 0], [128, 1, 0, 0, 0], 63 * 128 + 64);
        let view = TensorDescriptor { shape, strides, extent, buffer_bytes: 32_768, ..matrix(0) };
        let stride_of = |offset, rows, cols| {
            let gm = tensor(GM + offset, rows, cols, "float32");
            let load = record(0, "TLOAD", &[tile(ub, rows, cols, "float32")], &[gm]);
            match without_order(&program_of(&[load], &memories, &[view]).unwrap())[..] {
                [Instruction::Transfer(Transfer { stride, .. })] => stride,
                ref other => panic!("{other:?}"),
            }
        };
        assert_eq!([stride_of(0, 64, 64), stride_of(16 * 512, 8, 64)], [512, 512]);
        // Rows of another length, or that begin elsewhere, are not the view's.
        assert_eq!([stride_of(0, 64, 32), stride_of(128, 8, 64)], [128, 256]);
    }

    fn without_order(program: &Program) -> Vec<Instruction> {
        let works = |it: &&Instruction| {
            !matches!(it, Instruction::SetFlag { .. } | Instruction::WaitFlag { .. } | Instruction::Barrier(_))
        };
        program.instructions().iter().filter(works).copied().collect()
    }

    fn place(tensor: u16, offset: u64) -> GmPlace {
        GmPlace { tensor: Some(tensor), offset, alignment: (offset % 512) as u16 }
    }

    #[test]
    fn which_program_is_a_sum_of_two_matrices() {
        let (memories, [ub, ..]) = core();
        let [a, b, c] = [0, 0x4000, 0x8000].map(|offset| tile(ub + offset, 64, 64, "float32"));
        let gm = |index: u64| tensor(GM + index * 0x1_0000, 64, 64, "float32");
        let records = [
            record(0, "TASSIGN", from_ref(&a), &[]),
            record(1, "TLOAD", from_ref(&a), &[gm(0)]),
            record(2, "TLOAD", from_ref(&b), &[gm(1)]),
            record(3, "TADD", from_ref(&c), &[a, b]),
            record(4, "TSTORE", &[gm(2)], &[c]),
        ];
        let tensors = [0, 1, 2].map(matrix);
        let program = program_of(&records, &memories, &tensors).unwrap();
        let transfer = |path, tensor| {
            let place = place(tensor, 0);
            Instruction::Transfer(Transfer { path, rows: 64, row_bytes: 256, stride: 256, place, nd2nz: false })
        };
        let extent = Extent::Tile { rows: 64, cols: 64, width: 64 };
        let places = Some(UbPlaces { first: 0, second: Some(0x4000), result: 0x8000 });
        let sum = VectorWork { op: VectorOp::Add, element: Element::Fp32, to: Element::Fp32, extent, places };
        let flag =
            |from, to| [Instruction::SetFlag { from, to, event: 0 }, Instruction::WaitFlag { from, to, event: 0 }];
        let ([loaded, wait_for_load], [summed, wait_for_sum]) = (flag(Pipe::Mte2, Pipe::V), flag(Pipe::V, Pipe::Mte3));
        let expected = [
            transfer(Path::GmToUb, 0),
            transfer(Path::GmToUb, 1),
            loaded,
            wait_for_load,
            Instruction::Vector(sum),
            summed,
            wait_for_sum,
            transfer(Path::UbToGm, 2),
        ];
        assert_eq!(program.instructions(), expected);
    }

    #[test]
    fn which_program_is_a_product_of_two_matrices() {
        let (memories, [_, l1, l0a, l0b, l0c]) = core();
        let boxed = |mut tile: TileOperand| {
            tile.layout = "outer=col_major,inner=row_major,fractal_size=512".to_owned();
            tile
        };
        let (left, right) = (boxed(tile(l1, 64, 32, "float16")), boxed(tile(l1 + 0x8000, 32, 128, "float16")));
        let (a, b) = (boxed(tile(l0a, 64, 32, "float16")), boxed(tile(l0b, 32, 128, "float16")));
        let c = boxed(tile(l0c, 64, 128, "float32"));
        let records = [
            record(0, "TLOAD", from_ref(&left), &[tensor(GM, 64, 32, "float16")]),
            record(1, "TLOAD", from_ref(&right), &[tensor(GM + 0x1_0000 + 96, 32, 128, "float16")]),
            record(2, "TEXTRACT", from_ref(&a), &[left]),
            record(3, "TMOV", from_ref(&b), &[right]),
            record(4, "TMATMUL_ACC", from_ref(&c), &[c.clone(), a, b]),
            record(5, "TSTORE", &[tensor(GM + 0x2_0000, 64, 128, "bfloat16")], &[c]),
        ];
        let tensors = [0, 1, 2].map(matrix);
        let program = program_of(&records, &memories, &tensors).unwrap();
        let load = |rows, row_bytes, place| {
            let stride = u64::from(row_bytes);
            Instruction::Transfer(Transfer { path: Path::GmToL1, rows, row_bytes, stride, place, nd2nz: true })
        };
        let to_l0 = |path, rows, row_bytes| {
            let place = GmPlace { tensor: None, offset: 0, alignment: 0 };
            Instruction::Transfer(Transfer { path, rows, row_bytes, stride: 0, place, nd2nz: false })
        };
        let expected = [
            load(64, 64, place(0, 0)),
            load(32, 256, place(1, 96)),
            to_l0(Path::L1ToL0a, 64, 64),
            to_l0(Path::L1ToL0b, 32, 256),
            Instruction::Mad(Mad { m: 64, k: 32, n: 128, element: Element::Fp16 }),
            Instruction::Drain(Drain {
                path: Path::L0cToGm,
                m: 64,
                n: 128,
                element: Element::Bf16,
                stride: 256,
                place: place(2, 0),
            }),
        ];
        assert_eq!(without_order(&program), expected);
    }

    #[test]
    fn how_do_rows_lie_in_each_layout() {
        let (memories, [ub, ..]) = core();
        let rows = |layout: &str| {
            let mut gm = tensor(GM, 1, 1, "float32");
            (gm.shape, gm.layout) = (vec![2, 3, 4, 16, 8], layout.to_owned());
            let program = program_of(&[record(0, "TLOAD", &[tile(ub, 1, 1, "float32")], &[gm])], &memories, &[]);
            match program.unwrap().instructions() {
                [Instruction::Transfer(transfer)] => (transfer.rows, transfer.row_bytes),
                other => panic!("{other:?}"),
            }
        };
        assert_eq!((rows("ND"), rows("DN"), rows("NZ")), ((384, 32), (192, 64), (24, 512)));
    }

    /// What is said of one instruction of a core.
    fn said(opcode: &str, outputs: &[TileOperand], inputs: &[TileOperand], memories: &Memories) -> String {
        let records = [record(0, "TASSIGN", &[], &[]), record(1, opcode, outputs, inputs)];
        program_of(&records, memories, &[]).expect_err("it has no program").to_string()
    }

    #[test]
    fn what_is_said_of_what_cannot_be_translated() {
        let (memories, [ub, l1, ..]) = core();
        let good = tile(ub, 16, 16, "float32");
        let said = |opcode, outputs: &[TileOperand], inputs: &[TileOperand]| said(opcode, outputs, inputs, &memories);
        let shaped = |shape: Vec<i64>| TileOperand { shape, ..good.clone() };
        let global = |layout: &str| TileOperand { layout: layout.to_owned(), ..tensor(GM, 4, 4, "float32") };
        let nobody = tile(0x40, 16, 16, "float32");
        for (said, expected) in [
            (said("TADD", from_ref(&good), &[nobody]), "TADD (instruction 1): 0x40 is in none of the core's memories"),
            (said("TADD", &[], from_ref(&good)), "TADD (instruction 1): it has no output"),
            (
                said("TABS", from_ref(&good), &[tile(l1, 1, 1, "float32")]),
                "TABS (instruction 1): its tile is in L1, where vectors cannot work on it",
            ),
            (
                said("TABS", from_ref(&good), &[tile(ub, 1, 1, "int4")]),
                "TABS (instruction 1): nothing is known of elements of type int4",
            ),
            (said("TABS", &[shaped(vec![-1, 4])], &[]), "TABS (instruction 1): [-1, 4] is no shape of it"),
            (
                said("TABS", &[shaped(vec![4, 1 << 40])], &[]),
                "TABS (instruction 1): [4, 1099511627776] is no shape of it",
            ),
            (said("TABS", &[shaped(vec![4])], &[]), "TABS (instruction 1): [4] is no shape of it"),
            (
                said("TLOAD", from_ref(&good), from_ref(&good)),
                "TLOAD (instruction 1): there is no way from UB to UB for it",
            ),
            (
                said("TLOAD", from_ref(&good), &[global("NC1HWC0")]),
                "TLOAD (instruction 1): nothing is known of tensors with the layout NC1HWC0",
            ),
            (said("TMATMUL", from_ref(&good), from_ref(&good)), "TMATMUL (instruction 1): it has no factor in L0A"),
            (
                said("TPUSH", &[], from_ref(&good)),
                "TPUSH (instruction 1): the trace does not say through which pipe, in which direction and with how many \
                 slots: when it waits for the other core cannot be known",
            ),
        ] {
            assert_eq!(said, expected);
        }
    }

    #[test]
    fn are_all_unknown_instructions_named_and_counted() {
        let (memories, [ub, ..]) = core();
        let tile = tile(ub, 16, 16, "float32");
        let records: Vec<TileRecord> = ["TQUANT", "TADD", "THISTOGRAM", "TQUANT"]
            .into_iter()
            .enumerate()
            .map(|(index, opcode)| record(index as u64, opcode, from_ref(&tile), from_ref(&tile)))
            .collect();
        let finding = program_of(&records, &memories, &[]).expect_err("two are unknown");
        assert_eq!(
            finding.to_string(),
            "it uses tile instructions that the model does not know: THISTOGRAM (1), TQUANT (2)"
        );
    }
}
