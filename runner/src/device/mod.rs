//! The device: HBM, AICPU pool and AICores on one engine, with a runtime in a namespace of its own.
//!
//! # Lifecycle
//!
//! [`Device::new`] reserves the memory, opens the namespace, ties its shim to the hooks, starts the engine and loads
//! the host runtime. [`HostCalls::call`](host_calls::HostCalls::call) makes a call of that runtime as its host process would; whatever the runtime
//! launches runs while the call waits. When the device goes, the engine's threads end first, then the namespace's
//! objects are closed, the shim last, and the memory is unmapped: nothing stays. After a fault the namespace is
//! abandoned instead, since the destructors of a guest that was stopped cannot be trusted.
//!
//! A namespace can serve one device after the other: [`Device::vacate`] ends a device and gives its namespace,
//! [`Device::in_namespace`] makes the next one in it. [`pool`] does that for any number of tasks.

pub mod driver;
pub mod error;
mod free_flags;
mod hooks;
pub mod host_calls;
pub mod notes;
pub mod pool;
pub mod programs;
mod rooms;
pub mod visibility;

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::time::Duration;

use sim_aicore::array::CoreArray;
use sim_aicore::cluster::Clusters;
use sim_aicore::cold_start::ColdStart;
use sim_aicore::cost::{CostModel, KernelTable};
use sim_aicore::kernel_run::KernelMemory;
use sim_aicore::launch::Launched;
use sim_aicore::registry::{Description, KernelRegistry};
use sim_aicore::tile_trace::{KernelTraceReport, TileTraces};
use sim_aicpu::operation::OperationCosts;
use sim_aicpu::pool::AicpuPool;
use sim_aicpu::register_file::RegisterFile;
use sim_core::engine::{Counters, Engine, Fault, GuestCall, Polling, Settings};
use sim_core::loader::audit::holdings::{Watch, WatchScope};
use sim_core::loader::cache::{CacheBook, CachePolicy};
use sim_core::loader::ledger::{LoadLedger, LoadOrigin};
use sim_core::loader::namespace::{Namespace, ObjectId};
use sim_core::loader::staging::StagingArea;
use sim_core::loader::staging::sandbox::Sandbox;
use sim_core::profile::{Profile, TimeByConfidence};
use sim_core::shim::{ShimFunctions, Topology};
use sim_core::time::{SimDuration, SimTime};
use sim_core::trace::{ContentHash, Observer, Trace};
use sim_hbm::coherence::Coherence;
use sim_hbm::{DmaEngine, FillPolicy, Hbm, HbmConfig, HbmError, HostLink, ObjectTransfer, Residency};

use crate::bundled;
use crate::report::tasks::TaskNotes;
use driver::Driver;
use driver::finding::Finding;
pub(crate) use driver::fingerprint;
use error::{DeviceError, Explainer};
use free_flags::FreeFlags;
use notes::{LogLine, Notebook};
use programs::{DifferingProgram, Mode, Programs};
use rooms::{FreeRooms, Loads, Rooms, Stopwatch};
use visibility::VisibilityFinding;

/// Host time after which a free run is given up, in units of the limit for guests.
const FREE_RUN_PATIENCE: u32 = 120;

/// How guests are run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum EngineKind {
    /// Virtual time, idle cores parked.
    Virtual,
    /// Virtual time, every poll executed: the oracle.
    Naive,
    /// Free-running OS threads: the baseline.
    Threads,
}

impl EngineKind {
    /// Its name on a command line.
    pub const fn name(self) -> &'static str {
        match self {
            EngineKind::Virtual => "virtual",
            EngineKind::Naive => "naive",
            EngineKind::Threads => "threads",
        }
    }

    /// By its name.
    pub fn from_name(name: &str) -> Result<Self, UnknownEngine> {
        let kinds = [EngineKind::Virtual, EngineKind::Naive, EngineKind::Threads];
        kinds.into_iter().find(|kind| kind.name() == name).ok_or_else(|| UnknownEngine { name: name.to_owned() })
    }
}

/// `{name}` is no engine: write `virtual`, `naive` or `threads`
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error, displaydoc::Display)]
pub struct UnknownEngine {
    /// What was written.
    pub name: String,
}

