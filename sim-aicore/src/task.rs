//! Tasks as a core sees them: tensor descriptors, and what a kernel moves because of them.

use sim_hbm::bandwidth::{Direction, Transfer};

use crate::cost::KernelDemand;
use crate::registry::Access;

/// The most tensors that a task has; more are not looked at.
pub const MOST_TENSORS: usize = 32;

/// The bytes of one element, by the reference's data type code.
const ELEMENT_BYTES: [u64; 15] = [4, 2, 4, 2, 1, 1, 2, 8, 8, 2, 4, 1, 1, 1, 1];

/// The most rows of a view that are told apart; one with more counts as one piece of memory.
const MOST_ROWS: u64 = 4096;

/// The head of a tensor descriptor, as far as it is needed: 96 of its 128 bytes.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TensorDescriptor {
    /// Device address of the buffer.
    pub buffer: u64,
    /// Its size in bytes.
    pub buffer_bytes: u64,
    /// The task that made it.
    pub owner_task: u64,
    /// Of the view in the buffer, in elements.
    pub start_offset: u64,
    /// Goes up with each writer.
    pub version: i32,
    /// How many of `shape` count.
    pub dimensions: u32,
    /// The reference's data type code.
    pub data_type: u8,
    /// Not looked at here.
    pub manual_dependencies: u8,
    /// Not 0: the strides are those of a dense row-major tensor.
    pub is_contiguous: u8,
    /// Not looked at here.
    pub address_space: u8,
    /// Elements in each dimension.
    pub shape: [u32; 5],
    /// Elements from the first one of the view to its last one.
    pub extent: u64,
    /// Elements from one to the next in each dimension.
    pub strides: [u32; 5],
}

const _: () = assert!(
    std::mem::size_of::<TensorDescriptor>() == 96
        && std::mem::offset_of!(TensorDescriptor, shape) == 44
        && std::mem::offset_of!(TensorDescriptor, is_contiguous) == 42
        && std::mem::offset_of!(TensorDescriptor, extent) == 64
        && std::mem::offset_of!(TensorDescriptor, strides) == 72
);

impl TensorDescriptor {
    /// The descriptor in these bytes, if they are as many as it has.
    pub fn from_bytes(bytes: &[u8]) -> Option<TensorDescriptor> {
        if bytes.len() != size_of::<TensorDescriptor>() {
            return None;
        }
        // SAFETY: as many bytes as the structure has, and any bytes are one: it is numbers without padding.
        Some(unsafe { bytes.as_ptr().cast::<TensorDescriptor>().read_unaligned() })
    }

    /// Device address of the view's first element.
    pub fn address(&self) -> u64 {
        let element = ELEMENT_BYTES.get(usize::from(self.data_type)).copied().unwrap_or(0);
        self.buffer.saturating_add(self.start_offset.saturating_mul(element))
    }

    /// How many elements the view has.
    pub fn elements(&self) -> u64 {
        let dimensions = (self.dimensions as usize).min(self.shape.len());
        self.shape[..dimensions].iter().fold(1, |product: u64, extent| product.saturating_mul(u64::from(*extent)))
    }

    /// Bytes from the view's first element to behind the last one that it reaches.
    pub fn span(&self) -> u64 {
        let element = ELEMENT_BYTES.get(usize::from(self.data_type)).copied().unwrap_or(0);
        // A dense view need not say how far it reaches.
        self.extent.max(self.elements()).saturating_mul(element)
    }

    /// How many bytes the view has.
    pub fn bytes(&self) -> u64 {
        self.elements().saturating_mul(self.element_bytes())
    }

    fn element_bytes(&self) -> u64 {
        ELEMENT_BYTES.get(usize::from(self.data_type)).copied().unwrap_or(0)
    }

    /// What moves if all of the view moves.
    pub fn transfer(&self, direction: Direction) -> Transfer {
        let element = self.element_bytes();
        let address = self.buffer.saturating_add(self.start_offset.saturating_mul(element));
        let whole = Transfer::contiguous(direction, address, self.bytes());
        if self.is_contiguous != 0 || self.extent <= self.elements() {
            return whole;
        }
        // The dimension whose elements lie side by side makes the rows; the next nearest says how far apart they are.
        let dimensions = (self.dimensions as usize).min(self.shape.len());
        let extents = self.shape[..dimensions].iter().zip(&self.strides[..dimensions]);
        let mut extents: Vec<(u64, u64)> =
            extents.filter(|(extent, _)| **extent > 1).map(|(e, s)| (u64::from(*s), u64::from(*e))).collect();
        extents.sort_unstable();
        let (row, stride) = match extents.as_slice() {
            [(1, row), (stride, _), ..] => (*row, *stride),
            [(stride, _), ..] => (1, *stride),
            [] => return whole,
        };
        let rows = self.elements() / row;
        if rows > MOST_ROWS {
            return whole;
        }
        let (row_bytes, row_stride) = (row.saturating_mul(element), stride.saturating_mul(element));
        Transfer { rows, row_bytes, row_stride, ..whole }
    }
}

