//! Records: what a kernel wrote down, and the program that it means.
//!
//! The C side is `guest/include/npusim/instruction.h`; change both together.

use sim_core::profile::Arch;

use super::cluster::{Awaited, Role, SlotState};
use super::instruction::{
    Drain, Element, Extent, GmPlace, Instruction, Mad, Path, Pipe, Transfer, UbPlaces, VectorOp, VectorWork,
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

/// instruction {index} of the kernel says {field} {value}: expected {hint}
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
const FLAG_PLACES: u32 = 2;
const PIPE_ALL: u8 = 7;
/// How many flags there are from a core to another one of its cluster.
const CROSS_FLAGS: u16 = 16;

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
            9 => Instruction::SetCross {
                pipe: self.pipe("from", record.from)?,
                peer: self.peer()?,
                flag: self.cross_flag()?,
            },
            10 => Instruction::WaitCross {
                pipe: self.pipe("to", record.to)?,
                peer: self.peer()?,
                flag: self.cross_flag()?,
                awaited: Awaited { pipe: record.cols as u16, tile: record.rows, slot: self.slot()? },
            },
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
            places: (record.flags & FLAG_PLACES != 0).then(|| self.places()),
        })
    }

    fn places(&self) -> UbPlaces {
        let Record { address, stride, .. } = *self.record;
        UbPlaces { result: stride as u32, first: address as u32, second: Some((address >> 32) as u32) }
    }

    fn path(&self) -> Result<Path, MalformedRecord> {
        let code = self.record.code;
        Path::of_code(code).ok_or_else(|| self.malformed("code", code, "a path from 0 to 12"))
    }

    fn element(&self, field: &'static str, code: u8) -> Result<Element, MalformedRecord> {
        Element::of_code(code).ok_or_else(|| self.malformed(field, code, "a data type from 0 to 12"))
    }

    fn pipe(&self, field: &'static str, code: u8) -> Result<Pipe, MalformedRecord> {
        let pipe = Pipe::ALL.get(usize::from(code)).copied();
        pipe.ok_or_else(|| self.malformed(field, code, "a pipe from 0 to 6, or 7 of a barrier of all"))
    }

    fn peer(&self) -> Result<Role, MalformedRecord> {
        let code = self.record.element;
        Role::of_code(code).ok_or_else(|| self.malformed("element", code, "a core of the cluster from 0 to 2"))
    }

    fn slot(&self) -> Result<SlotState, MalformedRecord> {
        let code = self.record.code;
        SlotState::of_code(code).ok_or_else(|| self.malformed("code", code, "a state of a slot from 0 to 2"))
    }

    fn cross_flag(&self) -> Result<u16, MalformedRecord> {
        match self.record.event {
            flag @ ..CROSS_FLAGS => Ok(flag),
            other => Err(MalformedRecord {
                index: self.index,
                field: "event",
                value: u64::from(other),
                hint: "a flag between cores from 0 to 15",
            }),
        }
    }

    fn malformed(&self, field: &'static str, value: u8, hint: &'static str) -> MalformedRecord {
        MalformedRecord { index: self.index, field, value: u64::from(value), hint }
    }

    fn place(&self) -> GmPlace {
        GmPlace::of(self.record.address, self.tensors)
    }
}

impl GmPlace {
    /// Addresses differ from run to run, places in tensors do not: the first tensor that reaches the address, else the
    /// first whose buffer has it.
    pub fn of(address: u64, tensors: &[TensorDescriptor]) -> GmPlace {
        let alignment = (address % 512) as u16;
        let reaches = |tensor: &TensorDescriptor| {
            let first = tensor.address();
            address >= first && address - first < tensor.span()
        };
        let has = |tensor: &TensorDescriptor| address >= tensor.buffer && address - tensor.buffer < tensor.buffer_bytes;
        let tensor = tensors.iter().position(reaches).or_else(|| tensors.iter().position(has));
        let offset = tensor.map_or(0, |index| address.saturating_sub(tensors[index].address()));
        GmPlace { tensor: tensor.map(|index| index as u16), offset, alignment }
    }
}

