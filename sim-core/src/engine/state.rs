//! The engine's state: actors, the queue, effects that are under way, and who is blocked on what.
//!
//! Every method runs to its end without suspending anybody; that is what lets the state sit in one `RefCell`.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use super::HOST;
use super::fiber::Fiber;
use super::lender::Lender;
use super::native::Job;
use super::poll::{Iteration, Parked, PollPolicy, Rest};
use super::queue::{Entry, Item, Key, ReadyQueue};
use super::wait::{Deadlock, Poll, Stall, StalledActor, Wait};
use crate::actor::{ActorId, ActorKind};
use crate::guest_memory::OwnMemory;
use crate::time::{SimDuration, SimTime};

/// What an actor is doing.
pub(super) enum Status {
    /// Queued, or running right now.
    Ready,
    /// Its kernel body runs natively; queued for the end of the interval.
    Native(Arc<Job>),
    /// A poller that waits for a store into its register block.
    Parked(Parked),
    /// Waiting to be woken.
    Blocked { wait: Wait, key: usize },
    /// Its guest code has ended with this result.
    Ended(u64),
}

/// A word of a core's register block that the core itself stores to.
#[derive(Clone, Copy)]
pub(super) struct WatchedWord {
    pub(super) word: *const AtomicU32,
    pub(super) offset: u32,
    /// What everybody else sees.
    pub(super) visible: u32,
}

impl WatchedWord {
    /// A word that everybody sees as it is now.
    pub(super) fn new(word: *const AtomicU32, offset: u32) -> Self {
        // SAFETY: register blocks live as long as the device.
        WatchedWord { word, offset, visible: unsafe { &*word }.load(Ordering::Acquire) }
    }
}

pub(super) struct Actor {
    pub(super) kind: ActorKind,
    pub(super) time: SimTime,
    pub(super) status: Status,
    pub(super) fiber: Option<Box<Fiber>>,
    pub(super) lender: Option<Lender>,
    pub(super) policy: PollPolicy,
    pub(super) iteration: Iteration,
    pub(super) rest: Option<SimDuration>,
    pub(super) watched: Option<WatchedWord>,
    /// How long its stores take to be seen.
    pub(super) propagation: SimDuration,
    /// Since when it has only polled or waited.
    pub(super) since: SimTime,
    pub(super) poll: Poll,
    /// Code address of the guest that called the last hook.
    pub(super) caller: usize,
    /// Goes up at each block, so that a deadline of an earlier one is ignored.
    pub(super) generation: u32,
    pub(super) timed_out: bool,
    /// Counted by `launched` until it ends.
    pub(super) launched: bool,
    /// A guest has the handle of its thread and will join it.
    pub(super) joinable: bool,
    /// What it does takes until its time: it is no poller meanwhile.
    pub(super) working: bool,
}

/// Something that the device does by itself at a later time.
pub(super) enum Effect {
    /// A store arrives.
    Store { word: *const AtomicU32, value: u32, wakes: ActorId },
    /// Bytes arrive in memory, if that is still there.
    Write { address: u64, bytes: Box<[u8]> },
    /// The deadline of a blocked actor.
    Deadline { actor: ActorId, generation: u32 },
}

/// Counters of the work done; they differ between modes and are not part of any trace.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct Counters {
    /// Calls from guests into the engine.
    pub hooks: u64,
    /// Times that a fiber was resumed.
    pub switches: u64,
    /// Kernel bodies run.
    pub kernels: u64,
    /// Poll iterations that were not executed because their outcome was known.
    pub skipped_polls: u64,
}

/// When something last happened, and what was done about it when nothing did.
struct Progress {
    last: SimTime,
    next_check: SimTime,
    /// Somebody has read the clock since: it may have a timeout of its own.
    clock_read: bool,
    leaps: u32,
    leapt: SimDuration,
    snapshot: Option<Deadlock>,
    /// Until when somebody is at work.
    busy_until: SimTime,
    /// The longest span in which nothing happened and nobody was at work.
    longest_quiet: SimDuration,
    outsiders: Outsiders,
    /// Something happened after the host had waited for somebody outside.
    fed: bool,
}

