//! `trace.json`: the timeline in the trace event format that Perfetto and chrome://tracing open.
//!
//! ```text
//!   process 1  Host        copies, loads
//!   process 2  AICPU       a track per thread: phases, and instants for submissions, dispatches, finishes
//!   process 3  AICores     a track per core: kernels, arrows from each task to those that wait for it;
//!                          a counter of busy cores
//! ```
//!
//! Events come in one fixed order (names, then tracks, then arrows, then the counter), each kind by time.

use serde::{Serialize, Serializer};
use sim_core::actor::ActorKind;
use sim_core::time::{SimDuration, SimTime};
use sim_core::trace::{ContentHash, CopyDirection, CostSource, Phase};

use super::names::{ProgramNames, TaskLabel};
use super::output::Streamed;
use super::timeline::{BusyCores, CopySpan, Execution, Handling, Submission, Timeline};

const HOST: u32 = 1;
const AICPU: u32 = 2;
const AICORES: u32 = 3;

/// Where an event is shown.
#[derive(Clone, Copy, Serialize)]
struct Track {
    pid: u32,
    tid: u32,
}

impl Track {
    const HOST: Track = Track { pid: HOST, tid: 0 };

    fn of_core(core: u16) -> Self {
        Track { pid: AICORES, tid: u32::from(core) }
    }

    fn of_thread(thread: u16) -> Self {
        Track { pid: AICPU, tid: u32::from(thread) }
    }

    fn of_actor(kind: ActorKind) -> Option<Self> {
        match kind {
            ActorKind::Host => Some(Track::HOST),
            ActorKind::Aicpu(thread) => Some(Track::of_thread(thread)),
            ActorKind::Aic(core) | ActorKind::Aiv(core) => Some(Track::of_core(core)),
            ActorKind::Thread(_) => None,
        }
    }
}

/// Microseconds with the fraction, exact to a picosecond.
struct Microseconds(u64);

impl Microseconds {
    fn at(time: SimTime) -> Self {
        Microseconds(time.as_ps())
    }

    fn of(span: SimDuration) -> Self {
        Microseconds(span.as_ps())
    }
}

impl Serialize for Microseconds {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_f64(self.0 as f64 / 1e6)
    }
}

/// One event of the format; the phase letter `ph` says which.
#[derive(Serialize)]
#[serde(tag = "ph")]
enum Event {
    #[serde(rename = "M")]
    Metadata {
        name: &'static str,
        #[serde(flatten)]
        track: Track,
        args: MetadataArgs,
    },
    #[serde(rename = "X")]
    Slice {
        name: String,
        cat: &'static str,
        #[serde(flatten)]
        track: Track,
        ts: Microseconds,
        dur: Microseconds,
        #[serde(skip_serializing_if = "Option::is_none")]
        args: Option<SliceArgs>,
    },
    #[serde(rename = "i")]
    Instant {
        name: String,
        cat: &'static str,
        /// The scope: this track alone.
        s: &'static str,
        #[serde(flatten)]
        track: Track,
        ts: Microseconds,
    },
    #[serde(rename = "s")]
    FlowStart {
        name: &'static str,
        cat: &'static str,
        id: usize,
        #[serde(flatten)]
        track: Track,
        ts: Microseconds,
    },
    #[serde(rename = "f")]
    FlowFinish {
        name: &'static str,
        cat: &'static str,
        id: usize,
        /// The arrow ends at the slice around it, not at the next one.
        bp: &'static str,
        #[serde(flatten)]
        track: Track,
        ts: Microseconds,
    },
    #[serde(rename = "C")]
    Counter {
        name: &'static str,
        #[serde(flatten)]
        track: Track,
        ts: Microseconds,
        args: CounterArgs,
    },
}

#[derive(Serialize)]
#[serde(rename_all = "snake_case")]
enum MetadataArgs {
    Name(String),
    SortIndex(u32),
}

#[derive(Serialize)]
#[serde(untagged)]
enum SliceArgs {
    Kernel {
        task: String,
        task_id: String,
        kernel: ContentHash,
        token: u32,
        cost_source: CostSource,
        #[serde(skip_serializing_if = "std::ops::Not::not")]
        unfinished: bool,
    },
    Copy {
        bytes: u64,
    },
}

#[derive(Serialize)]
struct CounterArgs {
    aic: i32,
    aiv: i32,
}

/// The content of `trace.json`.
pub struct PerfettoTrace<'a> {
    timeline: &'a Timeline,
    names: &'a ProgramNames,
}

impl<'a> PerfettoTrace<'a> {
    /// The trace of a timeline.
    pub fn new(timeline: &'a Timeline, names: &'a ProgramNames) -> Self {
        PerfettoTrace { timeline, names }
    }

