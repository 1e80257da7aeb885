//! Kernel bodies, natively and in parallel.
//!
//! While the virtual interval of a kernel passes, its body may run on any host thread: it borrows the thread control
//! block of its core, whose fiber is suspended meanwhile. The engine needs the body to be finished when virtual time
//! reaches the end of the interval, and not before. So bodies are queued for worker threads. Those that are known to be
//! short the engine runs itself when it needs them, since waking a worker costs more than they do; and so it does with
//! all when there is one worker. A body that may wait for somebody outside the device has a thread of its own. None of
//! this can be seen in virtual time.

use std::cell::UnsafeCell;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::thread::JoinHandle;
use std::time::Instant;

use corosensei::stack::DefaultStack;
use corosensei::{Coroutine, CoroutineResult};
use crossbeam::channel::{self, Receiver, Sender};
use crossbeam::sync::{Parker, Unparker};

use super::BodyPlace;
use super::context::{ActorContext, Standing};
use super::cpu::ThreadCpu;
use super::fiber::{Exit, GuestCall};
use super::watchdog::{Doing, GuestThread};
use crate::time::SimTime;

/// Kernels may put their tiles on the stack; pages are committed when touched.
const KERNEL_STACK_BYTES: usize = 8 << 20;

/// A body that takes less than this is not worth waking a worker for.
const WORTH_A_WORKER_NS: u64 = 20_000;

/// How long bodies of one kernel take on this host. It decides who runs them and nothing else.
#[derive(Debug, Default)]
pub struct HostCost {
    /// A moving average in nanoseconds; 0 until the first has run.
    average_ns: AtomicU64,
}

impl HostCost {
    fn note(&self, ns: u64) {
        let before = self.average_ns.load(Ordering::Relaxed);
        let after = if before == 0 { ns } else { (before * 7 + ns) / 8 };
        self.average_ns.store(after.max(1), Ordering::Relaxed);
    }

    fn is_worth_a_worker(&self) -> bool {
        self.average_ns.load(Ordering::Relaxed) >= WORTH_A_WORKER_NS
    }
}

/// Who has a job.
mod claim {
    /// Nobody has begun it.
    pub(super) const OPEN: usize = 0;
    /// Somebody runs it.
    pub(super) const TAKEN: usize = 1;
    /// Its outcome is there.
    pub(super) const DONE: usize = 2;
}

/// One kernel body to be run.
pub(super) struct Job {
    call: GuestCall,
    context: *const ActorContext,
    now: SimTime,
    host_cost: Arc<HostCost>,
    claim: AtomicUsize,
    queued: AtomicBool,
    /// The engine can do nothing until it is done.
    awaited: AtomicBool,
    /// It has a thread of its own.
    may_wait: AtomicBool,
    outcome: UnsafeCell<Exit>,
}

// SAFETY: the context and the outcome are touched only by the thread that took the claim, and by the engine's thread
// after DONE was published.
unsafe impl Send for Job {}
// SAFETY: as above.
unsafe impl Sync for Job {}

impl Job {
    /// # Safety
    ///
    /// `call` must be sound to make with the thread control block of `context`, which must live until the job is done.
    pub(super) unsafe fn new(
        call: GuestCall,
        context: *const ActorContext,
        now: SimTime,
        host_cost: Arc<HostCost>,
    ) -> Arc<Job> {
        let outcome = UnsafeCell::new(Exit::Returned(0));
        Arc::new(Job {
            call,
            context,
            now,
            host_cost,
            claim: AtomicUsize::new(claim::OPEN),
            queued: AtomicBool::new(false),
            awaited: AtomicBool::new(false),
            may_wait: AtomicBool::new(false),
            outcome,
        })
    }

    fn take(&self) -> bool {
        self.claim.compare_exchange(claim::OPEN, claim::TAKEN, Ordering::AcqRel, Ordering::Relaxed).is_ok()
    }

    fn is_done(&self) -> bool {
        self.claim.load(Ordering::Acquire) == claim::DONE
    }

    /// Says that the engine waits, unless it has not to. Of this and [`Job::publish`], which look at each other's flag
    /// after they have set their own, one at least sees the other's.
    fn is_to_be_awaited(&self) -> bool {
        self.awaited.store(true, Ordering::SeqCst);
        self.claim.load(Ordering::SeqCst) != claim::DONE
    }

