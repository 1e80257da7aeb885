//! Does every function of the host runtime's C API refuse what it cannot do, and stay usable?
//!
//! Functions are called as a host process would call them, with null pointers, with values out of range and out of
//! order. Each gives a negative code, or null or 0 where it gives no code; afterwards the same context registers a
//! callable and runs it. Every runtime for every generation is asked, and in front of CANN's functions too.

mod support;

use std::collections::BTreeSet;
use std::ffi::CStr;
use std::time::Duration;

use npusim::bundled;
use npusim::case::{CaseSpec, Runtime};
use npusim::client::abi::{ChipStorageTaskArgs, NativeRunDescriptor};
use npusim::client::args::task_args;
use npusim::device::error::DeviceError;
use npusim::device::host_calls::HostCalls;
use npusim::device::{Device, NamedObject};
use npusim::golden::{self, Verdict};
use npusim::run::plan::RunPlan;
use npusim::run::settings::{Front, RunSettings};
use npusim::tensor::HostTensor;
use sim_core::loader::ledger::{LoadOrigin, LoadOutcome, LoadRecord, LoadState};
use sim_core::profile::Arch;
use support::own_process::in_own_process;

const PATIENCE: Duration = Duration::from_secs(60);

/// What a function that gives a code gives for arguments that it cannot use.
const INVALID: i32 = -1;
/// And for what this runtime does not offer.
const UNSUPPORTED: i32 = -2;

/// A callable id that the runtime accepts.
const ID: u64 = 5;
/// As an `int` that is negative.
const MINUS_ONE: u64 = u32::MAX as u64;

/// The functions that the header declares.
const HEADER: &str = include_str!("../guest/include/npusim/runtime_c_api.h");

/// A host process with a device and what a run needs.
struct Host {
    device: Device,
    plan: RunPlan,
    storage: Vec<u128>,
    storage_at: u64,
}

impl Host {
    fn on(front: Front, arch: Arch, runtime: Runtime) -> Self {
        let case = CaseSpec::bundled("vector_example").expect("it is bundled");
        let settings = RunSettings { front, arch: Some(arch), runtime: Some(runtime), ..RunSettings::default() };
        Self::of(RunPlan::new(case, &settings).expect("a bundled case can be run"))
    }

    fn of(plan: RunPlan) -> Self {
        let runtime = NamedObject { name: &plan.objects.host.name, bytes: &plan.objects.host.bytes };
        let device = Device::new(plan.config.clone(), bundled::SHIM, runtime).expect("a bundled runtime can be loaded");
        let mut host = Host { device, plan, storage: Vec::new(), storage_at: 0 };
        let (size, alignment) = (host.value("get_runtime_size", &[]), host.value("get_runtime_alignment", &[]));
        assert!(size > 0 && alignment.is_power_of_two(), "{size} bytes at {alignment}");
        host.storage = vec![0; (size + alignment) as usize / size_of::<u128>() + 1];
        host.storage_at = (host.storage.as_ptr() as u64).next_multiple_of(alignment);
        host
    }

    /// Another one, whose device keeps objects by this policy.
    fn with_cache(self, policy: &str) -> Self {
        let Host { device, mut plan, .. } = self;
        drop(device);
        plan.config.cache = policy.parse().expect("it is a policy");
        Self::of(plan)
    }

    /// Calls a function; what it returns.
    #[track_caller]
    fn value(&self, function: &str, arguments: &[u64]) -> u64 {
        let address = self.device.symbol(function).unwrap_or_else(|error| panic!("{function}: {error}"));
        // SAFETY: the arguments are of the function's types; it refuses what is not valid, which is what is tested.
        unsafe { self.device.call(address, arguments) }.unwrap_or_else(|error| panic!("{function}: {error}"))
    }

    /// Calls a function; the code that it returns.
    #[track_caller]
    fn code(&self, function: &str, arguments: &[u64]) -> i32 {
        self.value(function, arguments) as u32 as i32
    }

    /// A call succeeds.
    #[track_caller]
    fn succeed(&self, function: &str, arguments: &[u64]) {
        let code = self.code(function, arguments);
        assert_eq!(code, 0, "{function}: {:?}", self.device.take_error());
    }

