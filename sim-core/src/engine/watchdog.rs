//! The watchdog: stops guest code that never comes back to the simulator.
//!
//! Virtual time cannot help where guest code runs natively without calling a hook: an endless loop there would hang
//! the process. Every thread that runs guest code has a [`GuestThread`] entry with a beat that goes up at every hook.
//! A thread in guest code whose beat stands still for the limit gets a signal; the handler ends the guest code at the
//! instruction it has reached. The limit is CPU time of the thread, so that a busy machine ends nobody's run; guest code
//! that sits in the kernel without using any is ended after a much longer time, in which the process was not stopped (by
//! a shell's job control, say). Host time only ever ends a run: it never enters a virtual time.

use std::sync::atomic::{AtomicBool, AtomicI32, AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// What a thread is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Doing {
    /// Running guest code of an actor on its fiber.
    Fiber = 1,
    /// Running a kernel body.
    Native = 2,
    /// Running code of the host runtime, which may take its time.
    Host = 3,
}

/// How long the host runtime may take, however short the limit of device code is.
const HOST_LIMIT: Duration = Duration::from_secs(60);

/// A host thread that runs guest code.
#[derive(Debug, Default)]
pub(super) struct GuestThread {
    tid: AtomicI32,
    /// 0 when it runs no guest code, else a [`Doing`].
    doing: AtomicU32,
    beat: AtomicU64,
}

impl GuestThread {
    /// The calling thread is the one this entry is about.
    pub(super) fn adopt_this_thread(&self) {
        // SAFETY: gettid has no preconditions.
        self.tid.store(unsafe { libc::gettid() }, Ordering::Relaxed);
    }

    /// Guest code begins.
    #[inline]
    pub(super) fn enter(&self, doing: Doing) {
        self.beat();
        self.doing.store(doing as u32, Ordering::Relaxed);
    }

    /// Guest code has come back.
    #[inline]
    pub(super) fn leave(&self) {
        self.doing.store(0, Ordering::Relaxed);
    }

    /// It is alive. Only the thread itself counts, so a plain increment is enough.
    #[inline]
    pub(super) fn beat(&self) {
        self.beat.store(self.beat.load(Ordering::Relaxed) + 1, Ordering::Relaxed);
    }
}

/// The thread that watches, and the threads it watches.
pub(super) struct Watchdog {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

struct Shared {
    limit: Duration,
    threads: Mutex<Vec<Arc<GuestThread>>>,
    stop: AtomicBool,
}

impl Watchdog {
    /// A watchdog that begins to watch with [`Watchdog::start`].
    pub(super) fn new(limit: Duration) -> Watchdog {
        let shared = Shared { limit, threads: Mutex::default(), stop: AtomicBool::new(false) };
        Watchdog { shared: Arc::new(shared), thread: None }
    }

    /// A new entry to be adopted by a thread.
    pub(super) fn new_thread(&self) -> Arc<GuestThread> {
        let thread = Arc::new(GuestThread::default());
        self.shared.threads.lock().unwrap_or_else(PoisonError::into_inner).push(Arc::clone(&thread));
        thread
    }

    /// Starts to watch, once.
    pub(super) fn start(&mut self) {
        let shared = Arc::clone(&self.shared);
        self.thread.get_or_insert_with(|| std::thread::spawn(move || watch(&shared)));
    }
}

impl Drop for Watchdog {
    fn drop(&mut self) {
        self.shared.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            thread.thread().unpark();
            // The thread only reads atomics; it cannot have panicked.
            let _ = thread.join();
        }
    }
}

/// How long a thread may take that uses no CPU time, if the limit is not longer.
const IDLE_LIMIT: Duration = Duration::from_secs(60);

/// The most that one look of the watchdog counts for: if it comes later than that, everybody was stopped.
const LONGEST_PAUSE: Duration = Duration::from_secs(1);

