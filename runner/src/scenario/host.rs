//! The process of a host on the board, as far as scenarios need one: it calls the driver's functions and writes down what
//! each gave.

use std::collections::BTreeMap;
use std::ffi::CString;

use sim_aicore::pipes::tables::load_profile;
use sim_core::driver_hooks::{AicpuArgsEx, ArgsEx, CpuKernelArgs, DevBinary};
use sim_core::profile::{Arch, Profile};
use sim_core::time::SimDuration;
use sim_hbm::{Holder, Residency};

use super::ScenarioSettings;
use super::report::{ScenarioReport, Step};
use crate::bundled::{self, ObjectKind};
use crate::device::error::DeviceError;
use crate::device::host_calls::HostCalls;
use crate::device::{Device, DeviceConfig, NamedObject, fingerprint};

/// How many holders are named.
const NAMED_HOLDERS: usize = 3;

/// The host.
pub(super) struct BoardHost {
    device: Device,
    profile: Profile,
    pub(super) arch: Arch,
    pub(super) faithful: bool,
    functions: BTreeMap<&'static str, usize>,
    steps: Vec<Step>,
    residency: Vec<(String, u64)>,
    holders: Vec<Holder>,
    fullest: u64,
}

/// A call that came back; an error is that of one that did not.
pub(super) type Called<T = ()> = Result<T, DeviceError>;

/// What tasks share, in device memory.
#[repr(C)]
#[derive(Clone, Copy)]
struct Shared {
    cores_started: u32,
    cores_expected: u32,
}

/// What cores are to do, in the place of profiling flags.
#[derive(Clone, Copy)]
pub(super) enum Cores {
    /// Say that they have started, and end.
    End = 0,
    /// Never end.
    Spin = 1,
    /// Write through null.
    Crash = 2,
}

/// An address as an argument. Guests may read and write there during the call.
pub(super) fn at<T>(place: &mut T) -> u64 {
    (&raw mut *place).expose_provenance() as u64
}

/// The address of something that is only read.
pub(super) fn of<T: ?Sized>(value: &T) -> u64 {
    (&raw const *value).cast::<u8>().expose_provenance() as u64
}

impl BoardHost {
    pub(super) fn new(settings: ScenarioSettings) -> Called<Self> {
        let profile = load_profile(settings.arch)?.with_overrides(&settings.overrides)?;
        let config =
            DeviceConfig { engine: settings.engine, faithful: settings.faithful, ..DeviceConfig::new(profile.clone()) };
        // The device wants one; nothing of it is called.
        let host = bundled::ONBOARD.first().map_or(&[][..], |runtime| runtime.host);
        let device = Device::new(config, bundled::SHIM, NamedObject { name: "libhost_runtime.so", bytes: host })?;
        Ok(BoardHost {
            device,
            profile,
            arch: settings.arch,
            faithful: settings.faithful,
            functions: BTreeMap::new(),
            steps: Vec::new(),
            residency: Vec::new(),
            holders: Vec::new(),
            fullest: 0,
        })
    }

    // ---- calls

    /// Makes a call and writes nothing down.
    pub(super) fn quietly(&mut self, function: &'static str, arguments: &[u64]) -> Called<i32> {
        let address = match self.functions.get(function) {
            Some(address) => *address,
            None => {
                let address = self.device.driver_symbol(function)?;
                self.functions.insert(function, address);
                address
            }
        };
        drop(self.device.take_error());
        // SAFETY: the shim's function takes these arguments; what they point to outlives the call.
        let result = unsafe { self.device.call(address, arguments) }?;
        Ok(result as u32 as i32)
    }

    /// Makes a call that should give this code.
    pub(super) fn expect(&mut self, expected: i32, function: &'static str, arguments: &[u64]) -> Called<i32> {
        self.expect_of(expected, function, "", arguments)
    }

