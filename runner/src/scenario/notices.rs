//! What one side tells the other, through memory and through registers: how long it takes, and what goes wrong.
//!
//! Tasks are those of `guest/onboard/scenario/notice_aicore.cpp` and `notice_aicpu.cpp`; what they share is
//! `guest/onboard/common/notice.h`.

use std::ffi::CStr;

use super::host::{BoardHost, Called, at, core_launch, object, of};

/// Notices of which latencies are taken, as in the published measurement.
const NOTICES: u64 = 100;
/// Tokens that are stored one behind the other.
const TOKENS: u64 = 20_000;

/// `notice::Behaviour`
#[derive(Clone, Copy)]
enum Cores {
    TellByMemory = 0,
    TellByCond = 1,
    ForgetDcci = 3,
    MindDcci = 4,
    ReadTokens = 5,
}

/// `notice::Shared`, in words.
const WORDS: usize = 56;
const LINE: usize = 8;

/// What is where in it.
#[derive(Clone, Copy)]
enum Word {
    Offsets = 0,
    Notices = 1,
    Order = 2 * LINE as isize,
    Least = 5 * LINE as isize,
    Most = 5 * LINE as isize + 1,
    Sum = 5 * LINE as isize + 2,
    Seen = 5 * LINE as isize + 3,
    Half = 5 * LINE as isize + 4,
    OtherHalf = 5 * LINE as isize + 5,
    Acted = 6 * LINE as isize + 1,
    Torn = 6 * LINE as isize + 2,
    OrderSeen = 6 * LINE as isize + 3,
}

/// A device with two streams, and the objects of the scenarios.
struct Board {
    aicpu: u64,
    aicore: u64,
    list: u64,
    binary: u64,
}

/// What tasks have left in the memory that they share.
struct Left([u64; WORDS]);

impl Left {
    fn get(&self, word: Word) -> u64 {
        self.0[word as usize]
    }
}

fn prepare(host: &mut BoardHost) -> Called<Board> {
    host.begin()?;
    let (aicpu, aicore) = (host.stream()?, host.stream()?);
    let bytes = object("notice_aicpu", 0);
    host.install(&bytes, aicpu)?;
    let list = host.list(&bytes)?;
    let (_, binary) = host.register(&object("notice_aicore", 0))?;
    Ok(Board { aicpu, aicore, list, binary })
}

/// Cores of one cluster and an AICPU thread, until both have ended.
fn play(
    host: &mut BoardHost,
    board: &Board,
    what: &str,
    cores: Cores,
    function: &'static CStr,
    order: (u64, u64),
) -> Called<Left> {
    let registers = &host.profile().registers;
    let mut words = [0; WORDS];
    words[Word::Offsets as usize] = u64::from(*registers.data_main_base) | u64::from(*registers.cond) << 32;
    (words[Word::Notices as usize], words[Word::Order as usize]) = order;
    let (mut block, bytes) = (0, size_of_val(&words) as u64);
    host.quietly("rtMalloc", &[at(&mut block), bytes, 1, 0])?;
    host.quietly("rtMemcpy", &[block, bytes, of(&words), bytes, 1])?;
    let function = host.function(board.list, function)?;
    let (args, launch) = core_launch(block, cores as u64);
    let arguments = [board.binary, 0, 1, of(&launch), 0, board.aicore, 0];
    host.expect_of(0, "rtKernelLaunchWithHandleV2", what, &arguments)?;
    drop(args);
    host.expect_aicpu(0, what, function, board.aicpu, block)?;
    host.expect(0, "rtStreamSynchronize", &[board.aicpu])?;
    host.expect(0, "rtStreamSynchronize", &[board.aicore])?;
    host.quietly("rtMemcpy", &[at(&mut words), bytes, block, bytes, 2])?;
    host.quietly("rtFree", &[block])?;
    Ok(Left(words))
}

fn note_latencies(host: &mut BoardHost, what: &str, left: &Left) {
    let [least, most, sum, seen] = [Word::Least, Word::Most, Word::Sum, Word::Seen].map(|word| left.get(word));
    let mean = sum.checked_div(seen).unwrap_or(0);
    host.note(&format!("{what}: {seen} notices, {least} ns at least, {mean} ns on average, {most} ns at most"));
}

pub(super) fn latencies(host: &mut BoardHost) -> Called {
    let board = prepare(host)?;
    for (what, cores, function) in [
        ("through memory and dcci", Cores::TellByMemory, c"notice_hear_memory"),
        ("through COND", Cores::TellByCond, c"notice_hear_cond"),
    ] {
        let left = play(host, &board, what, cores, function, (NOTICES, 0))?;
        note_latencies(host, what, &left);
    }
    Ok(())
}

pub(super) fn missing_dcci(host: &mut BoardHost) -> Called {
    let board = prepare(host)?;
    for (what, cores) in [("without dcci", Cores::ForgetDcci), ("with dcci", Cores::MindDcci)] {
        let left = play(host, &board, what, cores, c"notice_miss", (0, 0))?;
        let [seen, order, half, other] =
            [Word::Seen, Word::OrderSeen, Word::Half, Word::OtherHalf].map(|word| left.get(word));
        host.note(&format!("{what}: the AICPU sees {seen} where the core has stored 1"));
        host.note(&format!("{what}: the core sees {order} where the AICPU has stored 1"));
        host.note(&format!("{what}: of a line that two cores write 1 and 2 to, {half} and {other} are left"));
    }
    Ok(())
}

pub(super) fn torn_handshake(host: &mut BoardHost) -> Called {
    let board = prepare(host)?;
    let what = "64 bits at once";
    let left = play(host, &board, what, Cores::ReadTokens, c"notice_hammer", (TOKENS, 0))?;
    let [acted, torn] = [Word::Acted, Word::Torn].map(|word| left.get(word));
    host.note(&format!("{what}: {acted} new tokens, {torn} of them with an old upper half"));
    Ok(())
}
