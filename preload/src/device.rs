//! A device of this process: one per context of a host runtime, made with it and gone with it.
//!
//! Its memory has a lock of its own, since any thread of the host may allocate and copy at any time. The engine has
//! another: whoever waits for the device holds it and runs the device meanwhile. Hooks that actors call find the
//! [`Rooms`] through their engine, which their own thread then has to itself.

use std::any::Any;
use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::path::Path;
use std::rc::Rc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, Weak};

use npusim::device::EngineKind;
use npusim::device::error::DeviceError;
use npusim::exec::settings::ExecSettings;
use sim_aicore::array::CoreArray;
use sim_aicore::cost::{CostModel, CostTally, KernelTable};
use sim_aicore::kernel_run::{KernelDevice, KernelMemory};
use sim_aicore::launch::Launched;
use sim_aicore::tile_trace::TileTraces;
use sim_aicpu::register_file::{RegisterFile, RegisterLayout};
use sim_core::actor::ActorId;
use sim_core::engine::{Engine, Polling, Settings, ThreadFunctions};
use sim_core::loader::ledger::LoadLedger;
use sim_core::profile::{Arch, Confidence, Profile, TimeByConfidence};
use sim_core::time::{SimDuration, SimTime};
use sim_hbm::{DmaEngine, Hbm, HbmConfig, HostLink};

use crate::charges::DeviceCharges;
use crate::patience::{HostPatience, Signals, shares_memory};
use crate::process::lock;
use crate::run::Runs;

/// Virtual clocks start here, so that a guest that computes "an hour ago" does not get below zero.
pub(crate) const EPOCH_NS: u64 = 1_000_000_000_000;

/// Memory and the link to it.
pub(crate) struct Memory {
    pub(crate) hbm: Hbm,
    pub(crate) dma: DmaEngine,
}

/// A device and what is known of its runs.
pub(crate) struct Device {
    pub(crate) memory: Mutex<Memory>,
    pub(crate) ledger: Mutex<LoadLedger>,
    pub(crate) runs: Mutex<Runs>,
    /// What functions cost on it, if that was asked for.
    pub(crate) charges: Option<Arc<DeviceCharges>>,
    engine: Mutex<EngineCell>,
    addresses: std::ops::Range<usize>,
    /// What host threads have signalled while another thread had the engine: a key, and how many to wake.
    signals: Arc<Signals>,
    /// Picoseconds that host threads have spent while another thread had the engine.
    unspent: AtomicU64,
    /// The virtual time that the host has reached, for those who only look at the clock.
    host_ps: AtomicU64,
}

/// The engine and the rooms of its device.
struct EngineCell {
    engine: Rc<Engine>,
    rooms: Rc<Rooms>,
}

// SAFETY: the engine and the rooms are only reached through the lock of the device, or by actors of the engine, which
// run on the thread that holds that lock; their reference counts never leave the cell.
unsafe impl Send for EngineCell {}

/// What hooks of actors need. The thread that runs the engine has it to itself.
pub(crate) struct Rooms {
    device: RefCell<Weak<Device>>,
    pub(crate) profile: Profile,
    pub(crate) layout: RegisterLayout,
    /// Known once the first core has said where its registers are.
    pub(crate) registers: RefCell<Option<RegisterFile>>,
    pub(crate) launch: Launched,
    pub(crate) costs: CostModel,
    /// What running kernels share.
    memory: RefCell<KernelMemory>,
    /// What kernels have cost in this run.
    pub(crate) tally: RefCell<CostTally>,
    /// What actors of the device have worked for in this run.
    pub(crate) work: Cell<TimeByConfidence>,
    /// What is known of kernels by their traces.
    pub(crate) traces: TileTraces,
    /// Those of the device.
    pub(crate) charges: Option<Arc<DeviceCharges>>,
    /// AICPU threads that have begun in this run.
    pub(crate) aicpus: Cell<u16>,
    /// Whether the process shares memory with others; not known until somebody asks in a run.
    shares_memory: Cell<Option<bool>>,
    /// Mutexes that actors hold, by address.
    pub(crate) held: RefCell<HashMap<usize, ActorId>>,
}

impl Rooms {
    /// Their device.
    pub(crate) fn device(&self) -> Option<Arc<Device>> {
        self.device.borrow().upgrade()
    }

    /// What a kernel has to do with.
    pub(crate) fn kernel_device(&self) -> KernelDevice<'_> {
        let flush = *self.profile.aicore.flush;
        KernelDevice { launch: &self.launch, costs: &self.costs, memory: &self.memory, flush }
    }

    /// Somebody of the device has worked for so long because of a constant of this confidence.
    pub(crate) fn worked(&self, confidence: Confidence, span: SimDuration) {
        let mut work = self.work.get();
        work.add(confidence, span);
        self.work.set(work);
    }

    /// A run begins: nobody has said yet who it is.
    fn begin_run(&self) {
        self.registers.replace(None);
        self.launch.begin(CoreArray::new(&self.profile.topology, *self.profile.topology.clusters));
        self.aicpus.set(0);
        self.memory.borrow_mut().begin();
        self.tally.take();
        self.work.take();
        self.traces.begin_run();
        self.shares_memory.set(None);
    }

    /// Whether the process shares memory with others in this run.
    pub(crate) fn shares_memory(&self) -> bool {
        self.shares_memory.get().unwrap_or_else(|| {
            let shares = shares_memory();
            self.shares_memory.set(Some(shares));
            shares
        })
    }
}