/// What a device is made of.
#[derive(Clone, Debug)]
pub struct DeviceConfig {
    /// Its constants.
    pub profile: Profile,
    /// How guests are run.
    pub engine: EngineKind,
    /// Threads that run kernel bodies.
    pub workers: usize,
    /// What fresh and freed memory holds.
    pub fill: FillPolicy,
    /// AICPU threads may skip iterations that are equal to the last.
    pub fast_forward: bool,
    /// Host time after which device code that calls no hook is stopped.
    pub guest_limit: Duration,
    /// Keep events and task notes, not only their sums.
    pub keep_events: bool,
    /// How and where objects are staged.
    pub staging: StagingArea,
    /// When objects of callables are loaded, and how long they stay.
    pub cache: CachePolicy,
    /// How they get to the device.
    pub transfer: ObjectTransfer,
    /// Where to look for what objects leave behind when they go, if at all.
    pub watch_leaks: Option<WatchScope>,
    /// Costs of kernels by name.
    pub kernel_costs: KernelTable,
    /// The driver has the flaws of the real one.
    pub faithful: bool,
    /// Whether kernels compute.
    pub mode: Mode,
    /// What is known of kernels beside their code.
    pub kernels: BTreeMap<ContentHash, Description>,
}

impl DeviceConfig {
    /// A device of this profile, with the defaults of the command.
    pub fn new(profile: Profile) -> Self {
        let settings = Settings::default();
        DeviceConfig {
            profile,
            engine: EngineKind::Virtual,
            workers: settings.workers,
            fill: FillPolicy::Poison,
            fast_forward: false,
            guest_limit: settings.guest_limit,
            keep_events: false,
            staging: staging_area(),
            cache: CachePolicy::default(),
            transfer: ObjectTransfer::default(),
            watch_leaks: None,
            kernel_costs: KernelTable::default(),
            faithful: false,
            mode: Mode::Functional,
            kernels: BTreeMap::new(),
        }
    }
}

/// How and where objects are staged unless somebody chooses.
pub(crate) fn staging_area() -> StagingArea {
    let sandbox = Some(Sandbox { program: bundled::SANDBOX, before: Some(bundled::SHIM) });
    StagingArea { sandbox, ..StagingArea::default() }
}

/// An object by name and bytes.
#[derive(Clone, Copy, Debug)]
pub struct NamedObject<'a> {
    /// The name, for people.
    pub name: &'a str,
    /// The bytes.
    pub bytes: &'a [u8],
}

/// A device with a host runtime loaded.
pub struct Device {
    /// Goes first: its lenders are threads of the namespace.
    engine: Option<Rc<Engine>>,
    rooms: Option<Rc<Rooms>>,
    host_runtime: ObjectId,
    functions: ShimFunctions,
}

/// A namespace with nothing but its shim and its libstdc++ in it.
pub struct VacantNamespace {
    namespace: Namespace,
    functions: ShimFunctions,
}

/// A device that could not be made in a namespace.
pub struct NotMade {
    /// Why.
    pub error: DeviceError,
    /// The namespace, if it can be used again.
    pub vacant: Option<VacantNamespace>,
}

impl VacantNamespace {
    /// A new namespace with this shim, which is staged so.
    pub fn open(area: StagingArea, shim: &[u8]) -> Result<Self, DeviceError> {
        let (namespace, functions) = Namespace::open(shim, &hooks::TABLE, area)?;
        Ok(VacantNamespace { namespace, functions })
    }
}

impl Device {
    /// A device with this shim and this host runtime.
    pub fn new(config: DeviceConfig, shim: &[u8], host_runtime: NamedObject<'_>) -> Result<Device, DeviceError> {
        // First what can be refused.
        let hbm = hbm_of(&config)?;
        let vacant = VacantNamespace::open(config.staging.clone(), shim)?;
        Device::assemble(vacant, config, hbm, host_runtime).map_err(|not_made| not_made.error)
    }

    /// A device with this host runtime in a namespace that is there already.
    pub fn in_namespace(
        vacant: VacantNamespace,
        config: DeviceConfig,
        host_runtime: NamedObject<'_>,
    ) -> Result<Device, Box<NotMade>> {
        match hbm_of(&config) {
            Ok(hbm) => Device::assemble(vacant, config, hbm, host_runtime),
            Err(error) => Err(Box::new(NotMade { error: error.into(), vacant: Some(vacant) })),
        }
    }