    /// The same, with what is special about the call.
    pub(super) fn expect_of(
        &mut self,
        expected: i32,
        function: &'static str,
        remark: &str,
        arguments: &[u64],
    ) -> Called<i32> {
        let begun = self.device.now();
        let code = self.quietly(function, arguments)?;
        let at = self.device.now();
        let reason = self.device.take_error().filter(|_| code != 0).map(|error| error.to_string());
        let call = if remark.is_empty() { function.to_owned() } else { format!("{function}: {remark}") };
        self.steps.push(Step { call, times: 1, code, expected, at, took: at.since(begun), reason });
        self.look();
        Ok(code)
    }

    /// Writes down many equal calls as one.
    pub(super) fn repeated(&mut self, call: &str, times: u32, took: SimDuration) {
        let at = self.device.now();
        self.steps.push(Step { call: call.to_owned(), times, code: 0, expected: 0, at, took, reason: None });
    }

    /// Writes down something that was found out.
    pub(super) fn note(&mut self, what: &str) {
        self.repeated(what, 1, SimDuration::ZERO);
    }

    /// The profile of its device.
    pub(super) fn profile(&self) -> &Profile {
        &self.profile
    }

    pub(super) fn now(&self) -> sim_core::time::SimTime {
        self.device.now()
    }

    /// Writes down how much memory is in use.
    pub(super) fn mark(&mut self, moment: &str) {
        let live = self.device.residency().device.live_bytes;
        self.residency.push((moment.to_owned(), live));
    }

    /// Memory that is free, as the driver says.
    pub(super) fn free_bytes(&mut self) -> Called<u64> {
        const HBM: u64 = 1;
        let (mut free, mut total) = (0, 0u64);
        self.quietly("aclrtGetMemInfo", &[HBM, at(&mut free), at(&mut total)])?;
        Ok(free)
    }

    /// Remembers who held most when most was held.
    pub(super) fn look(&mut self) {
        let residency: Residency = self.device.residency();
        if residency.device.live_bytes > self.fullest {
            self.fullest = residency.device.live_bytes;
            self.holders = residency.top_holders(NAMED_HOLDERS);
        }
    }

    pub(super) fn report(self, scenario: &'static str) -> ScenarioReport {
        ScenarioReport {
            scenario,
            arch: self.arch.to_string(),
            as_expected: self.steps.iter().all(|step| step.code == step.expected),
            residency: self.residency,
            holders: self.holders,
            findings: self.device.findings(),
            visibility: self.device.visibility_findings(),
            fault: self.device.fault().map(|fault| fault.to_string()),
            trace_hash: format!("{:016x}", self.device.trace().hash()),
            steps: self.steps,
        }
    }

    // ---- what every host does

    /// From nothing to a device.
    pub(super) fn begin(&mut self) -> Called {
        self.expect(0, "aclInit", &[0])?;
        self.expect(0, "rtSetDevice", &[0])?;
        Ok(())
    }

    pub(super) fn stream(&mut self) -> Called<u64> {
        let mut stream = 0;
        self.expect(0, "rtStreamCreate", &[at(&mut stream), 0])?;
        Ok(stream)
    }

    /// Memory that tasks share, for so many cores.
    pub(super) fn shared(&mut self, cores_expected: u32) -> Called<u64> {
        let mut block = 0;
        let bytes = size_of::<Shared>() as u64;
        self.quietly("rtMalloc", &[at(&mut block), bytes, 1, 0])?;
        let shared = Shared { cores_started: 0, cores_expected };
        self.quietly("rtMemcpy", &[block, bytes, of(&shared), bytes, 1])?;
        Ok(block)
    }

    /// Registers an AICore binary; gives the handle.
    pub(super) fn register(&mut self, binary: &[u8]) -> Called<(i32, u64)> {
        let mut handle = 0;
        let binary =
            DevBinary { magic: DevBinary::MAGIC, version: 0, data: binary.as_ptr(), length: binary.len() as u64 };
        let code = self.quietly("rtRegisterAllKernel", &[of(&binary), at(&mut handle)])?;
        Ok((code, handle))
    }

