//! Hooks that only note something: they take no time.

use std::ffi::c_char;

use sim_core::engine::{CurrentActor, Standing, calling_actor};
use sim_core::shim::TaskNote;
use sim_core::trace::{EdgeSource, EventKind, Phase};

use super::super::notes::{self, LogLevel, LogLine};
use super::super::rooms::Rooms;
use super::{guest_text, guest_value, on_device};

pub(super) extern "C" fn note_task(note: *const TaskNote) {
    on_device(|actor, rooms| {
        let note = guest_value(actor, note);
        actor.record(EventKind::Submit { task: note.task_id, kernels: note.kernel_ids });
        keep_task(actor, rooms, &note);
    });
}

fn keep_task(actor: &CurrentActor<'_>, rooms: &Rooms, note: &TaskNote) {
    if rooms.notebook.borrow().tasks.is_none() {
        return;
    }
    let args = notes::read_args(actor, note);
    if let Some(tasks) = &mut rooms.notebook.borrow_mut().tasks {
        tasks.push(notes::header_of(note), &args);
    }
}

/// `NPUSIM_EDGE_*`
fn source_of(code: u32) -> EdgeSource {
    match code {
        0 => EdgeSource::Explicit,
        1 => EdgeSource::Creator,
        _ => EdgeSource::Tensormap,
    }
}

pub(super) extern "C" fn note_edge(pred: u64, succ: u64, arg: u32, source: u32) {
    on_device(|actor, _| actor.record(EventKind::Edge { pred, succ, arg, source: source_of(source) }));
}

/// `NPUSIM_PHASE_*`
fn phase_of(code: u32) -> Option<Phase> {
    match code {
        0 => Some(Phase::Preamble),
        1 => Some(Phase::Orch),
        2 => Some(Phase::Sched),
        3 => Some(Phase::PostOrch),
        _ => None,
    }
}

pub(super) extern "C" fn note_phase(phase: u32) {
    on_device(|actor, _| actor.record(EventKind::Phase { entered: phase_of(phase) }));
}

pub(super) extern "C" fn log(level: u32, text: *const c_char) {
    if calling_actor().is_some_and(|context| context.standing() == Standing::Free) {
        return;
    }
    on_device(|actor, rooms| {
        let text = guest_text(actor, text);
        let line = LogLine { level: LogLevel::from_code(level), actor: actor.kind(), at: actor.now(), text };
        rooms.notebook.borrow_mut().log(line);
    });
}