    fn assemble(
        vacant: VacantNamespace,
        config: DeviceConfig,
        hbm: Hbm,
        host_runtime: NamedObject<'_>,
    ) -> Result<Device, Box<NotMade>> {
        let VacantNamespace { mut namespace, functions } = vacant;
        namespace.reset(config.staging.clone());
        let not_made = |error| Box::new(NotMade { error: DeviceError::Threads(error), vacant: None });
        // From here on the namespace has to outlive the engine.
        let engine = Engine::new(settings_of(&config), functions.threads).map_err(not_made)?;
        let lenders = lenders_of(&config);
        let rooms = Rc::new(rooms_of(config, namespace, hbm));
        engine.prepare_lenders(lenders).map_err(not_made)?;
        engine.attach(Rc::clone(&rooms) as Rc<dyn std::any::Any>);
        let mut device = Device { engine: Some(engine), rooms: Some(rooms), host_runtime: ObjectId::SHIM, functions };
        match device.load_host_runtime(host_runtime) {
            Ok(object) => {
                device.host_runtime = object;
                Ok(device)
            }
            Err(error) => Err(Box::new(NotMade { error, vacant: device.vacate().1 })),
        }
    }

    fn load_host_runtime(&self, object: NamedObject<'_>) -> Result<ObjectId, DeviceError> {
        let engine = self.engine();
        let origin = LoadOrigin::HostRuntime;
        let loaded = self.rooms().load(origin, object.name, object.bytes, SimDuration::ZERO, |call| {
            // SAFETY: the call links the object.
            unsafe { engine.call(call) }
        });
        match loaded {
            Ok(loaded) => Ok(loaded?),
            Err(fault) => Err(self.explain(&fault)),
        }
    }

    fn engine(&self) -> &Engine {
        match &self.engine {
            Some(engine) => engine,
            None => unreachable!("the engine goes with the device"),
        }
    }

    fn rooms(&self) -> &Rooms {
        match &self.rooms {
            Some(rooms) => rooms,
            None => unreachable!("the rooms go with the device"),
        }
    }

    fn explain(&self, fault: &Fault) -> DeviceError {
        self.with_explainer(|explainer| explainer.explain(fault))
    }

    fn with_explainer<R>(&self, function: impl FnOnce(&Explainer<'_>) -> R) -> R {
        let rooms = self.rooms();
        function(&Explainer {
            sites: &*rooms.namespace.borrow(),
            hbm: &rooms.hbm.borrow(),
            registers: Some(&rooms.registers),
        })
    }

    /// Lets `observer` see every event from now on.
    pub fn observe(&self, observer: Box<dyn Observer>) {
        self.engine().trace_mut().observe_with(observer);
    }

    /// Nobody sees events any more.
    pub fn stop_observing(&self) {
        self.engine().trace_mut().stop_observing();
    }

    /// The trace so far.
    pub fn trace(&self) -> std::cell::Ref<'_, Trace> {
        self.engine().trace()
    }

    /// Counters of the engine's work.
    pub fn counters(&self) -> Counters {
        self.engine().counters()
    }

    /// Kernels that free-running threads have executed.
    pub fn free_kernels(&self) -> u64 {
        self.rooms().free_rooms.kernels.load(Ordering::Relaxed)
    }

    /// The loads so far.
    pub fn loads(&self) -> LoadLedger {
        let rooms = self.rooms();
        let mut loads = rooms.loads.borrow_mut();
        loads.look_after(&rooms.namespace.borrow());
        let mut ledger = loads.ledger.clone();
        for record in rooms.interrupted_loads() {
            ledger.add(record);
        }
        ledger
    }

    /// What holds how much memory.
    pub fn residency(&self) -> Residency {
        self.rooms().hbm.borrow().residency().clone()
    }

    /// What guests noted of their tasks; empty unless events are kept.
    pub fn take_task_notes(&self) -> TaskNotes {
        self.rooms().notebook.borrow_mut().tasks.take().unwrap_or_default()
    }

    /// What the driver found odd.
    pub fn findings(&self) -> Vec<Finding> {
        self.rooms().driver.borrow().findings().to_vec()
    }