/// Whether somebody outside the engine may end a stall.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Outsiders {
    /// There is nobody.
    None,
    /// They have not been waited for since something last happened.
    Hoped,
    /// They are being waited for, and pollers have looked so many times whether they did something.
    Awaited(u32),
    /// They did nothing for as long as one waits.
    GivenUp,
}

/// How far pollers get between two looks at whether somebody outside has done something.
const LOOK: SimDuration = SimDuration::from_us(20);

pub(super) struct State {
    pub(super) actors: Vec<Actor>,
    queue: ReadyQueue,
    /// The entry that comes next, when it has been taken out of the queue already.
    next: Option<Entry>,
    effects: Vec<Option<Effect>>,
    free_effects: Vec<u32>,
    sequence: u64,
    blocked: Vec<ActorId>,
    pub(super) launched: usize,
    /// When the last actor of the device that has ended did so.
    pub(super) device_end: SimTime,
    pub(super) counters: Counters,
    progress: Progress,
    stall_window: SimDuration,
    leap_limit: SimDuration,
}

/// What the engine has to do next.
pub(super) enum Next {
    /// Let this actor run.
    Run(ActorId),
    /// Only polling is left, and a guest may have a timeout: time has been advanced by this much.
    Leapt(SimDuration),
    /// Only polling is left, or nothing at all, but somebody outside may change that.
    Quiet,
    /// Nothing can happen any more.
    Dead(Deadlock),
}

impl State {
    pub(super) fn new(stall_window: SimDuration, leap_limit: SimDuration) -> State {
        State {
            actors: Vec::new(),
            queue: ReadyQueue::default(),
            next: None,
            effects: Vec::new(),
            free_effects: Vec::new(),
            sequence: 0,
            blocked: Vec::new(),
            launched: 0,
            device_end: SimTime::ZERO,
            counters: Counters::default(),
            progress: Progress {
                last: SimTime::ZERO,
                next_check: SimTime::ZERO + stall_window,
                clock_read: false,
                leaps: 0,
                leapt: SimDuration::ZERO,
                snapshot: None,
                busy_until: SimTime::ZERO,
                longest_quiet: SimDuration::ZERO,
                outsiders: Outsiders::None,
                fed: false,
            },
            stall_window,
            leap_limit,
        }
    }

    pub(super) fn actor(&self, id: ActorId) -> &Actor {
        &self.actors[id.0 as usize]
    }

    pub(super) fn actor_mut(&mut self, id: ActorId) -> &mut Actor {
        &mut self.actors[id.0 as usize]
    }

    /// Something happened that is more than polling.
    #[inline]
    pub(super) fn progressed(&mut self, at: SimTime) {
        let progress = &mut self.progress;
        progress.longest_quiet = progress.longest_quiet.max(at.since(progress.last.max(progress.busy_until)));
        progress.last = progress.last.max(at);
        progress.next_check = progress.last + self.stall_window;
        progress.clock_read = false;
        progress.leaps = 0;
        if matches!(progress.outsiders, Outsiders::Awaited(_) | Outsiders::GivenUp) {
            progress.fed |= progress.outsiders != Outsiders::GivenUp;
            progress.outsiders = Outsiders::Hoped;
        }
    }

    /// Somebody is at work until `end`.
    #[inline(always)]
    pub(super) fn busy_until(&mut self, end: SimTime) {
        self.progress.busy_until = self.progress.busy_until.max(end);
    }

    /// From now on somebody outside may end a stall.
    pub(super) fn hope_for_outsiders(&mut self) {
        self.progress.outsiders = Outsiders::Hoped;
    }

    /// Somebody outside has been waited for. `more`: pollers look whether that has changed anything, and if not, one
    /// waits on; else the stall is what it is.
    pub(super) fn waited_for_outsiders(&mut self, more: bool) {
        let looks = self.looks();
        let progress = &mut self.progress;
        progress.outsiders = if more { Outsiders::Awaited(looks + 1) } else { Outsiders::GivenUp };
        if more {
            progress.next_check += LOOK;
        }
    }

