//! A host outside the engine: threads of a process that loaded device code by itself.
//!
//! Such a host starts the device's threads and waits for them as it would for any others: it joins them, or polls a word
//! that the last of them sets. Its waits are where the engine runs: [`Engine::join`] and [`Engine::run_until_an_end`]
//! let the device go on until they are satisfied, on the thread that waits. While no host thread waits, virtual time
//! stands still, so what the host does takes no time, except for what it is charged ([`Engine::spend`]).
//!
//! Several host threads may wait, one after the other: whoever holds the engine must see to it that only one uses it
//! at a time. An asynchronous signal of the process never interrupts guest code: the waiting thread blocks them, and
//! gets them when it has returned.

use std::mem::MaybeUninit;
use std::rc::Rc;
use std::time::Duration;

use super::cpu::ThreadCpu;
use super::fiber::GuestCall;
use super::lender::{Lender, ThreadFunctions};
use super::settings::Settings;
use super::signals;
use super::state::Status;
use super::tcb::Tcb;
use super::wait::Wait;
use super::watchdog::Doing;
use super::{ANY_END_KEY, Engine, HOST, HostSide, NewActor, join_key};
use crate::actor::ActorId;
use crate::time::{SimDuration, SimTime};

/// Who may change what a device waits for, without being an actor: threads of the host, other processes. What they do
/// comes in real time.
pub trait Outsiders {
    /// Nothing on the device can go on by itself, and pollers have looked `looks` times whether that has changed. Waits
    /// a little in real time, and says what came of it.
    ///
    /// Between two looks virtual time goes on by a fixed span: when to give up must depend on `looks` alone.
    fn wait(&self, looks: u32) -> Waited;
}

/// What came of waiting for somebody outside.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Waited {
    /// Look whether anything has changed.
    Look,
    /// These were signalled: a key, and how many to wake.
    Signalled(Vec<(usize, u32)>),
    /// Nobody will come.
    GivenUp,
}

impl Engine {
    /// An engine for a host that calls in from its own threads. Guests' threads are made by `threads`.
    pub fn for_outside_host(settings: Settings, threads: ThreadFunctions) -> Rc<Engine> {
        let engine = Engine::without_host(settings, threads, HostSide::Outside);
        engine.add_actor(&NewActor::host(), None);
        engine
    }

    /// Starts a thread as an actor of its own, at `start`. Its handle is the one of its lender.
    ///
    /// # Safety
    ///
    /// As [`Engine::spawn`].
    pub unsafe fn spawn_thread(&self, start: SimTime, call: GuestCall) -> std::io::Result<libc::pthread_t> {
        let index = self.guest_threads.get();
        self.guest_threads.set(index.wrapping_add(1));
        // SAFETY: the caller vouches for the call.
        let id = unsafe { self.spawn(&NewActor::thread(index, start, call)) }?;
        let state = self.state.borrow();
        state.actor(id).lender.as_ref().map(Lender::thread).ok_or_else(|| std::io::ErrorKind::NotFound.into())
    }

    /// The actor whose lender is `thread`, if there is one.
    pub fn find_thread(&self, thread: libc::pthread_t) -> Option<ActorId> {
        let state = self.state.borrow();
        let index =
            state.actors.iter().position(|actor| actor.lender.as_ref().is_some_and(|l| l.thread() == thread))?;
        Some(ActorId(index as u32))
    }

    /// Lets go of a thread that has ended: its lender ends natively, and is waited for.
    pub fn release_thread(&self, id: ActorId) {
        let lender = self.state.borrow_mut().actor_mut(id).lender.take();
        drop(lender);
    }

    /// Whether no thread of a guest is left, neither running nor waiting to be joined.
    pub fn is_empty(&self) -> bool {
        self.state.borrow().actors.iter().all(|actor| actor.lender.is_none())
    }

    /// Everything is gone: counts start again, and the trace with them.
    pub fn restart_trace(&self) {
        self.guest_threads.set(0);
        let now = self.host_time();
        self.trace_mut().restart(now);
        self.state.borrow_mut().restart_progress(now);
    }

    /// From now on the device waits for `outsiders` before it counts as stalled. Once only.
    pub fn hope_for(&self, outsiders: Box<dyn Outsiders>) {
        let first = self.outsiders.set(outsiders).is_ok();
        assert!(first, "a device has its outsiders from the start");
        self.state.borrow_mut().hope_for_outsiders();
    }

    /// Whether anything happened, since the trace began, after outsiders had been waited for; and the longest span of
    /// virtual time in which nothing happened.
    pub fn outside_influence(&self) -> (bool, SimDuration) {
        self.state.borrow().outside_influence()
    }

