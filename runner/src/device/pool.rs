//! Namespaces for any number of tasks.
//!
//! The dynamic linker has fifteen namespaces besides the program's own. A [`NamespacePool`] lends them out: who asks for
//! one while all are lent waits until another comes back. A [`Worker`] has one for as long as it lives and makes one
//! device after the other in it, so that shim and libstdc++ are loaded once. Devices stay on the thread that made them; so
//! every thread that runs tasks has a worker of its own.
//!
//! A fault takes a namespace for good (see [`super`]). Its worker asks for another with the next device; when every one is
//! gone, that is an error and no wait.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use super::error::DeviceError;
use super::{Device, DeviceConfig, NamedObject, VacantNamespace};
use crate::bundled;

/// How many namespaces there can be, with the settings of [`sim_core::loader::tunables`].
pub const MOST_NAMESPACES: usize = 15;

/// Lends namespaces.
#[derive(Debug)]
pub struct NamespacePool {
    size: usize,
    use_of: Mutex<Use>,
    returned: Condvar,
}

/// What has become of the namespaces.
#[derive(Clone, Copy, Debug, Default)]
struct Use {
    lent: usize,
    lost: usize,
    waiting: usize,
    most_lent: usize,
}

/// Why there is no namespace, and will be none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error, displaydoc::Display)]
pub enum WorkerError<E: std::fmt::Display> {
    /// all {size} namespaces went with devices that a fault ended: run fewer cases with faults in one process
    AllLost {
        /// How many there were.
        size: usize,
    },
    /// {0}
    Device(E),
}

impl NamespacePool {
    /// A pool of that many namespaces; [`MOST_NAMESPACES`] if there cannot be as many.
    pub fn new(size: usize) -> Self {
        NamespacePool { size: size.clamp(1, MOST_NAMESPACES), use_of: Mutex::default(), returned: Condvar::new() }
    }

    /// A worker. It has no namespace before it makes a device.
    pub fn worker(&self) -> Worker<'_> {
        Worker { pool: self, place: None }
    }

    /// How many namespaces were lent at the same time, at most.
    pub fn most_lent(&self) -> usize {
        self.lock().most_lent
    }

    /// How many have gone with a fault.
    pub fn lost(&self) -> usize {
        self.lock().lost
    }

    /// How many workers wait for one.
    pub fn waiting(&self) -> usize {
        self.lock().waiting
    }

    fn lock(&self) -> MutexGuard<'_, Use> {
        // The numbers are changed without anything in between that could panic.
        self.use_of.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for a namespace; `None` if there will be none.
    fn lend(&self) -> Option<Permit<'_>> {
        let mut now = self.lock();
        now.waiting += 1;
        while now.lent == self.size - now.lost && now.lost < self.size {
            now = self.returned.wait(now).unwrap_or_else(PoisonError::into_inner);
        }
        now.waiting -= 1;
        if now.lost == self.size {
            return None;
        }
        now.lent += 1;
        now.most_lent = now.most_lent.max(now.lent);
        Some(Permit { pool: self, spent: false })
    }
}

/// The right to one namespace.
#[derive(Debug)]
struct Permit<'p> {
    pool: &'p NamespacePool,
    /// The namespace is gone for good.
    spent: bool,
}

impl Drop for Permit<'_> {
    fn drop(&mut self) {
        let mut now = self.pool.lock();
        now.lent -= 1;
        now.lost += usize::from(self.spent);
        // When the last one is lost, everybody has to know.
        self.pool.returned.notify_all();
    }
}

/// Makes one device after the other.
pub struct Worker<'p> {
    pool: &'p NamespacePool,
    place: Option<Place<'p>>,
}

/// A namespace on loan. It closes before the next may open.
struct Place<'p> {
    /// None while a device is in it.
    vacant: Option<VacantNamespace>,
    permit: Permit<'p>,
}

impl Worker<'_> {
    /// A device with this host runtime, in the worker's namespace; waits if that is its first and all are lent. It has to
    /// be handed to [`Worker::take_back`].
    pub fn device(
        &mut self,
        config: DeviceConfig,
        host_runtime: NamedObject<'_>,
    ) -> Result<Device, WorkerError<DeviceError>> {
        let mut place = match self.place.take() {
            Some(place) => place,
            None => {
                let permit = self.pool.lend().ok_or(WorkerError::AllLost { size: self.pool.size })?;
                Place { vacant: None, permit }
            }
        };
        let vacant = match place.vacant.take() {
            Some(vacant) => vacant,
            None => VacantNamespace::open(bundled::SHIM).map_err(WorkerError::Device)?,
        };
        let device = Device::in_namespace(vacant, config, host_runtime).map_err(WorkerError::Device)?;
        self.place = Some(place);
        Ok(device)
    }

    /// Ends a device of this worker.
    pub fn take_back(&mut self, device: Device) {
        let vacant = device.vacate();
        if let Some(place) = &mut self.place {
            place.permit.spent = vacant.is_none();
            place.vacant = vacant;
        }
        self.place.take_if(|place| place.vacant.is_none());
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, Ordering};
    use std::thread;
    use std::time::Duration;

    use super::*;

    #[test]
    fn does_who_asks_for_one_more_wait_until_one_comes_back() {
        let pool = NamespacePool::new(99);
        let mut lent: Vec<_> = (0..MOST_NAMESPACES).map(|_| pool.lend().unwrap()).collect();
        let served = AtomicBool::new(false);
        thread::scope(|scope| {
            scope.spawn(|| {
                let permit = pool.lend();
                served.store(true, Ordering::Release);
                drop(permit);
            });
            while pool.waiting() == 0 {
                thread::sleep(Duration::from_millis(1));
            }
            assert!(!served.load(Ordering::Acquire));
            lent.pop();
        });
        assert_eq!((pool.most_lent(), pool.lock().lent), (MOST_NAMESPACES, MOST_NAMESPACES - 1));
    }

    #[test]
    fn does_everybody_learn_that_the_last_one_is_lost() {
        let pool = NamespacePool::new(1);
        let mut permit = pool.lend().unwrap();
        thread::scope(|scope| {
            let waiting = scope.spawn(|| pool.lend().is_none());
            while pool.waiting() == 0 {
                thread::sleep(Duration::from_millis(1));
            }
            permit.spent = true;
            drop(permit);
            assert!(waiting.join().unwrap());
        });
        assert_eq!(pool.lost(), 1);
    }
}
