//! Registering the AICore binary for each launch, and once.

use sim_core::profile::Arch;

use super::host::{BoardHost, Called, Cores, at, object};

/// What the AICore binary of a runtime takes on the device: hw-native-sys/simpler 6ebaf771, the investigation of 207001.
fn binary_bytes(arch: Arch) -> usize {
    match arch {
        Arch::A2a3 => 78 << 10,
        Arch::A5 => 365 << 10,
    }
}

/// Launches of the cached handle.
const RUNS: u32 = 10_000;

/// A device with an AICPU object resident, as that of a runtime is, and a stream.
fn prepare(host: &mut BoardHost) -> Called<u64> {
    host.begin()?;
    let stream = host.stream()?;
    let aicpu = object("aicpu", 0);
    host.install(&aicpu, stream)?;
    let list = host.list(&aicpu)?;
    let function = host.function(list, c"scenario_return")?;
    host.expect_aicpu(0, "the AICPU object becomes resident", function, stream, 0)?;
    host.expect(0, "rtStreamSynchronize", &[stream])?;
    Ok(stream)
}

pub(super) fn per_launch(host: &mut BoardHost) -> Called {
    let stream = prepare(host)?;
    let binary = object("aicore", binary_bytes(host.arch));
    host.mark("before the first launch");
    let (begun, mut launches) = (host.now(), 0);
    while host.free_bytes()? >= binary.len() as u64 {
        let (_, handle) = host.register(&binary)?;
        let launched = host.launch_cores(handle, stream, 0, Cores::End)?;
        let ended = host.quietly("rtStreamSynchronize", &[stream])?;
        if launched != 0 || ended != 0 {
            break;
        }
        launches += 1;
        if launches == 1 {
            host.mark("after one");
        }
    }
    let taken = host.now().since(begun);
    host.repeated("rtRegisterAllKernel, rtKernelLaunchWithHandleV2, rtStreamSynchronize", launches, taken);
    host.look();
    host.mark("when it is full");
    let (_, last) = host.register(&binary)?;
    host.expect_cores(207_001, "a new handle", last, stream, (0, Cores::End))?;
    host.expect_cores(507_899, "the same handle again", last, stream, (0, Cores::End))?;
    let mut place = 0;
    host.expect(507_899, "rtStreamCreate", &[at(&mut place), 0])?;
    host.expect_of(507_899, "rtMalloc", "64 bytes", &[at(&mut place), 64, 1, 0])?;
    host.expect_of(507_899, "rtStreamCreate", "ever after", &[at(&mut place), 0])?;
    host.expect(0, "aclrtResetDeviceForce", &[0])?;
    host.expect(0, "rtSetDevice", &[0])?;
    host.expect_of(0, "rtStreamCreate", "after a reset", &[at(&mut place), 0])?;
    host.mark("after a reset");
    Ok(())
}

pub(super) fn cached(host: &mut BoardHost) -> Called {
    let stream = prepare(host)?;
    let (_, handle) = host.register(&object("aicore", binary_bytes(host.arch)))?;
    let begun = host.now();
    for run in 1..=RUNS {
        let launched = host.launch_cores(handle, stream, 0, Cores::End)?;
        let ended = host.quietly("rtStreamSynchronize", &[stream])?;
        if launched != 0 || ended != 0 {
            break;
        }
        if run == 1 || run == RUNS {
            host.mark(&format!("after run {run}"));
        }
    }
    let taken = host.now().since(begun);
    host.repeated("rtKernelLaunchWithHandleV2, rtStreamSynchronize", RUNS, taken);
    host.look();
    host.expect(0, "rtDevBinaryUnRegister", &[handle])?;
    host.mark("unregistered");
    Ok(())
}
