//! The `threads` engine: every actor is an OS thread that nobody schedules and that really spins.
//!
//! This is what a simulator without virtual time does. It is kept as the baseline of benchmarks and for sanitizers;
//! nothing of it is deterministic, and it has no trace. Guests' hooks do their effect at once. What only the host may
//! do (loading an object, say) is asked of the host thread, which serves while it waits.

use std::any::Any;
use std::cell::UnsafeCell;
use std::ffi::c_void;
use std::ptr;
use std::sync::Arc;
use std::sync::atomic::{AtomicPtr, AtomicU32, Ordering};
use std::time::{Duration, Instant};

use super::CurrentActor;
use super::context::{self, ActorContext, Standing};
use super::fiber::GuestCall;
use super::lender::{ThreadFunctions, block_all_signals, start_thread, wait_while, wake};
use crate::actor::ActorId;

/// Guests' threads run kernels on these stacks; pages are committed when touched.
const STACK_BYTES: usize = 8 << 20;

/// A request to the host, on the stack of the thread that waits for it.
struct Request {
    serve: unsafe fn(*mut c_void, &CurrentActor<'_>),
    data: *mut c_void,
    done: AtomicU32,
}

/// What the threads of one run share with the host.
pub(super) struct Shared {
    /// What hooks need of the device.
    rooms: Arc<dyn Any + Send + Sync>,
    /// Threads that have not ended.
    live: AtomicU32,
    /// Goes up whenever the host has something to look at.
    bell: AtomicU32,
    mailbox: AtomicPtr<Request>,
}

impl Shared {
    fn ring(&self) {
        self.bell.fetch_add(1, Ordering::Release);
        wake(&self.bell);
    }
}

/// One thread's part.
struct Seat {
    context: ActorContext,
    call: GuestCall,
    shared: *const Shared,
}

/// Threads that run freely.
pub struct FreeRun {
    shared: Box<Shared>,
    threads: Vec<(libc::pthread_t, Box<Seat>)>,
    functions: ThreadFunctions,
    begun: Instant,
}

impl FreeRun {
    /// Starts one thread per call; their actors are numbered from 1.
    ///
    /// # Safety
    ///
    /// The calls must be sound to make, each on a thread of its own.
    pub unsafe fn start(
        functions: ThreadFunctions,
        rooms: Arc<dyn Any + Send + Sync>,
        calls: &[GuestCall],
    ) -> std::io::Result<FreeRun> {
        let shared =
            Box::new(Shared { rooms, live: AtomicU32::new(0), bell: AtomicU32::new(0), mailbox: AtomicPtr::default() });
        let mut run = FreeRun { shared, threads: Vec::new(), functions, begun: Instant::now() };
        for (index, call) in calls.iter().enumerate() {
            let context = ActorContext::new();
            context.actor.set(ActorId(index as u32 + 1));
            context.standing.set(Standing::Free);
            context.free.set(&raw const *run.shared);
            let seat = Box::new(Seat { context, call: *call, shared: &raw const *run.shared });
            let argument = ptr::from_ref::<Seat>(&seat).cast_mut().cast();
            run.shared.live.fetch_add(1, Ordering::Relaxed);
            // SAFETY: the seat lives until the thread has been joined; the caller vouches for the call.
            let thread = unsafe { start_thread(functions, STACK_BYTES, free_main, argument) };
            let thread = thread.inspect_err(|_| {
                run.shared.live.fetch_sub(1, Ordering::Relaxed);
            })?;
            run.threads.push((thread, seat));
        }
        Ok(run)
    }

    /// Serves requests until all threads have ended, and says how long they ran. `None` after `limit`: the threads
    /// cannot be stopped and are left behind.
    pub fn wait(mut self, host: &CurrentActor<'_>, limit: Duration) -> Option<Duration> {
        while self.shared.live.load(Ordering::Acquire) > 0 {
            let bell = self.shared.bell.load(Ordering::Acquire);
            self.serve(host);
            if self.begun.elapsed() > limit {
                std::mem::forget(self);
                return None;
            }
            if self.shared.live.load(Ordering::Acquire) > 0 {
                wait_briefly(&self.shared.bell, bell);
            }
        }
        let elapsed = self.begun.elapsed();
        for (thread, _) in self.threads.drain(..) {
            // SAFETY: the thread was created by `create` of the same namespace and is joined once.
            unsafe { (self.functions.join)(thread, ptr::null_mut()) };
        }
        Some(elapsed)
    }

