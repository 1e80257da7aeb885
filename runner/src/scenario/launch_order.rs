//! The first launch of an AICore binary loads it: before or after an AICPU task that waits for its cores.

use super::host::{BoardHost, Called, Cores, object};

/// The cores of one cluster.
const CORES: u32 = 3;
/// Another binary, which has to be loaded by itself.
const OTHER_BYTES: usize = 64 << 10;

pub(super) fn both(host: &mut BoardHost) -> Called {
    host.begin()?;
    let (aicpu_stream, aicore_stream) = (host.stream()?, host.stream()?);
    let aicpu = object("aicpu", 0);
    host.install(&aicpu, aicpu_stream)?;
    let list = host.list(&aicpu)?;
    let wait = host.function(list, c"scenario_wait_for_cores")?;
    let ends = host.function(list, c"scenario_return")?;
    host.expect_aicpu(0, "the AICPU object becomes resident", ends, aicpu_stream, 0)?;
    host.expect(0, "rtStreamSynchronize", &[aicpu_stream])?;

    let (_, first) = host.register(&object("aicore", 0))?;
    let shared = host.shared(CORES)?;
    host.expect_cores(0, "before the AICPU task", first, aicore_stream, (shared, Cores::End))?;
    host.expect_aicpu(0, "it waits for the cores", wait, aicpu_stream, shared)?;
    host.expect(0, "rtStreamSynchronize", &[aicpu_stream])?;
    host.expect(0, "rtStreamSynchronize", &[aicore_stream])?;

    let (_, second) = host.register(&object("aicore", OTHER_BYTES))?;
    let shared = host.shared(CORES)?;
    host.expect_aicpu(0, "it waits for the cores", wait, aicpu_stream, shared)?;
    host.expect_cores(0, "after the AICPU task, which spins", second, aicore_stream, (shared, Cores::End))?;
    host.expect(0, "rtStreamSynchronize", &[aicpu_stream])?;
    host.expect(0, "rtStreamSynchronize", &[aicore_stream])?;

    let shared = host.shared(CORES)?;
    host.expect_aicpu(0, "it waits for the cores", wait, aicpu_stream, shared)?;
    host.expect_cores(0, "after the AICPU task, loaded already", second, aicore_stream, (shared, Cores::End))?;
    host.expect(0, "rtStreamSynchronize", &[aicpu_stream])?;
    host.expect(0, "rtStreamSynchronize", &[aicore_stream])?;
    Ok(())
}
