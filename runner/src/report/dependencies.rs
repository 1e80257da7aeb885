//! `deps.json`: the task graph with the tensors from which it came. 64-bit numbers are strings.
//!
//! The trace says which tasks there were and which waits for which; [`TaskNotes`] add arguments where they were kept.

use std::collections::{HashMap, HashSet};

use serde::Serialize;
use serde::ser::SerializeMap;
use sim_core::trace::{ContentHash, EdgeSource};

use super::output::Streamed;
use super::tasks::{Access, DataType, ScopeKind, TaskArg, TaskHeader, TaskNotes, TensorView};
use super::timeline::{Edge, Submission, Timeline};

/// The content of `deps.json`.
pub struct DependencyGraph<'a> {
    timeline: &'a Timeline,
    notes: &'a TaskNotes,
    notes_by_task: HashMap<u64, (&'a TaskHeader, &'a [TaskArg])>,
}

#[derive(Serialize)]
struct TaskEntry<'a> {
    task_id: Decimal,
    scope: ScopeKind,
    kernel_ids: [i32; 3],
    block_num: u32,
    args: Vec<ArgEntry<'a>>,
}

#[derive(Serialize)]
struct ArgEntry<'a> {
    idx: usize,
    #[serde(rename = "type")]
    access: Access,
    #[serde(flatten)]
    view: Option<ArgView<'a>>,
}

#[derive(Serialize)]
struct ArgView<'a> {
    tensor_id: Decimal,
    dtype: DataType,
    shape: &'a [u32],
    start_offset: Decimal,
    strides: &'a [u32],
}

#[derive(Serialize)]
struct TensorEntry {
    tensor_id: Decimal,
    buffer_addr: Decimal,
    version: i32,
    dtype: DataType,
    buffer_numel: Decimal,
}

#[derive(Serialize)]
struct EdgeEntry<'a> {
    pred: Decimal,
    succ: Decimal,
    /// Which argument of `succ`; -1 if the orchestration asked for it.
    arg: i64,
    source: EdgeSource,
    flags: &'static [&'static str],
    #[serde(flatten)]
    consumer: Option<ConsumerView<'a>>,
}

#[derive(Serialize)]
struct ConsumerView<'a> {
    tensor_id: Decimal,
    consumer_dtype: DataType,
    consumer_shape: &'a [u32],
    consumer_start_offset: Decimal,
    consumer_strides: &'a [u32],
}

/// A 64-bit number as a string: readers in JavaScript would round it.
struct Decimal(u64);

impl Serialize for Decimal {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&self.0)
    }
}

/// One version of one buffer.
fn tensor_id(view: &TensorView) -> u64 {
    let mut key = [0; 12];
    key[..8].copy_from_slice(&view.buffer_address.to_le_bytes());
    key[8..].copy_from_slice(&view.version.to_le_bytes());
    ContentHash::of(&key).0
}

impl<'a> DependencyGraph<'a> {
    /// The graph of a timeline.
    pub fn new(timeline: &'a Timeline, notes: &'a TaskNotes) -> Self {
        let notes_by_task = notes.iter().map(|(header, args)| (header.task, (header, args))).collect();
        DependencyGraph { timeline, notes, notes_by_task }
    }

    fn task(&self, submission: &Submission) -> TaskEntry<'a> {
        let note = self.notes_by_task.get(&submission.task);
        let (scope, block_num) = note.map_or((ScopeKind::Auto, 1), |(header, _)| (header.scope_kind, header.blocks));
        let args = note.map_or(&[][..], |(_, args)| *args).iter().enumerate().map(arg_entry).collect();
        let task_id = Decimal(submission.task);
        TaskEntry { task_id, scope, kernel_ids: submission.kernels, block_num, args }
    }

    /// Every tensor once, in the order in which tasks name them.
    fn tensors(&self) -> impl Iterator<Item = TensorEntry> {
        let mut seen = HashSet::new();
        let views = self.notes.args().iter().filter_map(|arg| arg.view.as_ref());
        views.filter(move |view| seen.insert(tensor_id(view))).map(|view| TensorEntry {
            tensor_id: Decimal(tensor_id(view)),
            buffer_addr: Decimal(view.buffer_address),
            version: view.version,
            dtype: view.data_type,
            buffer_numel: Decimal(view.buffer_elements),
        })
    }

    fn edge(&self, edge: &Edge) -> EdgeEntry<'a> {
        let Edge { pred, succ, arg, source } = *edge;
        let flags: &[&str] = match source {
            EdgeSource::Explicit | EdgeSource::Creator => &["wait", "retain"],
            EdgeSource::Tensormap => &["wait"],
        };
        let (arg, consumer) = match source {
            EdgeSource::Explicit => (-1, None),
            EdgeSource::Creator | EdgeSource::Tensormap => (i64::from(arg), self.consumer(succ, arg)),
        };
        EdgeEntry { pred: Decimal(pred), succ: Decimal(succ), arg, source, flags, consumer }
    }

    fn consumer(&self, task: u64, arg: u32) -> Option<ConsumerView<'a>> {
        let (_, args) = self.notes_by_task.get(&task)?;
        let view = args.get(arg as usize)?.view.as_ref()?;
        Some(ConsumerView {
            tensor_id: Decimal(tensor_id(view)),
            consumer_dtype: view.data_type,
            consumer_shape: view.shape(),
            consumer_start_offset: Decimal(view.start_offset),
            consumer_strides: view.strides(),
        })
    }
}

fn arg_entry((idx, arg): (usize, &TaskArg)) -> ArgEntry<'_> {
    let view = arg.view.as_ref().map(|view| ArgView {
        tensor_id: Decimal(tensor_id(view)),
        dtype: view.data_type,
        shape: view.shape(),
        start_offset: Decimal(view.start_offset),
        strides: view.strides(),
    });
    ArgEntry { idx, access: arg.access, view }
}

impl Serialize for DependencyGraph<'_> {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("tasks", &Streamed(|| self.timeline.submissions.iter().map(|task| self.task(task))))?;
        map.serialize_entry("tensors", &Streamed(|| self.tensors()))?;
        map.serialize_entry("edges", &Streamed(|| self.timeline.edges.iter().map(|edge| self.edge(edge))))?;
        map.end()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::fixture;
    use crate::report::output::json_text;

    #[test]
    fn what_is_in_the_graph_of_three_tasks() {
        let timeline = Timeline::of_trace(&fixture::trace(), &fixture::chip());
        insta::assert_snapshot!(json_text(&DependencyGraph::new(&timeline, &fixture::notes())));
    }

    #[test]
    fn is_there_a_graph_without_notes() {
        let timeline = Timeline::of_trace(&fixture::trace(), &fixture::chip());
        let graph = serde_json::to_value(DependencyGraph::new(&timeline, &TaskNotes::default())).unwrap();
        assert_eq!(graph["tasks"][2]["task_id"], "4294967296");
        assert_eq!((graph["tensors"].as_array().unwrap().len(), graph["edges"].as_array().unwrap().len()), (0, 4));
    }
}
