//! What the runtime noted of its tasks as it submitted them: kernels and arguments.
//!
//! Events carry no arguments, they would make the trace many times as large; whoever wants deps.json collects these
//! notes beside it. Arguments of all tasks lie in one vector, so that a note costs no allocation of its own.

use std::ops::Range;

use serde::{Serialize, Serializer};

/// The most dimensions that a tensor can have.
pub const MAX_DIMENSIONS: usize = 5;

/// The notes of all tasks, in order of submission.
#[derive(Clone, Debug, Default)]
pub struct TaskNotes {
    tasks: Vec<(TaskHeader, Range<usize>)>,
    args: Vec<TaskArg>,
}

/// A task without its arguments.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TaskHeader {
    /// `(ring << 32) | local`.
    pub task: u64,
    /// Number of the scope that owns the task.
    pub scope: u64,
    /// How dependencies are found in that scope.
    pub scope_kind: ScopeKind,
    /// Kernel ids: AIC, AIV0, AIV1; -1 for none.
    pub kernels: [i32; 3],
    /// How many blocks of the task run side by side.
    pub blocks: u32,
}

/// How a scope finds the dependencies of its tasks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ScopeKind {
    /// From the overlap of tensors.
    Auto,
    /// As the orchestration says.
    Manual,
}

/// One argument of a task.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TaskArg {
    /// What the task does with it.
    pub access: Access,
    /// The tensor; none for an output that had no memory yet.
    pub view: Option<TensorView>,
}

/// What a task does with an argument.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Access {
    /// Reads it.
    Input,
    /// Writes it into memory that the runtime allocates.
    Output,
    /// Reads and writes it.
    Inout,
    /// Writes it into memory that was there before.
    OutputExisting,
}

/// A strided view of a buffer in device memory; offsets and strides count elements.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TensorView {
    /// Device address of the buffer: the same in every run, the device's range has a fixed base.
    pub buffer_address: u64,
    /// Elements in the buffer.
    pub buffer_elements: u64,
    /// Version of the buffer's content.
    pub version: i32,
    /// Type of an element.
    pub data_type: DataType,
    /// Where the view begins.
    pub start_offset: u64,
    /// How many entries of `shape` and `strides` count, at most [`MAX_DIMENSIONS`].
    pub dimensions: u32,
    /// Extent by dimension.
    pub shape: [u32; MAX_DIMENSIONS],
    /// Distance between neighbours by dimension.
    pub strides: [u32; MAX_DIMENSIONS],
}

/// The type of a tensor's elements.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DataType {
    /// 32-bit float.
    Float32,
    /// 16-bit float.
    Float16,
    /// 32-bit integer.
    Int32,
    /// 16-bit integer.
    Int16,
    /// 8-bit integer.
    Int8,
    /// 8-bit unsigned integer.
    Uint8,
    /// bfloat16.
    Bfloat16,
    /// 64-bit integer.
    Int64,
    /// 64-bit unsigned integer.
    Uint64,
    /// 16-bit unsigned integer.
    Uint16,
    /// 32-bit unsigned integer.
    Uint32,
    /// One byte, 0 or 1.
    Bool,
    /// 8-bit float E4M3FN.
    Fp8E4m3fn,
    /// 8-bit shared exponent E8M0.
    Fp8E8m0,
    /// Two 4-bit floats E2M1 in a byte.
    Fp4E2m1,
    /// A code that no runtime defines.
    Unknown,
}

impl DataType {
    /// Data types by the code that tensor descriptors hold.
    const BY_CODE: [DataType; 15] = [
        DataType::Float32,
        DataType::Float16,
        DataType::Int32,
        DataType::Int16,
        DataType::Int8,
        DataType::Uint8,
        DataType::Bfloat16,
        DataType::Int64,
        DataType::Uint64,
        DataType::Uint16,
        DataType::Uint32,
        DataType::Bool,
        DataType::Fp8E4m3fn,
        DataType::Fp8E8m0,
        DataType::Fp4E2m1,
    ];

    /// The type with this code in a tensor descriptor.
    pub fn from_code(code: u8) -> Self {
        Self::BY_CODE.get(usize::from(code)).copied().unwrap_or(DataType::Unknown)
    }

    /// Bytes of one element, 0 if unknown.
    pub fn size(self) -> u64 {
        match self {
            DataType::Int64 | DataType::Uint64 => 8,
            DataType::Float32 | DataType::Int32 | DataType::Uint32 => 4,
            DataType::Float16 | DataType::Int16 | DataType::Bfloat16 | DataType::Uint16 => 2,
            DataType::Int8 | DataType::Uint8 | DataType::Bool => 1,
            DataType::Fp8E4m3fn | DataType::Fp8E8m0 | DataType::Fp4E2m1 => 1,
            DataType::Unknown => 0,
        }
    }

    /// The name that viewers know.
    pub fn name(self) -> &'static str {
        match self {
            DataType::Float32 => "FLOAT32",
            DataType::Float16 => "FLOAT16",
            DataType::Int32 => "INT32",
            DataType::Int16 => "INT16",
            DataType::Int8 => "INT8",
            DataType::Uint8 => "UINT8",
            DataType::Bfloat16 => "BFLOAT16",
            DataType::Int64 => "INT64",
            DataType::Uint64 => "UINT64",
            DataType::Uint16 => "UINT16",
            DataType::Uint32 => "UINT32",
            DataType::Bool => "BOOL",
            DataType::Fp8E4m3fn => "FP8E4M3FN",
            DataType::Fp8E8m0 => "FP8E8M0",
            DataType::Fp4E2m1 => "FP4E2M1",
            DataType::Unknown => "UNKNOWN",
        }
    }
}

impl Serialize for DataType {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}

impl TaskNotes {
    /// Adds the next task.
    pub fn push(&mut self, task: TaskHeader, args: &[TaskArg]) {
        let start = self.args.len();
        self.args.extend_from_slice(args);
        self.tasks.push((task, start..self.args.len()));
    }

    /// Every task with its arguments, in order of submission.
    pub fn iter(&self) -> impl Iterator<Item = (&TaskHeader, &[TaskArg])> {
        self.tasks.iter().map(|(task, args)| (task, &self.args[args.clone()]))
    }

    /// The arguments of every task in one.
    pub fn args(&self) -> &[TaskArg] {
        &self.args
    }
}

impl TensorView {
    /// Extent by dimension, as far as it counts.
    pub fn shape(&self) -> &[u32] {
        &self.shape[..self.counted_dimensions()]
    }

    /// Distance between neighbours by dimension, as far as it counts.
    pub fn strides(&self) -> &[u32] {
        &self.strides[..self.counted_dimensions()]
    }

    fn counted_dimensions(&self) -> usize {
        (self.dimensions as usize).min(MAX_DIMENSIONS)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn does_a_code_give_the_type_that_descriptors_mean() {
        let codes = [0, 6, 11, 14, 15, 255].map(|code| DataType::from_code(code).name());
        assert_eq!(codes, ["FLOAT32", "BFLOAT16", "BOOL", "FP4E2M1", "UNKNOWN", "UNKNOWN"]);
    }
}
