//! What this object knows of the process it is in.
//!
//! A preloaded object has no owner but the process, so this is the one place of the project with global state. It is
//! made when the first host runtime is found. A child of a fork starts with a new one: its parent's devices have
//! threads that the child does not have, so they are left as they are, and never touched.

use std::collections::HashMap;
use std::ptr;
use std::sync::atomic::{AtomicPtr, AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use npusim::exec::listener::Listener;
use npusim::exec::settings::ExecSettings;
use sim_core::profile::Arch;

use crate::charges::Tariff;
use crate::device::Device;
use crate::isolation::Isolated;
use crate::objects::Objects;
use crate::runtime::HostRuntime;

/// The state of this process; null until it is needed.
static CURRENT: AtomicPtr<Process> = AtomicPtr::new(ptr::null_mut());

/// Everything that is not of one device.
pub(crate) struct Process {
    pub(crate) settings: ExecSettings,
    /// What functions cost on devices of each generation; none if that was not asked for.
    tariffs: Vec<Arc<Tariff>>,
    pub(crate) objects: Mutex<Objects>,
    pub(crate) isolated: Mutex<Isolated>,
    runtimes: Mutex<Vec<Arc<HostRuntime>>>,
    devices: Mutex<HashMap<usize, Arc<Device>>>,
    /// The devices whose actors have these threads.
    threads: Mutex<HashMap<libc::pthread_t, Arc<Device>>>,
    runs: AtomicU32,
    listener: Mutex<Option<Listener>>,
}

/// What is as it was before a fork: code that is loaded.
#[derive(Default)]
struct Inherited {
    runtimes: Vec<Arc<HostRuntime>>,
    objects: Objects,
    isolated: Isolated,
}

impl Process {
    /// The state of this process, made if need be.
    pub(crate) fn get() -> &'static Process {
        let current = CURRENT.load(Ordering::Acquire);
        if current.is_null() { Process::begin() } else { unsafe_ref(current) }
    }

    /// The state of this process, if there is one.
    pub(crate) fn existing() -> Option<&'static Process> {
        let current = CURRENT.load(Ordering::Acquire);
        (!current.is_null()).then(|| unsafe_ref(current))
    }

    fn begin() -> &'static Process {
        let settings = ExecSettings::from_variables(|name| std::env::var_os(name))
            .unwrap_or_else(|error| crate::fatal(&error.to_string()));
        let tariffs = settings
            .charges
            .as_deref()
            .map(|name| Tariff::read(name).unwrap_or_else(|error| crate::fatal(&error.to_string())));
        let tariffs = tariffs.unwrap_or_default();
        let new = Box::into_raw(Box::new(Process::with(settings, tariffs, Inherited::default())));
        match CURRENT.compare_exchange(ptr::null_mut(), new, Ordering::AcqRel, Ordering::Acquire) {
            Ok(_) => {
                // SAFETY: the handler only stores a pointer and makes plain data.
                unsafe { libc::pthread_atfork(None, None, Some(forget_parent)) };
                unsafe_ref(new)
            }
            Err(other) => {
                // SAFETY: nobody else has seen it.
                drop(unsafe { Box::from_raw(new) });
                unsafe_ref(other)
            }
        }
    }

    fn with(settings: ExecSettings, tariffs: Vec<Arc<Tariff>>, inherited: Inherited) -> Process {
        Process {
            settings,
            tariffs,
            objects: Mutex::new(inherited.objects),
            isolated: Mutex::new(inherited.isolated),
            runtimes: Mutex::new(inherited.runtimes),
            devices: Mutex::default(),
            threads: Mutex::default(),
            runs: AtomicU32::new(0),
            listener: Mutex::default(),
        }
    }

    /// What functions cost on devices of a generation.
    pub(crate) fn tariff(&self, arch: Arch) -> Option<&Arc<Tariff>> {
        self.tariffs.iter().find(|tariff| tariff.arch == arch)
    }

    /// The host runtime behind a handle, if it is one.
    pub(crate) fn runtime(&self, handle: usize) -> Option<Arc<HostRuntime>> {
        lock(&self.runtimes).iter().find(|runtime| runtime.handle == handle).cloned()
    }

    /// Adds a host runtime, in place of one that once had the same handle.
    pub(crate) fn add_runtime(&self, runtime: Arc<HostRuntime>) {
        let mut runtimes = lock(&self.runtimes);
        runtimes.retain(|other| other.handle != runtime.handle);
        runtimes.push(runtime);
    }

    /// The device of a context.
    pub(crate) fn device(&self, context: usize) -> Option<Arc<Device>> {
        lock(&self.devices).get(&context).cloned()
    }

    /// A context has a device from now on.
    pub(crate) fn add_device(&self, context: usize, device: Arc<Device>) {
        lock(&self.devices).insert(context, device);
    }

    /// A context is gone.
    pub(crate) fn remove_device(&self, context: usize) -> Option<Arc<Device>> {
        lock(&self.devices).remove(&context)
    }

    /// The device in whose memory an address is.
    pub(crate) fn device_at(&self, address: usize) -> Option<Arc<Device>> {
        lock(&self.devices).values().find(|device| device.holds(address)).cloned()
    }

    /// A thread is an actor of a device.
    pub(crate) fn add_thread(&self, thread: libc::pthread_t, device: Arc<Device>) {
        lock(&self.threads).insert(thread, device);
    }

    /// The device of which a thread is an actor.
    pub(crate) fn device_of_thread(&self, thread: libc::pthread_t) -> Option<Arc<Device>> {
        lock(&self.threads).get(&thread).cloned()
    }

    /// A thread has been joined.
    pub(crate) fn remove_thread(&self, thread: libc::pthread_t) {
        lock(&self.threads).remove(&thread);
    }

    /// From now on this one is told what becomes of runs.
    pub(crate) fn listen(&self, listener: Listener) {
        lock(&self.listener).replace(listener);
    }

    /// Who is told.
    pub(crate) fn listener(&self) -> Option<Listener> {
        *lock(&self.listener)
    }

    /// The number of the next run.
    pub(crate) fn next_run(&self) -> u32 {
        self.runs.fetch_add(1, Ordering::Relaxed) + 1
    }
}

/// Locks, whatever happened to who held it before.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn unsafe_ref(process: *mut Process) -> &'static Process {
    // SAFETY: states are made once and never freed.
    unsafe { &*process }
}

/// The child of a fork begins anew, with the same settings, runtimes and loaded objects, and without devices: nobody
/// listens in it.
extern "C" fn forget_parent() {
    let Some(parent) = Process::existing() else { return };
    // Another thread may have held a lock when the process forked; what it guards is then left behind as well.
    let inherited = Inherited {
        runtimes: parent.runtimes.try_lock().map(|runtimes| runtimes.clone()).unwrap_or_default(),
        objects: parent.objects.try_lock().map(|mut objects| std::mem::take(&mut *objects)).unwrap_or_default(),
        isolated: parent.isolated.try_lock().map(|mut isolated| std::mem::take(&mut *isolated)).unwrap_or_default(),
    };
    let child = Process::with(parent.settings.clone(), parent.tariffs.clone(), inherited);
    CURRENT.store(Box::into_raw(Box::new(child)), Ordering::Release);
}
