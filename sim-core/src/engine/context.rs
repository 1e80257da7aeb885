//! Who is running: the link from guest code, by way of the thread control block, to its actor.
//!
//! Every lender's thread-local storage holds a pointer to the [`ActorContext`] of the actor that borrows its thread
//! control block; on host threads that pointer is null. So "who calls?" has the right answer in a hook and in a signal
//! handler, whichever thread control block is loaded, without a lock or a table.
//!
//! The pointer is read by an instruction of its own ([`super::own_pointer`]), and everything that runs under the other
//! thread control block is called through a function that is never inlined, so that no compiled code carries a
//! thread-local address across the switch.

use std::cell::Cell;
use std::ffi::c_void;
use std::ptr;

use corosensei::Yielder;
use corosensei::trap::CoroutineTrapHandler;

use super::fiber::{Exit, Suspension};
use super::own_pointer;
use super::tcb::Tcb;
use super::watchdog::GuestThread;
use super::{CurrentActor, Engine};
use crate::actor::{ActorId, ActorKind};
use crate::time::SimTime;

/// Where an actor's guest code is running at the moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// Nowhere: its fiber is suspended or was never started.
    Idle,
    /// On its fiber, under virtual time.
    Fiber,
    /// A kernel body, natively, on whichever thread executes it.
    Native,
    /// On an OS thread of its own that nobody schedules (the `threads` engine).
    Free,
}

/// What guest code and signal handlers need to know of the actor they run as.
///
/// Owned by the lender; only the OS thread that runs the actor at the moment touches it.
pub struct ActorContext {
    pub(super) engine: Cell<*const Engine>,
    pub(super) actor: Cell<ActorId>,
    pub(super) kind: Cell<ActorKind>,
    pub(super) standing: Cell<Standing>,
    /// The block of the thread that runs the fiber.
    pub(super) host_tcb: Cell<Tcb>,
    /// The block of the thread that runs the kernel natively. It is another cell, since a host thread may take over the
    /// fibers while a kernel runs.
    native_tcb: Cell<Tcb>,
    pub(super) guest_tcb: Cell<Tcb>,
    pub(super) yielder: Cell<*const Yielder<(), Suspension>>,
    pub(super) trap: Cell<Option<CoroutineTrapHandler<Exit>>>,
    /// The time that a kernel sees when it reads a clock: it does not pass while the kernel runs natively.
    pub(super) native_now: Cell<SimTime>,
    /// The thread that runs the kernel natively.
    pub(super) native_thread: Cell<*const GuestThread>,
    /// Where the kernel that is running writes down what it does; null if nobody wants to know.
    pub(super) recorder: Cell<*mut c_void>,
    /// The free run this actor belongs to, if it does.
    pub(super) free: Cell<*const super::free::Shared>,
}

impl ActorContext {
    pub(super) fn new() -> Self {
        ActorContext {
            engine: Cell::new(ptr::null()),
            actor: Cell::new(ActorId(u32::MAX)),
            kind: Cell::new(ActorKind::Host),
            standing: Cell::new(Standing::Idle),
            host_tcb: Cell::new(Tcb::NONE),
            native_tcb: Cell::new(Tcb::NONE),
            guest_tcb: Cell::new(Tcb::NONE),
            yielder: Cell::new(ptr::null()),
            trap: Cell::new(None),
            native_now: Cell::new(SimTime::ZERO),
            native_thread: Cell::new(ptr::null()),
            recorder: Cell::new(ptr::null_mut()),
            free: Cell::new(ptr::null()),
        }
    }

    /// The actor.
    pub fn actor(&self) -> ActorId {
        self.actor.get()
    }

    /// Where its code is running.
    pub fn standing(&self) -> Standing {
        self.standing.get()
    }

    /// The virtual time at which the native kernel that is running was started.
    pub fn native_now(&self) -> SimTime {
        self.native_now.get()
    }

    /// What was lent to the kernel that is running; null if nothing was.
    pub fn recorder(&self) -> *mut c_void {
        self.recorder.get()
    }