    /// What guests did not see of registers and memory, or too late.
    pub fn visibility_findings(&self) -> Vec<VisibilityFinding> {
        let rooms = self.rooms();
        let hbm = rooms.hbm.borrow();
        let coherence = rooms.coherence.borrow().findings().into_iter();
        let coherence = coherence.map(|finding| VisibilityFinding::Memory(finding.resolved(&hbm)));
        let torn = rooms.registers.torn_reads().into_iter().map(VisibilityFinding::Registers);
        torn.chain(coherence).collect()
    }

    /// Kernels that did something else on calls that look the same.
    pub fn differing_programs(&self) -> Vec<DifferingProgram> {
        self.rooms().programs.differing()
    }

    /// Kernels that left traces of their tile instructions.
    pub fn kernel_traces(&self) -> Vec<KernelTraceReport> {
        self.rooms().traces.report()
    }

    /// The address of a function of the driver.
    pub fn driver_symbol(&self, name: &str) -> Result<usize, DeviceError> {
        let namespace = self.rooms().namespace.borrow();
        let shim = namespace.object(ObjectId::SHIM).ok_or(DeviceError::Poisoned)?;
        Ok(shim.symbol(name)?)
    }

    /// What guests logged.
    pub fn log_lines(&self) -> Vec<LogLine> {
        self.rooms().notebook.borrow().lines.clone()
    }

    /// The names of the registered kernels, by content.
    pub fn kernel_names(&self) -> BTreeMap<ContentHash, String> {
        let kernels = self.rooms().kernels.borrow();
        kernels.iter().map(|kernel| (kernel.content, kernel.description.name.clone())).collect()
    }

    /// Host time between launch and completion, all launches together.
    pub fn host_elapsed(&self) -> Duration {
        self.rooms().stopwatch.elapsed.get()
    }

    /// CPU time of the engine's thread in that, kernel bodies not included.
    pub fn engine_cpu(&self) -> Duration {
        self.rooms().stopwatch.engine_cpu.get()
    }

    /// CPU time of all threads in kernel bodies in that.
    pub fn kernel_cpu(&self) -> Duration {
        self.rooms().stopwatch.kernel_cpu.get()
    }

    /// What its AICPU threads and AICores have worked for so far, in virtual time.
    pub fn work(&self) -> TimeByConfidence {
        self.rooms().work.get()
    }

    /// Virtual time from the last launch to its completion.
    pub fn device_time(&self) -> SimDuration {
        self.rooms().stopwatch.completed_at.get().since(self.rooms().stopwatch.launched_at.get())
    }

    /// The host's virtual time.
    pub fn now(&self) -> SimTime {
        self.engine().host_time()
    }

    /// Ends the device; gives the ledger as it is when everything is closed. After a fault,
    /// or with work left on it, nothing is closed.
    pub fn close(mut self) -> LoadLedger {
        if self.end() {
            self.rooms().close_guests();
        }
        self.loads()
    }

    /// The same; also gives its namespace, unless a fault or work that has not ended has taken that with it.
    pub fn vacate(mut self) -> (LoadLedger, Option<VacantNamespace>) {
        let can_close = self.end();
        if can_close {
            self.rooms().close_guests();
        }
        let (loads, functions) = (self.loads(), self.functions);
        let rooms = self.rooms.take().and_then(Rc::into_inner);
        let vacant = rooms.filter(|_| can_close).map(|Rooms { namespace, .. }| {
            let mut namespace = namespace.into_inner();
            namespace.reset(StagingArea::default());
            VacantNamespace { namespace, functions }
        });
        (loads, vacant)
    }

    /// Ends the engine. Returns whether the namespace's objects can be closed.
    fn end(&mut self) -> bool {
        // The engine holds the rooms, and the rooms the namespace: the lenders end before the objects are closed.
        let Some(engine) = self.engine.take() else { return false };
        // What has not ended is stopped where it is: its objects cannot be closed under it either.
        if engine.fault().is_some() || !engine.is_complete() {
            self.rooms().namespace.borrow_mut().abandon();
            return false;
        }
        // Streams of the namespace have buffers of their own, which nobody else writes out.
        let flush = GuestCall::new(self.functions.flush as *const () as usize, &[]);
        // SAFETY: the shim's function takes nothing.
        unsafe { engine.call(flush) }.is_ok()
    }
}

