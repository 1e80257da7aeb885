//! Layouts of the host runtime's C interface, as hw-native-sys/simpler defines them at 6ebaf771.
//!
//! Each layout is asserted against its published size and offsets, so that a slip here stops the build. A callable has
//! a tail of varying size and is therefore given by offsets: see [`chip_callable`] and [`core_callable`].

use std::mem::{align_of, offset_of, size_of};

use crate::tensor::MAX_DIMS;

/// Callable ids are below this.
pub const CALLABLE_IDS: u32 = 64;
/// The most tensors that a callable takes.
pub const CHIP_TENSORS: usize = 256;
/// The most scalars that a callable takes.
pub const CHIP_SCALARS: usize = 128;
/// Rings of each kind, one per scope depth.
pub const RINGS: usize = 4;
/// Bytes of the directory name in [`CallConfig`], with its final zero.
pub const OUTPUT_PREFIX: usize = 1024;
/// The version that [`PipelineContract`] has to name.
pub const PIPELINE_ABI: u32 = 1;
/// The owner of a tensor that no task has made.
pub const NO_TASK: u64 = u64::MAX;

/// What a callable or kernel does with an argument.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(i32)]
pub enum ArgDirection {
    /// A 64-bit value.
    Scalar = 0,
    /// Read.
    In = 1,
    /// Written.
    Out = 2,
    /// Read and written.
    InOut = 3,
}

impl ArgDirection {
    /// The direction of that code.
    pub fn of_code(code: i32) -> Option<Self> {
        [ArgDirection::Scalar, ArgDirection::In, ArgDirection::Out, ArgDirection::InOut]
            .into_iter()
            .find(|direction| *direction as i32 == code)
    }
}

/// A view of memory: one tensor argument.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(C, align(64))]
pub struct ChipTensor {
    /// Address of the buffer.
    pub address: u64,
    /// Bytes of the buffer.
    pub size: u64,
    /// The task that made it, [`NO_TASK`] for arguments.
    pub owner_task: u64,
    /// Element at which the view begins.
    pub start_offset: u64,
    /// Version for overlap detection.
    pub version: i32,
    /// Dimensions in use.
    pub dims: u32,
    /// Code of the element type.
    pub dtype: u8,
    /// 1 when only the creator counts as dependency.
    pub manual_dep: u8,
    /// 1 when the strides are those of the shape.
    pub is_contiguous: u8,
    /// 0 for host memory, which the runtime copies; 1 for device memory.
    pub address_space: u8,
    /// Elements of each dimension.
    pub shape: [u32; MAX_DIMS],
    /// Elements from the first to the last one of the view.
    pub extent: u64,
    /// Elements between neighbours of each dimension.
    pub strides: [u32; MAX_DIMS],
    /// Reserved.
    pub reserved: [u8; 36],
}

/// The arguments of one run: tensors, then scalars.
#[derive(Clone, Debug)]
#[repr(C)]
pub struct ChipStorageTaskArgs {
    /// The first `tensor_count` are in use.
    pub tensors: [ChipTensor; CHIP_TENSORS],
    /// The first `scalar_count` are in use.
    pub scalars: [u64; CHIP_SCALARS],
    /// Tensors in use.
    pub tensor_count: i32,
    /// Scalars in use.
    pub scalar_count: i32,
}

/// Sizes of the runtime's rings; 0 leaves one to the runtime.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C, packed)]
pub struct RuntimeEnv {
    /// Tasks in flight, a power of two.
    pub task_window: [u64; RINGS],
    /// Bytes of the heap.
    pub heap: [u64; RINGS],
    /// Entries of the dependency pool.
    pub dep_pool: [u64; RINGS],
}

/// How a run is carried out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(C, packed)]
pub struct CallConfig {
    /// AICPU threads; 0 for the architecture's number.
    pub aicpu_threads: i32,
    /// Level of swimlane records.
    pub chip_swimlane: i32,
    /// Level of argument dumps.
    pub dump_args: i32,
    /// Kind of performance counters.
    pub pmu: i32,
    /// Whether dependencies are recorded.
    pub dep_gen: i32,
    /// Whether scopes are counted.
    pub scope_stats: i32,
    /// Ring sizes.
    pub runtime_env: RuntimeEnv,
    /// Directory for what the above write, ending in zero.
    pub output_prefix: [u8; OUTPUT_PREFIX],
}

/// Which resources one prepared run uses, and its identity in traces.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(C)]
pub struct NativeRunDescriptor {
    /// Copy of the per-run resources.
    pub pipeline_slot: u32,
    /// Copy of the arena.
    pub arena_bank: u32,
    /// Number of the run.
    pub run_id: u64,
    /// How often the slot has been leased; never 0.
    pub generation: u64,
    /// Number of the dispatch.
    pub dispatch_id: u64,
    /// Identity of the run in this process.
    pub run_epoch: u64,
    /// Address of a word that is set when the run is launched, or 0.
    pub accepted_state: u64,
    /// What it is set to.
    pub accepted_value: i32,
}

/// One resource that outlives a launch.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C)]
pub struct PipelineResource {
    /// What it is.
    pub kind: u32,
    /// How it is shared between runs.
    pub class: u32,
    /// Bytes of a copy.
    pub bytes_per_copy: u64,
}

/// What a host runtime says of its resources.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(C)]
pub struct PipelineContract {
    /// [`PIPELINE_ABI`].
    pub abi_version: u32,
    /// Resources in use.
    pub resource_count: u32,
    /// Runs that may be in flight.
    pub pipeline_depth: u32,
    /// The first `resource_count` are in use.
    pub resources: [PipelineResource; 8],
}

