//! The rooms of a device, as hooks see them.
//!
//! Each room is borrowed only between two points of virtual time: no hook holds one while its actor is suspended.

use std::cell::{Cell, RefCell};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64};
use std::time::{Duration, Instant};

use sim_aicore::array::CoreArray;
use sim_aicore::cluster::Clusters;
use sim_aicore::cold_start::ColdStart;
use sim_aicore::cost::CostModel;
use sim_aicore::kernel_run::{KernelDevice, KernelMemory};
use sim_aicore::launch::Launched;
use sim_aicore::registry::KernelRegistry;
use sim_aicore::tile_trace::TileTraces;
use sim_aicpu::operation::OperationCosts;
use sim_aicpu::pool::AicpuPool;
use sim_aicpu::register_file::RegisterFile;
use sim_core::actor::ActorKind;
use sim_core::engine::free::FreeRun;
use sim_core::engine::{CurrentActor, Engine, GuestCall, ThreadCpu};
use sim_core::loader::audit::holdings::Watch;
use sim_core::loader::audit::{Finding, judge};
use sim_core::loader::cache::CacheBook;
use sim_core::loader::image::CodeImage;
use sim_core::loader::image_error::ImageError;
use sim_core::loader::ledger::{HostSide, LoadId, LoadLedger, LoadOrigin, LoadOutcome, LoadRecord};
use sim_core::loader::load_error::LoadError;
use sim_core::loader::loaded_object::{LoadedObject, Whereabouts};
use sim_core::loader::namespace::{Adopted, Linking, Namespace, ObjectId, Unlinking};
use sim_core::profile::{Confidence, Profile, TimeByConfidence};
use sim_core::shim::Topology;
use sim_core::time::{SimDuration, SimTime};
use sim_core::trace::{ContentHash, EventKind};
use sim_hbm::coherence::Coherence;
use sim_hbm::{DmaEngine, Hbm, ObjectTransfer};

use super::driver::Driver;
use super::error::DeviceError;
use super::free_flags::FreeFlags;
use super::notes::Notebook;
use super::programs::Programs;

/// Everything of a device that is not the engine.
pub(super) struct Rooms {
    pub(super) profile: Profile,
    pub(super) operations: OperationCosts,
    pub(super) cold_start: ColdStart,
    /// The work done so far, by the confidence of what it was charged with.
    pub(super) work: Cell<TimeByConfidence>,
    pub(super) hbm: RefCell<Hbm>,
    pub(super) dma: RefCell<DmaEngine>,
    pub(super) registers: RegisterFile,
    pub(super) pool: Arc<AicpuPool>,
    pub(super) kernels: RefCell<KernelRegistry>,
    pub(super) costs: CostModel,
    pub(super) programs: Programs,
    /// Tasks whose parts hand tiles to each other.
    pub(super) clusters: Clusters,
    /// What is known of kernels by their traces.
    pub(super) traces: TileTraces,
    /// The caches between AICPU and AICores.
    pub(super) coherence: RefCell<Coherence>,
    /// What running kernels share.
    pub(super) memory: RefCell<KernelMemory>,
    pub(super) namespace: RefCell<Namespace>,
    /// Objects whose initialisers are running.
    pub(super) linking: RefCell<Vec<(LoadOrigin, Linking)>>,
    /// Objects whose finalisers are running.
    pub(super) unlinking: RefCell<Vec<Unlinking>>,
    /// Which callable has which object, and when that is loaded.
    pub(super) callables: RefCell<CacheBook<ObjectId>>,
    /// By what the workers name themselves that have callables.
    pub(super) workers: RefCell<Vec<usize>>,
    /// How the objects of callables get to the device.
    pub(super) transfer: ObjectTransfer,
    pub(super) loads: RefCell<Loads>,
    /// Looks at what objects leave behind, if somebody asked for that.
    pub(super) watch: Option<RefCell<Watch>>,
    pub(super) launch: Launched,
    pub(super) driver: RefCell<Driver>,
    pub(super) notebook: RefCell<Notebook>,
    /// The code of the last failure that a guest can ask for, negated.
    pub(super) last_code: Cell<i32>,
    /// The failure behind it.
    pub(super) last_error: RefCell<Option<DeviceError>>,
    /// Guests run freely on OS threads.
    pub(super) free: bool,
    pub(super) free_run: RefCell<Option<FreeRun>>,
    pub(super) free_rooms: Arc<FreeRooms>,
    /// Host time after which a free run is given up.
    pub(super) free_limit: Duration,
    pub(super) stopwatch: Stopwatch,
}