    /// Arguments of `simpler_init`.
    fn init_arguments(&self, context: u64) -> [u64; 9] {
        let bytes = |object: &[u8]| [object.as_ptr() as u64, object.len() as u64];
        let ([aicpu, aicpu_size], [aicore, aicore_size]) =
            (bytes(&self.plan.objects.aicpu.bytes), bytes(&self.plan.objects.aicore.bytes));
        [context, 0, aicpu, aicpu_size, aicore, aicore_size, 0, 0, address(&self.plan.input.call_config)]
    }

    fn callable(&self) -> u64 {
        self.plan.input.callable.as_ptr() as u64
    }

    /// A context that is attached to the device.
    fn ready_context(&self) -> u64 {
        let context = self.value("create_device_context", &[]);
        assert_ne!(context, 0);
        self.succeed("simpler_init", &self.init_arguments(context));
        context
    }

    /// Registers the callable, runs it with the right results, and unregisters it.
    #[track_caller]
    fn assert_works(&self, context: u64) {
        self.succeed("simpler_register_callable", &[context, ID, self.callable()]);
        let run = Run::new(self);
        self.succeed("simpler_run", &run.arguments(self, context, ID));
        run.assert_results(self);
        self.succeed("simpler_unregister_callable", &[context, ID]);
    }
}

/// Runs `body` on each runtime for each generation, in front of the simulator's platform layer and of CANN's functions:
/// one after the other in a process of its own.
fn with_every_runtime(test: &str, body: impl Fn(Host)) {
    in_own_process(test, PATIENCE, || {
        for (arch, runtime) in Arch::ALL.into_iter().flat_map(|arch| Runtime::ALL.map(|runtime| (arch, runtime))) {
            for front in [Front::Platform, Front::Driver] {
                println!("{runtime} for {arch}, {front:?}");
                body(Host::on(front, arch, runtime));
            }
        }
    });
}

fn address<T>(value: &T) -> u64 {
    std::ptr::from_ref(value) as u64
}

/// One run's arguments, with the memory that they name.
struct Run {
    tensors: Vec<HostTensor>,
    args: Box<ChipStorageTaskArgs>,
    descriptor: NativeRunDescriptor,
}

impl Run {
    fn new(host: &Host) -> Self {
        let mut tensors = host.plan.input.tensors.clone();
        let args =
            task_args(&mut tensors, &host.plan.input.case.scalar_words()).expect("a bundled case has good arguments");
        let descriptor = NativeRunDescriptor {
            pipeline_slot: 0,
            arena_bank: 0,
            run_id: 1,
            generation: 1,
            dispatch_id: 1,
            run_epoch: 1,
            accepted_state: 0,
            accepted_value: 0,
        };
        Run { tensors, args, descriptor }
    }

    /// The arguments of `simpler_run` and `simpler_prepare_run`.
    fn arguments(&self, host: &Host, context: u64, id: u64) -> [u64; 6] {
        let config = address(&host.plan.input.call_config);
        [context, host.storage_at, id, address(&*self.args), config, address(&self.descriptor)]
    }

    fn assert_results(&self, host: &Host) {
        let report =
            golden::check(&host.plan.input.case, &host.plan.input.tensors, &self.tensors).expect("it has a reference");
        assert_eq!(report.verdict(), Verdict::Pass);
    }
}

/// Replaces one argument.
fn with<const N: usize>(mut arguments: [u64; N], index: usize, value: u64) -> [u64; N] {
    arguments[index] = value;
    arguments
}

/// What a function gives when it refuses.
#[derive(Clone, Copy, Debug)]
enum Refusal {
    /// This code.
    Code(i32),
    /// Null, or nothing of what it counts.
    Zero,
    /// It gives nothing.
    Nothing,
}

use Refusal::{Code, Nothing, Zero};