/// Offsets of a chip callable: a header, the orchestration object, then kernels as [`core_callable`]s.
pub mod chip_callable {
    use super::CHIP_TENSORS;

    /// The most kernels.
    pub const CHILDREN: usize = 1024;
    /// Bytes of a name, with its final zero.
    pub const NAME: usize = 64;
    /// Children begin at multiples of this, counted from [`STORAGE`].
    pub const CHILD_ALIGNMENT: usize = 64;

    /// `i32` directions of the arguments.
    pub const SIGNATURE: usize = 0;
    /// `i32` number of directions.
    pub const SIGNATURE_COUNT: usize = SIGNATURE + 4 * CHIP_TENSORS;
    /// `u32` bytes of the orchestration object.
    pub const BINARY_SIZE: usize = SIGNATURE_COUNT + 4;
    /// Name of the entry.
    pub const ENTRY_NAME: usize = BINARY_SIZE + 4;
    /// `u32` length of that name.
    pub const ENTRY_NAME_LENGTH: usize = ENTRY_NAME + NAME;
    /// `i32` function ids of the children.
    pub const CHILD_IDS: usize = ENTRY_NAME_LENGTH + 4;
    /// `u32` offsets of the children from [`STORAGE`].
    pub const CHILD_OFFSETS: usize = CHILD_IDS + 4 * CHILDREN;
    /// `i32` number of children.
    pub const CHILD_COUNT: usize = CHILD_OFFSETS + 4 * CHILDREN;
    /// Name of the configuration function.
    pub const CONFIG_NAME: usize = CHILD_COUNT + 4;
    /// `u32` length of that name.
    pub const CONFIG_NAME_LENGTH: usize = CONFIG_NAME + NAME;
    /// The orchestration object.
    pub const STORAGE: usize = (CONFIG_NAME_LENGTH + 4).next_multiple_of(16);

    const _: () = assert!(SIGNATURE_COUNT == 1024 && ENTRY_NAME == 1032 && CHILD_IDS == 1100);
    const _: () = assert!(CHILD_OFFSETS == 5196 && CHILD_COUNT == 9292 && CONFIG_NAME == 9296 && STORAGE == 9376);
}

/// Offsets of a core callable: one kernel.
pub mod core_callable {
    /// The most arguments in a signature.
    pub const TENSORS: usize = 32;

    /// `i32` directions of the arguments.
    pub const SIGNATURE: usize = 0;
    /// `i32` number of directions.
    pub const SIGNATURE_COUNT: usize = SIGNATURE + 4 * TENSORS;
    /// `u32` bytes of the kernel object.
    pub const BINARY_SIZE: usize = SIGNATURE_COUNT + 4;
    /// `u64` that the host runtime fills in with what a core calls.
    pub const RESOLVED_ADDRESS: usize = BINARY_SIZE + 4;
    /// The kernel object.
    pub const BINARY: usize = (RESOLVED_ADDRESS + 8).next_multiple_of(64);

    const _: () = assert!(SIGNATURE_COUNT == 128 && RESOLVED_ADDRESS == 136 && BINARY == 192);
}

const _: () = assert!(size_of::<ChipTensor>() == 128 && align_of::<ChipTensor>() == 64);
const _: () = assert!(offset_of!(ChipTensor, owner_task) == 16 && offset_of!(ChipTensor, start_offset) == 24);
const _: () = assert!(offset_of!(ChipTensor, version) == 32 && offset_of!(ChipTensor, dims) == 36);
const _: () = assert!(offset_of!(ChipTensor, dtype) == 40 && offset_of!(ChipTensor, manual_dep) == 41);
const _: () = assert!(offset_of!(ChipTensor, is_contiguous) == 42 && offset_of!(ChipTensor, address_space) == 43);
const _: () = assert!(offset_of!(ChipTensor, shape) == 44 && offset_of!(ChipTensor, extent) == 64);
const _: () = assert!(offset_of!(ChipTensor, strides) == 72 && offset_of!(ChipTensor, reserved) == 92);

const _: () = assert!(offset_of!(ChipStorageTaskArgs, scalars) == 32768);
const _: () = assert!(offset_of!(ChipStorageTaskArgs, tensor_count) == 33792);
const _: () = assert!(offset_of!(ChipStorageTaskArgs, scalar_count) == 33796);
const _: () = assert!(size_of::<ChipStorageTaskArgs>() == 33856);

const _: () = assert!(size_of::<RuntimeEnv>() == 96);
const _: () = assert!(size_of::<CallConfig>() == 1144 && align_of::<CallConfig>() == 1);
const _: () = assert!(offset_of!(CallConfig, runtime_env) == 24 && offset_of!(CallConfig, output_prefix) == 120);

const _: () = assert!(size_of::<NativeRunDescriptor>() == 56 && offset_of!(NativeRunDescriptor, run_id) == 8);
const _: () = assert!(offset_of!(NativeRunDescriptor, run_epoch) == 32);
const _: () = assert!(offset_of!(NativeRunDescriptor, accepted_state) == 40);
const _: () = assert!(offset_of!(NativeRunDescriptor, accepted_value) == 48);

const _: () = assert!(size_of::<PipelineResource>() == 16);
const _: () = assert!(size_of::<PipelineContract>() == 144 && offset_of!(PipelineContract, resources) == 16);