    /// How many times pollers have looked in vain whether somebody outside has done something.
    pub(super) fn looks(&self) -> u32 {
        match self.progress.outsiders {
            Outsiders::Awaited(looks) => looks,
            Outsiders::None | Outsiders::Hoped | Outsiders::GivenUp => 0,
        }
    }

    /// Whether anything happened in this run after somebody outside had been waited for, and the longest span in which
    /// nothing happened.
    pub(super) fn outside_influence(&self) -> (bool, SimDuration) {
        (self.progress.fed, self.progress.longest_quiet)
    }

    /// When something last happened.
    pub(super) fn last_progress(&self) -> SimTime {
        self.progress.last
    }

    /// A new run begins at `at`.
    pub(super) fn restart_progress(&mut self, at: SimTime) {
        self.progressed(at);
        self.progress.fed = false;
        self.progress.longest_quiet = SimDuration::ZERO;
    }

    pub(super) fn clock_was_read(&mut self) {
        self.progress.clock_read = true;
    }

    /// What it looked like before the first leap, and how far time leapt in all.
    pub(super) fn stall(&self) -> Option<(&Deadlock, SimDuration)> {
        self.progress.snapshot.as_ref().map(|snapshot| (snapshot, self.progress.leapt))
    }

    // ---- time of the actor that runs ----

    /// Advances the running actor. `true`: it has to suspend, since others come first.
    #[inline(always)]
    pub(super) fn advance(&mut self, id: ActorId, cost: SimDuration) -> bool {
        let actor = self.actor_mut(id);
        actor.time += cost;
        let key = Key::of_actor(actor.time, id);
        if key.time < self.progress.next_check && self.queue.is_first(key) {
            return false;
        }
        self.next = Some(self.queue.push_pop(key, Item::Actor(id)));
        true
    }

    /// The running actor ended a poll iteration with a spin hint. `true`: it has to suspend.
    pub(super) fn end_iteration(&mut self, id: ActorId, spin: SimDuration) -> bool {
        let actor = self.actor_mut(id);
        let end = actor.time + spin;
        match actor.iteration.end(actor.policy, spin, end) {
            Some(Rest::Park(parked)) => {
                actor.time = end;
                actor.status = Status::Parked(parked);
                return true;
            }
            Some(Rest::Repeat { period }) => {
                actor.rest = Some(period);
                let skipped = self.skippable(id, end, period);
                self.counters.skipped_polls += skipped;
                let actor = self.actor_mut(id);
                actor.iteration.shift(period * skipped);
                actor.time += period * skipped;
            }
            None => actor.rest = None,
        }
        self.advance(id, spin)
    }

    /// How many iterations a repeating poller at `end` can skip: nothing but such pollers is queued before that.
    fn skippable(&self, id: ActorId, end: SimTime, period: SimDuration) -> u64 {
        let others = self.queue.iter().filter(|entry| match entry.item {
            Item::Actor(other) => other != id && self.actor(other).rest.is_none(),
            Item::Effect(_) => true,
        });
        let until = others.map(|entry| entry.key.time).min().unwrap_or(end).min(self.progress.next_check);
        if period == SimDuration::ZERO { 0 } else { until.since(end) / period }
    }

    /// The running actor did something that is not polling.
    #[inline]
    pub(super) fn work(&mut self, id: ActorId) {
        let actor = self.actor_mut(id);
        actor.iteration.work();
        actor.rest = None;
        actor.since = actor.time;
        actor.working = true;
        let now = actor.time;
        self.progressed(now);
    }

    /// The running actor's own code takes a span of time. `true`: it works. Most such code may be part of a poll as
    /// well, but who polls gives spin hints: a guest that has given none for half of the stall window works.
    pub(super) fn elapse(&mut self, id: ActorId, span: SimDuration) -> bool {
        let actor = self.actor_mut(id);
        // It is no poll of which the engine knows everything.
        actor.iteration.work();
        actor.rest = None;
        let works = actor.iteration.length(actor.time + span) * 2 >= self.stall_window;
        if works {
            self.work(id);
        }
        works
    }

