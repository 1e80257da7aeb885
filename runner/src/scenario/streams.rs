//! Several tasks in a stream, two streams side by side, and events between them. Every task takes 100 us.

use super::host::{BoardHost, Called, Cores, at, object};

const TASK_US: u64 = 100;
/// `ACL_EVENT_TIME_LINE`
const TIME_LINE: u64 = 8;

/// Two streams, with code on the device for both kinds of tasks.
struct Board {
    aicpu: u64,
    aicore: u64,
    rest: u64,
    missing: u64,
    binary: u64,
}

fn prepare(host: &mut BoardHost) -> Called<Board> {
    host.begin()?;
    let (aicpu, aicore) = (host.stream()?, host.stream()?);
    let bytes = object("timed_aicpu", 0);
    host.install(&bytes, aicpu)?;
    let list = host.list(&bytes)?;
    let (rest, missing) = (host.function(list, c"scenario_rest")?, host.function(list, c"scenario_missing")?);
    let (_, binary) = host.register(&object("timed_aicore", 0))?;
    let board = Board { aicpu, aicore, rest, missing, binary };
    host.expect_cores(0, "the binary is loaded", binary, aicore, (0, Cores::End))?;
    host.expect_aicpu(0, "the object is loaded", rest, aicpu, 0)?;
    host.expect_of(0, "rtStreamSynchronize", "prepared", &[aicpu])?;
    host.expect_of(0, "rtStreamSynchronize", "prepared", &[aicore])?;
    Ok(board)
}

impl Board {
    fn aicpu(&self, host: &mut BoardHost, remark: &str) -> Called {
        host.expect_aicpu(0, remark, self.rest, self.aicpu, TASK_US).map(drop)
    }

    fn cores(&self, host: &mut BoardHost, remark: &str) -> Called {
        host.expect_cores(0, remark, self.binary, self.aicore, (TASK_US, Cores::End)).map(drop)
    }

    fn wait(&self, host: &mut BoardHost, stream: u64, remark: &str) -> Called {
        host.expect_of(0, "rtStreamSynchronize", remark, &[stream]).map(drop)
    }
}

pub(super) fn queues(host: &mut BoardHost) -> Called {
    let board = prepare(host)?;
    for remark in ["first", "behind it", "last"] {
        board.aicpu(host, remark)?;
    }
    host.expect_of(507_004, "rtStreamQuery", "three tasks", &[board.aicpu])?;
    host.expect_of(507_004, "rtStreamDestroy", "three tasks", &[board.aicpu])?;
    board.wait(host, board.aicpu, "three tasks, one after the other")?;

    for remark in ["side by side", "side by side, behind it"] {
        board.aicpu(host, remark)?;
        board.cores(host, remark)?;
    }
    board.wait(host, board.aicpu, "two tasks on each stream")?;
    board.wait(host, board.aicore, "ended meanwhile")?;

    // What waits does not need the host: its own calls take longer than both.
    board.aicpu(host, "while the host is busy")?;
    board.aicpu(host, "while the host is busy, behind it")?;
    let other = host.stream()?;
    board.wait(host, board.aicpu, "all is over")?;

    // The cores have one task at a time, whatever the stream.
    board.cores(host, "on one stream")?;
    host.expect_cores(0, "on another stream", board.binary, other, (TASK_US, Cores::End))?;
    host.expect_of(207_000, "rtDevBinaryUnRegister", "its cores will run", &[board.binary])?;
    board.wait(host, other, "behind the other stream's")?;
    board.wait(host, board.aicore, "ended before")?;
    Ok(())
}

pub(super) fn events(host: &mut BoardHost) -> Called {
    let board = prepare(host)?;
    let (mut begun, mut ended) = (0, 0);
    host.expect_of(0, "aclrtCreateEventExWithFlag", "of a time line", &[at(&mut begun), TIME_LINE])?;
    host.expect(0, "rtEventCreate", &[at(&mut ended)])?;
    let mut us = 0u64;
    host.expect_of(107_006, "aclrtEventGetTimestamp", "not recorded", &[begun, at(&mut us)])?;
    host.expect_of(0, "rtEventSynchronize", "not recorded", &[begun])?;

    // The cores begin when the AICPU's task has ended.
    host.expect_of(0, "aclrtRecordEvent", "nothing before it", &[begun, board.aicpu])?;
    board.aicpu(host, "before the event")?;
    host.expect_of(0, "rtEventRecord", "behind the task", &[ended, board.aicpu])?;
    board.aicpu(host, "behind the event")?;
    host.expect_of(0, "rtStreamWaitEvent", "the other stream", &[board.aicore, ended])?;
    board.cores(host, "behind the event")?;
    host.expect_of(107_006, "aclrtEventGetTimestamp", "not come to", &[ended, at(&mut us)])?;
    host.expect_of(0, "rtEventSynchronize", "one task", &[ended])?;
    board.wait(host, board.aicore, "one task more")?;
    board.wait(host, board.aicpu, "ended meanwhile")?;
    let (mut first, mut second) = (0u64, 0u64);
    host.expect_of(0, "aclrtEventGetTimestamp", "first", &[begun, at(&mut first)])?;
    host.expect_of(0, "aclrtEventGetTimestamp", "second", &[ended, at(&mut second)])?;
    host.note(&format!("{} us between the events", second.saturating_sub(first)));

    // A destroyed event still holds up those who wait for it.
    board.aicpu(host, "before the event is destroyed")?;
    host.expect_of(0, "aclrtRecordEvent", "again", &[begun, board.aicpu])?;
    host.expect_of(0, "aclrtStreamWaitEvent", "the other stream", &[board.aicore, begun])?;
    host.expect(0, "aclrtDestroyEvent", &[begun])?;
    board.cores(host, "behind an event that is destroyed")?;
    board.wait(host, board.aicore, "two tasks, one after the other")?;
    bad_events(host, &board, begun, ended)?;

    // Behind a task that fails nothing begins, and whoever waits for its event hears of it.
    host.expect_aicpu(0, "no such function", board.missing, board.aicpu, 0)?;
    board.aicpu(host, "behind it")?;
    host.expect_of(0, "rtEventRecord", "behind both", &[ended, board.aicpu])?;
    host.expect_of(507_018, "rtEventSynchronize", "the task has failed", &[ended])?;
    host.expect_of(507_899, "rtEventCreate", "ever after", &[at(&mut begun)])?;
    host.expect(0, "rtEventDestroy", &[ended])?;
    Ok(())
}

fn bad_events(host: &mut BoardHost, board: &Board, gone: u64, event: u64) -> Called {
    let mut place = 0;
    host.expect_of(107_000, "rtEventCreate", "null", &[0])?;
    host.expect_of(107_000, "aclrtCreateEventExWithFlag", "no flags of an event", &[at(&mut place), 0x100])?;
    host.expect_of(107_017, "rtEventRecord", "one that is gone", &[gone, board.aicpu])?;
    host.expect_of(107_003, "rtEventRecord", "no stream", &[event, 0])?;
    host.expect_of(107_003, "rtStreamWaitEvent", "no stream", &[event, event])?;
    host.expect_of(107_017, "rtStreamWaitEvent", "a stream", &[board.aicpu, board.aicpu])?;
    host.expect_of(107_017, "rtEventSynchronize", "null", &[0])?;
    host.expect_of(107_000, "aclrtEventGetTimestamp", "null", &[event, 0])?;
    host.expect_of(107_017, "rtEventDestroy", "twice", &[gone])?;
    Ok(())
}