    /// Whether all threads have ended. Serves a request if there is one.
    pub fn is_complete(&self, host: &CurrentActor<'_>) -> bool {
        self.serve(host);
        self.shared.live.load(Ordering::Acquire) == 0
    }

    fn serve(&self, host: &CurrentActor<'_>) {
        // SAFETY: a request lives on the stack of the thread that waits for `done`.
        while let Some(request) = unsafe { self.shared.mailbox.load(Ordering::Acquire).as_ref() } {
            self.shared.mailbox.store(ptr::null_mut(), Ordering::Release);
            // SAFETY: `ask_host` pairs the function with its data.
            unsafe { (request.serve)(request.data, host) };
            request.done.store(1, Ordering::Release);
            wake(&request.done);
        }
    }
}

extern "C" fn free_main(argument: *mut c_void) -> *mut c_void {
    // SAFETY: `FreeRun::start` passes a seat that lives until this thread has been joined.
    let seat = unsafe { &*argument.cast::<Seat>() };
    block_all_signals();
    context::set_current(&raw const seat.context);
    // SAFETY: whoever started the run vouched for the call; this thread belongs to the guests' namespace.
    unsafe { seat.call.invoke() };
    context::set_current(ptr::null());
    // SAFETY: the shared part lives until all threads have been joined.
    let shared = unsafe { &*seat.shared };
    shared.live.fetch_sub(1, Ordering::Release);
    shared.ring();
    ptr::null_mut()
}

/// Lets the host thread run `function` while this free-running thread waits. `None` if the caller is no such thread.
pub fn ask_host<R>(context: &ActorContext, function: impl FnOnce(&CurrentActor<'_>) -> R) -> Option<R> {
    struct Errand<F, R> {
        function: Option<F>,
        result: Option<R>,
    }
    unsafe fn serve<F: FnOnce(&CurrentActor<'_>) -> R, R>(data: *mut c_void, host: &CurrentActor<'_>) {
        // SAFETY: `ask_host` passes an errand of exactly this type, and nobody else touches it meanwhile.
        let errand = unsafe { &mut *data.cast::<Errand<F, R>>() };
        errand.result = errand.function.take().map(|function| function(host));
    }
    type Serve = unsafe fn(*mut c_void, &CurrentActor<'_>);
    fn server_of<F: FnOnce(&CurrentActor<'_>) -> R, R>(_: &UnsafeCell<Errand<F, R>>) -> Serve {
        serve::<F, R>
    }
    // SAFETY: the run's shared part outlives its threads.
    let shared = unsafe { context.free.get().as_ref() }?;
    let errand = UnsafeCell::new(Errand { function: Some(function), result: None });
    let request = Request { serve: server_of(&errand), data: errand.get().cast(), done: AtomicU32::new(0) };
    let mine = ptr::from_ref(&request).cast_mut();
    while shared.mailbox.compare_exchange(ptr::null_mut(), mine, Ordering::AcqRel, Ordering::Relaxed).is_err() {
        std::thread::yield_now();
    }
    shared.ring();
    wait_while(&request.done, 0);
    errand.into_inner().result
}

/// What the device gave to the free run that the calling thread belongs to, if it is a `T`.
pub fn rooms_of<T: 'static>(context: &ActorContext) -> Option<&T> {
    // SAFETY: the run's shared part outlives its threads.
    unsafe { context.free.get().as_ref() }?.rooms.downcast_ref()
}

/// Sleeps while `word` holds `value`, but not for longer than a few milliseconds.
fn wait_briefly(word: &AtomicU32, value: u32) {
    let pause = libc::timespec { tv_sec: 0, tv_nsec: 5_000_000 };
    // SAFETY: a futex wait on a live word with a valid time-out.
    unsafe {
        let wait = libc::FUTEX_WAIT | libc::FUTEX_PRIVATE_FLAG;
        libc::syscall(libc::SYS_futex, word.as_ptr(), wait, value, &raw const pause);
    }
}
