//! The engine: who runs next.
//!
//! # Lifecycle
//!
//! An [`Engine`] is made for one device. Its first actor is the host: code of the host runtime, called with
//! [`Engine::call`]. During a call, guests reach the engine through hooks ([`on_host`]); a launch hook adds the
//! device's actors ([`Engine::spawn`]). When the host waits, they run; when the call returns, everything stands still
//! until the next. The thread that calls *is* the engine: there is no other, and nothing races with the host.
//!
//! ```text
//!   Engine::call ──> host fiber ── hook: wait ──┐            ┌── hook: charge, store, spin ... ──┐
//!        ^                                      v            │                                   v
//!        │                             ┌── next in order ──> actor's fiber <── resumed ── suspended
//!        └── host call returned <──────┤   (time, effects before actors, id)                     │
//!                                      └──────────────<──────────────────────────────────────────┘
//! ```
//!
//! # Invariants
//!
//! - Exactly one actor's control code runs at a time: the one that is first in (time, priority, id). Whatever it does
//!   to memory is thereby in that order. Kernel bodies are the exception: they run natively, in parallel, between two
//!   points of virtual time (`native.rs`).
//! - An actor's time only changes in its own hooks, or when it is woken.
//! - No `RefCell` is borrowed while a fiber is suspended.
//! - Rust code runs with the host thread's thread control block, guest code with its lender's (`context.rs`).
//! - Host time, addresses and thread ids never reach a virtual time or the trace.
//!
//! # Polling
//!
//! See `poll.rs` for how idle cores are parked and why that cannot be seen. [`Polling::Naive`] executes every iteration
//! and is the oracle for it.

mod context;
mod cpu;
mod current_actor;
mod fault;
mod fiber;
pub mod free;
mod lender;
mod native;
mod outside;
mod own_pointer;
mod poll;
mod queue;
mod settings;
mod signals;
mod state;
mod stream_wait;
mod tcb;
mod wait;
pub mod wait_trap;
mod watchdog;

use std::any::Any;
use std::cell::{Cell, OnceCell, Ref, RefCell, RefMut};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::AtomicU32;
use std::time::Duration;

use corosensei::stack::DefaultStack;

pub use context::{ActorContext, Standing, calling_actor, on_host};
pub use cpu::ThreadCpu;
pub use current_actor::CurrentActor;
pub use fault::{Crash, EndedBy, Fault, Hang, Overdue, Refusal, Stalled};
pub use fiber::{GuestCall, Trap};
pub use lender::ThreadFunctions;
pub use native::HostCost;
pub use outside::{Outsiders, Waited};
pub use poll::PollPolicy;
pub use settings::{Polling, Settings};
pub use state::Counters;
pub use wait::{Deadlock, Poll, Stall, StalledActor, Wait};

use crate::actor::{ActorId, ActorKind};
use crate::time::{SimDuration, SimTime};
use crate::trace::{EventKind, Trace, TraceEvent};
use fiber::{Exit, Fiber, HostPort, Suspension};
use lender::Lender;
use native::NativePool;
use poll::Iteration;
use state::{Actor, Next, State, Status, WatchedWord};
use watchdog::{Doing, GuestThread, Watchdog};

/// Stacks of fibers: a signal frame and lazy binding need some of it; pages are committed when touched.
const FIBER_STACK_BYTES: usize = 256 << 10;
/// The host runtime may be any C++ code.
const HOST_STACK_BYTES: usize = 8 << 20;

/// An actor to be made.
#[derive(Clone, Copy, Debug)]
pub struct NewActor {
    /// What it is.
    pub kind: ActorKind,
    /// When it begins.
    pub start: SimTime,
    /// What it runs.
    pub call: GuestCall,
    /// How its polling is treated, if the engine is not naive.
    pub policy: PollPolicy,
    /// The word of its register block that it stores to by itself, with its offset in the block.
    pub watched: Option<(*const AtomicU32, u32)>,
    /// How long such a store takes to be seen by others.
    pub propagation: SimDuration,
    /// A guest has the handle of its thread and will join it.
    pub joinable: bool,
}