/// The time that the watchdog has been awake.
struct Awake {
    total: Duration,
    looked: Instant,
}

impl Awake {
    fn new() -> Awake {
        Awake { total: Duration::ZERO, looked: Instant::now() }
    }

    fn look(&mut self) -> Duration {
        self.count(Instant::now())
    }

    fn count(&mut self, now: Instant) -> Duration {
        self.total += now.duration_since(self.looked).min(LONGEST_PAUSE);
        self.looked = now;
        self.total
    }
}

/// What the watchdog remembers of a thread: the beat it saw, since when, and the CPU time the thread had used by then.
struct Seen {
    beat: u64,
    since: Duration,
    cpu: Duration,
}

impl Seen {
    fn at(now: Duration, thread: &GuestThread) -> Seen {
        Seen {
            beat: thread.beat.load(Ordering::Relaxed),
            since: now,
            cpu: cpu_time(thread.tid.load(Ordering::Relaxed)),
        }
    }

    /// Whether the thread has not come back for longer than `limit`.
    fn is_over(&self, now: Duration, thread: &GuestThread, limit: Duration) -> bool {
        let waited = now.saturating_sub(self.since);
        waited >= limit
            && (cpu_time(thread.tid.load(Ordering::Relaxed)).saturating_sub(self.cpu) >= limit
                || waited >= limit.max(IDLE_LIMIT))
    }
}

/// CPU time that a thread of this process has used; none if it is gone.
fn cpu_time(tid: i32) -> Duration {
    /// The kernel's numbers of threads' CPU clocks: the complement of the thread's number, and these bits.
    const OF_THREAD: libc::clockid_t = 6;
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: a place for the result; a clock that does not exist leaves it as it is.
    unsafe { libc::clock_gettime(!tid << 3 | OF_THREAD, &raw mut time) };
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
}

fn watch(shared: &Shared) {
    let pause = (shared.limit / 20).clamp(Duration::from_millis(1), Duration::from_millis(50));
    let mut seen: Vec<Seen> = Vec::new();
    let mut awake = Awake::new();
    while !shared.stop.load(Ordering::Relaxed) {
        std::thread::park_timeout(pause);
        let now = awake.look();
        let threads = shared.threads.lock().unwrap_or_else(PoisonError::into_inner);
        for (index, thread) in threads.iter().enumerate() {
            let beat = thread.beat.load(Ordering::Relaxed);
            let Some(before) = seen.get_mut(index) else {
                seen.push(Seen::at(now, thread));
                continue;
            };
            let doing = thread.doing.load(Ordering::Relaxed);
            let limit = if doing == Doing::Host as u32 { shared.limit.max(HOST_LIMIT) } else { shared.limit };
            if before.beat != beat || doing == 0 {
                *before = Seen::at(now, thread);
            } else if before.is_over(now, thread, limit) {
                interrupt(thread.tid.load(Ordering::Relaxed));
                *before = Seen::at(now, thread);
            }
        }
    }
}

/// The signal that ends guest code that hangs: a real-time signal, which nothing else sends.
pub(super) fn hang_signal() -> i32 {
    libc::SIGRTMIN() + 7
}

fn interrupt(tid: i32) {
    // SAFETY: tgkill of a thread of this process; if it is gone the call fails and nothing happens.
    unsafe { libc::syscall(libc::SYS_tgkill, libc::getpid(), tid, hang_signal()) };
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn does_the_time_in_which_everybody_was_stopped_count_against_nobody() {
        let mut awake = Awake::new();
        let begun = awake.looked;
        assert_eq!(awake.count(begun + Duration::from_millis(50)), Duration::from_millis(50));
        // An hour in the background: as if the pause had been the longest there is.
        assert_eq!(awake.count(begun + Duration::from_secs(3600)), Duration::from_millis(1050));
        assert_eq!(awake.count(begun + Duration::from_millis(3_600_100)), Duration::from_millis(1150));
    }
}
