//! Records: what a kernel wrote down, and the program that it means.
//!
//! The C side is `guest/include/npusim/instruction.h`; change both together.

use super::instruction::{
    Drain, Element, Extent, GmPlace, Instruction, Mad, Path, Pipe, Transfer, VectorOp, VectorWork,
};
use super::program::Program;
use crate::task::TensorDescriptor;

/// `NpusimInstruction`
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[expect(missing_docs, reason = "instruction.h says what each means")]
pub struct Record {
    pub kind: u8,
    pub code: u8,
    pub element: u8,
    pub to_element: u8,
    pub from: u8,
    pub to: u8,
    pub event: u16,
    pub rows: u32,
    pub cols: u32,
    pub width: u32,
    pub flags: u32,
    pub address: u64,
    pub stride: u64,
}

const _: () = assert!(std::mem::size_of::<Record>() == 40 && std::mem::offset_of!(Record, address) == 24);

/// The memories of a core, by `NpusimMemory`.
pub const MEMORIES: [&str; 5] = ["UB", "L1", "L0A", "L0B", "L0C"];

/// `NpusimRecorder`
#[repr(C)]
#[derive(Debug)]
pub struct Recorder {
    /// Whether the kernel computes.
    pub arithmetic: u32,
    /// 0: a2a3, 1: a5.
    pub generation: u32,
    /// The most bytes that the kernel had of each memory.
    pub used: [u64; MEMORIES.len()],
    /// The records.
    pub instructions: *const Record,
    /// How many there are.
    pub count: u64,
    /// For how many there is room.
    pub room: u64,
}

const _: () = assert!(std::mem::size_of::<Recorder>() == 72);

/// instruction {index} of the kernel says {field} {value}: {hint}
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error, displaydoc::Display)]
pub struct MalformedRecord {
    /// Which instruction.
    pub index: usize,
    /// Which field of it.
    pub field: &'static str,
    /// What it says.
    pub value: u64,
    /// What it may say.
    pub hint: &'static str,
}

const FLAG_ND2NZ: u32 = 1;
const PIPE_ALL: u8 = 7;

impl Program {
    /// What the records of a call with these tensors mean.
    pub fn from_records(records: &[Record], tensors: &[TensorDescriptor]) -> Result<Program, MalformedRecord> {
        let read = |(index, record): (usize, &Record)| Reader { index, record, tensors }.instruction();
        Ok(Program::new(records.iter().enumerate().map(read).collect::<Result<_, _>>()?))
    }
}

struct Reader<'a> {
    index: usize,
    record: &'a Record,
    tensors: &'a [TensorDescriptor],
}

impl Reader<'_> {
    fn instruction(&self) -> Result<Instruction, MalformedRecord> {
        let record = self.record;
        Ok(match record.kind {
            0 => Instruction::Transfer(Transfer {
                path: self.path()?,
                rows: record.rows,
                row_bytes: record.cols,
                stride: record.stride,
                place: self.place(),
                nd2nz: record.flags & FLAG_ND2NZ != 0,
            }),
            1 => {
                let extent = Extent::Tile { rows: record.rows, cols: record.cols, width: record.width };
                Instruction::Vector(self.vector(extent)?)
            }
            2 => Instruction::Vector(self.vector(Extent::Repeats(record.rows))?),
            3 => Instruction::Mad(Mad {
                m: record.rows,
                k: record.width,
                n: record.cols,
                element: self.element("element", record.element)?,
            }),
            4 => Instruction::Drain(Drain {
                path: self.path()?,
                m: record.rows,
                n: record.cols,
                element: self.element("to_element", record.to_element)?,
                stride: record.stride,
                place: self.place(),
            }),
            5 => Instruction::Scalar { cycles: record.rows },
            6 => Instruction::SetFlag {
                from: self.pipe("from", record.from)?,
                to: self.pipe("to", record.to)?,
                event: record.event,
            },
            7 => Instruction::WaitFlag {
                from: self.pipe("from", record.from)?,
                to: self.pipe("to", record.to)?,
                event: record.event,
            },
            8 if record.from == PIPE_ALL => Instruction::BarrierAll,
            8 => Instruction::Barrier(self.pipe("from", record.from)?),
            9 => Instruction::Push { bytes: u64::from(record.rows) * u64::from(record.cols) },
            10 => Instruction::Pop { bytes: u64::from(record.rows) * u64::from(record.cols) },
            kind => return Err(self.malformed("kind", kind, "a kind of instruction from 0 to 10")),
        })
    }

    fn vector(&self, extent: Extent) -> Result<VectorWork, MalformedRecord> {
        let record = self.record;
        let op = VectorOp::of_code(record.code);
        Ok(VectorWork {
            op: op.ok_or_else(|| self.malformed("code", record.code, "a vector operation from 0 to 48"))?,
            element: self.element("element", record.element)?,
            to: self.element("to_element", record.to_element)?,
            extent,
        })
    }

    fn path(&self) -> Result<Path, MalformedRecord> {
        let code = self.record.code;
        Path::of_code(code).ok_or_else(|| self.malformed("code", code, "a path from 0 to 11"))
    }

    fn element(&self, field: &'static str, code: u8) -> Result<Element, MalformedRecord> {
        Element::of_code(code).ok_or_else(|| self.malformed(field, code, "a data type from 0 to 12"))
    }

    fn pipe(&self, field: &'static str, code: u8) -> Result<Pipe, MalformedRecord> {
        let pipe = Pipe::ALL.get(usize::from(code)).copied();
        pipe.ok_or_else(|| self.malformed(field, code, "a pipe from 0 to 6, or 7 of a barrier of all"))
    }

    fn malformed(&self, field: &'static str, value: u8, hint: &'static str) -> MalformedRecord {
        MalformedRecord { index: self.index, field, value: u64::from(value), hint }
    }

    fn place(&self) -> GmPlace {
        place_of(self.record.address, self.tensors)
    }
}

/// The first tensor whose buffer has the address: addresses differ from run to run, places in tensors do not.
pub(crate) fn place_of(address: u64, tensors: &[TensorDescriptor]) -> GmPlace {
        let alignment = (address % 512) as u16;
        let holds = |tensor: &TensorDescriptor| {
            address >= tensor.buffer && address - tensor.buffer < tensor.buffer_bytes.max(1)
        };
        match tensors.iter().position(holds) {
            Some(index) => {
                let offset = address.saturating_sub(tensors[index].address());
                GmPlace { tensor: Some(index as u16), offset, alignment }
            }
            None => GmPlace { tensor: None, offset: 0, alignment },
        }
}
