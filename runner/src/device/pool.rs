//! Namespaces for any number of tasks.
//!
//! The dynamic linker has fifteen namespaces besides the program's own. A [`NamespacePool`] lends them out: who asks for
//! one while all are lent waits until another comes back. A [`Worker`] has one for as long as it lives and makes one
//! device after the other in it, so that shim and libstdc++ are loaded once. Devices stay on the thread that made them; so
//! every thread that runs tasks has a worker of its own.
//!
//! **A namespace that comes back stays open for the next worker**, until the pool goes; then all are closed in reverse
//! order of opening. The libc of a namespace lies in the static thread-local storage, of which the dynamic linker gets
//! back only what was handed out last: namespaces that close in another order use it up, after some hundreds.
//!
//! A fault takes a namespace for good (see [`super`]). Its worker asks for another with the next device; when every one
//! is gone, that is an error and no wait.

use std::num::NonZero;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard, OnceLock, PoisonError};
use std::thread;

use sim_core::loader::ledger::LoadLedger;
use sim_core::loader::staging::StagingArea;

use super::error::DeviceError;
use super::{Device, DeviceConfig, NamedObject, NotMade, VacantNamespace, staging_area};
use crate::bundled;

/// How many namespaces there can be, with the settings of [`sim_core::loader::tunables`].
pub const MOST_NAMESPACES: usize = 15;

/// Threads for the kernel bodies of each of so many runs at once: together as many as there are processors. They change
/// no result.
pub fn kernel_threads(parallel: usize) -> usize {
    let processors = thread::available_parallelism().map_or(1, NonZero::get);
    (processors / parallel.max(1)).max(1)
}

/// Lends namespaces.
pub struct NamespacePool {
    size: usize,
    area: StagingArea,
    state: Mutex<State>,
    returned: Condvar,
    /// How many were opened so far. Held while one is opened, so that numbers are in order of opening.
    opened: Mutex<u64>,
}

/// What has become of the namespaces.
#[derive(Default)]
struct State {
    /// Those that came back.
    idle: Vec<OpenNamespace>,
    lent: usize,
    lost: usize,
    waiting: usize,
    most_lent: usize,
}

/// A namespace that is open, and which one in order of opening.
struct OpenNamespace {
    number: u64,
    vacant: VacantNamespace,
}

/// Why a worker has no device.
#[derive(Debug, thiserror::Error, displaydoc::Display)]
pub enum WorkerError {
    /// all {size} namespaces went with devices that a fault ended: run fewer cases with faults in one process
    AllLost {
        /// How many there were.
        size: usize,
    },
    /// {0}
    Device(DeviceError),
}

impl NamespacePool {
    /// A pool of that many namespaces; of [`MOST_NAMESPACES`] if there cannot be as many.
    pub fn new(size: usize) -> Self {
        let size = size.clamp(1, MOST_NAMESPACES);
        let area = staging_area();
        NamespacePool { size, area, state: Mutex::default(), returned: Condvar::new(), opened: Mutex::default() }
    }

    /// The same, whose namespaces have their shim staged so, which is there before a device is.
    pub fn staged_in(mut self, area: StagingArea) -> Self {
        self.area = area;
        self
    }

