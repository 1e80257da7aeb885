//! The seam to the shim: the hook table and what the shim gives in return.
//!
//! The C side is `guest/include/npusim/hooks.h`; change both together and raise [`HOOK_ABI`].

use std::ffi::{c_char, c_int, c_void};
use std::sync::atomic::AtomicU32;

use crate::driver_hooks::DriverHookTable;
use crate::engine::ThreadFunctions;
use crate::loader::heap::Heap;

/// The version of both sides.
pub const HOOK_ABI: u32 = 7;

/// A guest's thread function.
pub type ThreadStart = extern "C" fn(*mut c_void) -> *mut c_void;

/// `NpusimLaunch`
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct Launch {
    /// `int aicpu_execute(void *runtime)`
    pub aicpu_entry: u64,
    /// `void aicore_execute_wrapper(...)`
    pub aicore_entry: u64,
    /// Device address of the runtime structure.
    pub runtime: u64,
    /// AICPU threads to launch.
    pub aicpu_threads: u32,
    /// Clusters to launch.
    pub block_dim: u32,
    /// Handed to the AICore entry.
    pub profiling_flags: u32,
    /// Zero.
    pub reserved: u32,
    /// Handed to the AICore entry.
    pub rotation_table: u64,
}

/// `NpusimTopology`
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct Topology {
    /// Clusters of this device.
    pub clusters: u32,
    /// AICPU threads to launch.
    pub aicpu_launched: u32,
    /// AICPU threads that pass the gate.
    pub aicpu_active: u32,
    /// Of those, how many schedule.
    pub schedulers: u32,
    /// Rate of the system counter.
    pub counter_hz: u64,
}

/// `NpusimKernelCall`
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct KernelCall {
    /// What `register_kernel` returned.
    pub kernel: u64,
    /// Tensor descriptors, then scalars.
    pub args: *mut i64,
    /// How many of the arguments are tensors.
    pub tensor_count: u32,
    /// How many are scalars.
    pub scalar_count: u32,
    /// `(ring << 32) | local`
    pub task_id: u64,
}

/// `NpusimCallable`
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct CallableName {
    /// Whose callables have these ids: an address of its own.
    pub worker: usize,
    /// 0 to 63.
    pub id: i32,
}

/// `NpusimTaskNote`
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct TaskNote {
    /// `(ring << 32) | local`
    pub task_id: u64,
    /// The scope that owns the task.
    pub scope: u64,
    /// AIC, AIV0, AIV1; -1 for none.
    pub kernel_ids: [i32; 3],
    /// How many tensors.
    pub tensor_count: u32,
    /// Their descriptors.
    pub tensors: *const c_void,
    /// How each is used.
    pub access: *const i32,
}