    fn tracks(&self) -> impl Iterator<Item = Event> {
        let processes = [(HOST, "Host"), (AICPU, "AICPU"), (AICORES, "AICores")].into_iter().flat_map(|(pid, name)| {
            let track = Track { pid, tid: 0 };
            [named("process_name", track, name.to_owned()), sorted("process_sort_index", track, pid)]
        });
        let actors = self.timeline.actors.iter().filter_map(|kind| Some((Track::of_actor(*kind)?, *kind)));
        let threads = actors.flat_map(|(track, kind)| {
            [named("thread_name", track, kind.to_string()), sorted("thread_sort_index", track, track.tid)]
        });
        processes.chain(threads)
    }

    fn host(&self) -> impl Iterator<Item = Event> {
        let loads = self.timeline.loads.iter().map(|(at, object)| {
            let name = self.names.kernel(*object, [-1; 3]).map_or_else(|| object.to_string(), str::to_owned);
            instant(format!("load {name}"), "load", Track::HOST, *at)
        });
        self.timeline.copies.iter().map(copy).chain(loads)
    }

    fn aicpu(&self) -> impl Iterator<Item = Event> {
        let phases = self.timeline.phases.iter().map(|span| Event::Slice {
            name: phase_name(span.phase).to_owned(),
            cat: "phase",
            track: Track::of_thread(span.thread),
            ts: Microseconds::at(span.start),
            dur: Microseconds::of(span.end.since(span.start)),
            args: None,
        });
        let submissions = self.timeline.submissions.iter().map(|Submission { at, thread, task, .. }| {
            let track = thread.map_or(Track::HOST, Track::of_thread);
            instant(format!("submit {}", TaskLabel(*task)), "submit", track, *at)
        });
        let handled = |handling: Option<Handling>, what: &'static str, execution: &Execution| {
            let name = format!("{what} {}", TaskLabel(execution.task));
            handling.map(|Handling { thread, at }| instant(name, what, Track::of_thread(thread), at))
        };
        let handlings = self.timeline.executions.iter().flat_map(move |execution| {
            let dispatch = handled(execution.dispatch, "dispatch", execution);
            dispatch.into_iter().chain(handled(execution.finish, "finish", execution))
        });
        phases.chain(submissions).chain(handlings)
    }

    fn kernel(&self, execution: &Execution, kernels: [i32; 3]) -> Event {
        let task = TaskLabel(execution.task).to_string();
        let kernel = self.names.kernel(execution.kernel, kernels);
        let kernel = kernel.map_or_else(|| execution.kernel.to_string(), str::to_owned);
        let end = execution.end.unwrap_or(self.timeline.end);
        Event::Slice {
            name: format!("{kernel}({task})"),
            cat: "kernel",
            track: Track::of_core(execution.core),
            ts: Microseconds::at(execution.start),
            dur: Microseconds::of(end.since(execution.start)),
            args: Some(SliceArgs::Kernel {
                task,
                task_id: execution.task.to_string(),
                kernel: execution.kernel,
                token: execution.token,
                cost_source: execution.source,
                unfinished: execution.end.is_none(),
            }),
        }
    }

    fn kernels(&self) -> impl Iterator<Item = Event> {
        let asked_for: std::collections::HashMap<u64, [i32; 3]> =
            self.timeline.submissions.iter().map(|submission| (submission.task, submission.kernels)).collect();
        self.timeline.executions.iter().map(move |execution| {
            let kernels = asked_for.get(&execution.task).copied().unwrap_or([-1; 3]);
            self.kernel(execution, kernels)
        })
    }

    fn arrows(&self) -> impl Iterator<Item = Event> {
        self.timeline.waits().into_iter().enumerate().flat_map(|(id, (pred, succ))| {
            let start = Event::FlowStart {
                name: "dependency",
                cat: "flow",
                id,
                track: Track::of_core(pred.core),
                ts: Microseconds::at(last_instant(pred)),
            };
            let finish = Event::FlowFinish {
                name: "dependency",
                cat: "flow",
                id,
                bp: "e",
                track: Track::of_core(succ.core),
                ts: Microseconds::at(succ.start),
            };
            [start, finish]
        })
    }

    fn busy_cores(&self) -> impl Iterator<Item = Event> {
        self.timeline.busy_cores().into_iter().map(|BusyCores { at, aic, aiv }| Event::Counter {
            name: "busy cores",
            track: Track { pid: AICORES, tid: 0 },
            ts: Microseconds::at(at),
            args: CounterArgs { aic, aiv },
        })
    }

    fn events(&self) -> impl Iterator<Item = Event> {
        let slices = self.tracks().chain(self.host()).chain(self.aicpu()).chain(self.kernels());
        slices.chain(self.arrows()).chain(self.busy_cores())
    }
}

impl Serialize for PerfettoTrace<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        use serde::ser::SerializeMap;

        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("displayTimeUnit", "ns")?;
        map.serialize_entry("traceEvents", &Streamed(|| self.events()))?;
        map.end()
    }
}

/// An instant that still lies in an execution's slice, so that an arrow begins at it; viewers resolve a nanosecond.
fn last_instant(execution: &Execution) -> SimTime {
    let end = execution.end.unwrap_or(execution.start);
    SimTime::from_ps(end.as_ps().saturating_sub(1000)).max(execution.start)
}