/// The register blocks of the simulated platform that the reference's objects are built for. Its a2a3 keeps the
/// silicon's offsets in blocks of 0x1400 bytes; its a5 puts three regions of a sparse block one after the other.
///
/// Source: hw-native-sys/simpler 6ebaf771, src/{a2a3,a5}/platform/include/common/platform_config.h
fn simulated_registers(profile: &Profile, arch: Arch) -> RegisterLayout {
    let data_main_base = *profile.registers.data_main_base;
    match arch {
        Arch::A2a3 => RegisterLayout { block_size: 0x1400, cond: *profile.registers.cond, data_main_base },
        Arch::A5 => RegisterLayout { block_size: 0x4000, cond: 0x3108, data_main_base },
    }
}

impl Device {
    /// A device of this generation.
    pub(crate) fn new(
        settings: &ExecSettings,
        arch: Arch,
        runtime: &Path,
        charges: Option<DeviceCharges>,
    ) -> Result<Arc<Device>, DeviceError> {
        let charges = charges.map(Arc::new);
        let profile = settings.profile_of(arch)?;
        let hbm = Hbm::new(HbmConfig {
            capacity: *profile.hbm.capacity,
            alignment: *profile.hbm.alignment,
            fill: settings.fill,
            ordinal: None,
        })?;
        let addresses = hbm.start().address() as usize..hbm.end().address() as usize;
        let engine =
            Engine::for_outside_host(engine_settings(settings, &profile), ThreadFunctions::of_this_namespace());
        let rooms = Rc::new(Rooms {
            device: RefCell::default(),
            layout: simulated_registers(&profile, arch),
            registers: RefCell::default(),
            launch: Launched::new(CoreArray::new(&profile.topology, *profile.topology.clusters)),
            costs: CostModel::new(&profile, KernelTable::default()),
            memory: RefCell::new(KernelMemory::new(&profile)),
            tally: RefCell::default(),
            work: Cell::default(),
            traces: TileTraces::default(),
            charges: charges.clone(),
            aicpus: Cell::new(0),
            shares_memory: Cell::new(None),
            held: RefCell::default(),
            profile,
        });
        engine.attach(Rc::clone(&rooms) as Rc<dyn Any>);
        let signals = Arc::<Signals>::default();
        engine.hope_for(Box::new(HostPatience::new(Arc::clone(&signals), settings.external_wait)));
        let memory = Memory { hbm, dma: DmaEngine::new(HostLink::of(&rooms.profile)) };
        let device = Arc::new(Device {
            memory: Mutex::new(memory),
            ledger: Mutex::default(),
            runs: Mutex::new(Runs::new(arch, runtime)),
            charges,
            engine: Mutex::new(EngineCell { engine, rooms: Rc::clone(&rooms) }),
            addresses,
            signals,
            unspent: AtomicU64::new(0),
            host_ps: AtomicU64::new(0),
        });
        rooms.device.replace(Arc::downgrade(&device));
        Ok(device)
    }

    /// Whether an address is one of its memory.
    pub(crate) fn holds(&self, address: usize) -> bool {
        self.addresses.contains(&address)
    }

    /// Lets a host thread use the engine; it waits until no other one does.
    pub(crate) fn with_engine<R>(&self, function: impl FnOnce(&Engine, &Rooms) -> R) -> R {
        self.use_engine(&lock(&self.engine), function)
    }

    /// As [`Device::with_engine`], unless another thread has the engine.
    pub(crate) fn try_with_engine<R>(&self, function: impl FnOnce(&Engine, &Rooms) -> R) -> Option<R> {
        let cell = self.engine.try_lock().ok()?;
        Some(self.use_engine(&cell, function))
    }

    fn use_engine<R>(&self, cell: &EngineCell, function: impl FnOnce(&Engine, &Rooms) -> R) -> R {
        self.settle(&cell.engine);
        let result = function(&cell.engine, &cell.rooms);
        self.host_ps.store(cell.engine.host_time().as_ps(), Ordering::Relaxed);
        result
    }

    /// A host thread wakes up to `most` actors that wait for `key`: as soon as the engine is free.
    pub(crate) fn signal(&self, key: usize, most: u32) {
        self.signals.add(key, most);
        self.try_with_engine(|_, _| ());
    }

    /// The host does something that takes time on the device's clock. If another thread has the engine, the time
    /// passes as soon as the engine is free.
    pub(crate) fn spend(&self, cost: SimDuration) {
        self.unspent.fetch_add(cost.as_ps(), Ordering::Relaxed);
        self.try_with_engine(|_, _| ());
    }

    fn settle(&self, engine: &Engine) {
        let unspent = self.unspent.swap(0, Ordering::Relaxed);
        if unspent > 0 {
            engine.spend(SimDuration::from_ps(unspent));
        }
        for (key, most) in self.signals.take() {
            engine.wake(key, most);
        }
    }

    /// The time that the host has reached.
    pub(crate) fn host_time(&self) -> SimTime {
        SimTime::from_ps(self.host_ps.load(Ordering::Relaxed))
    }

    /// The first actor of a run is about to start.
    pub(crate) fn begin_run(&self, engine: &Engine, rooms: &Rooms) {
        engine.restart_trace();
        rooms.begin_run();
        lock(&self.runs).begin(engine);
    }
}

fn engine_settings(settings: &ExecSettings, profile: &Profile) -> Settings {
    let default = Settings::default();
    Settings {
        polling: if settings.engine == EngineKind::Naive { Polling::Naive } else { Polling::Parked },
        workers: settings.workers.unwrap_or(default.workers),
        guest_limit: settings.guest_limit.unwrap_or(default.guest_limit),
        stall_window: *profile.guards.stall_window,
        leap_limit: *profile.guards.leap_limit,
        wait_loop_cost: *profile.aicpu.wait_spin,
        keep_events: settings.events,
        ..default
    }
}
