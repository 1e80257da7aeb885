//! Does the audit tell what each object was bound to, and find what is not as it should be?
//!
//! For each kind of finding there is an object in `guest/traits/audit` that has it.

mod support;

use std::ffi::CString;
use std::fmt::Write;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;
use std::time::Duration;

use npusim::audit::Audit;
use npusim::bundled::{self, ObjectKind};
use npusim::device::host_calls::HostCalls;
use npusim::device::{Device, DeviceConfig, NamedObject};
use serde_json::{Value, json};
use sim_core::loader::audit::FindingKind;
use sim_core::loader::audit::holdings::WatchScope;
use sim_core::profile::{Arch, Profile};
use support::own_process::in_own_process;
use support::{Outcome, Scratch, entries, npusim};

const PATIENCE: Duration = Duration::from_secs(60);

fn trait_bytes(name: &str) -> &'static [u8] {
    bundled::object(ObjectKind::Trait, name).unwrap_or_else(|| panic!("{name} is bundled")).bytes
}

/// A device with a trait in the place of its host runtime.
fn device(name: &str) -> Device {
    let profile = Profile::load(Arch::A2a3).expect("it is part of the program");
    let config = DeviceConfig { watch_leaks: Some(WatchScope::Process), ..DeviceConfig::new(profile) };
    let object = NamedObject { name, bytes: trait_bytes(name) };
    Device::new(config, bundled::SHIM, object).expect("the trait can be loaded")
}

fn call(device: &Device, function: &str, arguments: &[u64]) -> u64 {
    let function = device.symbol(function).expect("the trait has it");
    // SAFETY: each call below passes what the function takes; what arguments point to outlives the call.
    unsafe { device.call(function, arguments) }.expect("it returns")
}

/// A device whose host runtime loads and closes others.
struct Driver(Device);

impl Driver {
    fn new() -> Self {
        Driver(device("host_driver"))
    }

    fn load_as(&self, name: &str, bytes: &[u8]) -> u64 {
        let text = CString::new(name).expect("a plain name");
        let object = call(&self.0, "drive_load", &[bytes.as_ptr() as u64, bytes.len() as u64, text.as_ptr() as u64]);
        assert_ne!(object, 0, "{name}: {:?}", self.0.take_error());
        object
    }

    fn load(&self, name: &str) -> u64 {
        self.load_as(name, trait_bytes(name))
    }

    fn unload(&self, object: u64) {
        assert_eq!(call(&self.0, "drive_unload", &[object]), 0);
    }

    fn found(self) -> Vec<String> {
        found(self.0)
    }
}

/// Ends a device; what was found, as `kind:symbol of object by provider`.
fn found(device: Device) -> Vec<String> {
    let audit = Audit::of_loads(&device.close(), &[]);
    let text = |judged: &npusim::audit::JudgedFinding| {
        let finding = &judged.finding;
        format!("{} of {} by {}", judged.key, finding.object, finding.provider)
    };
    audit.findings.iter().map(text).collect()
}

#[test]
fn what_is_found_in_an_object_by_itself() {
    in_own_process("what_is_found_in_an_object_by_itself", PATIENCE, || {
        let counter = if cfg!(target_arch = "x86_64") { "rdtsc" } else { "cntvct_el0" };
        let entry = if cfg!(target_arch = "x86_64") { "syscall" } else { "svc" };
        let expected: [(&str, &[&str]); 8] = [
            ("outside_namespace", &["outside_namespace:getpid of outside_namespace by the program (outside)"]),
            ("first_wins", &["first_wins:a64l of first_wins by libc.so.6"]),
            (
                "hook_bypassed",
                &[
                    "hook_bypassed:pthread_barrier_wait of hook_bypassed by libc.so.6",
                    "hook_bypassed:sched_yield of hook_bypassed by hook_bypassed",
                ],
            ),
            ("vdso", &["vdso:audit_vdso of vdso by getauxval(AT_SYSINFO_EHDR)", "vdso:time of vdso by vdso"]),
            ("inline_clock", &[&format!("inline_clock:kernel_entry of inline_clock by {counter}")]),
            ("inline_syscall", &[&format!("inline_syscall:audit_process of inline_syscall by {entry}")]),
            ("leaked_descriptor", &["leaked_descriptor:/dev/null of leaked_descriptor by open"]),
            ("host_driver", &[]),
        ];
        for (name, findings) in expected {
            assert_eq!(found(device(name)), findings, "{name}");
        }
    });
}

