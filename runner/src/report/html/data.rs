//! The data from which the page draws.
//!
//! Times are whole picoseconds since the first event of the device. A span is a list, so that a million of them are still
//! a file that a browser opens; it begins with start and length. What follows depends on the lane:
//!
//! ```text
//!   path    cause, work, task or null
//!   host    direction, bytes
//!   aicpu   phase
//!   core    kernel, task, source of the cost, 1 if on the critical path, cost, token sent at, end noticed at
//! ```

use std::collections::{HashMap, HashSet};

use serde::{Serialize, Serializer};
use sim_core::actor::ActorKind;
use sim_core::time::SimTime;
use sim_core::trace::{CopyDirection, CostSource, Phase};

use super::super::attribution::{Cause, Work};
use super::super::explained::Explained;
use super::super::names::{ProgramNames, TaskLabel};
use super::super::timeline::{Execution, Handling, Timeline};
use super::colour;

/// The content of the page's data element.
#[derive(Serialize)]
pub(super) struct PageData<'a> {
    device_time_ps: u64,
    causes: Vec<NamedCause>,
    works: Vec<&'static str>,
    phases: [&'static str; 4],
    copies: [&'static str; 3],
    sources: [&'static str; 4],
    kernels: Vec<String>,
    lanes: Vec<Lane>,
    #[serde(skip)]
    explained: &'a Explained,
}

#[derive(Serialize)]
struct NamedCause {
    name: &'static str,
    colour: &'static str,
}

#[derive(Serialize)]
struct Lane {
    name: String,
    kind: LaneKind,
    spans: Vec<Span>,
}

#[derive(Clone, Copy, Serialize)]
#[serde(rename_all = "lowercase")]
enum LaneKind {
    Path,
    Host,
    Aicpu,
    Core,
}

enum Span {
    Path { at: Extent, cause: Cause, work: Work, task: Option<u64> },
    Copy { at: Extent, direction: CopyDirection, bytes: u64 },
    Phase { at: Extent, phase: Phase },
    Kernel(Box<KernelSpan>),
}

struct KernelSpan {
    at: Extent,
    kernel: usize,
    task: u64,
    source: CostSource,
    on_path: bool,
    cost: u64,
    sent: Option<u64>,
    noticed: Option<u64>,
}

/// Start and length.
#[derive(Clone, Copy)]
struct Extent(u64, u64);

impl Serialize for Span {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Span::Path { at, cause, work, task } => {
                let task = task.map(|task| TaskLabel(task).to_string());
                (at.0, at.1, *cause as usize, *work as usize, task).serialize(serializer)
            }
            Span::Copy { at, direction, bytes } => (at.0, at.1, *direction as usize, bytes).serialize(serializer),
            Span::Phase { at, phase } => (at.0, at.1, *phase as usize).serialize(serializer),
            Span::Kernel(span) => {
                let KernelSpan { at, kernel, task, source, on_path, cost, sent, noticed } = &**span;
                let task = TaskLabel(*task).to_string();
                let on_path = u8::from(*on_path);
                (at.0, at.1, kernel, task, *source as usize, on_path, cost, sent, noticed).serialize(serializer)
            }
        }
    }
}

impl<'a> PageData<'a> {
    pub(super) fn new(explained: &'a Explained, names: &ProgramNames) -> Self {
        let mut kernels: Vec<String> =
            explained.attribution.kernels.iter().map(|kernel| kernel.kernel.clone()).collect();
        // By name, so that a kernel has the same colour in every run of the program.
        kernels.sort_unstable();
        let lanes = Lanes::new(explained, names, &kernels).all();
        PageData {
            device_time_ps: explained.attribution.device_time_ps,
            causes: Cause::ALL.map(|cause| NamedCause { name: cause.name(), colour: colour(cause) }).into(),
            works: Work::ALL.map(Work::name).into(),
            phases: ["preamble", "orchestration", "scheduling", "shutdown"],
            copies: ["copy to device", "copy from device", "memset"],
            sources: ["table", "pipes", "roofline", "default"],
            kernels,
            lanes,
            explained,
        }
    }

    /// By which number spans name a kernel.
    pub(super) fn kernel_number(&self, name: &str) -> usize {
        self.kernels.iter().position(|kernel| kernel == name).unwrap_or(self.explained.attribution.kernels.len())
    }
}

