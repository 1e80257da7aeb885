//! What happened on the device: events, and the hash that says whether two runs were the same.
//!
//! Every event carries the actor and the virtual time. The hash is a sum over the hashes of all events, so that it
//! covers what happened and when, and neither the order in which the engine came to notice equal instants nor anything
//! of the host: no address, no load order, no wall time. Kernels and objects appear by the hash of their bytes.

use serde::Serialize;

use crate::actor::{ActorId, ActorKind};
use crate::time::{SimDuration, SimTime};

/// The hash of an object's bytes: its identity in traces and ledgers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ContentHash(pub u64);

impl ContentHash {
    /// The hash of `bytes`, the same on every machine.
    ///
    /// Four lanes take eight bytes each in turn, since objects are hashed whenever they are loaded: one lane after
    /// another, byte by byte, would take longer than the load itself.
    pub fn of(bytes: &[u8]) -> Self {
        const PRIME: u64 = 0x9e37_79b9_7f4a_7c55;
        let mixed = |state: u64, word: u64| (state ^ word).wrapping_mul(PRIME).rotate_left(31);
        let mut lanes = [1, 2, 3, 4].map(|lane: u64| mixed(PRIME, lane));
        let (blocks, rest) = bytes.as_chunks::<32>();
        for block in blocks {
            let (words, _) = block.as_chunks::<8>();
            for (lane, word) in lanes.iter_mut().zip(words) {
                *lane = mixed(*lane, u64::from_le_bytes(*word));
            }
        }
        let state = lanes.into_iter().fold(bytes.len() as u64, mixed);
        let state = rest.iter().fold(state, |state, byte| mixed(state, u64::from(*byte)));
        // So that every bit of the last words reaches every bit.
        let folded = mixed(state ^ state >> 32, 0);
        ContentHash(folded ^ folded >> 29)
    }
}

impl std::fmt::Display for ContentHash {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

impl Serialize for ContentHash {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// Where the cost of a kernel came from, in order of preference.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum CostSource {
    /// The table of the case or profile, by kernel name.
    Table,
    /// The instruction pipelines.
    Pipes,
    /// Bytes of the task's tensors over the bandwidth it gets.
    Roofline,
    /// Nothing is known of the kernel: the profile's floor.
    Default,
}

/// A part of the AICPU's work on one run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// From entry to the end of the handshake.
    Preamble,
    /// The orchestration function.
    Orch,
    /// The scheduler's loop.
    Sched,
    /// Shutdown.
    PostOrch,
}

/// Why one task waits for another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum EdgeSource {
    /// The orchestration said so.
    Explicit,
    /// It reads what the other one created.
    Creator,
    /// The tensor map found an overlap.
    Tensormap,
}

/// Which way a host copy went.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum CopyDirection {
    /// Host to device.
    ToDevice,
    /// Device to host.
    FromDevice,
    /// A fill of device memory.
    Memset,
}

/// What happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case", tag = "event")]
pub enum EventKind {
    /// The actor began to run.
    Start,
    /// The actor ended.
    End,
    /// An AICPU thread issued a store into a core's register block.
    RegisterStore {
        /// Physical core id.
        core: u16,
        /// Offset in the block.
        offset: u32,
        /// Value stored.
        value: u32,
    },
    /// An AICore changed a word of its own register block.
    RegisterSet {
        /// Physical core id.
        core: u16,
        /// Offset in the block.
        offset: u32,
        /// Value stored.
        value: u32,
    },
    /// An AICPU thread read a value of COND that it had not seen before.
    RegisterSeen {
        /// Physical core id.
        core: u16,
        /// Offset in the block.
        offset: u32,
        /// Value read.
        value: u32,
    },
    /// A kernel began on an AICore.
    KernelStart {
        /// The kernel's bytes.
        kernel: ContentHash,
        /// `(ring << 32) | local`.
        task: u64,
        /// The task token in DATA_MAIN_BASE.
        token: u32,
        /// When the token reached the core.
        received: SimTime,
        /// What it would cost with the memory to itself.
        cost: SimDuration,
        /// Where the cost came from.
        source: CostSource,
    },
    /// A kernel ended on an AICore.
    KernelEnd {
        /// The kernel's bytes.
        kernel: ContentHash,
        /// `(ring << 32) | local`.
        task: u64,
        /// What it has cost, with others at the same memory.
        cost: SimDuration,
    },
    /// The orchestrator submitted a task.
    Submit {
        /// `(ring << 32) | local`.
        task: u64,
        /// Kernel ids: AIC, AIV0, AIV1; -1 for none.
        kernels: [i32; 3],
    },
    /// A dependency was found.
    Edge {
        /// The task that has to finish first.
        pred: u64,
        /// The task that waits.
        succ: u64,
        /// Which argument of `succ`.
        arg: u32,
        /// Why.
        source: EdgeSource,
    },
    /// The actor entered a phase, or left the last one.
    Phase {
        /// The phase entered.
        entered: Option<Phase>,
    },
    /// The host copied or filled device memory.
    Copy {
        /// Which way.
        direction: CopyDirection,
        /// How many bytes.
        bytes: u64,
        /// Modelled cost.
        cost: SimDuration,
    },
    /// An object was loaded into the runtime's namespace.
    Load {
        /// The object's bytes.
        object: ContentHash,
    },
    /// Nothing but polling had happened for so long that time was advanced to let the guests' own timeouts expire.
    Leap {
        /// How far.
        by: SimDuration,
    },
}