/// What hooks of free-running threads need.
pub(super) struct FreeRooms {
    pub(super) topology: Topology,
    pub(super) pool: Arc<AicpuPool>,
    pub(super) bases: Box<[u64]>,
    pub(super) kernels: AtomicU64,
    /// Which cores there can be.
    pub(super) array: CoreArray,
    /// How many clusters were launched.
    pub(super) launched: AtomicU32,
    /// Flags between the cores of each cluster.
    pub(super) cross_flags: FreeFlags,
}

/// CPU time spent in kernel bodies: by the engine's own thread, and by all.
#[derive(Clone, Copy, Default)]
pub(super) struct KernelTime {
    own: Duration,
    all: Duration,
}

impl KernelTime {
    fn of(engine: &Engine) -> Self {
        KernelTime { own: engine.kernel_time_of_engine(), all: engine.kernel_time() }
    }
}

/// Host time between launch and completion.
#[derive(Default)]
pub(super) struct Stopwatch {
    begun: Cell<Option<(Instant, ThreadCpu, KernelTime)>>,
    pub(super) elapsed: Cell<Duration>,
    pub(super) engine_cpu: Cell<Duration>,
    pub(super) kernel_cpu: Cell<Duration>,
    /// Virtual time from the start of the first actor to the end of the last.
    pub(super) launched_at: Cell<SimTime>,
    pub(super) completed_at: Cell<SimTime>,
}

impl Stopwatch {
    /// Something was launched at `at`.
    pub(super) fn start(&self, engine: &Engine, at: SimTime) {
        self.begun.set(Some((Instant::now(), ThreadCpu::now(), KernelTime::of(engine))));
        self.launched_at.set(at);
    }

    /// It has ended at `at`.
    pub(super) fn stop(&self, engine: &Engine, at: SimTime) {
        if let Some((begun, cpu, before)) = self.begun.take() {
            self.elapsed.set(self.elapsed.get() + begun.elapsed());
            let after = KernelTime::of(engine);
            let own = cpu.elapsed().saturating_sub(after.own.saturating_sub(before.own));
            self.engine_cpu.set(self.engine_cpu.get() + own);
            self.kernel_cpu.set(self.kernel_cpu.get() + after.all.saturating_sub(before.all));
            self.completed_at.set(at);
        }
    }
}

/// The record of an object that was loaded.
fn record_of(origin: LoadOrigin, object: &LoadedObject) -> LoadRecord {
    let outcome = LoadOutcome::Miss { strategy: object.strategy.clone() };
    let host = HostSide {
        opened_as: object.opened_as.clone(),
        bind_us: u64::try_from(object.bind_time.as_micros()).unwrap_or(u64::MAX),
    };
    LoadRecord {
        fallbacks: object.fallbacks.clone(),
        host: Some(host),
        examination: object.examination.clone(),
        ..LoadRecord::new(origin, &object.image, outcome)
    }
}

/// The ledger of loads, and which record each object has.
#[derive(Default)]
pub(super) struct Loads {
    pub(super) ledger: LoadLedger,
    records: Vec<(ObjectId, LoadId)>,
}

impl Loads {
    /// A request that the object of an earlier one serves.
    pub(super) fn reuse(&mut self, object: ObjectId) {
        if let Some((_, id)) = self.records.iter().find(|(known, _)| *known == object) {
            // The record exists and its object is loaded, so the ledger takes it.
            let _ = self.ledger.reuse(*id);
        }
    }

    /// One user less.
    pub(super) fn release(&mut self, object: ObjectId) {
        if let Some((_, id)) = self.records.iter().find(|(known, _)| *known == object) {
            let _ = self.ledger.release(*id);
        }
    }

    /// An object was closed; whether it went.
    pub(super) fn close(&mut self, object: ObjectId, gone: bool) {
        self.release(object);
        if let Some(index) = self.records.iter().position(|(known, _)| *known == object) {
            let (_, id) = self.records.swap_remove(index);
            let _ = self.ledger.close(id, gone);
        }
    }