    /// Calls `function` with the thread control block of the thread that runs the guest code, then returns to the
    /// guest's. Unlike a hook of virtual time, it may do so for a kernel that runs natively.
    ///
    /// Must be called from guest code of this actor.
    pub fn at_home<R>(&self, function: impl FnOnce() -> R) -> R {
        let (home, guest) = (self.running_tcb(), self.guest_tcb.get());
        // SAFETY: the block of this thread; the rest runs behind a call that is not inlined.
        unsafe { home.enter() };
        let result = call_out_of_line(|()| function(), ());
        // SAFETY: the guest code that called runs with it.
        unsafe { guest.enter() };
        result
    }

    /// A kernel that runs natively is alive, though it waits.
    pub fn beat(&self) {
        // SAFETY: set by the thread that runs the kernel, for as long as it does.
        if let Some(thread) = unsafe { self.native_thread.get().as_ref() }
            && self.standing.get() == Standing::Native
        {
            thread.beat();
        }
    }

    /// Calls `function` with the host's thread control block, then returns to the guest's.
    ///
    /// Must be called from guest code on the fiber of this actor.
    #[inline(always)]
    fn on_host<R>(&self, function: impl FnOnce(&CurrentActor<'_>) -> R) -> R {
        let (host, guest) = (self.host_tcb.get(), self.guest_tcb.get());
        // SAFETY: the fiber runs on the thread whose block `host` is; the rest runs behind a call that is not inlined.
        unsafe { host.enter() };
        // SAFETY: the engine outlives its fibers, and guest code runs only inside them.
        let engine = unsafe { &*self.engine.get() };
        let result = call_out_of_line(function, &CurrentActor::new(engine, self));
        // SAFETY: the lender of this fiber is parked, its block is ours while the fiber runs.
        unsafe { guest.enter() };
        result
    }

    /// Calls guest code with the guest's thread control block, then returns to the host's.
    ///
    /// Must be called under the host's thread control block on the stack of a coroutine with a trap handler.
    pub(super) fn as_guest<R>(&self, function: impl FnOnce() -> R) -> R {
        let guest = self.guest_tcb.get();
        self.host_tcb.set(Tcb::current());
        // SAFETY: the lender is parked; the guest code runs behind a call that is not inlined.
        unsafe { guest.enter() };
        let result = call_out_of_line(|()| function(), ());
        // The guest code may have been suspended, and resumed by another host thread since.
        // SAFETY: this is the block of the thread that runs the coroutine.
        unsafe { self.host_tcb.get().enter() };
        result
    }

    /// As [`ActorContext::as_guest`], for a kernel that runs natively: it stays on the calling thread.
    pub(super) fn as_native_guest<R>(&self, function: impl FnOnce() -> R) -> R {
        let (host, guest) = (Tcb::current(), self.guest_tcb.get());
        self.native_tcb.set(host);
        // SAFETY: the lender is parked; the guest code runs behind a call that is not inlined.
        unsafe { guest.enter() };
        let result = call_out_of_line(|()| function(), ());
        // SAFETY: the block of this thread.
        unsafe { host.enter() };
        result
    }

    /// The block of the thread that runs the guest code.
    pub(super) fn running_tcb(&self) -> Tcb {
        if self.standing.get() == Standing::Native { self.native_tcb.get() } else { self.host_tcb.get() }
    }
}

/// A call that the compiler cannot merge with code before or after it.
#[inline(never)]
fn call_out_of_line<A, R>(function: impl FnOnce(A) -> R, argument: A) -> R {
    function(argument)
}

/// The context behind the thread control block in use, null on a host thread.
#[inline(always)]
pub(super) fn current() -> *const ActorContext {
    own_pointer::get().cast()
}

/// Ties the thread control block in use to `context`.
pub(super) fn set_current(context: *const ActorContext) {
    own_pointer::set(context.cast());
}

/// The context of the guest code that calls, if it is an actor's.
pub fn calling_actor<'a>() -> Option<&'a ActorContext> {
    // SAFETY: a lender clears the pointer before its context goes; guest code runs only while the lender lives.
    unsafe { current().as_ref() }
}

/// Runs `function` as the host on behalf of the actor that calls from its fiber; `None` if no actor does.
///
/// Every hook goes through here: below it, thread-locals are the host's and Rust code is at home.
#[inline(always)]
pub fn on_host<R>(function: impl FnOnce(&CurrentActor<'_>) -> R) -> Option<R> {
    let context = calling_actor()?;
    (context.standing.get() == Standing::Fiber).then(|| context.on_host(function))
}
