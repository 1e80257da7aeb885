//! Tasks that do not end, or crash, and what each stream hears of it.

use std::ffi::CStr;

use super::host::{BoardHost, Called, Cores, at, object};

const OP_TIMEOUT_US: u64 = 3_000_000;
const SYNC_TIMEOUT_MS: u64 = 2_000;

/// A device with two streams, an AICPU object and an AICore binary.
struct Board {
    aicpu: u64,
    aicore: u64,
    function: u64,
    binary: u64,
}

fn prepare(host: &mut BoardHost, function: &'static CStr) -> Called<Board> {
    host.begin()?;
    let (aicpu, aicore) = (host.stream()?, host.stream()?);
    let bytes = object("aicpu", 0);
    host.install(&bytes, aicpu)?;
    let list = host.list(&bytes)?;
    let function = host.function(list, function)?;
    let (_, binary) = host.register(&object("aicore", 0))?;
    Ok(Board { aicpu, aicore, function, binary })
}

/// After the first failure nothing new can be done.
fn poisoned(host: &mut BoardHost) -> Called {
    let mut place = 0;
    host.expect(507_899, "rtStreamCreate", &[at(&mut place), 0])?;
    host.expect_of(507_899, "rtMalloc", "64 bytes", &[at(&mut place), 64, 1, 0])?;
    Ok(())
}

pub(super) fn sync_timeout(host: &mut BoardHost) -> Called {
    let board = prepare(host, c"scenario_spin")?;
    host.expect_aicpu(0, "it never ends", board.function, board.aicpu, 0)?;
    host.expect_of(507_046, "aclrtSynchronizeStreamWithTimeout", "2 s", &[board.aicpu, SYNC_TIMEOUT_MS])?;
    host.expect_of(507_046, "aclrtSynchronizeStreamWithTimeout", "2 s more", &[board.aicpu, SYNC_TIMEOUT_MS])?;
    host.expect(507_004, "rtStreamQuery", &[board.aicpu])?;
    host.expect_of(0, "aclrtSynchronizeStreamWithTimeout", "the idle stream", &[board.aicore, SYNC_TIMEOUT_MS])?;
    let mut place = 0;
    host.expect_of(0, "rtMalloc", "the context is sound", &[at(&mut place), 64, 1, 0])?;
    host.expect_of(507_018, "rtStreamSynchronize", "until the op time-out", &[board.aicpu])?;
    poisoned(host)
}

pub(super) fn aicore_timeout(host: &mut BoardHost) -> Called {
    let board = prepare(host, c"scenario_return")?;
    let mut actual = 0u64;
    host.expect_of(0, "aclrtSetOpExecuteTimeOutV2", "3 s", &[OP_TIMEOUT_US, at(&mut actual)])?;
    host.expect_cores(0, "they never end", board.binary, board.aicore, (0, Cores::Spin))?;
    host.expect(507_014, "rtStreamSynchronize", &[board.aicore])?;
    poisoned(host)
}

pub(super) fn aicpu_timeout(host: &mut BoardHost) -> Called {
    let board = prepare(host, c"scenario_spin")?;
    let mut actual = 0u64;
    host.expect_of(0, "aclrtSetOpExecuteTimeOutV2", "3 s", &[OP_TIMEOUT_US, at(&mut actual)])?;
    host.expect_aicpu(0, "it never ends", board.function, board.aicpu, 0)?;
    host.expect(507_018, "rtStreamSynchronize", &[board.aicpu])?;
    poisoned(host)
}

pub(super) fn aicpu_exception(host: &mut BoardHost) -> Called {
    let board = prepare(host, c"scenario_crash")?;
    host.expect_cores(0, "they never end", board.binary, board.aicore, (0, Cores::Spin))?;
    host.expect_aicpu(0, "it crashes", board.function, board.aicpu, 0)?;
    host.expect_of(507_018, "rtStreamSynchronize", "the AICPU's", &[board.aicpu])?;
    host.expect_of(107_022, "rtStreamSynchronize", "the cores'", &[board.aicore])?;
    host.expect_of(507_899, "rtStreamSynchronize", "the AICPU's again", &[board.aicpu])?;
    poisoned(host)
}

pub(super) fn aicore_exception(host: &mut BoardHost) -> Called {
    let board = prepare(host, c"scenario_spin")?;
    host.expect_cores(0, "they crash", board.binary, board.aicore, (0, Cores::Crash))?;
    host.expect_aicpu(0, "it never ends", board.function, board.aicpu, 0)?;
    host.expect_of(107_022, "rtStreamSynchronize", "the AICPU's", &[board.aicpu])?;
    host.expect_of(507_015, "rtStreamSynchronize", "the cores'", &[board.aicore])?;
    poisoned(host)
}