/// The recorder of one core: what it lends to kernels, and what they wrote.
#[derive(Debug)]
#[repr(C)]
pub struct CoreRecorder {
    /// First: kernels know only this.
    head: Recorder,
    records: Vec<Record>,
}

/// Room for so many records at first.
const FIRST_ROOM: usize = 256;

impl CoreRecorder {
    /// A recorder without room yet.
    pub fn new(arch: Arch) -> Self {
        let generation = match arch {
            Arch::A2a3 => 0,
            Arch::A5 => 1,
        };
        let head = Recorder {
            arithmetic: 1,
            generation,
            used: [0; MEMORIES.len()],
            instructions: std::ptr::null(),
            count: 0,
            room: 0,
        };
        CoreRecorder { head, records: Vec::new() }
    }

    /// A call begins, which computes or only says what it would do.
    pub fn begin(&mut self, arithmetic: bool) {
        self.head.arithmetic = u32::from(arithmetic);
        self.head.used = [0; MEMORIES.len()];
        self.head.count = 0;
    }

    /// Makes room for more.
    pub fn grow(&mut self) {
        let room = (self.records.len() * 2).max(FIRST_ROOM);
        self.records.resize(room, Record::default());
        self.head.instructions = self.records.as_mut_ptr();
        self.head.room = room as u64;
    }

    /// What the call wrote.
    pub fn records(&self) -> &[Record] {
        let count = usize::try_from(self.head.count).unwrap_or(usize::MAX);
        &self.records[..count.min(self.records.len())]
    }