/// Every function that takes a context or another handle, with null for it.
fn calls_with_null() -> Vec<(&'static str, Vec<u64>, Refusal)> {
    let invalid = Code(INVALID);
    let unsupported = Code(UNSUPPORTED);
    vec![
        ("destroy_device_context", vec![0], Nothing),
        ("simpler_init", vec![0; 9], invalid),
        ("finalize_device", vec![0], invalid),
        ("ensure_acl_ready_ctx", vec![0, 0], invalid),
        ("supports_concurrent_native_prepare_ctx", vec![0], Zero),
        ("get_arena_bank_gm_heap_base_ctx", vec![0, 0], Zero),
        ("get_retained_temp_addr_ctx", vec![0, 0], Zero),
        ("device_malloc_ctx", vec![0, 64], Zero),
        ("device_free_ctx", vec![0, 0], Nothing),
        ("committed_device_memory_ctx", vec![0], Zero),
        ("copy_to_device_ctx", vec![0; 4], invalid),
        ("copy_from_device_ctx", vec![0; 4], invalid),
        ("simpler_provision_dma_workspace", vec![0; 4], invalid),
        ("simpler_register_callable", vec![0, ID, 0], invalid),
        ("simpler_unregister_callable", vec![0, ID], invalid),
        ("get_aicpu_dlopen_count", vec![0], Zero),
        ("get_host_dlopen_count", vec![0], Zero),
        ("get_run_stream_set_create_count", vec![0], Zero),
        ("simpler_run", vec![0; 6], invalid),
        ("simpler_prepare_run", vec![0; 6], invalid),
        ("simpler_launch_run", vec![0; 2], invalid),
        ("simpler_poll_run", vec![0; 2], invalid),
        ("simpler_wait_run", vec![0; 2], invalid),
        ("simpler_finalize_run", vec![0; 2], invalid),
        ("create_comm_stream_ctx", vec![0], Zero),
        ("destroy_comm_stream_ctx", vec![0; 2], unsupported),
        ("comm_init", vec![0; 4], Zero),
        ("comm_alloc_windows", vec![0; 3], unsupported),
        ("comm_get_local_window_base", vec![0; 2], unsupported),
        ("comm_get_window_size", vec![0; 2], unsupported),
        ("comm_derive_context", vec![0; 7], unsupported),
        ("comm_alloc_domain_windows", vec![0; 8], unsupported),
        ("comm_release_domain_windows", vec![0; 4], unsupported),
        ("comm_global_domain_prepare", vec![0; 7], unsupported),
        ("comm_global_domain_import", vec![0; 4], unsupported),
        ("comm_global_domain_release", vec![0], unsupported),
        ("comm_barrier", vec![0], unsupported),
        ("comm_destroy", vec![0], unsupported),
    ]
}

/// Functions that take nothing that could be wrong.
const ALWAYS_RIGHT: [&str; 5] = [
    "create_device_context",
    "get_runtime_size",
    "get_runtime_alignment",
    "get_pipeline_contract",
    "simpler_host_log_bind_state",
];

/// The functions that a C header declares: the word before the first `(` of a line that begins with a type.
fn declared(header: &str) -> BTreeSet<&str> {
    let declarations = header.lines().filter(|line| line.starts_with(char::is_alphabetic));
    let heads = declarations.filter_map(|line| line.split_once('(').map(|(head, _)| head));
    heads.filter_map(|head| head.rsplit([' ', '*']).next()).collect()
}

#[test]
fn is_every_function_of_the_header_called() {
    let called: BTreeSet<&str> =
        calls_with_null().iter().map(|(name, ..)| *name).chain(ALWAYS_RIGHT.iter().copied()).collect();
    assert_eq!(declared(HEADER), called);
}

#[test]
fn does_every_function_take_null_for_a_refusal() {
    with_every_runtime("does_every_function_take_null_for_a_refusal", |host| {
        let context = host.ready_context();
        for (function, arguments, refusal) in calls_with_null() {
            let value = host.value(function, &arguments);
            match refusal {
                Code(code) => assert_eq!(value as u32 as i32, code, "{function}"),
                Zero => assert_eq!(value, 0, "{function}"),
                Nothing => {}
            }
        }
        assert_ne!(host.value("get_pipeline_contract", &[]), 0);
        assert_eq!(host.code("simpler_host_log_bind_state", &[0]), 0);
        host.assert_works(context);
    });
}

