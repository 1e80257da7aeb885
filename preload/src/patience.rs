//! Patience with the outside: how long, in real time, a device waits for somebody who is no actor of its own.
//!
//! When nothing on a device can go on by itself, a thread of the host or another process may still be about to do what
//! it waits for. So before the device's own time-outs are let expire, it waits in real time, a little at a time. How
//! long depends on whether there is anybody: a process with memory that others can write, too, waits as long as it was
//! told to; one without waits only for threads of its own, which is a matter of a moment.

use std::cell::Cell;
use std::fs;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Duration;

use sim_core::engine::{Outsiders, Waited};

use crate::process::lock;

/// What host threads have signalled that nobody has taken note of: a key, and how many to wake.
#[derive(Default)]
pub(crate) struct Signals {
    pending: Mutex<Vec<(usize, u32)>>,
    arrived: Condvar,
}

impl Signals {
    pub(crate) fn add(&self, key: usize, most: u32) {
        lock(&self.pending).push((key, most));
        self.arrived.notify_all();
    }

    pub(crate) fn take(&self) -> Vec<(usize, u32)> {
        std::mem::take(&mut *lock(&self.pending))
    }

    /// Waits for signals, at most for `time`.
    fn wait(&self, time: Duration) -> Vec<(usize, u32)> {
        let pending = lock(&self.pending);
        let waited = self.arrived.wait_timeout_while(pending, time, |pending| pending.is_empty());
        std::mem::take(&mut *waited.unwrap_or_else(PoisonError::into_inner).0)
    }
}

/// How long threads of the same process are waited for.
const OWN_THREADS: Duration = Duration::from_millis(200);

/// The pause between two looks, once there have been a few.
const PAUSE: Duration = Duration::from_millis(1);

/// The first pauses are shorter, each twice as long as the one before.
const SHORTER_PAUSES: u32 = 5;

/// The patience of one device. It is counted in looks, so that a wait in vain takes the same virtual time every time.
pub(crate) struct HostPatience {
    signals: Arc<Signals>,
    longest: Duration,
    /// Looks until the wait that is under way is given up.
    limit: Cell<u32>,
}

impl HostPatience {
    pub(crate) fn new(signals: Arc<Signals>, longest: Duration) -> Self {
        HostPatience { signals, longest, limit: Cell::new(0) }
    }

    /// How often is looked in a wait that begins now.
    fn looks(&self) -> u32 {
        let time = if shares_memory() { self.longest } else { self.longest.min(OWN_THREADS) };
        u32::try_from(time.as_millis() / PAUSE.as_millis()).unwrap_or(u32::MAX)
    }
}

impl Outsiders for HostPatience {
    fn wait(&self, looks: u32) -> Waited {
        if looks == 0 {
            self.limit.set(self.looks());
        }
        if looks >= self.limit.get() {
            return Waited::GivenUp;
        }
        let signals = self.signals.wait(PAUSE / (1 << SHORTER_PAUSES.saturating_sub(looks)));
        if signals.is_empty() { Waited::Look } else { Waited::Signalled(signals) }
    }
}

/// Whether this process has memory that other processes can write as well.
pub(crate) fn shares_memory() -> bool {
    fs::read_to_string("/proc/self/maps").is_ok_and(|maps| maps.lines().any(is_shared_and_writable))
}

/// A line of the process's mappings: `<range> rw-s <offset> <device> <inode> <path>`.
fn is_shared_and_writable(line: &str) -> bool {
    line.split_ascii_whitespace().nth(1).is_some_and(|flags| flags.starts_with("rw") && flags.ends_with('s'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_memory_that_others_can_write_told_from_other_memory() {
        assert!(is_shared_and_writable("7f00-7f10 rw-s 00000000 00:01 42 /dev/shm/window"));
        assert!(!is_shared_and_writable("7f00-7f10 r--s 00000000 00:01 42 /dev/shm/window"));
        assert!(!is_shared_and_writable("7f00-7f10 rw-p 00000000 00:00 0"));
    }

    #[test]
    fn does_a_wait_end_with_a_signal_or_when_patience_does() {
        let signals = Arc::<Signals>::default();
        let patience = HostPatience::new(Arc::clone(&signals), Duration::from_millis(20));
        signals.add(7, 1);
        assert_eq!(patience.wait(0), Waited::Signalled(vec![(7, 1)]));
        assert_eq!([0, 19, 20].map(|looks| patience.wait(looks)), [Waited::Look, Waited::Look, Waited::GivenUp]);
    }
}