    /// What the audit has to say about an object that is not closed yet.
    pub(super) fn find(&mut self, findings: impl IntoIterator<Item = (ObjectId, Finding)>) {
        for (object, finding) in findings {
            if let Some((_, id)) = self.records.iter().find(|(known, _)| *known == object) {
                // The record exists.
                let _ = self.ledger.add_finding(*id, finding);
            }
        }
    }

    /// Adds what has happened to objects since they were loaded.
    pub(super) fn look_after(&mut self, namespace: &Namespace) {
        for (object, id) in &self.records {
            for collision in namespace.object(*object).map(LoadedObject::collisions).unwrap_or_default() {
                // The record exists, so the ledger takes it.
                let _ = self.ledger.add_collision(*id, collision);
            }
        }
    }

    fn add(&mut self, object: ObjectId, record: LoadRecord) {
        let id = self.ledger.add(record);
        self.records.push((object, id));
    }
}

impl Rooms {
    /// Loads an object into the namespace and into the ledger. `call` makes one call as guest code.
    pub(super) fn load<F>(
        &self,
        origin: LoadOrigin,
        name: &str,
        bytes: &[u8],
        device_time: SimDuration,
        call: impl Fn(GuestCall) -> Result<u64, F>,
    ) -> Result<Result<ObjectId, LoadError>, F> {
        let before = self.watch.as_ref().map(|watch| watch.borrow().before(&self.namespace.borrow()));
        let prepared = self.namespace.borrow().prepare(origin, name, bytes);
        let loaded = match prepared {
            Ok(linking) => self.link(origin, linking, call)?,
            Err(error) => Err(error),
        };
        // Guests that run freely may open objects at any time.
        let loaded = loaded.and_then(|id| if self.free { Ok(id) } else { self.examine(id) });
        self.account(origin, name, bytes, device_time, &loaded);
        if let Ok(id) = loaded {
            let namespace = self.namespace.borrow();
            self.loads.borrow_mut().find(judge::findings(&namespace, id));
            if let (Some(watch), Some(before)) = (&self.watch, before) {
                watch.borrow_mut().loaded(&namespace, id, before);
            }
        }
        Ok(loaded)
    }

    /// Writes into the ledger that bytes were refused before anybody tried to load them.
    pub(super) fn account_refused(&self, origin: LoadOrigin, name: &str, bytes: &[u8], error: &ImageError) {
        self.loads.borrow_mut().ledger.add(LoadRecord::refused(origin, name, bytes, error));
    }

    fn examine(&self, id: ObjectId) -> Result<ObjectId, LoadError> {
        self.namespace.borrow_mut().examine(id).map(|()| id)
    }

    /// Writes into the ledger that a guest was closed, and what it left behind.
    pub(super) fn account_closed(&self, id: ObjectId, closed: &Whereabouts) {
        let namespace = self.namespace.borrow();
        let mut loads = self.loads.borrow_mut();
        let (image, load_address) = (&*closed.image, closed.load_address);
        let is_kept = !self.free && namespace.has_kept(closed);
        let is_needed = || {
            namespace.objects().any(|object| image.soname.as_ref().is_some_and(|own| object.image.needed.contains(own)))
        };
        if is_kept && !is_needed() {
            loads.find([(id, Finding::kept(image))]);
        }
        if let Some(watch) = &self.watch {
            let left = watch.borrow_mut().gone(&namespace, id, image, load_address);
            loads.find(left.into_iter().map(|finding| (id, finding)));
        }
        loads.close(id, !is_kept);
    }

    /// Closes the guests, once the engine has ended.
    pub(super) fn close_guests(&self) {
        self.loads.borrow_mut().look_after(&self.namespace.borrow());
        loop {
            let closed = self.namespace.borrow_mut().close_last_guest();
            let Some((id, closed)) = closed else { return };
            self.account_closed(id, &closed);
        }
    }

    /// Makes the calls that link an object and initialise it. The object waits in the rooms meanwhile: an initialiser
    /// that crashes takes everything with it that is on its stack.
    fn link<F>(
        &self,
        origin: LoadOrigin,
        mut linking: Linking,
        call: impl Fn(GuestCall) -> Result<u64, F>,
    ) -> Result<Result<ObjectId, LoadError>, F> {
        loop {
            let guest_call = linking.call();
            self.linking.borrow_mut().push((origin, linking));
            call(guest_call)?;
            let Some((_, linked)) = self.linking.borrow_mut().pop() else { unreachable!("links nest") };
            match self.namespace.borrow_mut().adopt(linked) {
                Ok(Adopted::Loaded(object)) => return Ok(Ok(object)),
                Ok(Adopted::Again(next)) => linking = *next,
                Err(error) => return Ok(Err(error)),
            }
        }
    }