/// One event.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
pub struct TraceEvent {
    /// When.
    pub time: SimTime,
    /// Who.
    pub actor: ActorId,
    /// What.
    #[serde(flatten)]
    pub kind: EventKind,
}

impl TraceEvent {
    /// The same event with its times counted from `origin`.
    fn counted_from(mut self, origin: SimTime) -> Self {
        let relative = |time: SimTime| SimTime::ZERO + time.since(origin);
        self.time = relative(self.time);
        if let EventKind::KernelStart { received, .. } = &mut self.kind {
            *received = relative(*received);
        }
        self
    }
}

/// Sees every event as it is recorded.
pub trait Observer {
    /// An actor was named.
    fn actor(&mut self, id: ActorId, kind: ActorKind);
    /// An event was recorded.
    fn event(&mut self, event: &TraceEvent);
}

/// The events of one engine, hashed always and kept when asked for.
#[derive(Default)]
pub struct Trace {
    hash: u64,
    count: u64,
    /// Where times count from.
    origin: SimTime,
    kept: Option<Vec<TraceEvent>>,
    actors: Vec<ActorKind>,
    observer: Option<Box<dyn Observer>>,
}

impl Trace {
    /// A trace that hashes events, and also keeps them if `keep`.
    pub fn new(keep: bool) -> Self {
        Trace { kept: keep.then(Vec::new), ..Trace::default() }
    }

    /// Lets `observer` see every event from now on, and the actors that are known already.
    pub fn observe_with(&mut self, mut observer: Box<dyn Observer>) {
        for (index, kind) in self.actors.iter().enumerate() {
            observer.actor(ActorId(index as u32), *kind);
        }
        self.observer = Some(observer);
    }

    /// Events are shown to nobody from now on.
    pub fn stop_observing(&mut self) {
        self.observer = None;
    }

    /// Says what an actor is. Ids are given in order; those of ended actors are given again.
    pub fn name_actor(&mut self, id: ActorId, kind: ActorKind) {
        self.actors.truncate(id.0 as usize);
        self.actors.push(kind);
        if let Some(observer) = &mut self.observer {
            observer.actor(id, kind);
        }
    }

    /// Says what an actor turned out to be.
    pub fn rename_actor(&mut self, id: ActorId, kind: ActorKind) {
        self.actors[id.0 as usize] = kind;
        if let Some(observer) = &mut self.observer {
            observer.actor(id, kind);
        }
    }

    /// Forgets what was recorded; from now on times count from `origin`.
    pub fn restart(&mut self, origin: SimTime) {
        self.origin = origin;
        self.hash = 0;
        self.count = 0;
        if let Some(kept) = &mut self.kept {
            kept.clear();
        }
    }

    /// The kind of each actor, by id.
    pub fn actors(&self) -> &[ActorKind] {
        &self.actors
    }

    /// Records one event.
    pub fn record(&mut self, event: TraceEvent) {
        let event = event.counted_from(self.origin);
        self.hash = self.hash.wrapping_add(event_hash(&event));
        self.count += 1;
        if let Some(observer) = &mut self.observer {
            observer.event(&event);
        }
        if let Some(kept) = &mut self.kept {
            kept.push(event);
        }
    }

    /// The hash over all events so far.
    pub fn hash(&self) -> u64 {
        self.hash
    }

    /// How many events there were.
    pub fn count(&self) -> u64 {
        self.count
    }

    /// The events in the order they were recorded; empty unless they are kept.
    pub fn events(&self) -> &[TraceEvent] {
        self.kept.as_deref().unwrap_or_default()
    }
}

