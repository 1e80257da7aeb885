//! Do the sim-shaped artifacts run by themselves, as a stock simulator does, and do they have the traits that they are
//! there for?

mod support;

use std::process::Command;
use std::time::Duration;

use npusim::bundled;
use sim_core::loader::image::CodeImage;
use sim_core::loader::wait_loops;
use sim_core::profile::Arch;
use support::sim_shaped::{self, PASSED};
use support::{Outcome, Scratch, outcome_of};

/// Threads that wait without giving way share few processors here.
const PATIENCE: Duration = Duration::from_secs(120);

/// What a case does without npusim, with these options and environment.
#[track_caller]
fn stock(arch: Arch, case: &str, options: &[&str], environment: &[(&str, &str)]) -> Outcome {
    let scratch = Scratch::new();
    sim_shaped::install(arch, scratch.path());
    let [program, arguments @ ..] = sim_shaped::words(scratch.path(), case);
    let mut command = Command::new(program);
    command.args(arguments).args(options).envs(environment.iter().copied());
    outcome_of(&mut command, PATIENCE)
}

#[track_caller]
fn passes(arch: Arch, case: &str, options: &[&str]) {
    let outcome = stock(arch, case, options, &[]).success();
    assert_eq!(outcome.stdout, PASSED, "{case} {options:?}: {outcome}");
}

#[test]
fn does_every_case_pass() {
    for case in ["vector", "mix", "core_memory", "flag", "stale_memory", "build"] {
        passes(Arch::A2a3, case, &[]);
    }
}

#[test]
fn does_a_case_pass_on_the_other_generation() {
    passes(Arch::A5, "vector", &[]);
}

#[test]
fn does_a_device_run_again() {
    passes(Arch::A2a3, "core_memory", &["--rounds", "3"]);
}

#[test]
fn does_a_run_end_for_a_host_that_polls() {
    passes(Arch::A2a3, "vector", &["--poll"]);
}

#[test]
fn does_a_case_pass_in_a_forked_child() {
    passes(Arch::A2a3, "mix", &["--fork"]);
}

#[test]
fn do_devices_of_one_process_keep_to_themselves() {
    passes(Arch::A2a3, "mix", &["--threads", "2"]);
}

/// The kernels of both generations have the same unique symbols.
#[test]
fn do_two_runtimes_of_one_process_meet() {
    let other = Scratch::new();
    sim_shaped::install(Arch::A5, other.path());
    let beside = ["--beside", other.path().to_str().expect("a path of text")];
    passes(Arch::A2a3, "vector", &beside);
    passes(Arch::A2a3, "vector", &[&beside as &[_], &["--in-turn", "2"]].concat());
    let outcome = stock(Arch::A2a3, "build", &beside, &[]);
    assert_eq!(outcome.exit, Some(1), "{outcome}");
    assert!(outcome.stderr.ends_with("argument 1[0] is -32.000000 instead of 1.000000\n"), "{outcome}");
}

#[test]
fn does_a_run_without_progress_end() {
    let outcome = stock(Arch::A2a3, "timeout", &[], &[("SIMPLER_SCHEDULER_TIMEOUT_MS", "100")]);
    assert_eq!(outcome.exit, Some(1), "{outcome}");
    assert!(outcome.stderr.ends_with("run 1 returned -100\n"), "{outcome}");
}

#[test]
fn does_memory_that_is_not_zero_show_the_use_of_stale_memory() {
    let outcome = stock(Arch::A2a3, "stale_memory", &[], &[("MALLOC_PERTURB_", "165")]);
    assert_eq!(outcome.exit, None, "{outcome}");
}

/// The image of an artifact for a2a3.
fn image(path: &str) -> CodeImage {
    CodeImage::parse(path, bytes(path)).expect("the compiler made a sound object")
}

fn bytes(path: &str) -> &'static [u8] {
    bundled::sim_shaped(Arch::A2a3).find(|file| file.path == path).expect("it is bundled").bytes
}

#[test]
fn can_what_the_device_is_made_of_be_replaced() {
    let exports = [
        ("libhost_runtime.so", "_ZN15MemoryAllocator5allocEm"),
        ("libhost_runtime.so", "_ZN15MemoryAllocator4freeEPv"),
        ("libhost_runtime.so", "_ZN15MemoryAllocator8finalizeEv"),
        ("libhost_runtime.so", "_ZN19SimDeviceRunnerBase14copy_to_deviceEPvPKvm"),
        ("libhost_runtime.so", "_ZN19SimDeviceRunnerBase16copy_from_deviceEPvPKvm"),
        ("libhost_runtime.so", "_ZN19SimDeviceRunnerBase13device_memsetEPvim"),
        ("libaicpu_kernel.so", "_Z16reg_load_acquirePVKj"),
        ("libaicpu_kernel.so", "_Z17reg_store_releasePVjj"),
        ("libaicore_kernel.so", "_Z16sim_get_reg_basev"),
    ];
    for (path, symbol) in exports {
        assert!(image(path).export(symbol).is_some(), "{path} does not export {symbol}");
    }
}

#[test]
fn are_unique_symbols_in_kernels_with_state_and_nowhere_else() {
    for file in bundled::sim_shaped(Arch::A2a3).filter(|file| !file.is_program) {
        let has_unique = !image(file.path).unique_symbols.is_empty();
        let with_state = ["core_load", "core_store", "build", "traced_add", "traced_badly"];
        let is_to_have = with_state.iter().any(|name| file.path == format!("kernels/{name}.so"));
        assert_eq!(has_unique, is_to_have, "{}", file.path);
    }
}

#[cfg(target_arch = "x86_64")]
#[test]
fn does_the_aicpu_wait_without_calling_anything() {
    let path = "libaicpu_kernel.so";
    let loops = wait_loops::find(path, bytes(path)).expect("the compiler made a sound object");
    assert_eq!(loops.waits.len(), 3);
}
