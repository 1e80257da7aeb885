//! Does a host on the board find the driver that it knows: CANN's codes at CANN's times, and behind it the same device as
//! behind the platform's functions?

mod support;

use std::cell::RefCell;
use std::fs;
use std::rc::Rc;
use std::time::Duration;

use npusim::bundled;
use npusim::case::CaseSpec;
use npusim::client::session::{Program, Session};
use npusim::device::host_calls::HostCalls;
use npusim::device::{Device, DeviceConfig, EngineKind, NamedObject};
use npusim::golden::{self, Verdict};
use npusim::run::plan::RunPlan;
use npusim::run::settings::{Front, RunSettings};
use npusim::scenario::Scenario;
use serde_json::Value;
use sim_core::actor::{ActorId, ActorKind};
use sim_core::profile::{Arch, Profile};
use sim_core::time::SimTime;
use sim_core::trace::{EventKind, Observer, TraceEvent};
use support::own_process::in_own_process;
use support::{Outcome, npusim};

const PATIENCE: Duration = Duration::from_secs(120);

// ---- scenarios

fn scenario(name: &str, options: &[&str]) -> Value {
    npusim(["scenario", name, "--json"].into_iter().chain(options.iter().copied())).success().json()
}

/// The steps whose call begins so: code, time taken and end, in ps.
fn steps(report: &Value, call: &str) -> Vec<(i64, u64, u64)> {
    let steps = report["steps"].as_array().expect("a list of steps");
    let of_call = steps.iter().filter(|step| step["call"].as_str().is_some_and(|text| text.starts_with(call)));
    let number = |step: &Value, key: &str| step[key].as_u64().unwrap_or_else(|| panic!("{step} has no {key}"));
    let numbers =
        |step: &Value| (step["code"].as_i64().expect("a code"), number(step, "took_ps"), number(step, "at_ps"));
    of_call.map(numbers).collect()
}

/// The only step of that call.
#[track_caller]
fn step(report: &Value, call: &str) -> (i64, u64, u64) {
    match steps(report, call)[..] {
        [step] => step,
        ref others => panic!("{call}: {others:?}"),
    }
}

fn resident(report: &Value) -> Vec<(&str, u64)> {
    let marks = report["residency"].as_array().expect("a list of marks");
    marks.iter().map(|mark| (mark[0].as_str().expect("a text"), mark[1].as_u64().expect("bytes"))).collect()
}

fn finding_kinds(report: &Value) -> Vec<&str> {
    let findings = report["findings"].as_array().expect("a list of findings");
    findings.iter().map(|finding| finding["kind"].as_str().expect("a kind")).collect()
}

const US: u64 = 1_000_000;
const MS: u64 = 1_000 * US;
const S: u64 = 1_000 * MS;

/// A report without what may name addresses of the host.
fn without_reasons(mut report: Value) -> Value {
    for step in report["steps"].as_array_mut().expect("a list of steps") {
        step.as_object_mut().expect("a step").remove("reason");
    }
    report
}

#[test]
fn does_every_scenario_give_its_codes_on_both_generations_and_the_same_report_with_naive_polling() {
    for scenario_name in Scenario::ALL.map(Scenario::name) {
        for arch in ["a2a3", "a5"] {
            let parked = scenario(scenario_name, &["--arch", arch]);
            assert_eq!(parked["as_expected"], true, "{parked:#}");
            let naive = scenario(scenario_name, &["--arch", arch, "--engine", "naive"]);
            assert_eq!(without_reasons(parked), without_reasons(naive), "{scenario_name} on {arch}");
        }
    }
}

/// Code and time in us of each call that begins so.
fn codes_and_us(report: &Value, call: &str) -> Vec<(i64, u64)> {
    let inexact = |took: u64| assert_eq!(took % US, 0, "{call}: {took} ps");
    let of_step = |(code, took, _): (i64, u64, u64)| {
        inexact(took);
        (code, took / US)
    };
    steps(report, call).into_iter().map(of_step).collect()
}