#[test]
fn is_a_library_found_that_an_object_leaves_open() {
    in_own_process("is_a_library_found_that_an_object_leaves_open", PATIENCE, || {
        let expected = [
            "leaked_handle:libBrokenLocale.so.1 of leaked_handle by dlopen",
            "leaked_handle:libresolv.so.2 of leaked_handle by dlopen",
        ];
        let mut alone = found(device("leaked_handle"));
        alone.sort();
        assert_eq!(alone, expected);
    });
}

#[test]
fn is_an_object_that_stays_when_it_is_closed_found_and_counted() {
    in_own_process("is_an_object_that_stays_when_it_is_closed_found_and_counted", PATIENCE, || {
        let driver = Driver::new();
        let object = driver.load("leaked_itself");
        driver.unload(object);
        let counts = driver.0.loads().counts();
        assert_eq!((counts.loaded, counts.resident, counts.pinned), (2, 1, 1));
        assert_eq!(driver.found(), ["leaked_handle:leaked_itself of leaked_itself by dlopen"]);
    });
}

#[test]
fn is_a_leak_told_of_the_object_that_has_opened_it() {
    in_own_process("is_a_leak_told_of_the_object_that_has_opened_it", PATIENCE, || {
        let driver = Driver::new();
        let innocent = driver.load("weak_definition");
        let leaking = driver.load("leaked_descriptor");
        driver.unload(innocent);
        let again = driver.load("weak_definition");
        driver.unload(leaking);
        driver.unload(again);
        assert_eq!(driver.found(), ["leaked_descriptor:/dev/null of leaked_descriptor by open"]);
    });
}

#[test]
fn is_a_temporary_file_found_that_an_object_leaves() {
    in_own_process("is_a_temporary_file_found_that_an_object_leaves", PATIENCE, || {
        let scratch = Scratch::new();
        let directory = CString::new(scratch.path().as_os_str().as_bytes()).expect("a path has no zeros");
        let device = device("leaked_file");
        assert_eq!(call(&device, "audit_make_files", &[directory.as_ptr() as u64]), 0);
        assert_eq!(entries(scratch.path()).len(), 1, "one of them is removed");
        let pattern = scratch.path().join("left-XXXXXX");
        assert_eq!(found(device), [format!("leaked_file:{} of leaked_file by mkstemp", pattern.display())]);
    });
}

#[test]
fn is_a_weak_import_found_that_a_peer_defines_whichever_comes_first() {
    in_own_process("is_a_weak_import_found_that_a_peer_defines_whichever_comes_first", PATIENCE, || {
        let expected = ["weak_unresolved:audit_peer_value of weak_import by weak_definition"];
        for order in [["weak_definition", "weak_import"], ["weak_import", "weak_definition"]] {
            let driver = Driver::new();
            for name in order {
                driver.load(name);
            }
            assert_eq!(driver.found(), expected, "{order:?}");
        }
        let driver = Driver::new();
        driver.load("weak_import");
        assert_eq!(driver.found(), [""; 0], "nobody defines it");
    });
}

#[test]
fn is_other_code_under_a_name_in_use_found() {
    in_own_process("is_other_code_under_a_name_in_use_found", PATIENCE, || {
        let driver = Driver::new();
        let first = driver.load_as("kernel", trait_bytes("weak_definition"));
        driver.load_as("kernel", trait_bytes("weak_definition"));
        driver.unload(first);
        driver.load_as("kernel", trait_bytes("inline_syscall"));
        let content = sim_core::trace::ContentHash::of(trait_bytes("weak_definition"));
        let found = driver.found();
        let reuse: Vec<_> = found.iter().filter(|finding| finding.starts_with("name_reuse")).collect();
        assert_eq!(reuse, [&format!("name_reuse:kernel of kernel by kernel {content}")]);
        let driver = Driver::new();
        let first = driver.load_as("kernel", trait_bytes("weak_definition"));
        driver.unload(first);
        driver.load_as("kernel", trait_bytes("vdso"));
        assert!(!driver.found().iter().any(|finding| finding.starts_with("name_reuse")), "the name was free again");
    });
}

#[test]
fn does_every_kind_of_finding_have_its_object() {
    let covered = |kind: FindingKind| match kind {
        FindingKind::WeakUnresolved => "weak_import",
        // Any two objects do.
        FindingKind::NameReuse => "weak_definition",
        kind => kind.name(),
    };
    for kind in FindingKind::ALL {
        assert!(!trait_bytes(covered(kind)).is_empty());
    }
}