    // ---- effects ----

    /// A store that arrives at `at`; it wakes the core if that is parked.
    pub(super) fn store_at(&mut self, at: SimTime, word: *const AtomicU32, value: u32, wakes: ActorId) {
        self.schedule(at, Effect::Store { word, value, wakes });
    }

    /// Bytes that arrive in memory at `at`.
    pub(super) fn write_at(&mut self, at: SimTime, address: u64, bytes: Box<[u8]>) {
        self.schedule(at, Effect::Write { address, bytes });
    }

    fn schedule(&mut self, at: SimTime, effect: Effect) {
        let slot = match self.free_effects.pop() {
            Some(slot) => {
                self.effects[slot as usize] = Some(effect);
                slot
            }
            None => {
                self.effects.push(Some(effect));
                self.effects.len() as u32 - 1
            }
        };
        self.sequence += 1;
        self.queue.push(Key::of_effect(at, self.sequence), Item::Effect(slot));
    }

    fn take_effect(&mut self, slot: u32, at: SimTime) {
        let effect = self.effects[slot as usize].take();
        self.free_effects.push(slot);
        match effect {
            Some(Effect::Store { word, value, wakes }) => self.arrive(at, word, value, wakes),
            Some(Effect::Write { address, bytes }) => {
                // Who has given that memory back does not miss them.
                let _ = OwnMemory.write(address, &bytes);
                self.progressed(at);
            }
            Some(Effect::Deadline { actor, generation }) => {
                if self.actor(actor).generation == generation && self.unblock(actor, at) {
                    self.actor_mut(actor).timed_out = true;
                }
            }
            None => debug_assert!(false, "an effect took place twice"),
        }
    }

    /// Everything that was launched has ended: what is still on its way arrives now, while the registers are there.
    pub(super) fn settle_effects(&mut self) {
        let mut left = Vec::new();
        self.queue.rebuild(|entry| {
            let Item::Effect(slot) = entry.item else { return true };
            left.push((entry.key, slot));
            false
        });
        if let Some(Entry { key, item: Item::Effect(slot) }) = self.next {
            left.push((key, slot));
            self.next = None;
        }
        left.sort_unstable_by_key(|(key, _)| *key);
        for (key, slot) in left {
            self.take_effect(slot, key.time);
        }
    }

    fn arrive(&mut self, at: SimTime, word: *const AtomicU32, value: u32, wakes: ActorId) {
        // SAFETY: register blocks live as long as the device, which outlives its engine's run.
        unsafe { &*word }.store(value, Ordering::Release);
        self.progressed(at);
        let actor = self.actor_mut(wakes);
        if let Some(watched) = &mut actor.watched
            && std::ptr::eq(watched.word, word)
        {
            watched.visible = value;
        }
        if let Status::Parked(parked) = actor.status {
            let (begin, skipped) = parked.resume_for(at);
            actor.status = Status::Ready;
            actor.time = begin;
            actor.iteration.resume(begin);
            self.counters.skipped_polls += skipped;
            self.queue.push(Key::of_actor(begin, wakes), Item::Actor(wakes));
        }
    }

    /// The core may have stored into its register block since its last hook: a store is taken back and arrives later.
    pub(super) fn observe_store(&mut self, id: ActorId) -> Option<(u32, u32)> {
        let actor = self.actor_mut(id);
        let watched = actor.watched?;
        // SAFETY: register blocks live as long as the device.
        let word = unsafe { &*watched.word };
        let value = word.load(Ordering::Acquire);
        if value == watched.visible {
            return None;
        }
        word.store(watched.visible, Ordering::Release);
        let arrival = actor.time + actor.propagation;
        self.store_at(arrival, watched.word, value, id);
        Some((watched.offset, value))
    }

    // ---- blocking ----