#[test]
fn do_tasks_of_a_stream_follow_each_other_while_another_stream_goes_on() {
    // Each task takes 100 us; 10 us pass until a launch arrives, and until the host learns of the end.
    let report = scenario("stream_queues", &[]);
    assert_eq!(codes_and_us(&report, "rtStreamQuery"), [(507_004, 10)], "the launch has arrived by then");
    assert_eq!(codes_and_us(&report, "rtStreamDestroy"), [(507_004, 0)]);
    let waits = [
        ("three tasks, one after the other", 3 * 100 + 10),
        ("two tasks on each stream", 10 + 2 * 100 + 10),
        ("ended meanwhile", 10),
        ("all is over", 10),
        ("behind the other stream's", 10 + 2 * 100 + 10),
        ("ended before", 10),
    ];
    for (remark, us) in waits {
        assert_eq!(codes_and_us(&report, &format!("rtStreamSynchronize: {remark}")), [(0, us)], "{remark}");
    }
    assert_eq!(step(&report, "rtDevBinaryUnRegister").0, 207_000);
    assert_eq!(finding_kinds(&report), ["stream_destroyed_busy"]);
}

#[test]
fn does_a_stream_go_on_when_another_one_has_come_to_an_event() {
    let report = scenario("events", &[]);
    assert_eq!(codes_and_us(&report, "rtEventSynchronize: not recorded"), [(0, 0)]);
    assert_eq!(codes_and_us(&report, "rtEventSynchronize: one task"), [(0, 10 + 100 + 10)]);
    // The host learnt of the event 10 us ago, and the cores began when it happened.
    assert_eq!(codes_and_us(&report, "rtStreamSynchronize: one task more"), [(0, 100 - 10 + 10)]);
    assert_eq!(codes_and_us(&report, "rtStreamSynchronize: two tasks, one after the other"), [(0, 10 + 2 * 100 + 10)]);
    assert_eq!(codes_and_us(&report, "110 us between the events"), [(0, 0)]);
    let codes = |call| steps(&report, call).into_iter().map(|step| step.0).collect::<Vec<_>>();
    assert_eq!(codes("aclrtEventGetTimestamp"), [107_006, 107_006, 0, 0, 107_000]);
    assert_eq!(codes("rtEventSynchronize"), [0, 0, 107_017, 507_018]);
    assert_eq!(codes("rtEventCreate"), [0, 107_000, 507_899]);
}

#[test]
fn does_registering_for_each_launch_fill_the_device_with_copies_of_one_binary() {
    // 64 MiB less the AICPU object and the stream's block, by copies of 78 and 365 KiB.
    for (arch, launches, copy) in [("a2a3", 839, 78 << 10), ("a5", 179, 365 << 10)] {
        let report = scenario("registration_per_launch", &["--arch", arch]);
        let (many, own) = ("rtRegisterAllKernel, rtKernelLaunchWithHandleV2", "rtKernelLaunchWithHandleV2");
        assert_eq!(report["steps"][8]["times"], launches, "{report:#}");
        // Each launch loads its copy, and is one round trip.
        assert_eq!(step(&report, many).1, launches * (400 + 20) * US);
        assert_eq!(steps(&report, own).iter().map(|step| step.0).collect::<Vec<_>>(), [207_001, 507_899]);
        let streams: Vec<i64> = steps(&report, "rtStreamCreate").iter().map(|step| step.0).collect();
        assert_eq!(streams, [0, 507_899, 507_899, 0], "at first, after, ever after, after a reset");
        assert_eq!(step(&report, "rtMalloc").0, 507_899);
        let [(_, before), (_, after_one), (_, full), (_, reset)] = resident(&report)[..] else { panic!("{report:#}") };
        assert_eq!((after_one - before, full - before, reset), (copy, launches * copy, 4096));
        let holder = &report["holders"][0];
        assert!(holder["owner"].as_str().expect("an owner").starts_with("AICore binary "), "{holder}");
        assert_eq!(holder["live_blocks"], launches);
        assert_eq!(finding_kinds(&report), ["registered_again", "left_behind"]);
    }
}

