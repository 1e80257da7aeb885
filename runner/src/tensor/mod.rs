//! Tensors in host memory: what a run reads, what it writes, and where both come from.
//!
//! A [`HostTensor`] is a shape, an element type and little-endian bytes in C order: exactly what the host runtime
//! copies to and from the device, and what an `.npy` file holds. It never moves while a run uses it, because the
//! runtime keeps its address from preparation to finalisation.

mod dtype;
mod generator;
pub mod npy;

pub use dtype::DType;
pub(crate) use generator::tensor_seed;
pub use generator::{Generator, GeneratorError};

/// The most dimensions that a tensor of the runtime's interface can have.
pub const MAX_DIMS: usize = 5;

/// A dense tensor in host memory, C order, little-endian.
#[derive(Clone, Debug, PartialEq)]
pub struct HostTensor {
    dtype: DType,
    shape: Vec<u32>,
    bytes: Vec<u8>,
}

impl HostTensor {
    /// A tensor of zeros.
    pub fn zeros(dtype: DType, shape: &[u32]) -> Self {
        HostTensor { dtype, shape: shape.to_vec(), bytes: vec![0; element_count(shape) * dtype.size()] }
    }

    /// A tensor of the given bytes; `None` if they are not as many as the shape needs.
    pub fn from_bytes(dtype: DType, shape: &[u32], bytes: Vec<u8>) -> Option<Self> {
        (bytes.len() == element_count(shape) * dtype.size()).then(|| HostTensor { dtype, shape: shape.to_vec(), bytes })
    }

    /// A tensor of `f32`; `None` if there are not as many values as the shape needs.
    pub fn from_f32(shape: &[u32], values: &[f32]) -> Option<Self> {
        Self::from_bytes(DType::F32, shape, values.iter().flat_map(|value| value.to_le_bytes()).collect())
    }

    /// A tensor of a float type, each value rounded to it; `None` for an integer type, or if there are not as many values as
    /// the shape needs.
    pub fn from_floats(dtype: DType, shape: &[u32], values: &[f32]) -> Option<Self> {
        if dtype.integer_range().is_some() || values.len() != element_count(shape) {
            return None;
        }
        let mut tensor = Self::zeros(dtype, shape);
        let elements = tensor.bytes.chunks_exact_mut(dtype.size());
        elements.zip(values).for_each(|(element, value)| dtype.encode_float(f64::from(*value), element));
        Some(tensor)
    }

    /// The element type.
    pub fn dtype(&self) -> DType {
        self.dtype
    }

    /// The length of each dimension.
    pub fn shape(&self) -> &[u32] {
        &self.shape
    }

    /// How many elements there are.
    pub fn len(&self) -> usize {
        element_count(&self.shape)
    }

    /// Whether a dimension is zero.
    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// The bytes of all elements.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The bytes of all elements, to be overwritten.
    pub fn bytes_mut(&mut self) -> &mut [u8] {
        &mut self.bytes
    }

    /// The values of an `f32` tensor; `None` for any other type.
    pub fn to_f32(&self) -> Option<Vec<f32>> {
        (self.dtype == DType::F32).then(|| {
            let (values, _) = self.bytes.as_chunks::<4>();
            values.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect()
        })
    }

    /// The values of a tensor of any float type, which `f32` holds exactly; `None` for integers.
    pub fn to_floats(&self) -> Option<Vec<f32>> {
        let elements = self.bytes.chunks_exact(self.dtype.size());
        elements.map(|element| self.dtype.decode_float(element).map(|value| value as f32)).collect()
    }
}

/// How many elements a shape has.
pub fn element_count(shape: &[u32]) -> usize {
    shape.iter().map(|&dim| dim as usize).product()
}