#[test]
fn is_each_null_beside_a_good_context_refused() {
    with_every_runtime("is_each_null_beside_a_good_context_refused", |host| {
        let fresh = host.value("create_device_context", &[]);
        for index in [2, 3, 4, 5] {
            let arguments = with(host.init_arguments(fresh), index, 0);
            assert_eq!(host.code("simpler_init", &arguments), INVALID, "argument {index}");
        }
        host.value("destroy_device_context", &[fresh]);
        let context = host.ready_context();
        let block = host.value("device_malloc_ctx", &[context, 64]);
        assert_ne!(block, 0);
        let mut bytes = [0u8; 64];
        let here = bytes.as_mut_ptr() as u64;
        for arguments in [[context, 0, here, 64], [context, block, 0, 64]] {
            assert_eq!(host.code("copy_to_device_ctx", &arguments), INVALID, "{arguments:x?}");
        }
        for arguments in [[context, 0, block, 64], [context, here, 0, 64]] {
            assert_eq!(host.code("copy_from_device_ctx", &arguments), INVALID, "{arguments:x?}");
        }
        assert_eq!(host.value("device_malloc_ctx", &[context, 0]), 0);
        host.value("device_free_ctx", &[context, 0]);
        host.value("device_free_ctx", &[context, block]);
        assert_eq!(host.code("simpler_register_callable", &[context, ID, 0]), INVALID);
        host.succeed("simpler_register_callable", &[context, ID, host.callable()]);
        let run = Run::new(&host);
        for index in [1, 3, 4, 5] {
            let arguments = with(run.arguments(&host, context, ID), index, 0);
            assert_eq!(host.code("simpler_prepare_run", &arguments), INVALID, "argument {index}");
            assert_eq!(host.code("simpler_run", &arguments), INVALID, "argument {index}");
        }
        host.assert_works(context);
    });
}

#[test]
fn are_values_out_of_range_refused() {
    with_every_runtime("are_values_out_of_range_refused", |host| {
        let fresh = host.value("create_device_context", &[]);
        assert_eq!(host.code("simpler_init", &with(host.init_arguments(fresh), 1, MINUS_ONE)), INVALID, "device -1");
        host.value("destroy_device_context", &[fresh]);
        let context = host.ready_context();
        assert_eq!(host.code("ensure_acl_ready_ctx", &[context, MINUS_ONE]), INVALID);
        host.succeed("simpler_register_callable", &[context, ID, host.callable()]);
        for id in [64, MINUS_ONE, i32::MAX as u64, 1 << 31] {
            let run = Run::new(&host);
            assert_eq!(host.code("simpler_register_callable", &[context, id, host.callable()]), INVALID, "id {id:x}");
            assert_eq!(host.code("simpler_unregister_callable", &[context, id]), INVALID, "id {id:x}");
            assert_eq!(host.code("simpler_prepare_run", &run.arguments(&host, context, id)), INVALID, "id {id:x}");
            assert_eq!(host.code("simpler_run", &run.arguments(&host, context, id)), INVALID, "id {id:x}");
        }
        for change in [
            |run: &mut Run| run.args.tensor_count = -1,
            |run: &mut Run| run.args.tensor_count = 257,
            |run: &mut Run| run.args.scalar_count = -1,
            |run: &mut Run| run.args.scalar_count = 129,
            |run: &mut Run| run.args.tensors[0].dims = 0,
            |run: &mut Run| run.args.tensors[0].dims = 6,
            |run: &mut Run| run.args.tensors[0].dtype = 0xff,
            |run: &mut Run| run.args.tensors[0].address = 0,
            |run: &mut Run| run.args.tensors[0].size = 0,
            |run: &mut Run| run.descriptor.pipeline_slot = u32::MAX,
            |run: &mut Run| run.descriptor.arena_bank = u32::MAX,
        ] {
            let mut run = Run::new(&host);
            change(&mut run);
            let (args, descriptor) = (run.args.tensor_count, run.descriptor.pipeline_slot);
            let code = host.code("simpler_prepare_run", &run.arguments(&host, context, ID));
            assert_eq!(code, INVALID, "{args} tensors, slot {descriptor}, {:?}", run.args.tensors[0]);
        }
        assert_eq!(host.value("get_arena_bank_gm_heap_base_ctx", &[context, 1]), 0, "a bank that is not there");
        assert_eq!(host.code("simpler_provision_dma_workspace", &[context, 1, 0, 0]), UNSUPPORTED);
        assert_eq!(host.value("device_malloc_ctx", &[context, 1 << 60]), 0, "more memory than there is");
        host.assert_works(context);
    });
}