impl NewActor {
    /// The host: it runs no call of its own.
    fn host() -> Self {
        NewActor { kind: ActorKind::Host, ..NewActor::thread(0, SimTime::ZERO, GuestCall::new(0, &[])) }
    }

    /// A thread that a guest starts.
    fn thread(index: u16, start: SimTime, call: GuestCall) -> Self {
        NewActor {
            kind: ActorKind::Thread(index),
            start,
            call,
            policy: PollPolicy::Execute,
            watched: None,
            propagation: SimDuration::ZERO,
            joinable: true,
        }
    }
}

/// Where a kernel body runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BodyPlace {
    /// On any worker: it computes, and waits for nobody.
    Worker,
    /// On a thread that no other body needs: it may wait, in real time, for somebody outside the device.
    OwnThread,
    /// On its fiber: it waits for other actors (mutexes, sleeps), in virtual time.
    Fiber,
}

impl BodyPlace {
    /// That of a body that waits for other actors, or of one that does not.
    pub fn of(blocking: bool) -> Self {
        if blocking { BodyPlace::Fiber } else { BodyPlace::Worker }
    }
}

/// A kernel body to be run natively.
#[derive(Clone, Debug)]
pub struct NativeBody {
    /// What to call.
    pub call: GuestCall,
    /// Where it runs.
    pub place: BodyPlace,
    /// What is known of its host time.
    pub host_cost: Arc<HostCost>,
}

/// The engine of one device. It stays on the thread that made it.
pub struct Engine {
    settings: Settings,
    threads: ThreadFunctions,
    state: RefCell<State>,
    trace: RefCell<Trace>,
    natives: RefCell<NativePool>,
    watchdog: RefCell<Watchdog>,
    thread: Arc<GuestThread>,
    host_port: Box<HostPort>,
    lenders: RefCell<Vec<Lender>>,
    /// Lenders of actors that have ended: they are ending, too.
    retired: RefCell<Vec<Lender>>,
    stacks: RefCell<Vec<DefaultStack>>,
    fault: RefCell<Option<Fault>>,
    rooms: OnceCell<Rc<dyn Any>>,
    guest_threads: Cell<u16>,
    /// Set by an actor that ends the device's work and itself, until the engine has taken note.
    last_words: RefCell<Option<Fault>>,
    refused: Cell<bool>,
    /// The host runtime was stopped in the middle of a call: it can make no more.
    host_lost: Cell<bool>,
    /// Who plays the host.
    host: HostSide,
    /// Whoever may change what the device waits for.
    outsiders: OnceCell<Box<dyn Outsiders>>,
    /// CPU time that outside hosts have spent here, kernel bodies not included.
    busy: Cell<Duration>,
}

/// Who plays the host.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum HostSide {
    /// Code that the engine calls on a fiber ([`Engine::call`]).
    Called,
    /// Threads of a process that is not the engine's own; they wait for the device (`outside.rs`).
    Outside,
}

/// The host's number: it is always the first actor.
pub const HOST: ActorId = ActorId(0);

impl Engine {
    /// An engine whose guests' threads are made by `threads`. Its host actor exists from the start.
    pub fn new(settings: Settings, threads: ThreadFunctions) -> std::io::Result<Rc<Engine>> {
        let engine = Engine::without_host(settings, threads, HostSide::Called);
        engine.add_host()?;
        Ok(engine)
    }

