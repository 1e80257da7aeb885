//! Do the traits of real guests work under virtual time: everything that C++ offers to wait with, and loops that wait
//! without calling anything?
//!
//! A small host driver stands in for a host runtime, and launches AICPU threads that go through a trait.

mod support;

use std::ffi::{CStr, CString, c_char};
use std::time::Duration;

use npusim::bundled::{self, ObjectKind};
use npusim::device::error::{DeviceError, WaitingActor};
use npusim::device::host_calls::HostCalls;
use npusim::device::{Device, DeviceConfig, EngineKind, NamedObject};
use serde_json::Value;
use sim_core::actor::ActorKind;
use sim_core::profile::{Arch, Profile};
use support::own_process::in_own_process;
use support::{Scratch, npusim};

const PATIENCE: Duration = Duration::from_secs(60);

/// The waits of `call_free_wait` in the order of the driver's numbers, with what they return.
const WAITS: [(&str, u64); 5] =
    [("wait_flag", 1), ("wait_level", 3), ("wait_produced", 7), ("wait_answer", 42), ("wait_word", 0xcafe)];

fn trait_bytes(name: &str) -> &'static [u8] {
    bundled::object(ObjectKind::Trait, name).unwrap_or_else(|| panic!("{name} is bundled")).bytes
}

/// A device whose host runtime is the driver.
struct Driver {
    device: Device,
}

impl Driver {
    fn new(engine: EngineKind) -> Self {
        let profile = Profile::load(Arch::A2a3).expect("it is part of the program");
        let config = DeviceConfig { engine, ..DeviceConfig::new(profile) };
        let driver = NamedObject { name: "host_driver", bytes: trait_bytes("host_driver") };
        Driver { device: Device::new(config, bundled::SHIM, driver).expect("the driver can be loaded") }
    }

    fn call(&self, function: &str, arguments: &[u64]) -> Result<u64, DeviceError> {
        let function = self.device.symbol(function)?;
        // SAFETY: each call below passes what the driver's function takes; what arguments point to outlives the call.
        unsafe { self.device.call(function, arguments) }
    }

    fn load(&self, name: &str) -> u64 {
        let bytes = trait_bytes(name);
        let text = CString::new(name).expect("a plain name");
        let arguments = [bytes.as_ptr() as u64, bytes.len() as u64, text.as_ptr() as u64];
        let object = self.call("drive_load", &arguments).expect("the driver returns");
        assert_ne!(object, 0, "{name}: {:?}", self.device.take_error());
        object
    }

    /// A device with `call_free_wait` loaded.
    fn with_waits(engine: EngineKind) -> Self {
        let driver = Driver::new(engine);
        let object = driver.load("call_free_wait");
        assert_eq!(driver.call("drive_bind_waits", &[object]).expect("it returns") as i32, 0);
        driver
    }

    fn hash(&self) -> u64 {
        self.device.trace().hash()
    }
}

/// Runs `mutex_cond`; gives the hash of the trace and the host's virtual time at the end.
fn go_through_mutex_cond(engine: EngineKind, actors: u64) -> (u64, u64) {
    let driver = Driver::new(engine);
    let object = driver.load("mutex_cond");
    let wrong = driver.call("drive_mutex_cond", &[object, actors]).expect("it ends") as *const c_char;
    if !wrong.is_null() {
        // SAFETY: the driver returns null or a constant text of an object that is still loaded.
        panic!("{engine:?}, {actors} actors: {:?}; {:?}", unsafe { CStr::from_ptr(wrong) }, driver.device.take_error());
    }
    (driver.hash(), driver.device.now().as_ps())
}

/// Runs every wait with somebody who ends it; gives the hash of the trace.
fn go_through_waits(engine: EngineKind) -> u64 {
    let driver = Driver::with_waits(engine);
    for (number, (name, result)) in WAITS.into_iter().enumerate() {
        let begun = driver.device.now();
        let code = driver.call("drive_wait", &[number as u64, 2]).expect("it returns") as i32;
        assert_eq!(code, 0, "{name}: {:?}", driver.device.fault());
        assert_eq!(driver.call("drive_wait_result", &[]).expect("it returns"), result, "{name}");
        // The other thread sleeps for 10 us of virtual time before it stores.
        let waited = driver.device.now().since(begun).as_ps();
        assert!((10_000_000..40_000_000).contains(&waited), "{name} took {waited} ps");
    }
    driver.hash()
}

#[test]
fn do_mutexes_conditions_once_statics_and_threads_work_under_virtual_time() {
    in_own_process("do_mutexes_conditions_once_statics_and_threads_work_under_virtual_time", PATIENCE, || {
        for actors in [2, 4, 6] {
            let first = go_through_mutex_cond(EngineKind::Virtual, actors);
            assert_eq!(go_through_mutex_cond(EngineKind::Virtual, actors), first, "{actors} actors, again");
            assert_eq!(go_through_mutex_cond(EngineKind::Naive, actors), first, "{actors} actors, naive");
        }
    });
}

#[test]
fn do_call_free_waits_end_under_virtual_time() {
    in_own_process("do_call_free_waits_end_under_virtual_time", PATIENCE, || {
        let first = go_through_waits(EngineKind::Virtual);
        assert_eq!(go_through_waits(EngineKind::Virtual), first, "again");
        assert_eq!(go_through_waits(EngineKind::Naive), first, "naive");
    });
}

/// Where `inspect` finds the waits of `call_free_wait`, as `function+offset`.
fn inspected_waits() -> Vec<String> {
    let scratch = Scratch::new();
    let file = scratch.file("call_free_wait.so", trait_bytes("call_free_wait"));
    let inspection = npusim(["inspect".as_ref(), "--json".as_ref(), file.as_os_str()]).success().json();
    let waits = inspection["loops"]["waits"].as_array().expect("a list of waits");
    let place = |wait: &Value| {
        let symbol = &wait["site"]["symbol"];
        format!(
            "{}+{:#x}",
            symbol["symbol"].as_str().expect("a function"),
            symbol["offset"].as_u64().expect("a number")
        )
    };
    waits.iter().map(place).collect()
}

#[test]
fn are_waits_trapped_where_inspect_finds_them() {
    in_own_process("are_waits_trapped_where_inspect_finds_them", PATIENCE, || {
        let mut inspected = inspected_waits();
        let mut trapped: Vec<String> = (0..WAITS.len()).map(place_of_endless_wait).collect();
        inspected.sort();
        trapped.sort();
        assert_eq!(trapped, inspected);
    });
}

/// Where a thread is that goes through wait `number` and that nobody ends, as the deadlock's report says.
fn place_of_endless_wait(number: usize) -> String {
    let driver = Driver::with_waits(EngineKind::Virtual);
    let code = driver.call("drive_wait", &[number as u64, 1]).expect("it returns") as i32;
    assert_eq!(code, -507_046, "{}", WAITS[number].0);
    let Some(DeviceError::Deadlock(report)) = driver.device.fault() else {
        panic!("{}: {:?}", WAITS[number].0, driver.device.fault());
    };
    let waits = |actor: &&WaitingActor| actor.kind == ActorKind::Aicpu(0);
    let actor = report.actors.iter().find(waits).expect("the thread waits");
    let symbol = actor.site.as_ref().and_then(|site| site.symbol.as_ref()).expect("it is in a function");
    assert_eq!(symbol.symbol, WAITS[number].0);
    format!("{}+{:#x}", symbol.symbol, symbol.offset)
}
