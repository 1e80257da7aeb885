//! How AICPU objects get to the device, and what a name must be like.

use super::host::{BoardHost, ByName, Called, SERVER, object};

/// A second, different object.
const OTHER_BYTES: usize = 64 << 10;

pub(super) fn latch(host: &mut BoardHost) -> Called {
    host.begin()?;
    let stream = host.stream()?;
    let second_ends = if host.faithful { 507_018 } else { 0 };
    for (bytes, ends) in [(0, 0), (OTHER_BYTES, second_ends)] {
        let aicpu = object("aicpu", bytes);
        host.install(&aicpu, stream)?;
        let list = host.list(&aicpu)?;
        let function = host.function(list, c"scenario_return")?;
        let which = if bytes == 0 { "of the first object" } else { "of the second object" };
        host.expect_aicpu(0, which, function, stream, 0)?;
        host.expect(ends, "rtStreamSynchronize", &[stream])?;
    }
    Ok(())
}

pub(super) fn by_name(host: &mut BoardHost) -> Called {
    host.begin()?;
    let stream = host.stream()?;
    host.install(&object("aicpu", 0), stream)?;
    let server = |kernel| ByName { so: SERVER, kernel };
    host.expect_by_name(0, "the server calls the installed object", &server("DynTileFwkKernelServer"), 0, stream)?;
    host.expect(0, "rtStreamSynchronize", &[stream])?;
    let longest = "a".repeat(31);
    let too_long = "a".repeat(32);
    host.expect_by_name(107_000, "kernel_name of 32 characters", &server(&too_long), 0, stream)?;
    host.expect_by_name(107_000, "so_name of 32 characters", &ByName { so: &too_long, kernel: "f" }, 0, stream)?;
    host.expect_by_name(107_000, "no kernel_name", &server(""), 0, stream)?;
    host.expect_by_name(0, "a kernel that is not there, 31 characters", &server(&longest), 0, stream)?;
    host.expect(507_018, "rtStreamSynchronize", &[stream])?;
    host.expect(507_899, "rtStreamSynchronize", &[stream])?;
    Ok(())
}