    fn without_host(settings: Settings, threads: ThreadFunctions, host: HostSide) -> Rc<Engine> {
        tcb::prepare();
        signals::install();
        let watchdog = Watchdog::new(settings.guest_limit);
        let thread = watchdog.new_thread();
        thread.adopt_this_thread();
        Rc::new(Engine {
            state: RefCell::new(State::new(settings.stall_window, settings.leap_limit)),
            trace: RefCell::new(Trace::new(settings.keep_events)),
            natives: RefCell::new(NativePool::new(settings.workers, Arc::clone(&thread))),
            watchdog: RefCell::new(watchdog),
            thread,
            settings,
            threads,
            host_port: Box::default(),
            lenders: RefCell::default(),
            retired: RefCell::default(),
            stacks: RefCell::default(),
            fault: RefCell::default(),
            rooms: OnceCell::new(),
            guest_threads: Cell::new(0),
            last_words: RefCell::default(),
            refused: Cell::new(false),
            host_lost: Cell::new(false),
            host,
            outsiders: OnceCell::new(),
            busy: Cell::default(),
        })
    }

    fn add_host(&self) -> std::io::Result<()> {
        let lender = Lender::start(self.threads)?;
        let context = self.bind(&lender, HOST, ActorKind::Host);
        let stack = DefaultStack::new(HOST_STACK_BYTES)?;
        // SAFETY: the lender goes with the actor, after its fiber; calls are vouched for in `call`.
        let fiber = unsafe { Fiber::of_host(stack, context, &raw const *self.host_port) };
        self.add_actor(&NewActor::host(), Some((fiber, lender)));
        Ok(())
    }

