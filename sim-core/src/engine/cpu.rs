//! The host's CPU clock, for reports. Nothing of the model reads it.

use std::time::Duration;

/// CPU time of the calling thread.
#[derive(Clone, Copy, Debug)]
pub struct ThreadCpu(Duration);

impl ThreadCpu {
    /// Now.
    pub fn now() -> ThreadCpu {
        let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
        // SAFETY: a valid clock and a valid place for the result.
        unsafe { libc::clock_gettime(libc::CLOCK_THREAD_CPUTIME_ID, &raw mut time) };
        ThreadCpu(Duration::new(time.tv_sec as u64, time.tv_nsec as u32))
    }

    /// CPU time of this thread since then.
    pub fn elapsed(self) -> Duration {
        ThreadCpu::now().0.saturating_sub(self.0)
    }
}