/// What is known of how a kernel uses its tensors, in order: where it is not, the last one is taken to be written and
/// the others read.
fn accesses<'t>(
    tensors: &'t [TensorDescriptor],
    access: &'t [Access],
) -> impl Iterator<Item = (&'t TensorDescriptor, Access)> {
    tensors.iter().enumerate().map(move |(index, tensor)| {
        let guess = if index + 1 == tensors.len() { Access::Write } else { Access::Read };
        (tensor, access.get(index).copied().unwrap_or(guess))
    })
}

/// What a kernel with these tensors moves, piece by piece: what it reads, then what it writes.
pub fn transfers(tensors: &[TensorDescriptor], access: &[Access]) -> Vec<Transfer> {
    let read = accesses(tensors, access).filter(|(_, access)| *access != Access::Write);
    let written = accesses(tensors, access).filter(|(_, access)| *access != Access::Read);
    let read = read.map(|(tensor, _)| tensor.transfer(Direction::Read));
    read.chain(written.map(|(tensor, _)| tensor.transfer(Direction::Write))).collect()
}

/// What a kernel with these tensors moves in all.
pub fn demand(tensors: &[TensorDescriptor], access: &[Access]) -> KernelDemand {
    let mut demand = KernelDemand { bytes_read: 0, bytes_written: 0, instructions: tensors.len() as u64 };
    for (tensor, access) in accesses(tensors, access) {
        if access != Access::Write {
            demand.bytes_read = demand.bytes_read.saturating_add(tensor.bytes());
        }
        if access != Access::Read {
            demand.bytes_written = demand.bytes_written.saturating_add(tensor.bytes());
        }
    }
    demand
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tensor(shape: &[u32], data_type: u8) -> TensorDescriptor {
        let mut tensor = TensorDescriptor { dimensions: shape.len() as u32, data_type, ..TensorDescriptor::default() };
        tensor.shape[..shape.len()].copy_from_slice(shape);
        tensor
    }

    #[test]
    fn how_many_bytes_does_a_view_have() {
        assert_eq!(tensor(&[128, 128], 0).bytes(), 65_536);
        assert_eq!(tensor(&[128, 128], 1).bytes(), 32_768);
        assert_eq!(tensor(&[128, 0], 0).bytes(), 0);
        assert_eq!(tensor(&[u32::MAX; 5], 7).bytes(), u64::MAX);
        assert_eq!(tensor(&[4], 99).bytes(), 0);
    }

    #[test]
    fn which_memory_does_a_view_move() {
        let view = |shape: &[u32], strides: [u32; 5], extent| TensorDescriptor {
            buffer: 0x1000,
            start_offset: 8,
            extent,
            strides,
            ..tensor(shape, 0)
        };
        // A tile of 16 by 32 in a matrix whose rows have 100 elements.
        let tile = view(&[16, 32], [100, 1, 0, 0, 0], 15 * 100 + 32).transfer(Direction::Read);
        assert_eq!((tile.address, tile.rows, tile.row_bytes, tile.row_stride), (0x1020, 16, 128, 400));
        // The same, transposed; and a column.
        assert_eq!(view(&[32, 16], [1, 100, 0, 0, 0], 15 * 100 + 32).transfer(Direction::Read), tile);
        let column = view(&[16], [100, 0, 0, 0, 0], 15 * 100 + 1).transfer(Direction::Read);
        assert_eq!((column.rows, column.row_bytes, column.row_stride), (16, 4, 400));
        // Dense, and too many rows to tell them apart.
        let dense = view(&[16, 32], [32, 1, 0, 0, 0], 512).transfer(Direction::Write);
        assert_eq!(dense, Transfer::contiguous(Direction::Write, 0x1020, 2048));
        assert_eq!(view(&[5000, 2], [100, 1, 0, 0, 0], 500_000).transfer(Direction::Write).rows, 1);
    }

    #[test]
    fn does_a_kernel_read_before_it_writes() {
        let tensors = [tensor(&[10], 0), tensor(&[20], 0)];
        let moved: Vec<_> = transfers(&tensors, &[Access::ReadWrite, Access::Read])
            .iter()
            .map(|transfer| (transfer.direction, transfer.bytes()))
            .collect();
        assert_eq!(moved, [(Direction::Read, 40), (Direction::Read, 80), (Direction::Write, 40)]);
    }

    #[test]
    fn does_the_last_tensor_count_as_written_when_nobody_says() {
        let tensors = [tensor(&[10], 0), tensor(&[20], 0), tensor(&[30], 0)];
        let guessed = demand(&tensors, &[]);
        assert_eq!((guessed.bytes_read, guessed.bytes_written, guessed.instructions), (120, 120, 3));
        let known = demand(&tensors, &[Access::Write, Access::ReadWrite, Access::Read]);
        assert_eq!((known.bytes_read, known.bytes_written, known.instructions), (200, 120, 3));
    }
}