    /// The running actor waits until `key` is woken, or until `deadline`.
    pub(super) fn block(&mut self, id: ActorId, wait: Wait, key: usize, deadline: Option<SimTime>) {
        let actor = self.actor_mut(id);
        actor.status = Status::Blocked { wait, key };
        actor.generation += 1;
        actor.timed_out = false;
        let generation = actor.generation;
        self.blocked.push(id);
        if let Some(deadline) = deadline {
            let at = deadline.max(self.actor(id).time);
            self.schedule(at, Effect::Deadline { actor: id, generation });
        }
    }

    /// Wakes up to `most` of those that wait for `key`, first come first served. Returns how many.
    pub(super) fn wake(&mut self, key: usize, most: u32, at: SimTime) -> u32 {
        let mut woken = 0;
        while woken < most {
            let first = self.blocked.iter().copied().find(|id| match self.actor(*id).status {
                Status::Blocked { key: other, .. } => other == key,
                _ => false,
            });
            let Some(id) = first else { break };
            self.unblock(id, at);
            woken += 1;
        }
        woken
    }

    /// Makes a blocked actor ready at `at`.
    fn unblock(&mut self, id: ActorId, at: SimTime) -> bool {
        let Some(index) = self.blocked.iter().position(|blocked| *blocked == id) else { return false };
        self.blocked.remove(index);
        let actor = self.actor_mut(id);
        actor.status = Status::Ready;
        actor.time = actor.time.max(at);
        actor.since = actor.time;
        let key = Key::of_actor(actor.time, id);
        self.queue.push(key, Item::Actor(id));
        self.progressed(at);
        true
    }

    /// Puts an actor into the queue at its time.
    pub(super) fn enqueue(&mut self, id: ActorId) {
        let key = Key::of_actor(self.actor(id).time, id);
        self.queue.push(key, Item::Actor(id));
    }

    /// The running actor suspends and is queued again at its time.
    pub(super) fn requeue(&mut self, id: ActorId) {
        let key = Key::of_actor(self.actor(id).time, id);
        self.next = Some(self.queue.push_pop(key, Item::Actor(id)));
    }

    /// Actors that let an interval pass get there at these times now, which are not over yet.
    ///
    /// The running actor is in no interval, and not in the queue; those whose intervals move are.
    pub(super) fn move_ends(&mut self, moved: &[(ActorId, SimTime)]) {
        debug_assert!(self.next.is_none(), "an actor runs, so the next has not been chosen yet");
        for &(id, end) in moved {
            self.actor_mut(id).time = end;
            self.busy_until(end);
        }
        let actors = &self.actors;
        self.queue.rebuild(|entry| {
            if let Item::Actor(id) = entry.item {
                entry.key = Key::of_actor(actors[id.0 as usize].time, id);
            }
            true
        });
    }

    // ---- what comes next ----

    /// Takes the next step in the total order.
    pub(super) fn next(&mut self) -> Next {
        loop {
            let Some(entry) = self.next.take().or_else(|| self.queue.pop()) else {
                if matches!(self.progress.outsiders, Outsiders::Hoped | Outsiders::Awaited(_)) {
                    return Next::Quiet;
                }
                return Next::Dead(self.snapshot(self.progress.last));
            };
            if entry.key.time >= self.progress.next_check {
                self.queue.push(entry.key, entry.item);
                if let Some(next) = self.check_progress() {
                    return next;
                }
                continue;
            }
            match entry.item {
                Item::Effect(slot) => self.take_effect(slot, entry.key.time),
                Item::Actor(id) => return Next::Run(id),
            }
        }
    }