    /// The most bytes that the call had of each memory.
    pub fn used(&self) -> &[u64; MEMORIES.len()] {
        &self.head.used
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TENSOR: TensorDescriptor = TensorDescriptor {
        buffer: 0x10000,
        buffer_bytes: 4096,
        owner_task: 0,
        start_offset: 128,
        version: 0,
        dimensions: 1,
        data_type: 0,
        manual_dependencies: 0,
        is_contiguous: 0,
        address_space: 0,
        shape: [64, 0, 0, 0, 0],
        extent: 64,
        strides: [1, 0, 0, 0, 0],
    };

    fn copy_at(address: u64) -> GmPlace {
        let record = Record { kind: 0, code: 0, rows: 1, cols: 32, address, ..Record::default() };
        let tensors = [TENSOR, TensorDescriptor { start_offset: 0, ..TENSOR }];
        let program = Program::from_records(&[record], &tensors).unwrap();
        match program.instructions()[0] {
            Instruction::Transfer(transfer) => transfer.place,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn in_which_tensor_is_an_address() {
        let place = |tensor, offset, alignment| GmPlace { tensor, offset, alignment };
        // Both tensors are views of one buffer: what a view reaches comes first, then whose buffer it is.
        assert_eq!(copy_at(0x10000 + 512 + 64), place(Some(0), 64, 64));
        assert_eq!(copy_at(0x10000 + 32), place(Some(1), 32, 32));
        assert_eq!(copy_at(0x10000 + 2048), place(Some(0), 1536, 0));
        assert_eq!(copy_at(0x20020), place(None, 0, 32));
    }

    #[test]
    fn what_does_each_kind_of_record_mean() {
        let record = |kind, code| Record {
            kind,
            code,
            rows: 4,
            cols: 8,
            width: 16,
            from: 4,
            to: 1,
            event: 3,
            ..Record::default()
        };
        let records: Vec<Record> = [(1, 17), (2, 0), (3, 0), (4, 9), (5, 0), (6, 0), (7, 0), (8, 0), (9, 0), (10, 0)]
            .map(|(kind, code)| record(kind, code))
            .into();
        let program = Program::from_records(&records, &[]).unwrap();
        let vector = |op, extent| {
            Instruction::Vector(VectorWork { op, element: Element::Fp32, to: Element::Fp32, extent, places: None })
        };
        let place = GmPlace { tensor: None, offset: 0, alignment: 0 };
        let awaited = Awaited { pipe: 8, tile: 4, slot: SlotState::Filled };
        let drain = Drain { path: Path::L0cToGm, m: 4, n: 8, element: Element::Fp32, stride: 0, place };
        assert_eq!(
            program.instructions(),
            [
                vector(VectorOp::Exp, Extent::Tile { rows: 4, cols: 8, width: 16 }),
                vector(VectorOp::Add, Extent::Repeats(4)),
                Instruction::Mad(Mad { m: 4, k: 16, n: 8, element: Element::Fp32 }),
                Instruction::Drain(drain),
                Instruction::Scalar { cycles: 4 },
                Instruction::SetFlag { from: Pipe::Mte2, to: Pipe::V, event: 3 },
                Instruction::WaitFlag { from: Pipe::Mte2, to: Pipe::V, event: 3 },
                Instruction::Barrier(Pipe::Mte2),
                Instruction::SetCross { pipe: Pipe::Mte2, peer: Role::Aic, flag: 3 },
                Instruction::WaitCross { pipe: Pipe::V, peer: Role::Aic, flag: 3, awaited },
            ]
        );
        let all = Program::from_records(&[Record { kind: 8, from: 7, ..Record::default() }], &[]).unwrap();
        assert_eq!(all.instructions(), [Instruction::BarrierAll]);
    }

    #[test]
    fn where_are_the_tiles_of_an_operation() {
        let record = Record { kind: 1, flags: 2, address: 0x4000_0000_0100, stride: 0x8000, ..Record::default() };
        let program = Program::from_records(&[record, Record { flags: 0, ..record }], &[]).unwrap();
        let places = program.instructions().iter().map(|instruction| match instruction {
            Instruction::Vector(work) => work.places,
            other => panic!("{other:?}"),
        });
        let known = UbPlaces { result: 0x8000, first: 0x100, second: Some(0x4000) };
        assert_eq!(places.collect::<Vec<_>>(), [Some(known), None]);
    }

    #[test]
    fn what_is_said_of_a_record_that_means_nothing() {
        let error = |record| Program::from_records(&[Record::default(), record], &[]).unwrap_err().to_string();
        assert_eq!(
            error(Record { kind: 11, ..Record::default() }),
            "instruction 1 of the kernel says kind 11: expected a kind of instruction from 0 to 10"
        );
        assert_eq!(
            error(Record { kind: 1, code: 49, ..Record::default() }),
            "instruction 1 of the kernel says code 49: expected a vector operation from 0 to 48"
        );
        assert_eq!(
            error(Record { kind: 6, from: 7, ..Record::default() }),
            "instruction 1 of the kernel says from 7: expected a pipe from 0 to 6, or 7 of a barrier of all"
        );
        assert_eq!(
            error(Record { kind: 9, event: 16, ..Record::default() }),
            "instruction 1 of the kernel says event 16: expected a flag between cores from 0 to 15"
        );
        assert_eq!(
            error(Record { kind: 10, element: 3, ..Record::default() }),
            "instruction 1 of the kernel says element 3: expected a core of the cluster from 0 to 2"
        );
    }

    #[test]
    fn does_a_recorder_grow_and_begin_anew() {
        let mut recorder = CoreRecorder::new(Arch::A5);
        assert_eq!((recorder.records().len(), recorder.head.room, recorder.head.generation), (0, 0, 1));
        recorder.grow();
        recorder.grow();
        recorder.head.count = 3;
        assert_eq!((recorder.records().len(), recorder.head.room), (3, 512));
        recorder.begin(false);
        assert_eq!((recorder.records().len(), recorder.head.room, recorder.head.arithmetic), (0, 512, 0));
    }
}