#[test]
fn does_a_cached_handle_hold_after_ten_thousand_runs_what_it_held_after_one() {
    let report = scenario("cached_handle", &[]);
    let [(_, first), (_, last), (_, after)] = resident(&report)[..] else { panic!("{report:#}") };
    assert_eq!((first, last, first - after), (101_376, 101_376, 78 << 10));
    // One load, then a round trip each.
    assert_eq!(step(&report, "rtKernelLaunchWithHandleV2").1, 10_000 * 20 * US + 400 * US);
    assert_eq!(finding_kinds(&report), [""; 0]);
}

#[test]
fn is_a_second_aicpu_object_of_a_process_installed_or_not() {
    let report = scenario("install_latch", &[]);
    let ends = |report: &Value| steps(report, "rtStreamSynchronize").iter().map(|step| step.0).collect::<Vec<_>>();
    assert_eq!(ends(&report), [0, 0]);
    assert_eq!(finding_kinds(&report), ["written_past_latch"]);
    let faithful = scenario("install_latch", &["--faithful"]);
    assert_eq!(ends(&faithful), [0, 507_018]);
    assert_eq!(finding_kinds(&faithful), ["not_written", "no_aicpu_function"]);
    // The bootstrap itself succeeds both times, and takes as long.
    let waits = steps(&faithful, "aclrtSynchronizeStreamWithTimeout");
    assert_eq!(waits.iter().map(|wait| (wait.0, wait.1)).collect::<Vec<_>>(), [(0, 350 * MS + 20 * US); 2]);
}

#[test]
fn what_does_the_first_launch_take_before_and_after_the_aicpu_task() {
    let report = scenario("launch_order", &[]);
    let took = |remark| step(&report, &format!("rtKernelLaunchWithHandleV2: {remark}")).1;
    assert_eq!(took("before the AICPU task"), 400 * US);
    assert_eq!(took("after the AICPU task, which spins"), 1_400 * MS);
    assert_eq!(took("after the AICPU task, loaded already"), 0);
    assert_eq!(finding_kinds(&report), ["loaded_while_aicpu_spins"]);
    let slower = scenario("launch_order", &["--set", "driver.late_module_load=11.5s"]);
    assert_eq!(step(&slower, "rtKernelLaunchWithHandleV2: after the AICPU task, which spins").1, 11_500 * MS);
}

#[test]
fn when_does_the_host_hear_of_a_task_that_does_not_end() {
    let report = scenario("sync_timeout", &[]);
    let launched = step(&report, "rtsLaunchCpuKernel").2;
    let waits = steps(&report, "aclrtSynchronizeStreamWithTimeout");
    // The first is that of the installation.
    assert_eq!(waits[1], (507_046, 2 * S, launched + 2 * S));
    assert_eq!(waits[2], (507_046, 2 * S, launched + 4 * S));
    // It began 10 us after its launch; the host hears of its end 10 us later.
    assert_eq!(step(&report, "rtStreamSynchronize").2, launched + 10 * US + 45 * S + 10 * US);

    for (name, launch, code) in
        [("aicore_timeout", "rtKernelLaunchWithHandleV2", 507_014), ("aicpu_timeout", "rtsLaunchCpuKernel", 507_018)]
    {
        let report = scenario(name, &[]);
        let ended = step(&report, launch).2 + 10 * US + 3 * S + 10 * US;
        assert_eq!(step(&report, "rtStreamSynchronize"), (code, 3 * S + 20 * US, ended), "{name}");
    }
}