    /// Launches cores, of one cluster.
    pub(super) fn launch_cores(&mut self, handle: u64, stream: u64, shared: u64, cores: Cores) -> Called<i32> {
        let (args, launch) = core_launch(shared, cores as u64);
        let code = self.quietly("rtKernelLaunchWithHandleV2", &[handle, 0, 1, of(&launch), 0, stream, 0]);
        drop(args);
        code
    }

    /// The same as a step.
    pub(super) fn expect_cores(
        &mut self,
        expected: i32,
        remark: &str,
        handle: u64,
        stream: u64,
        launch: (u64, Cores),
    ) -> Called<i32> {
        let (args, launch) = core_launch(launch.0, launch.1 as u64);
        let arguments = [handle, 0, 1, of(&launch), 0, stream, 0];
        let code = self.expect_of(expected, "rtKernelLaunchWithHandleV2", remark, &arguments);
        drop(args);
        code
    }

    /// Launches one thread of an AICPU function.
    pub(super) fn expect_aicpu(
        &mut self,
        expected: i32,
        remark: &str,
        function: u64,
        stream: u64,
        shared: u64,
    ) -> Called<i32> {
        let args = Box::new(shared);
        let base = aicpu_args(of(&*args) as *const u8, size_of::<u64>(), (0, 0));
        let launch = CpuKernelArgs { base, head_offset: 0, reserved: [0; 4] };
        self.expect_of(expected, "rtsLaunchCpuKernel", remark, &[function, 1, stream, 0, of(&launch)])
    }

    /// Has the server on the device install an AICPU object.
    pub(super) fn install(&mut self, object: &[u8], stream: u64) -> Called {
        let mut blocks = [0; 2];
        self.quietly("rtMalloc", &[at(&mut blocks[0]), object.len() as u64, 1, 0])?;
        self.quietly("rtMemcpy", &[blocks[0], object.len() as u64, of(object), object.len() as u64, 1])?;
        let mut order = [0u64; 20];
        (order[15], order[16]) = (blocks[0], object.len() as u64);
        let bytes = size_of_val(&order) as u64;
        self.quietly("rtMalloc", &[at(&mut blocks[1]), bytes, 1, 0])?;
        self.quietly("rtMemcpy", &[blocks[1], bytes, of(&order), bytes, 1])?;
        let names = ByName { so: SERVER, kernel: "DynTileFwkKernelServerInit" };
        self.expect_by_name(0, "install", &names, blocks[1], stream)?;
        self.expect(0, "aclrtSynchronizeStreamWithTimeout", &[stream, 50_000])?;
        for block in blocks {
            self.quietly("rtFree", &[block])?;
        }
        Ok(())
    }

    /// Launches a function of the device by name.
    pub(super) fn expect_by_name(
        &mut self,
        expected: i32,
        remark: &str,
        names: &ByName<'_>,
        order: u64,
        stream: u64,
    ) -> Called<i32> {
        const KFC: u64 = 5;
        let mut blob = [0u8; 112];
        blob[40..48].copy_from_slice(&order.to_le_bytes());
        for (place, name) in [(48, names.so), (80, names.kernel)] {
            // As strncpy does: what is too long loses its end.
            let length = name.len().min(32);
            blob[place..place + length].copy_from_slice(&name.as_bytes()[..length]);
        }
        let launch = aicpu_args(of(&blob) as *const u8, blob.len(), (48, 80));
        let name = CString::from(c"AST_DYN_AICPU");
        let arguments = [KFC, of(&*name), 1, of(&launch), 0, stream, 0];
        self.expect_of(expected, "rtAicpuKernelLaunchExWithArgs", remark, &arguments)
    }