    /// Ties a lender to an actor of this engine.
    fn bind<'a>(&self, lender: &'a Lender, id: ActorId, kind: ActorKind) -> &'a ActorContext {
        let context = lender.context();
        context.engine.set(self);
        context.actor.set(id);
        context.kind.set(kind);
        context.standing.set(Standing::Idle);
        context
    }

    fn add_actor(&self, new: &NewActor, code: Option<(Fiber, Lender)>) -> ActorId {
        let (fiber, lender) = code.unzip();
        let mut state = self.state.borrow_mut();
        let id = ActorId(state.actors.len() as u32);
        let naive = self.settings.polling == Polling::Naive;
        let mut iteration = Iteration::default();
        iteration.resume(new.start);
        state.actors.push(Actor {
            kind: new.kind,
            time: new.start,
            status: Status::Ready,
            fiber: fiber.map(Box::new),
            lender,
            policy: if naive { PollPolicy::Execute } else { new.policy },
            iteration,
            rest: None,
            watched: new.watched.map(|(word, offset)| WatchedWord::new(word, offset)),
            propagation: new.propagation,
            since: new.start,
            poll: Poll::Spin,
            caller: 0,
            generation: 0,
            timed_out: false,
            launched: false,
            joinable: new.joinable,
            working: false,
        });
        state.progressed(new.start);
        self.trace.borrow_mut().name_actor(id, new.kind);
        id
    }

    /// How the engine works.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// Gives hooks access to the rooms of the device. Once only.
    pub fn attach(&self, rooms: Rc<dyn Any>) {
        let first = self.rooms.set(rooms).is_ok();
        assert!(first, "an engine serves one device");
    }

    /// The rooms, if they are a `T`.
    #[inline]
    pub fn rooms<T: 'static>(&self) -> Option<&T> {
        self.rooms.get()?.downcast_ref()
    }

    /// Starts lenders for `count` more actors, so that a launch does not have to.
    pub fn prepare_lenders(&self, count: usize) -> std::io::Result<()> {
        let mut lenders = self.lenders.borrow_mut();
        while lenders.len() < count {
            lenders.push(Lender::start(self.threads)?);
        }
        Ok(())
    }

    /// Adds an actor. It runs when its time has come.
    ///
    /// # Safety
    ///
    /// `new.call` must be sound to make as an actor of this engine, and the watched word must outlive the engine.
    pub unsafe fn spawn(&self, new: &NewActor) -> std::io::Result<ActorId> {
        self.forget_ended();
        // What a thread keeps in thread-local storage ends with it.
        let pooled = if new.joinable { None } else { self.lenders.borrow_mut().pop() };
        let lender = pooled.map_or_else(|| Lender::start(self.threads), Ok)?;
        let pooled = self.stacks.borrow_mut().pop();
        let stack = pooled.map_or_else(|| DefaultStack::new(FIBER_STACK_BYTES), Ok)?;
        let id = ActorId(self.state.borrow().actors.len() as u32);
        let context = self.bind(&lender, id, new.kind);
        // SAFETY: the lender goes after the fiber; the caller vouches for the call.
        let fiber = unsafe { Fiber::of_call(stack, context, new.call) };
        let id = self.add_actor(new, Some((fiber, lender)));
        let mut state = self.state.borrow_mut();
        state.launched += 1;
        state.actor_mut(id).launched = true;
        state.enqueue(id);
        drop(state);
        self.record(new.start, id, EventKind::Start);
        Ok(id)
    }

    /// Numbers of actors that have ended are given again, so that each launch starts from the same number.
    fn forget_ended(&self) {
        let mut state = self.state.borrow_mut();
        if state.launched == 0 {
            while matches!(state.actors.last(), Some(Actor { status: Status::Ended(_), fiber: None, lender: None, .. }))
            {
                state.actors.pop();
            }
        }
    }

    /// Lets the host runtime make one call, and the device run while the call waits.
    ///
    /// # Safety
    ///
    /// `call` must be sound to make.
    pub unsafe fn call(&self, call: GuestCall) -> Result<u64, Fault> {
        if self.host_lost.get()
            && let Some(fault) = self.fault.borrow().clone()
        {
            return Err(fault);
        }
        self.watchdog.borrow_mut().start();
        self.host_port.call.set(Some(call));
        self.state.borrow_mut().enqueue(HOST);
        self.thread.enter(Doing::Host);
        let ran = self.run();
        self.thread.leave();
        self.renew_retired();
        ran.inspect_err(|fault| {
            self.host_lost.set(true);
            self.fault.borrow_mut().get_or_insert_with(|| fault.clone());
        })?;
        Ok(self.host_port.result.get())
    }

    /// Runs what comes next, until the host has nothing to do.
    fn run(&self) -> Result<(), Fault> {
        loop {
            let next = self.state.borrow_mut().next();
            match next {
                Next::Run(HOST) if self.host == HostSide::Outside => return Ok(()),
                Next::Run(HOST) => {
                    if self.step_host()? == Some(Suspension::HostIdle) {
                        return Ok(());
                    }
                }
                Next::Run(id) => {
                    if let Err(fault) = self.step(id) {
                        self.fail(fault);
                    }
                }
                Next::Leapt(by) => self.record_leap(by),
                Next::Quiet => self.wait_for_outsiders(),
                Next::Dead(deadlock) if self.fault.borrow().is_some() => return Err(Fault::Deadlock(deadlock)),
                Next::Dead(deadlock) => self.fail(Fault::Deadlock(deadlock)),
            }
        }
    }

    /// Lets the host run until it suspends: it may take its time.
    fn step_host(&self) -> Result<Option<Suspension>, Fault> {
        self.thread.enter(Doing::Host);
        let outcome = self.step(HOST);
        self.thread.enter(Doing::Fiber);
        outcome
    }

    /// Lets one actor run until it suspends or ends.
    #[inline(always)]
    fn step(&self, id: ActorId) -> Result<Option<Suspension>, Fault> {
        let mut state = self.state.borrow_mut();
        state.counters.switches += 1;
        let actor = state.actor_mut(id);
        let Some(fiber) = actor.fiber.as_mut().map(|fiber| &raw mut **fiber) else { return Ok(None) };
        let native = matches!(actor.status, Status::Native(_));
        drop(state);
        if native {
            self.finish_body(id)?;
        }
        // SAFETY: the fiber is boxed and stays where it is; nobody else resumes it or drops it meanwhile.
        let outcome = unsafe { &mut *fiber }.resume();
        match outcome {
            Ok(suspension) if !self.refused.get() => Ok(Some(suspension)),
            Ok(suspension) => {
                self.refused.set(false);
                self.last_words.take().map_or(Ok(Some(suspension)), Err)
            }
            Err(Exit::Returned(result)) => {
                self.end(id, result);
                Ok(None)
            }
            Err(Exit::Trapped(trap)) => Err(self.trapped(id, trap, false)),
        }
    }

    /// The virtual interval of a kernel body is over: so must the body be.
    fn finish_body(&self, id: ActorId) -> Result<(), Fault> {
        let status = std::mem::replace(&mut self.state.borrow_mut().actor_mut(id).status, Status::Ready);
        let Status::Native(job) = status else { return Ok(()) };
        let exit = self.natives.borrow_mut().finish(&job);
        self.thread.enter(Doing::Fiber);
        match exit {
            Exit::Returned(_) => Ok(()),
            Exit::Trapped(trap) => Err(self.trapped(id, trap, true)),
        }
    }

    fn trapped(&self, id: ActorId, trap: Trap, in_kernel: bool) -> Fault {
        let state = self.state.borrow();
        let actor = state.actor(id);
        let (kind, at) = (actor.kind, actor.time);
        if trap.signal == watchdog::hang_signal() {
            Fault::Hang(Hang { actor: id, kind, at, in_kernel, instruction: trap.instruction })
        } else {
            Fault::Crash(Crash { actor: id, kind, at, in_kernel, trap })
        }
    }

    /// An actor's guest code has returned.
    fn end(&self, id: ActorId, result: u64) {
        let at = self.observe(id);
        self.record(at, id, EventKind::End);
        let mut state = self.state.borrow_mut();
        let actor = state.actor_mut(id);
        actor.status = Status::Ended(result);
        let launched = std::mem::take(&mut actor.launched);
        let fiber = actor.fiber.take();
        match (actor.kind, &actor.lender) {
            // Whoever joins it lets go of it.
            (_, Some(lender)) if actor.joinable => lender.dismiss(),
            // A launch makes new AICPU threads, with thread-local storage of their own.
            (ActorKind::Aicpu(_), Some(lender)) => {
                lender.dismiss();
                self.retired.borrow_mut().extend(actor.lender.take());
            }
            // A core keeps what it holds from launch to launch, as its buffers do.
            _ => self.lenders.borrow_mut().extend(actor.lender.take()),
        }
        if actor.kind.is_device() {
            state.device_end = state.device_end.max(at);
        }
        state.progressed(at);
        state.wake(join_key(id), u32::MAX, at);
        state.wake(ANY_END_KEY, u32::MAX, at);
        if launched {
            state.launched -= 1;
            if state.launched == 0 {
                state.settle_effects();
                state.wake(COMPLETION_KEY, u32::MAX, at);
            }
        }
        drop(state);
        self.stacks.borrow_mut().extend(fiber.map(|fiber| fiber.into_stack()));
    }

    /// Waits for the threads of AICPU actors that have ended, and starts as many for the next launch.
    fn renew_retired(&self) {
        let retired = std::mem::take(&mut *self.retired.borrow_mut());
        let count = retired.len();
        drop(retired);
        // What cannot be started now is started, or refused, when it is needed.
        self.lenders.borrow_mut().extend((0..count).filter_map(|_| Lender::start(self.threads).ok()));
    }

    /// Ends the device's work: its actors are abandoned where they stand, and the host is told.
    fn fail(&self, fault: Fault) {
        let at = fault.at();
        self.fault.borrow_mut().get_or_insert(fault);
        let mut abandoned = Vec::new();
        let mut state = self.state.borrow_mut();
        state.abandon_all_but(HOST);
        for actor in &mut state.actors[1..] {
            if !matches!(actor.status, Status::Ended(_)) {
                actor.status = Status::Ended(0);
                abandoned.extend(actor.fiber.take());
            }
        }
        state.wake(COMPLETION_KEY, u32::MAX, at);
        // Nobody is left who could wake the host from anything else.
        if let Status::Blocked { key, .. } = state.actor(HOST).status {
            state.wake(key, 1, at);
        }
        drop(state);
        abandoned.into_iter().for_each(|fiber| drop(fiber.into_stack()));
    }

    /// What ended the device's work, if something did. It stays: a device does not recover.
    pub fn fault(&self) -> Option<Ref<'_, Fault>> {
        Ref::filter_map(self.fault.borrow(), Option::as_ref).ok()
    }

    /// Whether everything that was launched has ended.
    pub fn is_complete(&self) -> bool {
        self.state.borrow().launched == 0
    }

    /// If only polling was left at some time: how that looked, and how far time leapt.
    pub fn stalled(&self) -> Option<Stalled> {
        let state = self.state.borrow();
        state.stall().map(|(snapshot, leapt)| Stalled { snapshot: snapshot.clone(), leapt })
    }

    /// The virtual time that the host has reached.
    pub fn host_time(&self) -> SimTime {
        self.state.borrow().actor(HOST).time
    }

    /// When the last actor of the device that has ended did so.
    pub fn device_end(&self) -> SimTime {
        self.state.borrow().device_end
    }

    /// Work done so far.
    pub fn counters(&self) -> Counters {
        self.state.borrow().counters
    }

    /// CPU time that all threads have spent in kernel bodies that have ended.
    pub fn kernel_time(&self) -> Duration {
        Duration::from_nanos(self.natives.borrow().busy_ns())
    }

    /// CPU time that the engine's own thread has spent in kernel bodies.
    pub fn kernel_time_of_engine(&self) -> Duration {
        Duration::from_nanos(self.natives.borrow().busy_ns_of_engine())
    }

    /// The trace so far.
    pub fn trace(&self) -> Ref<'_, Trace> {
        self.trace.borrow()
    }

    /// The trace, to be taken or changed.
    pub fn trace_mut(&self) -> RefMut<'_, Trace> {
        self.trace.borrow_mut()
    }

    /// `pthread_create` and `pthread_join` of the guests.
    pub fn thread_functions(&self) -> ThreadFunctions {
        self.threads
    }

    fn record(&self, time: SimTime, actor: ActorId, kind: EventKind) {
        self.trace.borrow_mut().record(TraceEvent { time, actor, kind });
    }

    fn record_leap(&self, by: SimDuration) {
        self.record(self.host_time(), HOST, EventKind::Leap { by });
    }

    /// Notes the stores that a core made since its last hook. Returns the actor's time.
    #[inline]
    fn observe(&self, id: ActorId) -> SimTime {
        let mut state = self.state.borrow_mut();
        let stored = state.observe_store(id);
        let actor = state.actor(id);
        let (time, kind) = (actor.time, actor.kind);
        drop(state);
        if let Some((offset, value)) = stored {
            let core = kind.core().unwrap_or(u16::MAX);
            self.record(time, id, EventKind::RegisterSet { core, offset, value });
        }
        time
    }
}

impl Drop for Engine {
    /// Fibers go before the lenders whose thread control blocks they borrow.
    fn drop(&mut self) {
        let state = self.state.get_mut();
        for actor in &mut state.actors {
            drop(actor.fiber.take().map(|fiber| fiber.into_stack()));
            if let Some(lender) = &actor.lender {
                lender.dismiss();
            }
        }
        self.lenders.get_mut().iter().for_each(Lender::dismiss);
    }
}

/// The host waits on this for everything that was launched.
const COMPLETION_KEY: usize = usize::MAX;

/// The host waits on this for the end of any actor.
const ANY_END_KEY: usize = usize::MAX - 1;

/// Those who join an actor wait on this. No guest object has such an address.
fn join_key(id: ActorId) -> usize {
    usize::MAX - 2 - id.0 as usize
}

#[cfg(test)]
mod outside_tests;
#[cfg(test)]
mod tests;