#[test]
fn does_a_crash_have_its_code_on_its_own_stream_alone() {
    let waits = |report: &Value| steps(report, "rtStreamSynchronize").iter().map(|step| step.0).collect::<Vec<_>>();
    assert_eq!(waits(&scenario("aicpu_exception", &[])), [507_018, 107_022, 507_899]);
    assert_eq!(waits(&scenario("aicore_exception", &[])), [107_022, 507_015]);
}

#[test]
fn what_do_streams_memory_and_a_reset_cost() {
    let report = scenario("teardown_order", &[]);
    assert_eq!(steps(&report, "rtStreamCreate").iter().map(|step| step.1).collect::<Vec<_>>(), [300 * US; 2]);
    let destroyed: Vec<(i64, u64)> = steps(&report, "rtStreamDestroy").iter().map(|step| (step.0, step.1)).collect();
    assert_eq!(destroyed, [(507_004, 0), (0, 300 * US), (107_003, 0)]);
    assert_eq!(step(&report, "aclrtResetDeviceForce").1, 300 * MS);
    assert_eq!(resident(&report), [("after the reset", 0)]);
    // 64 bytes that nobody had before: 512 of them, but what was asked for counts.
    let bad = scenario("bad_calls", &[]);
    assert_eq!(step(&bad, "rtMalloc: 64 bytes").1, 7_500_000 + 64 * S / 21_960_000_000 + 1);
}

#[test]
fn have_bad_calls_changed_any_memory() {
    let report = scenario("bad_calls", &[]);
    assert_eq!(resident(&report), [("before the bad calls", 4096), ("after the bad calls", 4096)]);
    assert_eq!(finding_kinds(&report), [""; 0]);
}

/// What a scenario has found out, of what begins so.
fn noted<'a>(report: &'a Value, begin: &str) -> Vec<&'a str> {
    let steps = report["steps"].as_array().expect("a list of steps");
    let calls = steps.iter().filter_map(|step| step["call"].as_str());
    calls.filter_map(|call| call.strip_prefix(begin)).collect()
}

/// What each finding about visibility is, and what it is about.
fn unseen(report: &Value) -> Vec<(&str, &str)> {
    let findings = report["visibility"].as_array().expect("a list of findings");
    let who = |finding: &'_ Value| if finding["core"].is_null() { "thread" } else { "core" };
    findings.iter().map(|it| (it["kind"].as_str().expect("a kind"), it[who(it)].as_str().expect("who"))).collect()
}

#[test]
fn how_long_does_a_notice_of_a_core_take_to_the_aicpu() {
    let report = scenario("notices", &[]);
    assert_eq!(
        noted(&report, "through "),
        [
            "memory and dcci: 100 notices, 996 ns at least, 999 ns on average, 1004 ns at most",
            "COND: 100 notices, 95 ns at least, 144 ns on average, 197 ns at most",
        ]
    );
    // The clock, which takes 10 ns, was read between: the shortest through COND is the measured 180 ns.
    let report = scenario("notices", &["--set", "mmio.response=95ns"]);
    assert_eq!(noted(&report, "through COND: "), ["100 notices, 190 ns at least, 241 ns on average, 292 ns at most"]);
    assert!(unseen(&report).is_empty());
}

#[test]
fn what_is_not_seen_for_want_of_a_dcci_and_is_it_found() {
    let report = scenario("missing_dcci", &[]);
    assert_eq!(
        noted(&report, "without dcci: "),
        [
            "the AICPU sees 0 where the core has stored 1",
            "the core sees 0 where the AICPU has stored 1",
            "of a line that two cores write 1 and 2 to, 0 and 2 are left",
        ]
    );
    assert_eq!(
        noted(&report, "with dcci: "),
        [
            "the AICPU sees 1 where the core has stored 1",
            "the core sees 1 where the AICPU has stored 1",
            "of a line that two cores write 1 and 2 to, 1 and 2 are left",
        ]
    );
    assert_eq!(unseen(&report), [("overwritten", "aiv2"), ("never_written_back", "aic0"), ("stale_read", "aic0")]);
}

