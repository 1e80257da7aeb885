//! Tasks as a core sees them: tensor descriptors, and what a kernel moves because of them.

use crate::cost::KernelDemand;
use crate::registry::Access;

/// The most tensors that a task has; more are not looked at.
pub const MOST_TENSORS: usize = 32;

/// The bytes of one element, by the reference's data type code.
const ELEMENT_BYTES: [u64; 15] = [4, 2, 4, 2, 1, 1, 2, 8, 8, 2, 4, 1, 1, 1, 1];

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
    pub flags: [u8; 3],
    /// Elements in each dimension.
    pub shape: [u32; 5],
    /// Elements from the first to the last one reached, unless the view is dense.
    pub extent: u64,
    /// Elements from one to the next in each dimension.
    pub strides: [u32; 5],
}

const _: () =
    assert!(std::mem::size_of::<TensorDescriptor>() == 96 && std::mem::offset_of!(TensorDescriptor, strides) == 72);

impl TensorDescriptor {
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
        let element = ELEMENT_BYTES.get(usize::from(self.data_type)).copied().unwrap_or(0);
        self.elements().saturating_mul(element)
    }
}

/// What a kernel with these tensors moves.
///
/// Where it is not known how a kernel uses a tensor, the last one is taken to be written and the others read.
pub fn demand(tensors: &[TensorDescriptor], access: &[Access], active_cores: u32) -> KernelDemand {
    let mut demand = KernelDemand { bytes_read: 0, bytes_written: 0, instructions: tensors.len() as u64, active_cores };
    for (index, tensor) in tensors.iter().enumerate() {
        let guess = if index + 1 == tensors.len() { Access::Write } else { Access::Read };
        let access = access.get(index).copied().unwrap_or(guess);
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
    fn does_the_last_tensor_count_as_written_when_nobody_says() {
        let tensors = [tensor(&[10], 0), tensor(&[20], 0), tensor(&[30], 0)];
        let guessed = demand(&tensors, &[], 5);
        assert_eq!((guessed.bytes_read, guessed.bytes_written, guessed.active_cores), (120, 120, 5));
        let known = demand(&tensors, &[Access::Write, Access::ReadWrite, Access::Read], 5);
        assert_eq!((known.bytes_read, known.bytes_written, known.instructions), (200, 120, 3));
    }
}