/// `NpusimHooks`
#[repr(C)]
#[derive(Clone, Copy)]
#[expect(missing_docs, reason = "each field is documented by the function of platform.h that it is behind")]
pub struct HookTable {
    pub abi: u32,
    pub size: u32,
    pub on_actor: extern "C" fn() -> c_int,
    pub heap_allocate: unsafe extern "C" fn(heap: *const c_void, size: usize, alignment: usize) -> *mut c_void,
    pub heap_resize: unsafe extern "C" fn(heap: *const c_void, block: *mut c_void, size: usize) -> *mut c_void,
    pub heap_release: unsafe extern "C" fn(heap: *const c_void, block: *mut c_void),
    pub spin: extern "C" fn(caller: usize) -> c_int,
    pub clock_ns: extern "C" fn() -> u64,
    pub sleep_ns: extern "C" fn(span: u64),
    pub block: extern "C" fn(kind: u32, key: usize, caller: usize),
    pub block_until: extern "C" fn(kind: u32, key: usize, deadline_ns: u64, caller: usize) -> c_int,
    pub wake: extern "C" fn(key: usize, most: u32),
    pub thread_create: extern "C" fn(thread: *mut libc::pthread_t, start: ThreadStart, arg: *mut c_void) -> c_int,
    pub thread_join: extern "C" fn(thread: libc::pthread_t, result: *mut *mut c_void) -> c_int,
    pub reg_load: extern "C" fn(word: *const AtomicU32, caller: usize) -> u32,
    pub reg_store: extern "C" fn(word: *const AtomicU32, value: u32, caller: usize),
    pub reg_base: extern "C" fn(caller: usize) -> *mut u8,
    pub reg_store64: extern "C" fn(words: *const AtomicU32, value: u64, caller: usize),
    pub cache_maintenance: extern "C" fn(address: usize, size: usize, flush: c_int),
    pub gm_load: extern "C" fn(address: usize, size: u32, caller: usize) -> u64,
    pub gm_store: extern "C" fn(address: usize, value: u64, size: u32, caller: usize),
    pub dcci: extern "C" fn(address: usize, extent: u32, caller: usize),
    pub malloc: extern "C" fn(size: usize, alignment: usize, owner: *const c_char) -> usize,
    pub free: extern "C" fn(device: usize) -> c_int,
    pub copy_to_device: extern "C" fn(device: usize, host: *const u8, size: usize) -> c_int,
    pub copy_from_device: extern "C" fn(host: *mut u8, device: usize, size: usize) -> c_int,
    pub memset: extern "C" fn(device: usize, value: c_int, size: usize) -> c_int,
    pub committed: extern "C" fn() -> usize,
    pub last_error: extern "C" fn() -> c_int,
    pub load: extern "C" fn(origin: u32, bytes: *const u8, size: usize, name: *const c_char) -> u64,
    pub symbol: extern "C" fn(object: u64, name: *const c_char) -> usize,
    pub unload: extern "C" fn(object: u64) -> c_int,
    pub register_callable: extern "C" fn(
        callable: CallableName,
        bytes: *const u8,
        size: usize,
        name: *const c_char,
        object: *mut u64,
    ) -> c_int,
    pub begin_callable: extern "C" fn(callable: CallableName) -> u64,
    pub end_callable: extern "C" fn(callable: CallableName) -> c_int,
    pub unregister_callable: extern "C" fn(callable: CallableName) -> c_int,
    pub callable_loads: extern "C" fn() -> usize,
    pub object_transfer: extern "C" fn() -> u32,
    pub register_kernel: extern "C" fn(func_id: i32, bytes: *const u8, size: usize) -> u64,
    pub unregister_kernel: extern "C" fn(kernel: u64) -> c_int,
    pub topology: extern "C" fn(topology: *mut Topology),
    pub launch: extern "C" fn(launch: *const Launch) -> c_int,
    pub wait: extern "C" fn() -> c_int,
    pub poll: extern "C" fn() -> c_int,
    pub aicpu_gate: extern "C" fn() -> i32,
    pub register_bases: extern "C" fn() -> *const u64,
    pub charge: extern "C" fn(operation: u32, count: u32),
    pub execute: extern "C" fn(call: *const KernelCall, caller: usize),
    pub recorder: extern "C" fn() -> *mut c_void,
    pub recorder_grow: extern "C" fn(),
    pub cross_set: extern "C" fn(peer: u32, flag: u32),
    pub cross_wait: extern "C" fn(peer: u32, flag: u32, caller: usize),
    pub note_task: extern "C" fn(note: *const TaskNote),
    pub note_edge: extern "C" fn(pred: u64, succ: u64, arg: u32, source: u32),
    pub note_phase: extern "C" fn(phase: u32),
    pub log: extern "C" fn(level: u32, text: *const c_char),
    pub driver: &'static DriverHookTable,
}

/// `NpusimShim`: what the shim gives in return.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct ShimFunctions {
    /// [`HOOK_ABI`] of the shim.
    pub abi: u32,
    /// The threads of its namespace.
    pub threads: ThreadFunctions,
    /// Writes out every stream of its namespace.
    pub flush: extern "C" fn() -> c_int,
}

/// The type of `npusim_shim_bind`.
pub type Bind = unsafe extern "C" fn(*const HookTable, *const Heap) -> *const ShimFunctions;

/// The name of the function that ties a shim to a hook table.
pub const BIND: &str = "npusim_shim_bind";