#[test]
fn how_many_tokens_of_64_bits_does_a_core_see_half_of() {
    let report = scenario("torn_handshake", &[]);
    assert_eq!(noted(&report, "64 bits at once: "), ["10001 new tokens, 51 of them with an old upper half"]);
    assert_eq!(unseen(&report), [("torn_read", "aic0")]);
}

// ---- what a host asks the driver

/// A device of this generation with a host that has set it and has a stream.
fn host_with_stream(arch: Arch) -> (Device, u64) {
    let profile = Profile::load(arch).expect("it is part of the program");
    let host = NamedObject { name: "libhost_runtime.so", bytes: bundled::ONBOARD[0].host };
    let device = Device::new(DeviceConfig::new(profile), bundled::SHIM, host).expect("it can be loaded");
    let mut stream = 0u64;
    assert_eq!(ask(&device, "aclInit", &[0]), 0);
    assert_eq!(ask(&device, "aclrtSetDevice", &[0]), 0);
    assert_eq!(ask(&device, "aclrtCreateStream", &[place_of(&mut stream)]), 0);
    (device, stream)
}

fn place_of<T>(place: &mut T) -> u64 {
    (&raw mut *place).expose_provenance() as u64
}

/// Calls a function of the driver; its code.
fn ask(device: &Device, function: &str, arguments: &[u64]) -> i32 {
    let address = device.driver_symbol(function).unwrap_or_else(|error| panic!("{function}: {error}"));
    // SAFETY: the arguments are of the function's types, and what they point to outlives the call.
    let code = unsafe { device.call(address, arguments) };
    code.unwrap_or_else(|error| panic!("{function}: {error}")) as u32 as i32
}

#[test]
fn what_is_a_host_told_of_the_chip() {
    in_own_process("what_is_a_host_told_of_the_chip", PATIENCE, || {
        const AICPU: u64 = 1;
        const AICORE: u64 = 4;
        const VECTOR_CORE: u64 = 7;
        const CORE_NUM: u64 = 3;
        const OCCUPY: u64 = 8;
        for (arch, cube, vector, cpus, mask) in [(Arch::A2a3, 24, 48, 6, 0xfc), (Arch::A5, 36, 72, 5, 0xf8)] {
            let (device, stream) = host_with_stream(arch);
            let limit = |resource| {
                let mut value = 0u32;
                assert_eq!(ask(&device, "aclrtGetStreamResLimit", &[stream, resource, place_of(&mut value)]), 0);
                value
            };
            assert_eq!((limit(0), limit(1)), (cube, vector), "{arch}");
            let fact = |module, info| {
                let mut value = 0i64;
                assert_eq!(ask(&device, "halGetDeviceInfo", &[0, module, info, place_of(&mut value)]), 0);
                value
            };
            assert_eq!((fact(AICPU, CORE_NUM), fact(AICPU, OCCUPY)), (cpus, mask), "{arch}");
            assert_eq!((fact(AICORE, CORE_NUM), fact(VECTOR_CORE, CORE_NUM)), (cube.into(), vector.into()), "{arch}");
        }
    });
}

#[test]
fn what_does_memory_cost_that_somebody_had_before() {
    in_own_process("what_does_memory_cost_that_somebody_had_before", PATIENCE, || {
        const BYTES: u64 = 2 << 30;
        let (device, _) = host_with_stream(Arch::A2a3);
        let allocation = || {
            let (mut block, before) = (0u64, device.now());
            assert_eq!(ask(&device, "rtMalloc", &[place_of(&mut block), BYTES, 1, 0]), 0);
            (block, device.now().since(before).as_ns())
        };
        let (block, cold) = allocation();
        assert_eq!(cold, 7_500 + 97_790_694, "2 GiB at 21.96 GB/s");
        assert_eq!(ask(&device, "rtFree", &[block]), 0);
        assert_eq!(allocation(), (block, 7_500 + 10_082_082), "2 GiB at 213 GB/s");
    });
}

