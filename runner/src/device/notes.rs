//! What guests note of themselves, for exports and reports: tasks, phases, log lines.

use sim_aicore::task::{MOST_TENSORS, TensorDescriptor};
use sim_core::engine::CurrentActor;
use sim_core::shim::TaskNote;

use crate::report::tasks::{Access, DataType, ScopeKind, TaskArg, TaskHeader, TaskNotes, TensorView};

/// The most log lines that are kept.
const MOST_LINES: usize = 1000;

/// How important a log line is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum LogLevel {
    /// For those who write the runtime.
    Debug,
    /// For those who run it.
    Info,
    /// Something is odd.
    Warning,
    /// Something went wrong.
    Error,
}

impl LogLevel {
    /// By the number that guests use.
    pub(super) fn from_code(code: u32) -> LogLevel {
        match code {
            0 => LogLevel::Debug,
            1 => LogLevel::Info,
            2 => LogLevel::Warning,
            _ => LogLevel::Error,
        }
    }
}

/// A line that a guest logged.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct LogLine {
    /// How important it is.
    pub level: LogLevel,
    /// Who logged it.
    pub actor: sim_core::actor::ActorKind,
    /// When.
    pub at: sim_core::time::SimTime,
    /// What.
    pub text: String,
}

/// The notes of one device.
#[derive(Debug, Default)]
pub(super) struct Notebook {
    /// Tasks and their arguments, if somebody wants them.
    pub(super) tasks: Option<TaskNotes>,
    pub(super) lines: Vec<LogLine>,
}

impl Notebook {
    pub(super) fn new(keep_tasks: bool) -> Self {
        Notebook { tasks: keep_tasks.then(TaskNotes::default), lines: Vec::new() }
    }

    pub(super) fn log(&mut self, line: LogLine) {
        if self.lines.len() < MOST_LINES {
            self.lines.push(line);
        }
    }
}

/// The bytes of a tensor descriptor.
const DESCRIPTOR_BYTES: usize = 128;

/// A tensor descriptor as the runtime keeps it.
#[repr(C)]
#[derive(Clone, Copy)]
struct Descriptor {
    head: TensorDescriptor,
    _reserved: [u8; 32],
}

const _: () = assert!(size_of::<Descriptor>() == DESCRIPTOR_BYTES);

/// The head of a task note.
pub(super) fn header_of(note: &TaskNote) -> TaskHeader {
    TaskHeader {
        task: note.task_id,
        scope: note.scope,
        scope_kind: ScopeKind::Auto,
        kernels: note.kernel_ids,
        blocks: 1,
    }
}

/// The arguments of a task note. Reading them can end the guest, so nothing may be borrowed.
pub(super) fn read_args(actor: &CurrentActor<'_>, note: &TaskNote) -> Vec<TaskArg> {
    let count = (note.tensor_count as usize).min(MOST_TENSORS);
    let mut args = Vec::with_capacity(count);
    for index in 0..count {
        // SAFETY: plain data, read as the guest: a bad pointer ends the guest.
        let (descriptor, access) = actor.as_guest(|| unsafe {
            let descriptor = note.tensors.cast::<Descriptor>().add(index).read_unaligned();
            (descriptor, note.access.add(index).read_unaligned())
        });
        args.push(TaskArg { access: access_of(access), view: view_of(&descriptor) });
    }
    args
}

/// The reference's `TensorArgType`.
fn access_of(code: i32) -> Access {
    match code {
        0 | 4 => Access::Input,
        1 => Access::Output,
        2 => Access::Inout,
        _ => Access::OutputExisting,
    }
}

/// An output that has no memory yet has no view.
fn view_of(descriptor: &Descriptor) -> Option<TensorView> {
    let head = &descriptor.head;
    let data_type = DataType::from_code(head.data_type);
    let view = TensorView {
        buffer_address: head.buffer,
        buffer_elements: head.buffer_bytes / data_type.size().max(1),
        version: head.version,
        data_type,
        start_offset: head.start_offset,
        dimensions: head.dimensions,
        shape: head.shape,
        strides: head.strides,
    };
    (head.buffer != 0).then_some(view)
}