    /// A worker. It has no namespace before it makes a device.
    pub fn worker(&self) -> Worker<'_> {
        Worker { pool: self, place: None }
    }

    /// Does `work` for each of `items`, on up to `parallel` threads with a worker each. Results are in the order of the
    /// items. These are threads of their own and none of rayon's: there, a thread that waits within one item may begin
    /// another, and a device stays on its thread from its beginning to its end.
    pub fn map<T: Sync, R: Send + Sync>(
        &self,
        items: &[T],
        parallel: usize,
        name: &str,
        work: impl Fn(&mut Worker<'_>, &T) -> R + Sync,
    ) -> Vec<R> {
        let results: Vec<OnceLock<R>> = items.iter().map(|_| OnceLock::new()).collect();
        let next = AtomicUsize::new(0);
        let take_items = || {
            let mut worker = self.worker();
            loop {
                let index = next.fetch_add(1, Ordering::Relaxed);
                let Some(item) = items.get(index) else { return };
                // Each index is taken once.
                let _ = results[index].set(work(&mut worker, item));
            }
        };
        thread::scope(|scope| {
            for number in 0..parallel.clamp(1, items.len().max(1)) {
                let named = thread::Builder::new().name(format!("{name} {number}"));
                // One thread fewer takes longer; none at all is caught below.
                let _ = named.spawn_scoped(scope, take_items);
            }
        });
        // If no thread could be started, this one does it all.
        take_items();
        results.into_iter().filter_map(OnceLock::into_inner).collect()
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

    fn lock(&self) -> MutexGuard<'_, State> {
        // The numbers are changed without anything in between that could panic.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for the right to one more namespace, and takes one that is open if there is any; `None` if there will be
    /// none.
    fn lend(&self) -> Option<(Permit<'_>, Option<OpenNamespace>)> {
        let mut state = self.lock();
        state.waiting += 1;
        while state.lent + state.lost == self.size && state.lent > 0 {
            state = self.returned.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        state.waiting -= 1;
        if state.lost == self.size {
            return None;
        }
        state.lent += 1;
        state.most_lent = state.most_lent.max(state.lent);
        let open = state.idle.pop();
        Some((Permit { pool: self, spent: false }, open))
    }

    fn open(&self) -> Result<OpenNamespace, DeviceError> {
        let mut opened = self.opened.lock().unwrap_or_else(PoisonError::into_inner);
        let vacant = VacantNamespace::open(self.area.clone(), bundled::SHIM)?;
        *opened += 1;
        Ok(OpenNamespace { number: *opened, vacant })
    }
}

impl Drop for NamespacePool {
    fn drop(&mut self) {
        let idle = &mut self.state.get_mut().unwrap_or_else(PoisonError::into_inner).idle;
        idle.sort_by_key(|open| open.number);
        while let Some(last) = idle.pop() {
            drop(last);
        }
    }
}

/// The right to one namespace.
struct Permit<'p> {
    pool: &'p NamespacePool,
    /// The namespace is gone for good.
    spent: bool,
}

impl Drop for Permit<'_> {
    fn drop(&mut self) {
        let mut state = self.pool.lock();
        state.lent -= 1;
        state.lost += usize::from(self.spent);
        // When the last one is lost, everybody has to know.
        self.pool.returned.notify_all();
    }
}

/// Makes one device after the other.
pub struct Worker<'p> {
    pool: &'p NamespacePool,
    place: Option<Place<'p>>,
}

/// A namespace on loan.
struct Place<'p> {
    permit: Permit<'p>,
    number: u64,
    /// None while a device is in it, and after one that took it along.
    vacant: Option<VacantNamespace>,
}

impl Drop for Place<'_> {
    /// The namespace is back before the permit is.
    fn drop(&mut self) {
        match self.vacant.take() {
            Some(vacant) => self.permit.pool.lock().idle.push(OpenNamespace { number: self.number, vacant }),
            None => self.permit.spent = true,
        }
    }
}

impl<'p> Worker<'p> {
    /// A device with this host runtime, in the worker's namespace; waits if that is its first and all are lent. It has to
    /// be handed to [`Worker::take_back`].
    pub fn device(&mut self, config: DeviceConfig, host_runtime: NamedObject<'_>) -> Result<Device, WorkerError> {
        let mut place = match self.place.take() {
            Some(place) => place,
            None => self.take_place()?,
        };
        let Some(vacant) = place.vacant.take() else { unreachable!("a worker has one device at a time") };
        let made = Device::in_namespace(vacant, config, host_runtime);
        let made = made.map_err(|not_made| {
            let NotMade { error, vacant } = *not_made;
            place.vacant = vacant;
            WorkerError::Device(error)
        });
        self.keep(place, made.is_ok());
        made
    }

    /// Ends a device of this worker; gives the ledger of its loads as it is when everything is closed.
    pub fn take_back(&mut self, device: Device) -> LoadLedger {
        let (loads, vacant) = device.vacate();
        if let Some(mut place) = self.place.take() {
            place.vacant = vacant;
            self.keep(place, false);
        }
        loads
    }

    /// A place with a device or with a vacant namespace is the worker's; one that is lost goes back as such.
    fn keep(&mut self, place: Place<'p>, has_device: bool) {
        self.place = Some(place).filter(|place| has_device || place.vacant.is_some());
    }

    fn take_place(&self) -> Result<Place<'p>, WorkerError> {
        let (permit, open) = self.pool.lend().ok_or(WorkerError::AllLost { size: self.pool.size })?;
        let OpenNamespace { number, vacant } = match open {
            Some(open) => open,
            None => self.pool.open().map_err(WorkerError::Device)?,
        };
        Ok(Place { permit, number, vacant: Some(vacant) })
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicBool;
    use std::time::Duration;

    use super::*;

    #[test]
    fn does_who_asks_for_one_more_wait_until_one_comes_back() {
        let pool = NamespacePool::new(99);
        let mut lent: Vec<_> = (0..MOST_NAMESPACES).map(|_| pool.lend().unwrap().0).collect();
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
        let (mut permit, _) = pool.lend().unwrap();
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