    /// Says that it is done. True if the engine waits for it.
    fn publish(&self) -> bool {
        self.claim.store(claim::DONE, Ordering::SeqCst);
        self.awaited.load(Ordering::SeqCst)
    }

    /// Runs a body that the caller has taken. True if the engine waits for it.
    fn run(&self, seat: &mut Seat) -> bool {
        let cpu = self.host_cost.is_worth_a_worker().then(ThreadCpu::now);
        let begun = Instant::now();
        let exit = seat.run(self);
        let ns = u64::try_from(begun.elapsed().as_nanos()).unwrap_or(u64::MAX);
        self.host_cost.note(ns);
        // For a long body the thread may have been preempted; for a short one, asking costs more than it tells.
        let busy = cpu.map_or(ns, |before| before.elapsed().as_nanos() as u64);
        seat.busy_ns += busy;
        seat.total_ns.fetch_add(busy, Ordering::Relaxed);
        // SAFETY: this thread took the claim.
        unsafe { *self.outcome.get() = exit };
        self.publish()
    }
}

/// A host thread's place to run bodies on: a stack, reused from one to the next, and its entry in the watchdog's list.
struct Seat {
    stack: Option<DefaultStack>,
    thread: Arc<GuestThread>,
    /// CPU time of this thread in bodies, and of all threads.
    busy_ns: u64,
    total_ns: Arc<AtomicU64>,
}

impl Seat {
    fn new(thread: Arc<GuestThread>, total_ns: Arc<AtomicU64>) -> Seat {
        Seat { stack: None, thread, busy_ns: 0, total_ns }
    }

    fn run(&mut self, job: &Job) -> Exit {
        let stack = self.stack.take().unwrap_or_else(|| {
            DefaultStack::new(KERNEL_STACK_BYTES).unwrap_or_else(|error| panic!("no stack for a kernel: {error}"))
        });
        // SAFETY: whoever made the job keeps the context alive until it is done.
        let context = unsafe { &*job.context };
        let call = job.call;
        let mut body: Coroutine<(), (), Exit> = Coroutine::with_stack(stack, move |_, ()| {
            // SAFETY: as above, and whoever made the job vouched for the call.
            Exit::Returned(context.as_native_guest(|| unsafe { call.invoke() }))
        });
        // The fiber is suspended in a hook; it finds its own trap handler again afterwards.
        let fiber_trap = context.trap.replace(Some(body.trap_handler()));
        context.native_now.set(job.now);
        context.standing.set(Standing::Native);
        context.native_thread.set(Arc::as_ptr(&self.thread));
        self.thread.enter(Doing::Native);
        let CoroutineResult::Return(exit) = body.resume(()) else { unreachable!("a native body cannot suspend") };
        self.thread.leave();
        context.standing.set(Standing::Idle);
        context.trap.set(fiber_trap);
        self.stack = Some(body.into_stack());
        exit
    }
}

/// Threads that take jobs from one queue.
struct Crew {
    jobs: Sender<Arc<Job>>,
    open: Receiver<Arc<Job>>,
    helpers: Vec<JoinHandle<()>>,
}

impl Crew {
    fn new() -> Crew {
        let (jobs, open) = channel::unbounded();
        Crew { jobs, open, helpers: Vec::new() }
    }

    fn give(&self, job: &Arc<Job>) {
        job.queued.store(true, Ordering::Relaxed);
        // The receiver lives as long as the crew.
        let _ = self.jobs.send(Arc::clone(job));
    }

    /// Ends when every helper has; one that is still in a body ends with it: the watchdog bounds that.
    fn dismiss(&mut self) {
        let (closed, _) = channel::unbounded();
        self.jobs = closed;
        self.helpers.drain(..).for_each(|helper| drop(helper.join()));
    }
}

/// The threads that run kernel bodies. The engine's own has the control plane to run, which feeds the others.
pub(super) struct NativePool {
    crew: Crew,
    /// One for each body that may wait for somebody outside, so that none waits for another's thread.
    waiting_crew: Crew,
    /// Bodies of the waiting crew that have not been finished.
    waiting: usize,
    parker: Parker,
    seat: Seat,
    workers: usize,
}

impl NativePool {
    /// A pool of `workers` threads, started when first needed; a single one is the calling thread.
    pub(super) fn new(workers: usize, engine_thread: Arc<GuestThread>) -> NativePool {
        NativePool {
            crew: Crew::new(),
            waiting_crew: Crew::new(),
            waiting: 0,
            parker: Parker::new(),
            seat: Seat::new(engine_thread, Arc::default()),
            workers: workers.max(1),
        }
    }

