//! The actor on whose behalf a hook runs: everything that a hook can do in virtual time.
//!
//! A call here may suspend the actor's fiber and return much later. No hook may hold a borrow of anything across one.

use std::cell::RefMut;
use std::ffi::c_void;
use std::sync::Arc;
use std::sync::atomic::AtomicU32;

use super::context::{ActorContext, Standing};
use super::fault::{Fault, Refusal};
use super::fiber::{GuestCall, Suspension};
use super::native::Job;
use super::poll::PollPolicy;
use super::state::{State, Status, WatchedWord};
use super::wait::{Poll, Wait};
use super::watchdog::Doing;
use super::{BodyPlace, COMPLETION_KEY, Engine, HOST, NativeBody, Polling, join_key};
use crate::actor::{ActorId, ActorKind};
use crate::time::{SimDuration, SimTime};
use crate::trace::EventKind;

/// The actor on whose behalf a hook runs.
pub struct CurrentActor<'a> {
    engine: &'a Engine,
    context: &'a ActorContext,
}

impl<'a> CurrentActor<'a> {
    pub(super) fn new(engine: &'a Engine, context: &'a ActorContext) -> Self {
        CurrentActor { engine, context }
    }

    /// Its engine.
    pub fn engine(&self) -> &'a Engine {
        self.engine
    }

    /// Its number.
    pub fn id(&self) -> ActorId {
        self.context.actor()
    }

    /// What it is.
    pub fn kind(&self) -> ActorKind {
        self.context.kind.get()
    }

    /// Its time.
    pub fn now(&self) -> SimTime {
        self.engine.state.borrow().actor(self.id()).time
    }

    /// Begins a hook: notes what the core stored, and where the guest is.
    #[inline(always)]
    fn begin(&self, caller: usize) -> RefMut<'_, State> {
        self.engine.thread.beat();
        let id = self.id();
        let mut state = self.engine.state.borrow_mut();
        state.counters.hooks += 1;
        if let Some((offset, value)) = state.observe_store(id) {
            let actor = state.actor(id);
            let (time, core) = (actor.time, actor.kind.core().unwrap_or(u16::MAX));
            self.engine.record(time, id, EventKind::RegisterSet { core, offset, value });
            state.progressed(time);
        }
        let actor = state.actor_mut(id);
        actor.working = false;
        if caller != 0 {
            actor.caller = caller;
        }
        state
    }

    /// Lets others run; returns when this actor comes next.
    ///
    /// Inlined, as all that hooks call on the way here: the processor cannot predict a return on a stack that was
    /// switched to, so each frame between here and the guest costs.
    #[inline(always)]
    fn suspend(&self) {
        // SAFETY: set when the fiber began; this is called on the fiber.
        unsafe { &*self.context.yielder.get() }.suspend(Suspension::Waiting);
    }

    /// Work of this cost.
    #[inline(always)]
    pub fn charge(&self, cost: SimDuration, caller: usize) {
        let mut state = self.begin(caller);
        state.work(self.id());
        let end = state.actor(self.id()).time + cost;
        state.busy_until(end);
        let suspend = state.advance(self.id(), cost);
        drop(state);
        if suspend {
            self.suspend();
        }
    }

    /// Something that a poller does over and over: `what` it looks at, at this cost. See [`CurrentActor::saw`].
    #[inline(always)]
    pub fn look(&self, cost: SimDuration, caller: usize) {
        let suspend = self.begin(caller).advance(self.id(), cost);
        if suspend {
            self.suspend();
        }
    }

    /// As [`CurrentActor::look`], at something else than registers. A core that does so is not parked: what it sees may
    /// change without a store to its registers.
    #[inline(always)]
    pub fn look_at_memory(&self, cost: SimDuration, caller: usize) {
        let mut state = self.begin(caller);
        if state.actor(self.id()).policy == PollPolicy::Park {
            state.actor_mut(self.id()).iteration.work();
        }
        let suspend = state.advance(self.id(), cost);
        drop(state);
        if suspend {
            self.suspend();
        }
    }

    /// What the look gave: polling goes on while it gives the same.
    #[inline(always)]
    pub fn saw(&self, poll: Poll, what: u64, result: u64) {
        let mut state = self.engine.state.borrow_mut();
        let actor = state.actor_mut(self.id());
        actor.poll = poll;
        actor.iteration.read(what, result);
    }

    /// A core asks for its register block, to access it inline.
    #[inline(always)]
    pub fn access_registers(&self, cost: SimDuration, poll: Poll, caller: usize) {
        let mut state = self.begin(caller);
        let actor = state.actor_mut(self.id());
        actor.poll = poll;
        actor.iteration.access(cost);
        let suspend = state.advance(self.id(), cost);
        drop(state);
        if suspend {
            self.suspend();
        }
    }

    /// A spin hint: the end of a poll iteration.
    #[inline(always)]
    pub fn spin(&self, cost: SimDuration, poll: Poll, caller: usize) {
        let mut state = self.begin(caller);
        if poll != Poll::Spin {
            state.actor_mut(self.id()).poll = poll;
        }
        let suspend = state.end_iteration(self.id(), cost);
        drop(state);
        if suspend {
            self.suspend();
        }
    }

    /// Reads the clock at this cost: whoever does may have a timeout of its own.
    pub fn read_clock(&self, cost: SimDuration) -> SimTime {
        let mut state = self.begin(0);
        state.clock_was_read();
        // A core that reads the clock does more than wait for a store.
        if state.actor(self.id()).policy == PollPolicy::Park {
            state.actor_mut(self.id()).iteration.work();
        }
        let suspend = state.advance(self.id(), cost);
        drop(state);
        if suspend {
            self.suspend();
        }
        self.now()
    }

    /// Sleeps for a span of virtual time.
    pub fn sleep(&self, span: SimDuration) {
        let mut state = self.begin(0);
        let actor = state.actor_mut(self.id());
        actor.poll = Poll::Sleep;
        actor.iteration.work();
        // A short sleep may be a poll; a long one is waited for.
        let long = span >= self.engine.settings.stall_window;
        actor.working = long;
        self.pass(state, span, long);
    }

    /// The guest's own code takes a span of virtual time, whatever it does: unlike [`CurrentActor::charge`], this may
    /// be part of a poll.
    #[inline(always)]
    pub fn elapse(&self, span: SimDuration, caller: usize) {
        let mut state = self.begin(caller);
        let works = state.elapse(self.id(), span);
        self.pass(state, span, works);
    }

    /// Lets time pass; if the actor `works` meanwhile, it has made progress afterwards.
    #[inline(always)]
    fn pass(&self, mut state: RefMut<'_, State>, span: SimDuration, works: bool) {
        let id = self.id();
        let suspend = state.advance(id, span);
        drop(state);
        if suspend {
            self.suspend();
        }
        if works {
            self.engine.state.borrow_mut().work(id);
        }
    }

    /// Blocks until `key` is woken.
    pub fn block(&self, wait: Wait, key: usize, caller: usize) {
        self.block_until(wait, key, None, caller);
    }

    /// Blocks until `key` is woken or `deadline` has come. `true` when the deadline ended it.
    pub fn block_until(&self, wait: Wait, key: usize, deadline: Option<SimTime>, caller: usize) -> bool {
        let mut state = self.begin(caller);
        state.work(self.id());
        state.block(self.id(), wait, key, deadline);
        drop(state);
        self.suspend();
        self.engine.state.borrow().actor(self.id()).timed_out
    }

    /// Wakes up to `most` actors that wait for `key`, at this actor's time.
    pub fn wake(&self, key: usize, most: u32) {
        let now = self.now();
        self.engine.state.borrow_mut().wake(key, most, now);
    }

    /// Blocks until everything that was launched has ended. The fault, if the device's work ended with one.
    pub fn wait_for_completion(&self) -> Option<Fault> {
        if self.engine.fault.borrow().is_none() && self.engine.state.borrow().launched > 0 {
            self.block(Wait::Completion, COMPLETION_KEY, 0);
        }
        self.engine.fault.borrow().clone()
    }

    /// Whether everything that was launched has ended.
    pub fn is_complete(&self) -> bool {
        self.engine.is_complete()
    }

    /// Blocks until `other` has ended; what it returned.
    pub fn join(&self, other: ActorId, caller: usize) -> u64 {
        loop {
            if let Status::Ended(result) = self.engine.state.borrow().actor(other).status {
                return result;
            }
            self.block(Wait::Join(other), join_key(other), caller);
        }
    }

    /// Starts a thread as an actor of its own. Its handle is the one of its lender.
    ///
    /// # Safety
    ///
    /// As [`Engine::spawn`].
    pub unsafe fn spawn_thread(&self, call: GuestCall) -> std::io::Result<libc::pthread_t> {
        // SAFETY: the caller vouches for the call.
        unsafe { self.engine.spawn_thread(self.now(), call) }
    }

    /// From now on this actor is one of the device: what it is, how its polling is treated, the word of its register
    /// block that it stores to by itself, and how long such a store takes to be seen.
    ///
    /// # Safety
    ///
    /// The watched word must outlive the actor.
    pub unsafe fn become_device(
        &self,
        kind: ActorKind,
        policy: PollPolicy,
        watched: Option<(*const AtomicU32, u32)>,
        propagation: SimDuration,
    ) {
        let mut state = self.engine.state.borrow_mut();
        let actor = state.actor_mut(self.id());
        actor.kind = kind;
        actor.policy = if self.engine.settings.polling == Polling::Naive { PollPolicy::Execute } else { policy };
        actor.watched = watched.map(|(word, offset)| WatchedWord::new(word, offset));
        actor.propagation = propagation;
        drop(state);
        self.context.kind.set(kind);
        self.engine.trace.borrow_mut().rename_actor(self.id(), kind);
    }

    /// Stores `value` so that it arrives at `at`, and wakes `core` if it is parked.
    ///
    /// # Safety
    ///
    /// `word` must outlive the engine.
    pub unsafe fn store_at(&self, at: SimTime, word: *const AtomicU32, value: u32, core: ActorId) {
        let mut state = self.engine.state.borrow_mut();
        state.progressed(at);
        state.store_at(at, word, value, core);
    }

    /// Lets bytes arrive in memory at `at`.
    ///
    /// # Safety
    ///
    /// `address` must be memory of guests, which expect such things: nothing of the simulator's own.
    pub unsafe fn write_at(&self, at: SimTime, address: u64, bytes: Box<[u8]>) {
        let mut state = self.engine.state.borrow_mut();
        state.progressed(at);
        state.write_at(at, address, bytes);
    }

    /// The kernels of this actor write down what they do here; null: nowhere.
    pub fn lend_recorder(&self, recorder: *mut c_void) {
        self.context.recorder.set(recorder);
    }

    /// Runs a kernel body at once, on the actor's fiber, and takes no time for it: what it costs is known afterwards.
    ///
    /// # Safety
    ///
    /// As [`CurrentActor::run_body`].
    pub unsafe fn run_body_first(&self, body: &NativeBody, caller: usize) {
        let mut state = self.begin(caller);
        state.work(self.id());
        state.counters.kernels += 1;
        drop(state);
        // SAFETY: the caller vouches for the call.
        self.as_guest(|| unsafe { body.call.invoke() });
    }

    /// Runs a kernel body whose virtual interval is `cost`.
    ///
    /// # Safety
    ///
    /// The call must be sound to make as this actor.
    pub unsafe fn run_body(&self, body: &NativeBody, cost: SimDuration, caller: usize) {
        // SAFETY: the caller vouches for the call.
        unsafe { self.run_body_until(body, caller, |now| now + cost) };
    }

    /// Runs a kernel body whose virtual interval begins when `begin` is told so, and ends when that says. Until then
    /// others may move its end ([`CurrentActor::move_ends`]).
    ///
    /// # Safety
    ///
    /// The call must be sound to make as this actor.
    pub unsafe fn run_body_until(&self, body: &NativeBody, caller: usize, begin: impl FnOnce(SimTime) -> SimTime) {
        let id = self.id();
        let mut state = self.begin(caller);
        state.work(id);
        state.counters.kernels += 1;
        let now = state.actor(id).time;
        drop(state);
        if body.place == BodyPlace::Fiber {
            // SAFETY: the caller vouches for the call.
            self.as_guest(|| unsafe { body.call.invoke() });
            self.work_until(caller, begin);
            return;
        }
        let end = begin(now);
        // SAFETY: the lender lives as long as the actor, and the engine finishes the job before it resumes the actor.
        let job = unsafe { Job::new(body.call, self.context, now, Arc::clone(&body.host_cost)) };
        let mut state = self.engine.state.borrow_mut();
        let actor = state.actor_mut(id);
        actor.time = end.max(now);
        actor.status = Status::Native(Arc::clone(&job));
        state.busy_until(end);
        state.requeue(id);
        drop(state);
        let watchdog = &self.engine.watchdog;
        // From here on the context belongs to whoever runs the body, until the engine has finished the job.
        self.context.standing.set(Standing::Idle);
        self.engine.natives.borrow_mut().offer(&job, body.place, || watchdog.borrow().new_thread());
        self.suspend();
        self.context.standing.set(Standing::Fiber);
    }

    /// Work, without a body, until an end that others may move.
    pub fn work_until(&self, caller: usize, begin: impl FnOnce(SimTime) -> SimTime) {
        let id = self.id();
        let mut state = self.begin(caller);
        state.work(id);
        let now = state.actor(id).time;
        drop(state);
        let end = begin(now);
        let mut state = self.engine.state.borrow_mut();
        state.busy_until(end);
        // If nobody else comes first, there is nobody who could move the end either.
        let suspend = state.advance(id, end.since(now));
        drop(state);
        if suspend {
            self.suspend();
        }
    }

    /// The intervals of other actors that run a body end at these times now, none of them before this actor's own.
    pub fn move_ends(&self, moved: &[(ActorId, SimTime)]) {
        if !moved.is_empty() {
            self.engine.state.borrow_mut().move_ends(moved);
        }
    }

    /// The guest asked for something that a device cannot do: the device's work ends here.
    pub fn refuse(&self, reason: String, caller: usize) -> ! {
        let (actor, kind, at) = (self.id(), self.kind(), self.now());
        self.give_up(Fault::Refused(Refusal { actor, kind, at, reason, caller }))
    }

    /// The device's work ends with `fault`, and this actor with it.
    pub(super) fn give_up(&self, fault: Fault) -> ! {
        self.engine.last_words.replace(Some(fault));
        self.engine.refused.set(true);
        loop {
            self.suspend();
        }
    }

    /// Runs a piece of guest code, or something that guest memory can make fault, as the guest.
    pub fn as_guest<R>(&self, function: impl FnOnce() -> R) -> R {
        self.context.as_guest(function)
    }

    /// The same with code that may not take longer than device code, also when the host asks for it: what objects do
    /// while they are loaded and unloaded.
    pub fn as_loaded_object<R>(&self, function: impl FnOnce() -> R) -> R {
        if self.id() != HOST {
            return self.as_guest(function);
        }
        self.engine.thread.enter(Doing::Fiber);
        let result = self.as_guest(function);
        self.engine.thread.enter(Doing::Host);
        result
    }

    /// Records an event of this actor at its time.
    pub fn record(&self, kind: EventKind) {
        let mut state = self.engine.state.borrow_mut();
        let now = state.actor(self.id()).time;
        state.progressed(now);
        drop(state);
        self.engine.record(now, self.id(), kind);
    }
}
