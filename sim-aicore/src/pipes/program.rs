//! What one call of a kernel does on its core.

use std::hash::{Hash, Hasher};

use sim_core::trace::ContentHash;

use super::cluster::Role;
use super::instruction::{GmPlace, Instruction};

/// The instructions of one kernel call on one core, in the order of the program.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Program {
    instructions: Vec<Instruction>,
}

/// What a program moves between its core and GM, by tensor argument; `None` stands for what is in none of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Traffic {
    /// The argument.
    pub tensor: Option<u16>,
    /// The first byte that is touched, from the tensor's first element.
    pub begin: u64,
    /// Behind the last byte that is touched.
    pub end: u64,
    /// Bytes read; what is read twice counts twice.
    pub read_bytes: u64,
    /// Bytes written.
    pub written_bytes: u64,
    /// Which columns of the tensor, if it is a part of its rows each time.
    pub columns: Option<Columns>,
}

/// Of rows at even distances from the tensor's first element, the bytes from `begin` to `end`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Columns {
    /// From one row to the next.
    pub stride: u64,
    /// The first byte of a row.
    pub begin: u64,
    /// Behind the last byte.
    pub end: u64,
}

impl Columns {
    /// Those of rows that lie apart, the first of which begins at `offset`.
    fn of(offset: u64, rows: u32, row_bytes: u64, stride: u64) -> Option<Columns> {
        let begin = offset.checked_rem(stride)?;
        let end = begin + row_bytes;
        (rows > 1 && row_bytes < stride && end <= stride).then_some(Columns { stride, begin, end })
    }

    /// These and others of the same rows.
    fn with(self, others: Columns) -> Option<Columns> {
        let (begin, end) = (self.begin.min(others.begin), self.end.max(others.end));
        (self.stride == others.stride).then_some(Columns { begin, end, ..self })
    }
}

impl Program {
    /// A program of these instructions.
    pub fn new(instructions: Vec<Instruction>) -> Self {
        Program { instructions }
    }

    /// Its instructions.
    pub fn instructions(&self) -> &[Instruction] {
        &self.instructions
    }

    /// Whether the kernel said nothing.
    pub fn is_empty(&self) -> bool {
        self.instructions.is_empty()
    }

    /// The identity of all that its time depends on. Where in a tensor a transfer begins is not part of it, only how
    /// that place is aligned: kernels that look places up in a table are the same program each time.
    pub fn content(&self) -> ContentHash {
        let mut hasher = Fnv(0xcbf2_9ce4_8422_2325);
        for instruction in &self.instructions {
            without_offset(*instruction).hash(&mut hasher);
        }
        ContentHash(hasher.0)
    }

    /// Bytes read from GM.
    pub fn read_bytes(&self) -> u64 {
        self.gm_accesses().map(|access| access.read_bytes).sum()
    }

    /// Bytes written to GM.
    pub fn written_bytes(&self) -> u64 {
        self.gm_accesses().map(|access| access.written_bytes).sum()
    }

    /// What it moves, one entry for each tensor that it touches, in the order of the arguments.
    pub fn traffic(&self) -> Vec<Traffic> {
        let mut traffic: Vec<Traffic> = Vec::new();
        for access in self.gm_accesses() {
            match traffic.iter_mut().find(|known| known.tensor == access.tensor) {
                Some(known) => {
                    known.begin = known.begin.min(access.begin);
                    known.end = known.end.max(access.end);
                    known.read_bytes += access.read_bytes;
                    known.written_bytes += access.written_bytes;
                    known.columns = known.columns.zip(access.columns).and_then(|(known, more)| known.with(more));
                }
                None => traffic.push(access),
            }
        }
        // None comes first in the order of options, but it is no argument.
        traffic.sort_by_key(|entry| (entry.tensor.is_none(), entry.tensor));
        traffic
    }

    /// The cores of the cluster whose flags it waits for.
    pub fn waits_for(&self) -> Vec<Role> {
        let is_waited_for = |role: &Role| {
            self.instructions.iter().any(|it| matches!(it, Instruction::WaitCross { peer, .. } if peer == role))
        };
        Role::ALL.into_iter().filter(is_waited_for).collect()
    }

    /// The cores of the cluster that it waits for or raises flags for.
    pub fn peers(&self) -> Vec<Role> {
        let is_peer = |role: &Role| {
            let names = |it: &Instruction| match it {
                Instruction::SetCross { peer, .. } | Instruction::WaitCross { peer, .. } => peer == role,
                _ => false,
            };
            self.instructions.iter().any(names)
        };
        Role::ALL.into_iter().filter(is_peer).collect()
    }