    /// Lets a thread begin `job` if that is worth while.
    pub(super) fn offer(&mut self, job: &Arc<Job>, place: BodyPlace, new_thread: impl Fn() -> Arc<GuestThread>) {
        if place == BodyPlace::OwnThread {
            self.waiting += 1;
            job.may_wait.store(true, Ordering::Relaxed);
            while self.waiting_crew.helpers.len() < self.waiting {
                let helper = self.helper(&self.waiting_crew.open, new_thread());
                self.waiting_crew.helpers.push(helper);
            }
            self.waiting_crew.give(job);
        } else if self.workers > 1 && job.host_cost.is_worth_a_worker() {
            while self.crew.helpers.len() < self.workers {
                let helper = self.helper(&self.crew.open, new_thread());
                self.crew.helpers.push(helper);
            }
            self.crew.give(job);
        }
    }

    fn helper(&self, open: &Receiver<Arc<Job>>, thread: Arc<GuestThread>) -> JoinHandle<()> {
        let (open, unparker) = (open.clone(), self.parker.unparker().clone());
        let total_ns = Arc::clone(&self.seat.total_ns);
        std::thread::spawn(move || help(&open, &unparker, thread, total_ns))
    }

    /// Returns when `job` is done: runs it, unless it was queued for a worker.
    pub(super) fn finish(&mut self, job: &Job) -> Exit {
        if !job.queued.load(Ordering::Relaxed) && job.take() {
            job.run(&mut self.seat);
        }
        if !job.is_done() && job.is_to_be_awaited() {
            while !job.is_done() {
                self.parker.park();
            }
        }
        if job.may_wait.load(Ordering::Relaxed) {
            self.waiting -= 1;
        }
        // SAFETY: DONE was published after the outcome was written.
        unsafe { *job.outcome.get() }
    }

    /// CPU time that the engine's own thread spent in bodies.
    pub(super) fn busy_ns_of_engine(&self) -> u64 {
        self.seat.busy_ns
    }

    /// CPU time that all threads spent in bodies that have ended.
    pub(super) fn busy_ns(&self) -> u64 {
        self.seat.total_ns.load(Ordering::Relaxed)
    }
}

impl Drop for NativePool {
    fn drop(&mut self) {
        self.crew.dismiss();
        self.waiting_crew.dismiss();
    }
}

/// A worker's life: one body after the other until the pool goes.
fn help(open: &Receiver<Arc<Job>>, done: &Unparker, thread: Arc<GuestThread>, total_ns: Arc<AtomicU64>) {
    thread.adopt_this_thread();
    let mut seat = Seat::new(thread, total_ns);
    for job in open {
        if job.take() && job.run(&mut seat) {
            done.unpark();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;
    use crate::engine::tcb::Tcb;

    #[test]
    fn does_a_thread_stay_itself_when_another_takes_over_the_fibers_while_it_runs_a_kernel() {
        struct TakenOver {
            context: ActorContext,
            by: Tcb,
        }
        extern "C" fn kernel(argument: u64) -> u64 {
            // SAFETY: the test passes the address of one that lives.
            let taken_over = unsafe { &*(argument as *const TakenOver) };
            taken_over.context.host_tcb.set(taken_over.by);
            7
        }
        let ((tell, told), (end, ended)) = (mpsc::channel(), mpsc::channel::<()>());
        let other = std::thread::spawn(move || {
            tell.send(Tcb::current().as_usize()).unwrap();
            let _ = ended.recv();
        });
        let mine = Tcb::current();
        let by = Tcb::from_usize(told.recv().unwrap());
        let taken_over = TakenOver { context: ActorContext::new(), by };
        taken_over.context.guest_tcb.set(mine);
        let argument = std::ptr::from_ref(&taken_over) as u64;
        let call = GuestCall::new(kernel as extern "C" fn(u64) -> u64 as usize, &[argument]);
        // SAFETY: the kernel takes the address, and needs no thread control block of its own.
        let job = unsafe { Job::new(call, &raw const taken_over.context, SimTime::ZERO, Arc::default()) };
        let exit = Seat::new(Arc::default(), Arc::default()).run(&job);
        assert_eq!((exit, Tcb::current(), taken_over.context.host_tcb.get()), (Exit::Returned(7), mine, by));
        drop(end);
        other.join().unwrap();
    }
}