// ---- the command

/// The bundled case `chain` with a kernel that reads a clock, without a comparison of results.
fn chain_with_clock(scratch: &Scratch, allow: &[&str]) -> PathBuf {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("cases/chain.json");
    let mut case: Value =
        serde_json::from_str(&fs::read_to_string(path).expect("it is part of the source")).expect("it is JSON");
    scratch.file("clock.so", trait_bytes("inline_clock"));
    case["kernels"][0] = json!({"func_id": 0, "path": "clock.so", "core": "aiv", "signature": ["inout"]});
    case["golden"] = json!({});
    case["allow"] = json!(allow);
    scratch.file("case.json", case.to_string())
}

fn audit_case(allow: &[&str], arguments: &[&str]) -> Outcome {
    let scratch = Scratch::new();
    let case = chain_with_clock(&scratch, allow);
    npusim(["audit", case.to_str().expect("plain")].iter().chain(arguments))
}

#[test]
fn does_a_finding_fail_the_command_unless_the_case_allows_it() {
    let counter = if cfg!(target_arch = "x86_64") { "rdtsc" } else { "cntvct_el0" };
    let refused = audit_case(&[], &["--json"]);
    assert_eq!((refused.exit, refused.stderr.as_str()), (Some(1), ""), "{refused}");
    let finding = json!([{"kind": "inline_clock", "object": "clock", "symbol": "kernel_entry", "provider": counter,
                          "key": "inline_clock:kernel_entry", "allowed": false}]);
    assert_eq!(refused.json()["findings"], finding);
    let allowed = audit_case(&["inline_clock:kernel_entry"], &["--json"]).success().json();
    assert_eq!((&allowed["findings"][0]["allowed"], &allowed["unused"]), (&json!(true), &json!([])));
    let by_option = audit_case(&["vdso:time"], &["--json", "--allow", "inline_clock:kernel_entry@clock"]).success();
    assert_eq!(by_option.json()["unused"], json!([{"key": "vdso:time", "nearest": null}]));
    assert_eq!(audit_case(&["inline_clock:kernel_entry@other"], &[]).exit, Some(1));
}

#[test]
fn does_the_ledger_of_a_run_have_bindings_and_findings() {
    let scratch = Scratch::new();
    let (case, out) = (chain_with_clock(&scratch, &[]), scratch.path().join("out"));
    npusim(["run".as_ref(), case.as_os_str(), "--out".as_ref(), out.as_os_str()]).success();
    let text = fs::read_to_string(out.join("loads.json")).expect("it is written");
    let loads: Value = serde_json::from_str(&text).expect("it is JSON");
    let of = |origin: &str| {
        let loads = loads["loads"].as_array().expect("a list");
        loads.iter().find(|load| load["origin"] == origin).unwrap_or_else(|| panic!("no {origin} in {loads:?}"))
    };
    assert_eq!(of("kernel")["findings"][0]["symbol"], "kernel_entry");
    assert_eq!(of("host_runtime")["findings"], json!([]));
    assert_eq!(of("host_runtime")["bindings"]["libnpusim_shim.so"], json!(18));
}

#[test]
fn what_are_the_objects_of_the_bundled_cases_bound_to() {
    let mut text = String::new();
    for case in ["vector_example", "mixed"] {
        let audit = npusim(["audit", case, "--json"]).success().json();
        writeln!(text, "# {case}").expect("a string takes all text");
        for object in audit["objects"].as_array().expect("a list") {
            writeln!(text, "{}", bound(object)).expect("a string takes all text");
        }
        writeln!(text, "findings: {}\n", audit["findings"]).expect("a string takes all text");
    }
    let _snapshots = support::snapshots();
    insta::assert_snapshot!("audit_of_bundled_cases", text);
}

/// One line about an object: how many imports the shim serves, and who else serves any. How many these are depends on
/// the compiler.
fn bound(object: &Value) -> String {
    let bindings = object["bindings"].as_object().expect("it was loaded");
    let (name, origin) = (object["name"].as_str().expect("a name"), object["origin"].as_str().expect("an origin"));
    let shim = bindings.get("libnpusim_shim.so").map_or(0, |symbols| symbols.as_array().expect("a list").len());
    let others = bindings.keys().filter(|provider| *provider != "libnpusim_shim.so");
    let others: Vec<&str> = others.map(|provider| if provider == name { "itself" } else { provider }).collect();
    format!("{name} ({origin}): shim {shim}; {}", others.join(", "))
}
