//! How far a run has come, for somebody on another thread who only wants to know that it goes on.

use std::sync::atomic::{AtomicU64, Ordering};

use sim_core::time::SimTime;

/// Counters that a run moves and others read at any time.
#[derive(Debug, Default)]
pub struct Pulse {
    tasks: AtomicU64,
    time_ps: AtomicU64,
}

impl Pulse {
    /// Kernels that have ended so far.
    pub fn tasks(&self) -> u64 {
        self.tasks.load(Ordering::Relaxed)
    }

    /// The latest virtual time at which one has ended, in milliseconds.
    pub fn ms(&self) -> f64 {
        self.time_ps.load(Ordering::Relaxed) as f64 / 1e9
    }

    /// A kernel ended at `time`. Called by the run alone, so that nothing is lost between load and store.
    pub(super) fn beat(&self, time: SimTime) {
        self.tasks.store(self.tasks() + 1, Ordering::Relaxed);
        self.time_ps.store(time.as_ps(), Ordering::Relaxed);
    }
}