#[test]
fn are_transfers_outside_an_allocation_refused() {
    with_every_runtime("are_transfers_outside_an_allocation_refused", |host| {
        let context = host.ready_context();
        let block = host.value("device_malloc_ctx", &[context, 64]);
        let mut bytes = [7u8; 128];
        let here = bytes.as_mut_ptr() as u64;
        host.succeed("copy_to_device_ctx", &[context, block, here, 64]);
        for (device, size) in [(block, 1 << 40), (0x1000, 64), (here, 64), (block, u64::MAX)] {
            assert!(host.code("copy_to_device_ctx", &[context, device, here, size]) < 0, "{device:x} {size:x}");
            assert!(host.code("copy_from_device_ctx", &[context, here, device, size]) < 0, "{device:x} {size:x}");
        }
        host.value("device_free_ctx", &[context, block]);
        host.value("device_free_ctx", &[context, block]);
        assert!(host.code("copy_to_device_ctx", &[context, block, here, 64]) < 0, "freed");
        host.assert_works(context);
    });
}

#[test]
fn are_calls_out_of_order_refused() {
    with_every_runtime("are_calls_out_of_order_refused", |host| {
        let storage = host.storage_at;
        // Before init.
        let context = host.value("create_device_context", &[]);
        let run = Run::new(&host);
        assert_eq!(host.code("simpler_register_callable", &[context, ID, host.callable()]), INVALID);
        assert_eq!(host.code("simpler_prepare_run", &run.arguments(&host, context, ID)), INVALID);
        assert_eq!(host.value("device_malloc_ctx", &[context, 64]), 0);
        assert_eq!(host.value("committed_device_memory_ctx", &[context]), 0);
        host.succeed("simpler_init", &host.init_arguments(context));
        assert_eq!(host.code("simpler_init", &host.init_arguments(context)), INVALID, "a second time");
        // Before a callable is registered, and before a run is prepared.
        assert_eq!(host.code("simpler_prepare_run", &run.arguments(&host, context, ID)), INVALID);
        host.succeed("simpler_register_callable", &[context, ID, host.callable()]);
        let phases = ["simpler_launch_run", "simpler_poll_run", "simpler_wait_run", "simpler_finalize_run"];
        for phase in phases {
            assert_eq!(host.code(phase, &[context, storage]), INVALID, "{phase} of nothing");
        }
        // Prepared.
        host.succeed("simpler_prepare_run", &run.arguments(&host, context, ID));
        assert_eq!(host.code("simpler_prepare_run", &run.arguments(&host, context, ID)), INVALID, "a second time");
        for phase in ["simpler_poll_run", "simpler_wait_run"] {
            assert_eq!(host.code(phase, &[context, storage]), INVALID, "{phase} before launch");
        }
        assert_eq!(host.code("simpler_unregister_callable", &[context, ID]), INVALID, "in use");
        assert_eq!(host.code("finalize_device", &[context]), INVALID, "in use");
        // Launched and ended.
        host.succeed("simpler_launch_run", &[context, storage]);
        assert_eq!(host.code("simpler_launch_run", &[context, storage]), INVALID, "a second time");
        host.succeed("simpler_wait_run", &[context, storage]);
        host.succeed("simpler_wait_run", &[context, storage]);
        assert_eq!(host.code("simpler_poll_run", &[context, storage]), 1);
        assert_eq!(host.code("simpler_launch_run", &[context, storage]), INVALID, "after its end");
        host.succeed("simpler_finalize_run", &[context, storage]);
        assert_eq!(host.code("simpler_finalize_run", &[context, storage]), INVALID, "a second time");
        run.assert_results(&host);
        host.assert_works(context);
        // After finalising: as before init.
        host.succeed("finalize_device", &[context]);
        assert_eq!(host.code("simpler_register_callable", &[context, ID, host.callable()]), INVALID);
        host.succeed("simpler_init", &host.init_arguments(context));
        host.assert_works(context);
        host.succeed("finalize_device", &[context]);
        assert_eq!(host.device.residency().device.live_bytes, 0);
        host.value("destroy_device_context", &[context]);
    });
}