struct Lanes<'a> {
    explained: &'a Explained,
    timeline: &'a Timeline,
    origin: SimTime,
    end: SimTime,
    names: &'a ProgramNames,
    numbers: HashMap<&'a str, usize>,
    asked_for: HashMap<u64, [i32; 3]>,
    on_path: HashSet<usize>,
}

impl<'a> Lanes<'a> {
    fn new(explained: &'a Explained, names: &'a ProgramNames, kernels: &'a [String]) -> Self {
        let timeline = &explained.timeline;
        let steps = &explained.path.steps;
        Lanes {
            origin: steps.first().map_or(SimTime::ZERO, |step| step.start),
            end: steps.last().map_or(timeline.end, |step| step.end),
            names,
            numbers: kernels.iter().enumerate().map(|(number, name)| (name.as_str(), number)).collect(),
            asked_for: timeline.submissions.iter().map(|submission| (submission.task, submission.kernels)).collect(),
            on_path: explained.path.executions().collect(),
            explained,
            timeline,
        }
    }

    fn all(&self) -> Vec<Lane> {
        let mut lanes = vec![self.path(), self.host()];
        lanes.extend(self.timeline.threads().into_iter().map(|thread| self.thread(thread)));
        let cores = self.timeline.cores();
        let place: HashMap<u16, usize> =
            cores.iter().enumerate().filter_map(|(at, kind)| Some((kind.core()?, at))).collect();
        let mut of_cores: Vec<Lane> =
            cores.iter().map(|kind| Lane { name: kind.to_string(), kind: LaneKind::Core, spans: Vec::new() }).collect();
        for (index, execution) in self.timeline.executions.iter().enumerate() {
            if let Some(at) = place.get(&execution.core) {
                of_cores[*at].spans.push(self.kernel(index, execution));
            }
        }
        lanes.extend(of_cores);
        lanes
    }

    fn path(&self) -> Lane {
        let steps = self.explained.path.steps.iter();
        let spans = steps.map(|step| Span::Path {
            at: self.extent(step.start, step.end),
            cause: step.cause,
            work: step.work,
            task: step.task,
        });
        Lane { name: "critical path".to_owned(), kind: LaneKind::Path, spans: spans.collect() }
    }

    /// Copies while the device works; those before and after are not on the page.
    fn host(&self) -> Lane {
        let copies = self.timeline.copies.iter().filter_map(|copy| {
            let start = SimTime::from_ps(copy.end.as_ps().saturating_sub(copy.cost.as_ps()));
            let within = start >= self.origin && copy.end <= self.end;
            let (at, direction, bytes) = (self.extent(start, copy.end), copy.direction, copy.bytes);
            within.then_some(Span::Copy { at, direction, bytes })
        });
        Lane { name: ActorKind::Host.to_string(), kind: LaneKind::Host, spans: copies.collect() }
    }

    fn thread(&self, thread: u16) -> Lane {
        let spans = self.timeline.phases.iter().filter(|span| span.thread == thread);
        let spans = spans.map(|span| Span::Phase { at: self.extent(span.start, span.end), phase: span.phase });
        Lane { name: ActorKind::Aicpu(thread).to_string(), kind: LaneKind::Aicpu, spans: spans.collect() }
    }

    fn kernel(&self, index: usize, execution: &Execution) -> Span {
        let asked_for = self.asked_for.get(&execution.task).copied().unwrap_or([-1; 3]);
        let hash;
        let name = match self.names.kernel(execution.kernel, asked_for) {
            Some(name) => name,
            None => {
                hash = execution.kernel.to_string();
                &hash
            }
        };
        let at = |handling: Handling| self.relative(handling.at);
        Span::Kernel(Box::new(KernelSpan {
            at: self.extent(execution.start, execution.end.unwrap_or(self.end)),
            kernel: self.numbers.get(name).copied().unwrap_or(self.numbers.len()),
            task: execution.task,
            source: execution.source,
            on_path: self.on_path.contains(&index),
            cost: execution.cost.as_ps(),
            sent: execution.dispatch.map(at),
            noticed: execution.finish.map(at),
        }))
    }

    fn extent(&self, start: SimTime, end: SimTime) -> Extent {
        Extent(self.relative(start), end.since(start.max(self.origin)).as_ps())
    }

    fn relative(&self, at: SimTime) -> u64 {
        at.since(self.origin).as_ps()
    }
}