/// A 64-bit hash of one event: each field is mixed in, in a fixed order.
fn event_hash(event: &TraceEvent) -> u64 {
    let mut mixer = Mixer(0x9e37_79b9_7f4a_7c15);
    mixer.add(event.time.as_ps());
    mixer.add(u64::from(event.actor.0));
    match event.kind {
        EventKind::Start => mixer.add(1),
        EventKind::End => mixer.add(2),
        EventKind::RegisterStore { core, offset, value } => mixer.add_register(3, core, offset, value),
        EventKind::RegisterSet { core, offset, value } => mixer.add_register(4, core, offset, value),
        EventKind::RegisterSeen { core, offset, value } => mixer.add_register(5, core, offset, value),
        EventKind::KernelStart { kernel, task, token, received, cost, source } => {
            mixer.add(6);
            mixer.add(kernel.0);
            mixer.add(task);
            mixer.add(u64::from(token));
            mixer.add(received.as_ps());
            mixer.add(cost.as_ps());
            mixer.add(source as u64);
        }
        EventKind::KernelEnd { kernel, task, cost } => {
            mixer.add(7);
            mixer.add(kernel.0);
            mixer.add(task);
            mixer.add(cost.as_ps());
        }
        EventKind::Submit { task, kernels } => {
            mixer.add(8);
            mixer.add(task);
            for kernel in kernels {
                mixer.add(kernel as u32 as u64);
            }
        }
        EventKind::Edge { pred, succ, arg, source } => {
            mixer.add(9);
            mixer.add(pred);
            mixer.add(succ);
            mixer.add(u64::from(arg));
            mixer.add(source as u64);
        }
        EventKind::Phase { entered } => {
            mixer.add(10);
            mixer.add(entered.map_or(u64::MAX, |phase| phase as u64));
        }
        EventKind::Copy { direction, bytes, cost } => {
            mixer.add(11);
            mixer.add(direction as u64);
            mixer.add(bytes);
            mixer.add(cost.as_ps());
        }
        EventKind::Load { object } => {
            mixer.add(12);
            mixer.add(object.0);
        }
        EventKind::Leap { by } => {
            mixer.add(13);
            mixer.add(by.as_ps());
        }
    }
    mixer.0
}

/// Mixes 64-bit words; every bit of a word reaches every bit of the state.
struct Mixer(u64);

impl Mixer {
    fn add(&mut self, word: u64) {
        let mixed = (self.0 ^ word).wrapping_mul(0xff51_afd7_ed55_8ccd);
        self.0 = (mixed ^ (mixed >> 32)).wrapping_mul(0xc4ce_b9fe_1a85_ec53);
        self.0 ^= self.0 >> 29;
    }

    fn add_register(&mut self, tag: u64, core: u16, offset: u32, value: u32) {
        self.add(tag << 48 | u64::from(core));
        self.add(u64::from(offset) << 32 | u64::from(value));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(ns: u64, actor: u32, kind: EventKind) -> TraceEvent {
        TraceEvent { time: SimTime::from_ns(ns), actor: ActorId(actor), kind }
    }

    #[test]
    fn does_the_hash_ignore_the_order_in_which_events_were_noticed() {
        let (first, second) = (event(5, 0, EventKind::Start), event(5, 1, EventKind::Start));
        let (mut there, mut back) = (Trace::new(false), Trace::new(false));
        for (event, other) in [(first, second), (second, first)] {
            there.record(event);
            back.record(other);
        }
        assert_eq!(there.hash(), back.hash());
    }

    #[test]
    fn does_the_hash_see_every_field() {
        let base = EventKind::RegisterStore { core: 1, offset: 2, value: 3 };
        let others = [
            event(6, 0, base),
            event(5, 1, base),
            event(5, 0, EventKind::RegisterStore { core: 2, offset: 2, value: 3 }),
            event(5, 0, EventKind::RegisterStore { core: 1, offset: 3, value: 3 }),
            event(5, 0, EventKind::RegisterStore { core: 1, offset: 2, value: 4 }),
            event(5, 0, EventKind::RegisterSet { core: 1, offset: 2, value: 3 }),
        ];
        for other in others {
            assert_ne!(event_hash(&event(5, 0, base)), event_hash(&other), "{other:?}");
        }
    }

    #[test]
    fn do_equal_runs_hash_equal_whenever_they_begin() {
        let run = |trace: &mut Trace, begin: u64| {
            trace.restart(SimTime::from_ns(begin));
            trace.record(event(begin + 5, 1, EventKind::Start));
            trace.record(event(begin + 9, 1, EventKind::End));
            trace.hash()
        };
        let mut trace = Trace::new(true);
        let (first, second) = (run(&mut trace, 0), run(&mut trace, 700));
        assert_eq!((first, trace.count(), trace.events()[0].time), (second, 2, SimTime::from_ns(5)));
    }

    #[test]
    fn are_events_kept_only_when_asked_for() {
        let mut trace = Trace::new(false);
        trace.record(event(5, 0, EventKind::Start));
        assert_eq!((trace.count(), trace.events().len()), (1, 0));
    }
}