fn named(what: &'static str, track: Track, name: String) -> Event {
    Event::Metadata { name: what, track, args: MetadataArgs::Name(name) }
}

fn sorted(what: &'static str, track: Track, index: u32) -> Event {
    Event::Metadata { name: what, track, args: MetadataArgs::SortIndex(index) }
}

fn instant(name: String, cat: &'static str, track: Track, at: SimTime) -> Event {
    Event::Instant { name, cat, s: "t", track, ts: Microseconds::at(at) }
}

fn copy(copy: &CopySpan) -> Event {
    let name = match copy.direction {
        CopyDirection::ToDevice => "copy to device",
        CopyDirection::FromDevice => "copy from device",
        CopyDirection::Memset => "memset",
    };
    Event::Slice {
        name: name.to_owned(),
        cat: "copy",
        track: Track::HOST,
        ts: Microseconds(copy.end.as_ps().saturating_sub(copy.cost.as_ps())),
        dur: Microseconds::of(copy.cost),
        args: Some(SliceArgs::Copy { bytes: copy.bytes }),
    }
}

fn phase_name(phase: Phase) -> &'static str {
    match phase {
        Phase::Preamble => "preamble",
        Phase::Orch => "orchestration",
        Phase::Sched => "scheduling",
        Phase::PostOrch => "shutdown",
    }
}

#[cfg(test)]
mod tests {
    use serde_json::Value;
    use sim_core::actor::ActorId;
    use sim_core::trace::Trace;

    use super::*;
    use crate::report::fixture;
    use crate::report::output::json_text;

    fn text() -> String {
        let timeline = Timeline::of_trace(&fixture::trace(), &fixture::chip());
        json_text(&PerfettoTrace::new(&timeline, &fixture::names()))
    }

    fn events() -> Vec<Value> {
        let trace: Value = serde_json::from_str(&text()).unwrap();
        trace["traceEvents"].as_array().unwrap().clone()
    }

    #[test]
    fn what_does_the_trace_of_three_tasks_show() {
        insta::assert_snapshot!(text());
    }

    #[test]
    fn has_every_arrow_a_beginning_and_an_end_inside_a_kernel() {
        let all = events();
        let of = |letter: &str| all.iter().filter(|event| event["ph"] == letter).cloned().collect::<Vec<_>>();
        let (starts, finishes, kernels) = (of("s"), of("f"), of("X"));
        let ids = |flows: &[Value]| flows.iter().map(|flow| flow["id"].as_u64().unwrap()).collect::<Vec<_>>();
        assert_eq!(ids(&starts), [0, 1, 2]);
        assert_eq!(ids(&starts), ids(&finishes));
        for flow in starts.iter().chain(&finishes) {
            let ts = flow["ts"].as_f64().unwrap();
            let inside = |kernel: &&Value| {
                let start = kernel["ts"].as_f64().unwrap();
                kernel["cat"] == "kernel"
                    && (&kernel["pid"], &kernel["tid"]) == (&flow["pid"], &flow["tid"])
                    && (start..start + kernel["dur"].as_f64().unwrap()).contains(&ts)
            };
            assert_eq!(kernels.iter().filter(inside).count(), 1, "{flow}");
        }
    }

    #[test]
    fn does_every_event_lie_on_a_track_with_a_name() {
        let events = events();
        let track = |event: &Value| (event["pid"].clone(), event["tid"].clone());
        let named: Vec<_> = events.iter().filter(|event| event["name"] == "thread_name").map(track).collect();
        let drawn = events.iter().filter(|event| ["X", "i", "s", "f"].iter().any(|letter| event["ph"] == *letter));
        assert_eq!(drawn.map(track).filter(|track| !named.contains(track)).count(), 0);
    }

    #[test]
    fn does_a_kernel_that_never_ended_last_until_the_last_event() {
        let mut trace = Trace::new(true);
        trace.name_actor(ActorId(0), ActorKind::Aiv(1));
        trace.name_actor(ActorId(1), ActorKind::Aicpu(0));
        trace.record(fixture::kernel_start(1000, 0, 1, 1, 5));
        trace.record(fixture::store(5000, 1, 1, 2));
        let timeline = Timeline::of_trace(&trace, &fixture::chip());
        let json = serde_json::to_value(PerfettoTrace::new(&timeline, &fixture::names())).unwrap();
        let all = json["traceEvents"].as_array().unwrap();
        let kernel = all.iter().find(|event| event["cat"] == "kernel").unwrap();
        assert_eq!((&kernel["dur"], &kernel["args"]["unfinished"]), (&4.0.into(), &true.into()));
    }

    #[test]
    fn is_a_picosecond_kept_in_microseconds() {
        let shown = [1, 2_300_000, 123_456_789_012_345].map(|ps| serde_json::to_string(&Microseconds(ps)).unwrap());
        assert_eq!(shown, ["1e-6", "2.3", "123456789.012345"]);
    }
}