// ---- two callables with one object

/// The orchestrations in the ledger: whether each was loaded or found there, who uses it, and what became of it.
fn orchestrations(host: &Host) -> Vec<(bool, u32, Option<LoadState>)> {
    let loads = host.device.loads();
    let orchestrations = loads.records().iter().filter(|load| load.origin == LoadOrigin::Orchestration);
    let line = |load: &LoadRecord| (matches!(load.outcome, LoadOutcome::Miss { .. }), load.users, load.state);
    orchestrations.map(line).collect()
}

/// Whether an object with this handle has the symbol, as the shim's function says.
fn has_symbol(host: &Host, handle: u64, symbol: &CStr) -> bool {
    let function = host.device.driver_symbol("npusim_symbol").expect("the shim has it");
    // SAFETY: the function takes a handle, which may be any number, and a text.
    let found = unsafe { host.device.call(function, &[handle, symbol.as_ptr() as u64]) }.expect("it returns");
    found != 0
}

#[test]
fn do_two_callables_with_equal_bytes_share_an_object_until_the_last_of_them_goes() {
    const OTHER: u64 = ID + 1;
    const ENTRY: &CStr = c"aicpu_orchestration_entry";
    with_every_runtime("do_two_callables_with_equal_bytes_share_an_object_until_the_last_of_them_goes", |host| {
        let host = host.with_cache("by-content");
        let context = host.ready_context();
        let run = |id| {
            let run = Run::new(&host);
            host.succeed("simpler_run", &run.arguments(&host, context, id));
            run.assert_results(&host);
        };
        host.succeed("simpler_register_callable", &[context, ID, host.callable()]);
        assert_eq!(orchestrations(&host), [(true, 1, Some(LoadState::Live))]);
        host.succeed("simpler_register_callable", &[context, OTHER, host.callable()]);
        assert_eq!(orchestrations(&host), [(true, 2, Some(LoadState::Live)), (false, 0, None)], "one load, two users");
        let [handle] = (1..64).filter(|handle| has_symbol(&host, *handle, ENTRY)).collect::<Vec<_>>()[..] else {
            panic!("more than one object, or none")
        };
        run(ID);
        run(OTHER);
        host.succeed("simpler_unregister_callable", &[context, ID]);
        if host.plan.input.case.runtime.orchestrates_on_device() {
            // The AICPU keeps what is in its table until the number is used again or the device is finalised.
            assert_eq!(orchestrations(&host), [(true, 2, Some(LoadState::Live)), (false, 0, None)]);
            run(OTHER);
            host.succeed("finalize_device", &[context]);
            assert_eq!(orchestrations(&host), [(true, 0, Some(LoadState::Unloaded)), (false, 0, None)]);
            return;
        }
        assert_eq!(orchestrations(&host), [(true, 1, Some(LoadState::Live)), (false, 0, None)], "one user is left");
        assert!(has_symbol(&host, handle, ENTRY));
        run(OTHER);
        host.succeed("simpler_unregister_callable", &[context, OTHER]);
        assert_eq!(orchestrations(&host), [(true, 0, Some(LoadState::Unloaded)), (false, 0, None)]);
        // The object is gone, and its handle is nobody else's.
        drop(host.device.take_error());
        assert!(!has_symbol(&host, handle, ENTRY));
        let error = host.device.take_error().expect("it says why");
        let late = DeviceError::LateUse { object: handle, symbol: "aicpu_orchestration_entry".to_owned() };
        assert_eq!(error.to_string(), late.to_string());
        assert!(matches!(error, DeviceError::LateUse { .. }));
        let late_run = Run::new(&host);
        assert_eq!(host.code("simpler_run", &late_run.arguments(&host, context, OTHER)), INVALID);
        host.assert_works(context);
    });
}