    /// Reads the list of an installed object's functions; gives the handle of the list.
    pub(super) fn list(&mut self, object: &[u8]) -> Called<u64> {
        let file = list_file(object).map_err(DeviceError::Threads)?;
        let path = CString::new(file.path().as_os_str().as_encoded_bytes()).unwrap_or_default();
        let mut list = 0;
        self.expect(0, "rtsBinaryLoadFromFile", &[of(path.as_bytes_with_nul()), 0, at(&mut list)])?;
        Ok(list)
    }

    /// The handle of a function of a list.
    pub(super) fn function(&mut self, list: u64, name: &'static std::ffi::CStr) -> Called<u64> {
        let mut function = 0;
        self.quietly("rtsFuncGetByName", &[list, of(name.to_bytes_with_nul()), at(&mut function)])?;
        Ok(function)
    }
}

/// The names of a function of the device.
pub(super) struct ByName<'a> {
    pub(super) so: &'a str,
    pub(super) kernel: &'a str,
}

/// The server that CANN has on the device.
pub(super) const SERVER: &str = "libaicpu_extend_kernels.so";

/// The arguments of a launch of cores, and the launch that points to them.
pub(super) fn core_launch(shared: u64, behaviour: u64) -> (Box<[u64; 3]>, ArgsEx) {
    let args = Box::new([shared, 0, behaviour]);
    let launch = ArgsEx {
        args: of(&*args) as *const u8,
        host_inputs: std::ptr::null(),
        args_size: size_of::<[u64; 3]>() as u32,
        tiling_address_offset: 0,
        tiling_data_offset: 0,
        host_input_count: 0,
        has_tiling: 0,
        no_copy: 0,
        reserved: [0; 4],
    };
    (args, launch)
}

pub(super) fn aicpu_args(args: *const u8, size: usize, names: (u32, u32)) -> AicpuArgsEx {
    AicpuArgsEx {
        args,
        host_inputs: std::ptr::null(),
        kernel_offsets: std::ptr::null(),
        args_size: size as u32,
        host_input_count: 0,
        kernel_offset_count: 0,
        so_name_offset: names.0,
        kernel_name_offset: names.1,
        no_copy: 0,
        timeout: 0,
        reserved: 0,
    }
}

/// An object of the scenarios, with zeroes behind it up to `size`: objects of other sizes are other objects.
pub(super) fn object(name: &str, size: usize) -> Vec<u8> {
    let mut bytes = bundled::object(ObjectKind::Scenario, name).map_or(&[][..], |object| object.bytes).to_vec();
    bytes.resize(bytes.len().max(size), 0);
    bytes
}

/// A list of the functions of an installed object. It goes with the value.
fn list_file(object: &[u8]) -> std::io::Result<ListFile> {
    let file = format!("simpler_inner_{:016x}_0.so", fingerprint(object));
    let ops = [
        "scenario_return",
        "scenario_wait_for_cores",
        "scenario_spin",
        "scenario_crash",
        "scenario_rest",
        "scenario_missing",
        "notice_hear_memory",
        "notice_hear_cond",
        "notice_miss",
        "notice_hammer",
    ];
    let op =
        |name: &&str| format!("\"{name}\": {{\"opInfo\": {{\"functionName\": \"{name}\", \"kernelSo\": \"{file}\"}}}}");
    let text = format!("{{{}}}", ops.iter().map(op).collect::<Vec<_>>().join(", "));
    ListFile::new(text.as_bytes())
}

/// A file in memory.
struct ListFile {
    path: std::path::PathBuf,
    _file: std::fs::File,
}

impl ListFile {
    fn new(text: &[u8]) -> std::io::Result<Self> {
        use std::io::Write;
        use std::os::fd::AsRawFd;
        let descriptor = rustix::fs::memfd_create("aicpu_functions.json", rustix::fs::MemfdFlags::CLOEXEC)?;
        let mut file = std::fs::File::from(descriptor);
        file.write_all(text)?;
        Ok(ListFile { path: format!("/proc/self/fd/{}", file.as_raw_fd()).into(), _file: file })
    }

    fn path(&self) -> &std::path::Path {
        &self.path
    }
}