// ---- the bundled runtime through the driver

/// Cases that succeed.
const CASES: [&str; 6] = ["vector_example", "bgemm", "diamond", "mixed", "chain", "flood_2000"];

fn run(case: &str, options: &[&str]) -> Outcome {
    npusim(["run", case, "--json", "--kernel-limit", "500ms"].into_iter().chain(options.iter().copied()))
}

/// What happened on the device: when, counted from the launch, to whom, and what.
type DeviceEvent = (SimTime, String, EventKind);

/// Keeps the events of device actors.
#[derive(Clone, Default)]
struct DeviceEvents {
    kinds: Rc<RefCell<Vec<ActorKind>>>,
    events: Rc<RefCell<Vec<(TraceEvent, ActorKind)>>>,
}

impl Observer for DeviceEvents {
    fn actor(&mut self, id: ActorId, kind: ActorKind) {
        let mut kinds = self.kinds.borrow_mut();
        kinds.truncate(id.0 as usize);
        kinds.push(kind);
    }

    fn event(&mut self, event: &TraceEvent) {
        let kind = self.kinds.borrow()[event.actor.0 as usize];
        if kind.is_device() {
            self.events.borrow_mut().push((*event, kind));
        }
    }
}

impl DeviceEvents {
    fn counted_from_launch(&self) -> Vec<DeviceEvent> {
        let events = self.events.borrow();
        let origin = events.iter().map(|(event, _)| event.time).min().expect("the device did something");
        let since = |time: SimTime| SimTime::ZERO + time.since(origin);
        let mut counted: Vec<DeviceEvent> = events
            .iter()
            .map(|(event, actor)| {
                let mut kind = event.kind;
                if let EventKind::KernelStart { received, .. } = &mut kind {
                    *received = since(*received);
                }
                (since(event.time), actor.to_string(), kind)
            })
            .collect();
        counted.sort_by_key(|(time, actor, kind)| (*time, actor.clone(), format!("{kind:?}")));
        counted
    }
}

/// The device's events in one run of a case, whose results are right.
fn device_events(case: &str, front: Front, engine: EngineKind) -> Vec<DeviceEvent> {
    let settings = RunSettings { front, engine, ..RunSettings::default() };
    let plan = RunPlan::new(CaseSpec::bundled(case).expect("it is bundled"), &settings).expect("it can be run");
    let host = NamedObject { name: &plan.objects.host.name, bytes: &plan.objects.host.bytes };
    let device = Device::new(plan.config.clone(), bundled::SHIM, host).expect("it can be loaded");
    let program = Program {
        aicpu: &plan.objects.aicpu.bytes,
        aicore: &plan.objects.aicore.bytes,
        callable: &plan.input.callable,
        callable_id: plan.input.case.callable_id,
        config: &plan.input.call_config,
    };
    let mut session = Session::open(&device, &program).expect("it opens");
    let events = DeviceEvents::default();
    device.observe(Box::new(events.clone()));
    let mut tensors = plan.input.tensors.clone();
    session.run(&mut tensors, &plan.input.case.scalar_words()).expect("it runs");
    device.stop_observing();
    session.close().expect("it closes");
    let report = golden::check(&plan.input.case, &plan.input.tensors, &tensors).expect("it has a reference");
    assert_eq!(report.verdict(), Verdict::Pass, "{case}");
    assert_eq!(device.residency().device.live_bytes, 0, "{case} gives everything back");
    assert_eq!(device.findings(), [], "{case} does nothing odd");
    events.counted_from_launch()
}

#[test]
fn does_the_device_do_the_same_at_the_same_times_behind_either_front() {
    in_own_process("does_the_device_do_the_same_at_the_same_times_behind_either_front", PATIENCE, || {
        for case in CASES {
            let platform = device_events(case, Front::Platform, EngineKind::Virtual);
            assert!(platform.len() > 500, "{case}: {} events", platform.len());
            let driver = device_events(case, Front::Driver, EngineKind::Virtual);
            assert_eq!(driver, platform, "{case}");
        }
        let naive = device_events("vector_example", Front::Driver, EngineKind::Naive);
        assert_eq!(naive, device_events("vector_example", Front::Platform, EngineKind::Virtual));
    });
}