    /// Records of objects whose initialisers ended the device.
    pub(super) fn interrupted_loads(&self) -> Vec<LoadRecord> {
        let linking = self.linking.borrow();
        let interrupted = linking.iter().map(|(origin, linking)| {
            let outcome = LoadOutcome::Failure { error: "its initialisers did not come back".to_owned() };
            LoadRecord {
                namespace: u32::try_from(self.namespace.borrow().id()).ok(),
                ..LoadRecord::new(*origin, linking.image(), outcome)
            }
        });
        interrupted.collect()
    }

    /// Writes a load into the ledger.
    fn account(
        &self,
        origin: LoadOrigin,
        name: &str,
        bytes: &[u8],
        device_time: SimDuration,
        loaded: &Result<ObjectId, LoadError>,
    ) {
        let namespace = self.namespace.borrow();
        let mut loads = self.loads.borrow_mut();
        match loaded {
            Ok(id) => {
                if let Some(object) = namespace.object(*id) {
                    let namespace = u32::try_from(namespace.id()).ok();
                    let record = LoadRecord { namespace, device_time, ..record_of(origin, object) };
                    loads.add(*id, record);
                }
            }
            Err(LoadError::Image(error)) => {
                drop(loads);
                self.account_refused(origin, name, bytes, error);
            }
            Err(error) => {
                if let Ok(image) = CodeImage::parse(name, bytes) {
                    let outcome = LoadOutcome::Failure { error: error.to_string() };
                    loads.ledger.add(LoadRecord {
                        namespace: u32::try_from(namespace.id()).ok(),
                        fallbacks: error.tried().to_vec(),
                        collisions: error.collision().cloned().into_iter().collect(),
                        ..LoadRecord::new(origin, &image, outcome)
                    });
                }
            }
        }
    }

    /// Keeps a failure for whoever asks, and gives its negated code to the guest.
    pub(super) fn failed(&self, error: DeviceError) -> i32 {
        let code = error.code().map_or(-1, |code| -(code as i32));
        self.last_code.set(code);
        self.last_error.replace(Some(error));
        code
    }

    /// The code of what ended the device's work, negated; 0 if nothing did.
    pub(super) fn fault_code(&self, fault: Option<&sim_core::engine::Fault>) -> i32 {
        fault.map_or(0, |fault| -(super::error::code_of(fault) as i32))
    }

    /// What a kernel has to do with.
    pub(super) fn kernel_device(&self) -> KernelDevice<'_> {
        let flush = *self.profile.aicore.flush;
        KernelDevice { launch: &self.launch, costs: &self.costs, memory: &self.memory, flush }
    }

    /// Somebody of the device has worked for so long because of a constant of this confidence.
    pub(super) fn worked(&self, confidence: Confidence, span: SimDuration) {
        let mut work = self.work.get();
        work.add(confidence, span);
        self.work.set(work);
    }

    /// What the spin hint of an actor costs.
    pub(super) fn spin_cost(&self, kind: ActorKind) -> SimDuration {
        match kind {
            ActorKind::Aic(_) | ActorKind::Aiv(_) => *self.profile.aicore.spin,
            ActorKind::Host => *self.profile.host_link.poll_interval,
            ActorKind::Aicpu(_) | ActorKind::Thread(_) => *self.profile.aicpu.spin,
        }
    }

    /// What reading the clock costs an actor.
    pub(super) fn counter_cost(&self, kind: ActorKind) -> SimDuration {
        match kind {
            ActorKind::Aic(_) | ActorKind::Aiv(_) => *self.profile.aicore.counter_read,
            ActorKind::Host => SimDuration::ZERO,
            ActorKind::Aicpu(_) | ActorKind::Thread(_) => *self.profile.aicpu.counter_read,
        }
    }

    /// Records a load in the trace.
    pub(super) fn record_load(actor: &CurrentActor<'_>, object: ContentHash) {
        actor.record(EventKind::Load { object });
    }
}
