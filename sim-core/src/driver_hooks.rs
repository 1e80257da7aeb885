//! The driver's part of the seam to the shim: its hooks and the structures of CANN's runtime that pass through them.
//!
//! The C side is `guest/include/npusim/driver_hooks.h` and `guest/include/cann`; change both together and raise
//! [`HOOK_ABI`](crate::shim::HOOK_ABI). Handles are numbers here, since nobody follows them.

use std::ffi::{c_char, c_int};

/// `rtDevBinary_t`
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct DevBinary {
    /// [`DevBinary::MAGIC`]
    pub magic: u32,
    /// Of no meaning here.
    pub version: u32,
    /// The object, in host memory.
    pub data: *const u8,
    /// Its bytes.
    pub length: u64,
}

impl DevBinary {
    /// `RT_DEV_BINARY_MAGIC_ELF`
    pub const MAGIC: u32 = 0x4355_4245;
}

/// `rtArgsEx_t`
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct ArgsEx {
    /// The arguments, in host memory.
    pub args: *const u8,
    /// Not supported.
    pub host_inputs: *const u8,
    /// Bytes of the arguments.
    pub args_size: u32,
    /// Not supported.
    pub tiling_address_offset: u32,
    /// Not supported.
    pub tiling_data_offset: u32,
    /// Not supported.
    pub host_input_count: u16,
    /// Not supported.
    pub has_tiling: u8,
    /// The arguments are on the device already: not supported.
    pub no_copy: u8,
    /// Of no meaning.
    pub reserved: [u8; 4],
}

/// `rtAicpuArgsEx_t`
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct AicpuArgsEx {
    /// The arguments, in host memory.
    pub args: *const u8,
    /// Not supported.
    pub host_inputs: *const u8,
    /// Not supported.
    pub kernel_offsets: *const u8,
    /// Bytes of the arguments.
    pub args_size: u32,
    /// Not supported.
    pub host_input_count: u16,
    /// Not supported.
    pub kernel_offset_count: u16,
    /// Where in the arguments the name of the object is.
    pub so_name_offset: u32,
    /// Where in the arguments the name of the function is.
    pub kernel_name_offset: u32,
    /// The arguments are on the device already: not supported.
    pub no_copy: u8,
    /// In seconds; not supported.
    pub timeout: u16,
    /// Of no meaning.
    pub reserved: u8,
}

/// `rtCpuKernelArgs_t`
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct CpuKernelArgs {
    /// The arguments.
    pub base: AicpuArgsEx,
    /// Of no meaning here.
    pub head_offset: usize,
    /// Of no meaning.
    pub reserved: [u32; 4],
}

/// `rtLoadBinaryConfig_t`
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct LoadBinaryConfig {
    /// The options.
    pub options: *const LoadBinaryOption,
    /// How many.
    pub count: usize,
}

/// `rtLoadBinaryOption_t`
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct LoadBinaryOption {
    /// Which option.
    pub id: u32,
    /// Its value.
    pub value: [u32; 4],
}

impl LoadBinaryOption {
    /// `RT_LOAD_BINARY_OPT_CPU_KERNEL_MODE`
    pub const CPU_KERNEL_MODE: u32 = 3;
}

const _: () = {
    assert!(size_of::<DevBinary>() == 24);
    assert!(size_of::<ArgsEx>() == 40);
    assert!(size_of::<AicpuArgsEx>() == 48);
    assert!(size_of::<CpuKernelArgs>() == 72);
    assert!(size_of::<LoadBinaryConfig>() == 16);
    assert!(size_of::<LoadBinaryOption>() == 20);
};

/// `NpusimDriverHooks`
#[repr(C)]
#[derive(Clone, Copy)]
#[expect(missing_docs, reason = "each field is documented by the functions of cann/*.h that it is behind")]
pub struct DriverHookTable {
    pub init: extern "C" fn() -> c_int,
    pub finalize: extern "C" fn() -> c_int,
    pub set_device: extern "C" fn(device: i32) -> c_int,
    pub get_device: extern "C" fn(device: *mut i32) -> c_int,
    pub reset_device: extern "C" fn(device: i32, force: c_int) -> c_int,
    pub set_op_timeout: extern "C" fn(timeout_us: u64, actual_us: *mut u64) -> c_int,
    pub memory_info: extern "C" fn(free: *mut u64, total: *mut u64) -> c_int,
    pub stream_create: extern "C" fn(stream: *mut u64) -> c_int,
    pub stream_destroy: extern "C" fn(stream: u64) -> c_int,
    pub stream_check: extern "C" fn(stream: u64) -> c_int,
    pub stream_query: extern "C" fn(stream: u64) -> c_int,
    pub stream_synchronize: extern "C" fn(stream: u64, timeout_ms: i32) -> c_int,
    pub device_synchronize: extern "C" fn(timeout_ms: i32) -> c_int,
    pub stream_limit: extern "C" fn(stream: u64, resource: u32, value: *mut u32) -> c_int,
    pub stream_wait_event: extern "C" fn(stream: u64, event: u64) -> c_int,
    pub event_create: extern "C" fn(event: *mut u64, flags: u32) -> c_int,
    pub event_destroy: extern "C" fn(event: u64) -> c_int,
    pub event_record: extern "C" fn(event: u64, stream: u64) -> c_int,
    pub event_synchronize: extern "C" fn(event: u64) -> c_int,
    pub event_timestamp: extern "C" fn(event: u64, timestamp: *mut u64) -> c_int,
    pub malloc: extern "C" fn(device: *mut u64, size: u64) -> c_int,
    pub free: extern "C" fn(device: u64) -> c_int,
    pub memcpy: extern "C" fn(to: usize, most: u64, from: usize, size: u64, kind: u32) -> c_int,
    pub memset: extern "C" fn(device: u64, most: u64, value: i32, size: u64) -> c_int,
    pub malloc_host: extern "C" fn(host: *mut u64, size: u64) -> c_int,
    pub free_host: extern "C" fn(host: u64) -> c_int,
    pub register_binary: extern "C" fn(binary: *const DevBinary, handle: *mut u64) -> c_int,
    pub unregister_binary: extern "C" fn(handle: u64) -> c_int,
    pub launch_binary: extern "C" fn(handle: u64, block_dim: u32, args: *const ArgsEx, stream: u64) -> c_int,
    pub launch_builtin: extern "C" fn(kernel_type: u32, block_dim: u32, args: *const AicpuArgsEx, stream: u64) -> c_int,
    pub load_cpu_binary:
        extern "C" fn(json_path: *const c_char, config: *const LoadBinaryConfig, binary: *mut u64) -> c_int,
    pub unload_cpu_binary: extern "C" fn(binary: u64) -> c_int,
    pub cpu_function: extern "C" fn(binary: u64, name: *const c_char, function: *mut u64) -> c_int,
    pub launch_cpu: extern "C" fn(function: u64, count: u32, args: *const CpuKernelArgs, stream: u64) -> c_int,
    pub device_info: extern "C" fn(device: u32, module: i32, info: i32, value: *mut i64) -> c_int,
}