    /// Nothing but polling happened for the whole window: is anything else still to come?
    fn check_progress(&mut self) -> Option<Next> {
        let now = self.progress.next_check;
        let horizon = now + self.stall_window;
        let pending = self.queue.iter().any(|entry| match entry.item {
            Item::Effect(slot) => self.deadline_of_host(slot).is_none(),
            Item::Actor(id) => {
                let actor = self.actor(id);
                actor.working || matches!(actor.status, Status::Native(_))
            }
        });
        let deadline = self.next_deadline_of_host();
        // A host that only lets time pass, while nothing is on the device, is not stalled.
        if pending || deadline.is_some_and(|deadline| deadline <= horizon || self.launched == 0) {
            self.progress.next_check = horizon;
            return None;
        }
        if matches!(self.progress.outsiders, Outsiders::Hoped | Outsiders::Awaited(_)) {
            return Some(Next::Quiet);
        }
        let snapshot = self.snapshot(now);
        let by = self.stall_window * (1 << self.progress.leaps.min(40));
        let allowed = self.progress.clock_read && by <= self.leap_limit;
        self.progress.snapshot.get_or_insert_with(|| snapshot.clone());
        if let Some(deadline) = deadline {
            // Nobody but the host does anything before its deadline, except guests with timeouts of their own.
            let left = deadline.since(now);
            let by = if allowed { by.min(left) } else { left };
            self.leap(by);
            return Some(Next::Leapt(by));
        }
        if !allowed {
            return Some(Next::Dead(snapshot));
        }
        self.leap(by);
        Some(Next::Leapt(by))
    }

    /// The wait of the host that this effect ends, by its number, if it is a deadline of the host.
    fn deadline_of_host(&self, slot: u32) -> Option<u32> {
        match self.effects[slot as usize] {
            Some(Effect::Deadline { actor: HOST, generation }) => Some(generation),
            _ => None,
        }
    }

    /// When the host stops waiting, if it waits for so long only. Deadlines of earlier waits mean nothing.
    fn next_deadline_of_host(&self) -> Option<SimTime> {
        if !self.blocked.contains(&HOST) {
            return None;
        }
        let current = Some(self.actor(HOST).generation);
        let deadlines = self.queue.iter().filter(|entry| match entry.item {
            Item::Effect(slot) => self.deadline_of_host(slot) == current,
            Item::Actor(_) => false,
        });
        deadlines.map(|entry| entry.key.time).min()
    }

    /// Moves every poller by the same span, so that nothing changes but the clocks that guests read.
    fn leap(&mut self, by: SimDuration) {
        let actors = &mut self.actors;
        self.queue.rebuild(|entry| {
            if let Item::Actor(id) = entry.item {
                let actor = &mut actors[id.0 as usize];
                actor.time += by;
                actor.iteration.shift(by);
                entry.key = Key::of_actor(actor.time, id);
            }
            true
        });
        for actor in actors.iter_mut() {
            if let Status::Parked(parked) = &mut actor.status {
                parked.base += by;
            }
        }
        let progress = &mut self.progress;
        progress.leaps += 1;
        progress.leapt += by;
        // A few hundred iterations are enough for a guest that looks at its clock now and then.
        progress.next_check = progress.next_check + by + SimDuration::from_ps(self.stall_window.as_ps() / 8);
    }

    /// Who waits for what.
    fn snapshot(&self, at: SimTime) -> Deadlock {
        let actors = self.actors.iter().enumerate().filter_map(|(index, actor)| {
            let stall = match actor.status {
                Status::Ended(_) => return None,
                Status::Blocked { wait, .. } => Stall::Blocked(wait),
                Status::Ready | Status::Native(_) | Status::Parked(_) => Stall::Polling(actor.poll),
            };
            let id = ActorId(index as u32);
            Some(StalledActor { actor: id, kind: actor.kind, since: actor.since, stall, caller: actor.caller })
        });
        Deadlock { at, since: self.progress.last, actors: actors.collect() }
    }

    /// Drops everything that is queued for actors other than `host`: they will not run again.
    pub(super) fn abandon_all_but(&mut self, host: ActorId) {
        self.next = None;
        self.blocked.retain(|id| *id == host);
        let effects = &mut self.effects;
        let mut freed = Vec::new();
        self.queue.rebuild(|entry| match entry.item {
            Item::Actor(id) => id == host,
            Item::Effect(slot) => {
                effects[slot as usize] = None;
                freed.push(slot);
                false
            }
        });
        self.free_effects.append(&mut freed);
        self.launched = 0;
    }
}