#[test]
fn is_a_run_through_the_driver_the_same_each_time_and_with_naive_polling() {
    let hash = |case, options: &[&str]| {
        run(case, &[&["--front", "driver"], options].concat()).success().json()["trace_hash"].clone()
    };
    for case in CASES {
        let first = hash(case, &[]);
        assert_eq!(hash(case, &[]), first, "{case}, again");
        assert_eq!(hash(case, &["--engine", "naive"]), first, "{case}, naive");
    }
    assert_eq!(hash("vector_example", &["--workers", "8"]), hash("vector_example", &["--workers", "1"]));
}

#[test]
fn how_does_each_fault_end_behind_the_driver() {
    // As behind the platform's functions, but for a task that hangs: there the engine notices that nothing goes on,
    // here the driver ends the task.
    for (case, exit, code) in [
        ("null_write", 3, Some(507_015)),
        ("hang_kernel", 3, Some(507_014)),
        ("ring_full", 4, None),
        ("lost_completion", 4, Some(507_046)),
        ("self_wait", 3, Some(507_018)),
    ] {
        let outcome = run(case, &["--front", "driver"]);
        assert_eq!(outcome.exit, Some(exit), "{case}: {outcome}");
        assert_eq!(outcome.json()["error"]["device_code"].as_i64(), code, "{case}: {outcome}");
    }
}

#[test]
fn is_memory_that_is_too_small_for_a_runtime_refused_behind_the_driver_too() {
    let outcome = run("vector_example", &["--front", "driver", "--hbm", "8MiB"]);
    assert_eq!((outcome.exit, &outcome.json()["error"]["device_code"]), (Some(2), &207_001.into()), "{outcome}");
}

#[test]
fn do_devices_behind_the_driver_leave_anything_in_their_process() {
    in_own_process("do_devices_behind_the_driver_leave_anything_in_their_process", PATIENCE, || {
        let open_files = || fs::read_dir("/proc/self/fd").expect("Linux has it").count();
        device_events("vector_example", Front::Driver, EngineKind::Virtual);
        let settled = open_files();
        for _ in 0..30 {
            device_events("vector_example", Front::Driver, EngineKind::Virtual);
        }
        assert_eq!(open_files(), settled);
    });
}

// ---- the command line

#[test]
fn is_what_does_not_go_with_the_driver_refused() {
    for (arguments, message) in [
        (&["scenario", "launch_orders"][..], "`launch_orders` is no scenario; did you mean `launch_order`?"),
        (
            &["scenario", "launch_order", "--engine", "threads"],
            "npusim: scenarios need virtual time: take --engine virtual or naive",
        ),
        (&["scenario", "launch_order", "--set", "driver.op_timeot=3s"], "driver.op_timeout"),
        (
            &["run", "chain", "--front", "driver", "--engine", "threads"],
            "npusim: --front driver needs virtual time: take --engine virtual or naive",
        ),
    ] {
        let outcome = npusim(arguments.iter().copied());
        assert_eq!(outcome.exit, Some(2), "{arguments:?}: {outcome}");
        assert!(outcome.stderr.contains(message), "{arguments:?}: {outcome}");
    }
}

#[test]
fn does_the_list_name_every_scenario() {
    let outcome = npusim(["scenario"]).success();
    let names: Vec<&str> = outcome.stdout.lines().filter_map(|line| line.split_whitespace().next()).collect();
    assert_eq!(names, Scenario::ALL.map(Scenario::name));
    let listing = npusim(["scenario", "--json"]).success().json();
    assert_eq!(listing["scenarios"].as_array().map(Vec::len), Some(Scenario::ALL.len()));
}