impl Drop for Device {
    fn drop(&mut self) {
        self.end();
    }
}

fn settings_of(config: &DeviceConfig) -> Settings {
    let profile = &config.profile;
    Settings {
        polling: if config.engine == EngineKind::Naive { Polling::Naive } else { Polling::Parked },
        fast_forward: config.fast_forward,
        workers: config.workers,
        guest_limit: config.guest_limit,
        stall_window: *profile.guards.stall_window,
        leap_limit: *profile.guards.leap_limit,
        wait_loop_cost: *profile.aicpu.wait_spin,
        keep_events: config.keep_events,
    }
}

/// One per core and AICPU thread; free-running threads need none.
fn lenders_of(config: &DeviceConfig) -> usize {
    let topology = &config.profile.topology;
    let cores = usize::from(CoreArray::new(topology, *topology.clusters).count());
    if config.engine == EngineKind::Threads { 0 } else { cores + *topology.aicpu_launched as usize }
}

fn hbm_of(config: &DeviceConfig) -> Result<Hbm, HbmError> {
    Hbm::new(HbmConfig {
        capacity: *config.profile.hbm.capacity,
        alignment: *config.profile.hbm.alignment,
        fill: config.fill,
        ordinal: None,
    })
}

fn rooms_of(config: DeviceConfig, namespace: Namespace, hbm: Hbm) -> Rooms {
    let profile = config.profile;
    let array = CoreArray::new(&profile.topology, *profile.topology.clusters);
    let pool = Arc::new(AicpuPool::new(&profile.topology));
    let registers = RegisterFile::new(&profile, u32::from(array.count()), pool.launched());
    let free_rooms = Arc::new(FreeRooms {
        topology: topology_of(&profile),
        pool: Arc::clone(&pool),
        bases: registers.bases().into(),
        kernels: AtomicU64::new(0),
        array,
        launched: AtomicU32::new(u32::from(array.clusters())),
        cross_flags: FreeFlags::new(array.clusters()),
    });
    let mut kernels = KernelRegistry::default();
    for (content, description) in config.kernels {
        kernels.describe(content, description);
    }
    Rooms {
        operations: OperationCosts::new(&profile),
        cold_start: ColdStart::new(&profile),
        work: Cell::default(),
        hbm: RefCell::new(hbm),
        dma: RefCell::new(DmaEngine::new(HostLink::of(&profile))),
        registers,
        pool,
        kernels: RefCell::new(kernels),
        costs: CostModel::new(&profile, config.kernel_costs),
        programs: Programs::new(profile.arch, array.count(), config.mode),
        clusters: Clusters::default(),
        traces: TileTraces::default(),
        coherence: RefCell::new(Coherence::new(&profile)),
        memory: RefCell::new(KernelMemory::new(&profile)),
        namespace: RefCell::new(namespace),
        linking: RefCell::default(),
        unlinking: RefCell::default(),
        callables: RefCell::new(CacheBook::new(config.cache)),
        workers: RefCell::default(),
        transfer: config.transfer,
        loads: RefCell::new(Loads::default()),
        watch: config.watch_leaks.map(|scope| RefCell::new(Watch::new(scope))),
        launch: Launched::new(array),
        driver: RefCell::new(Driver::new(*profile.driver.op_timeout, config.faithful)),
        notebook: RefCell::new(Notebook::new(config.keep_events)),
        last_code: Cell::new(0),
        last_error: RefCell::new(None),
        free: config.engine == EngineKind::Threads,
        free_run: RefCell::new(None),
        free_rooms,
        free_limit: config.guest_limit * FREE_RUN_PATIENCE,
        stopwatch: Stopwatch::default(),
        profile,
    }
}

/// What guests are told of the device.
fn topology_of(profile: &Profile) -> Topology {
    let topology = &profile.topology;
    Topology {
        clusters: *topology.clusters,
        aicpu_launched: *topology.aicpu_launched,
        aicpu_active: *topology.aicpu_active,
        schedulers: *topology.schedulers,
        counter_hz: profile.clock.system_counter.as_hz(),
    }
}