    pub(super) fn wait_for_outsiders(&self) {
        self.thread.leave();
        let looks = self.state.borrow().looks();
        let waited = self.outsiders.get().map_or(Waited::GivenUp, |outsiders| outsiders.wait(looks));
        self.thread.enter(Doing::Fiber);
        self.state.borrow_mut().waited_for_outsiders(waited != Waited::GivenUp);
        if let Waited::Signalled(signals) = waited {
            for (key, most) in signals {
                let at = self.state.borrow().last_progress();
                self.state.borrow_mut().wake(key, most, at);
            }
        }
    }

    /// The host waits until an actor has ended: what it returned. Faults are kept ([`Engine::fault`]).
    pub fn join(&self, id: ActorId) -> u64 {
        loop {
            if let Status::Ended(result) = self.state.borrow().actor(id).status {
                return result;
            }
            self.wait_for(Wait::Join(id), join_key(id), None);
        }
    }

    /// The host waits until some actor ends. `false`: there is none that could.
    pub fn run_until_an_end(&self) -> bool {
        let running = self.is_running();
        if running {
            self.wait_for(Wait::Completion, ANY_END_KEY, None);
        }
        running
    }

    /// The host waits until `key` is woken, or until `deadline`. `true` when the deadline ended it.
    pub fn wait_for(&self, wait: Wait, key: usize, deadline: Option<SimTime>) -> bool {
        self.state.borrow_mut().block(HOST, wait, key, deadline);
        self.drive();
        self.state.borrow().actor(HOST).timed_out
    }

    /// Wakes up to `most` actors that wait for `key`, at the host's time or, if that is later, when they began to wait.
    pub fn wake(&self, key: usize, most: u32) {
        let now = self.host_time();
        self.state.borrow_mut().wake(key, most, now);
    }

    /// Whether an actor is left that can go on.
    pub fn is_running(&self) -> bool {
        self.state.borrow().launched > 0
    }

    /// The host does something that takes time on the device's clock.
    pub fn spend(&self, cost: SimDuration) {
        let mut state = self.state.borrow_mut();
        let host = state.actor_mut(HOST);
        host.time += cost;
        let end = host.time;
        state.progressed(end);
        if state.launched > 0 {
            state.enqueue(HOST);
            drop(state);
            self.drive();
        }
    }

    /// CPU time that host threads have spent in the engine, kernel bodies not included.
    pub fn busy_time(&self) -> Duration {
        self.busy.get()
    }

    /// Lets the device run until the host's turn has come.
    fn drive(&self) {
        let _signals = AsynchronousSignalsBlocked::new();
        self.adopt_calling_thread();
        self.watchdog.borrow_mut().start();
        self.thread.enter(Doing::Fiber);
        let (begun, bodies) = (ThreadCpu::now(), self.kernel_time_of_engine());
        let ran = self.run();
        let in_bodies = self.kernel_time_of_engine() - bodies;
        self.busy.set(self.busy.get() + begun.elapsed().saturating_sub(in_bodies));
        self.thread.leave();
        if let Err(fault) = ran {
            self.fault.borrow_mut().get_or_insert(fault);
        }
    }

    /// From now on fibers run on the calling thread: their hooks return to its thread control block.
    fn adopt_calling_thread(&self) {
        let tcb = Tcb::current();
        self.thread.adopt_this_thread();
        for actor in &self.state.borrow().actors {
            if let Some(lender) = &actor.lender {
                lender.context().host_tcb.set(tcb);
            }
        }
    }
}

/// While this lives, the calling thread gets only signals that code raises by what it does.
struct AsynchronousSignalsBlocked(libc::sigset_t);

impl AsynchronousSignalsBlocked {
    fn new() -> Self {
        let mut before = MaybeUninit::uninit();
        // SAFETY: plain calls on a local set, which sigfillset initialises.
        unsafe {
            let mut set = std::mem::zeroed();
            libc::sigfillset(&raw mut set);
            for signal in signals::raised_by_code() {
                libc::sigdelset(&raw mut set, signal);
            }
            libc::pthread_sigmask(libc::SIG_SETMASK, &raw const set, before.as_mut_ptr());
            AsynchronousSignalsBlocked(before.assume_init())
        }
    }
}

impl Drop for AsynchronousSignalsBlocked {
    fn drop(&mut self) {
        // SAFETY: the set is the one that was in force before.
        unsafe { libc::pthread_sigmask(libc::SIG_SETMASK, &raw const self.0, std::ptr::null_mut()) };
    }
}