    fn gm_accesses(&self) -> impl Iterator<Item = Traffic> {
        self.instructions.iter().filter_map(gm_access)
    }
}

/// What one instruction moves between its core and GM.
pub fn gm_access(instruction: &Instruction) -> Option<Traffic> {
    let (path, place, rows, row_bytes, stride) = match instruction {
        Instruction::Transfer(it) => (it.path, it.place, it.rows, u64::from(it.row_bytes), it.stride),
        Instruction::Drain(it) => (it.path, it.place, it.m, u64::from(it.n) * it.element.bytes(), it.stride),
        _ => return None,
    };
    if !path.reads_gm() && !path.writes_gm() {
        return None;
    }
    let bytes = u64::from(rows) * row_bytes;
    let span = u64::from(rows.saturating_sub(1)).saturating_mul(stride) + if rows > 0 { row_bytes } else { 0 };
    Some(Traffic {
        tensor: place.tensor,
        begin: place.offset,
        end: place.offset + span,
        read_bytes: if path.reads_gm() { bytes } else { 0 },
        written_bytes: if path.writes_gm() { bytes } else { 0 },
        columns: Columns::of(place.offset, rows, row_bytes, stride),
    })
}

fn without_offset(mut instruction: Instruction) -> Instruction {
    let place: Option<&mut GmPlace> = match &mut instruction {
        Instruction::Transfer(transfer) => Some(&mut transfer.place),
        Instruction::Drain(drain) => Some(&mut drain.place),
        _ => None,
    };
    if let Some(place) = place {
        place.offset = 0;
    }
    instruction
}

/// FNV-1a, 64 bits, the same on every machine: fields are hashed as little-endian 64-bit numbers.
struct Fnv(u64);

impl Hasher for Fnv {
    fn finish(&self) -> u64 {
        self.0
    }
    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = (self.0 ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3);
        }
    }
    fn write_u8(&mut self, value: u8) {
        self.write_u64(u64::from(value));
    }
    fn write_u16(&mut self, value: u16) {
        self.write_u64(u64::from(value));
    }
    fn write_u32(&mut self, value: u32) {
        self.write_u64(u64::from(value));
    }
    fn write_u64(&mut self, value: u64) {
        self.0 = (self.0 ^ value).wrapping_mul(0x0000_0100_0000_01b3);
        self.0 ^= self.0 >> 32;
    }
    fn write_usize(&mut self, value: usize) {
        self.write_u64(value as u64);
    }
    fn write_isize(&mut self, value: isize) {
        self.write_u64(value as u64);
    }
}

#[cfg(test)]
mod tests {
    use super::super::instruction::{Path, Transfer};
    use super::*;

    fn copy(path: Path, tensor: u16, offset: u64) -> Instruction {
        let place = GmPlace { tensor: Some(tensor), offset, alignment: (offset % 512) as u16 };
        Instruction::Transfer(Transfer { path, rows: 4, row_bytes: 256, stride: 1024, place, nd2nz: false })
    }

    #[test]
    fn what_does_a_program_move_and_where() {
        let program = Program::new(vec![
            copy(Path::GmToUb, 1, 0),
            copy(Path::GmToUb, 0, 512),
            copy(Path::GmToUb, 0, 4096),
            Instruction::Barrier(super::super::Pipe::V),
            copy(Path::UbToGm, 1, 0),
        ]);
        let entry = |tensor, (begin, end), (read_bytes, written_bytes), columns: (u64, u64)| Traffic {
            tensor: Some(tensor),
            begin,
            end,
            read_bytes,
            written_bytes,
            columns: Some(Columns { stride: 1024, begin: columns.0, end: columns.1 }),
        };
        let moved = [entry(0, (512, 7424), (2048, 0), (0, 768)), entry(1, (0, 3328), (1024, 1024), (0, 256))];
        assert_eq!(program.traffic(), moved);
        assert_eq!((program.read_bytes(), program.written_bytes()), (3072, 1024));
    }

    #[test]
    fn is_a_program_the_same_elsewhere_in_a_tensor_but_not_at_another_alignment() {
        let content = |offset| Program::new(vec![copy(Path::GmToUb, 0, offset)]).content();
        assert_eq!(content(0), content(8192));
        assert_ne!(content(0), content(64));
        assert_ne!(Program::default().content(), content(0));
        assert_ne!(Program::new(vec![copy(Path::GmToUb, 1, 0)]).content(), content(0));
    }
}
