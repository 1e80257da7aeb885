//! The driver: what a host runtime for the board finds behind CANN's `rt` and `acl` functions.
//!
//! ```text
//!   aclInit ─▶ SetDevice ─▶ StreamCreate …                                    … StreamDestroy ─▶ ResetDevice ─▶ aclFinalize
//!      AICPU   rtAicpuKernelLaunchExWithArgs ─▶ preinstall directory            once: the object gets to the device
//!              rtsBinaryLoadFromFile ─▶ rtsFuncGetByName ─▶ rtsLaunchCpuKernel  per task; loaded by the first
//!      AICore  rtRegisterAllKernel ─▶ handle ─▶ rtKernelLaunchWithHandleV2      per task; loaded by the first of a handle
//! ```
//!
//! This is the state alone: nothing here takes time or touches the device. The requests are in `hooks/driver`.
//!
//! # Invariants
//!
//! - A stream has one task at a time; what is behind it begins at the moment at which it ends (`hooks/driver/queue.rs`).
//!   A task's actors are those of one launch; when all have ended the task is over
//!   (`Driver::settle`), which has to be seen before anybody else gets their numbers.
//! - A handle is given once. One of another kind, or of something that is gone, is refused.
//! - The first failure poisons the context, and stays the only one with a code of its own: whoever waits for a stream
//!   hears of it once, everything later is refused with 507899. Only a reset helps, and only if the device itself is sound.
//! - A request that is refused changes nothing.

mod binaries;
mod cpu_objects;
pub mod error;
mod events;
pub mod finding;
mod handles;
mod preinstall;
pub mod request;
mod streams;

use std::collections::{BTreeMap, BTreeSet};

use sim_core::actor::ActorId;
use sim_core::engine::Fault;
use sim_core::time::{SimDuration, SimTime};
use sim_hbm::{DevicePtr, HostMemory};

pub(super) use binaries::{Binaries, LoadedBinary};
pub(super) use cpu_objects::{CpuObjects, LoadedCpuObject};
use error::{CannCode, DriverError};
pub(super) use events::{Events, Mark};
use finding::Finding;
pub(crate) use preinstall::fingerprint;
pub(super) use preinstall::{BootstrapOrder, Installed, Preinstall};
pub(super) use streams::{Item, Plan, Prepared, Stream, Streams, Task, Work};

/// The driver of one device.
pub(super) struct Driver {
    life: Life,
    /// Who has set the device, by `SetDevice`.
    bound: BTreeSet<ActorId>,
    /// The first failure has happened.
    poisoned: bool,
    /// How long a task may take.
    pub(super) op_timeout: SimDuration,
    pub(super) streams: Streams,
    pub(super) events: Events,
    /// Somebody looks after what waits in streams.
    pub(super) is_scheduled: bool,
    /// What was allocated for the host and not freed.
    pub(super) blocks: BTreeSet<DevicePtr>,
    /// Host memory that the device has mapped, by address.
    pub(super) pinned: BTreeMap<u64, Box<[u8]>>,
    pub(super) binaries: Binaries,
    pub(super) preinstall: Preinstall,
    pub(super) cpu_objects: CpuObjects,
    findings: Vec<Finding>,
}

/// How far the process has got with `acl`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Life {
    New,
    Initialised,
    Finalised,
}

/// The number of the only device.
pub(super) const DEVICE: i32 = 0;

impl Driver {
    /// A driver that nobody has used. `faithful`: it has the flaws of the real one.
    pub(super) fn new(op_timeout: SimDuration, faithful: bool) -> Self {
        Driver {
            life: Life::New,
            bound: BTreeSet::new(),
            poisoned: false,
            op_timeout,
            streams: Streams::default(),
            events: Events::default(),
            is_scheduled: false,
            blocks: BTreeSet::new(),
            pinned: BTreeMap::new(),
            binaries: Binaries::default(),
            preinstall: Preinstall::new(faithful),
            cpu_objects: CpuObjects::default(),
            findings: Vec::new(),
        }
    }

    // ---- host memory ----

    /// What host memory is like.
    pub(super) fn kind_of(&self, host: u64, size: u64) -> HostMemory {
        let block = self.pinned.range(..=host).next_back();
        let inside = block.is_some_and(|(start, block)| host + size <= start + block.len() as u64);
        if inside { HostMemory::Pinned } else { HostMemory::Pageable }
    }

    // ---- process and context ----

    pub(super) fn init(&mut self) -> Result<(), DriverError> {
        if self.life == Life::Initialised {
            return Err(DriverError::InitialisedTwice);
        }
        self.life = Life::Initialised;
        Ok(())
    }

    /// Whether `acl` may be finalised now.
    pub(super) fn check_finalize(&self) -> Result<(), DriverError> {
        match self.life {
            Life::Initialised => Ok(()),
            Life::New => Err(DriverError::NotInitialised),
            Life::Finalised => Err(DriverError::FinalisedTwice),
        }
    }

    pub(super) fn finalize(&mut self) {
        self.life = Life::Finalised;
        self.bound.clear();
    }

    /// `caller` will use `device` from now on.
    pub(super) fn bind(&mut self, caller: ActorId, device: i32) -> Result<(), DriverError> {
        self.check_device(device)?;
        self.bound.insert(caller);
        Ok(())
    }

    /// Whether there is such a device, for a process that is initialised.
    pub(super) fn check_device(&self, device: i32) -> Result<(), DriverError> {
        if self.life != Life::Initialised {
            return Err(DriverError::NotInitialised);
        }
        if device == DEVICE { Ok(()) } else { Err(DriverError::NoSuchDevice { device }) }
    }

    /// Nobody uses the device any more.
    pub(super) fn unbind_all(&mut self) {
        self.bound.clear();
    }

    /// Whether `caller` has a context, sound or not: enough to clean up.
    pub(super) fn check_context(&self, caller: ActorId) -> Result<(), DriverError> {
        if self.life != Life::Initialised {
            return Err(DriverError::NotInitialised);
        }
        if self.bound.contains(&caller) { Ok(()) } else { Err(DriverError::NoContext) }
    }

    /// Whether `caller` has a context in which something new can be done.
    pub(super) fn check_sound(&self, caller: ActorId) -> Result<(), DriverError> {
        self.check_context(caller)?;
        if self.poisoned { Err(DriverError::Poisoned) } else { Ok(()) }
    }

    // ---- failures ----

    /// Nothing new can be done from now on.
    pub(super) fn poison(&mut self) {
        self.poisoned = true;
    }

    /// A reset has cleared what was wrong.
    pub(super) fn heal(&mut self) {
        self.poisoned = false;
    }

    /// The device's work has ended with `fault`: each stream that was at work hears of it.
    pub(super) fn absorb(&mut self, fault: &Fault) {
        let own = CannCode::of_fault(fault);
        for stream in self.streams.iter_mut().filter(|stream| stream.is_busy()) {
            let is_own = stream.abort().is_some_and(|task| task.is_part_of(fault));
            stream.fail(if is_own { own } else { CannCode::DeviceTaskAbort });
            stream.clear(&mut self.events, fault.at());
        }
        self.poisoned = true;
    }

    /// Takes note of tasks that are over: those of whose actors `has_ended` says so, and modelled ones by `now`.
    pub(super) fn settle(&mut self, now: SimTime, has_ended: impl Fn(ActorId) -> bool) {
        let events = &mut self.events;
        self.streams.iter_mut().for_each(|stream| stream.settle(events, now, &has_ended));
    }

    /// The task that begins now, and its stream.
    pub(super) fn take_due(&mut self, now: SimTime) -> Option<(u64, Prepared)> {
        self.streams.take_due(&mut self.events, now)
    }

    // ---- findings ----

    /// Notes something that is odd, once.
    pub(super) fn find(&mut self, finding: Finding) {
        if !self.findings.contains(&finding) {
            self.findings.push(finding);
        }
    }

    /// What was odd so far.
    pub(super) fn findings(&self) -> &[Finding] {
        &self.findings
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOST: ActorId = ActorId(0);

    fn driver() -> Driver {
        Driver::new(SimDuration::from_us(45), false)
    }

    fn code(result: Result<(), DriverError>) -> i32 {
        result.map_or_else(|error| error.code() as i32, |()| 0)
    }

    #[test]
    fn what_may_be_called_at_which_time_of_a_process() {
        let mut driver = driver();
        assert_eq!(code(driver.check_finalize()), 100_001);
        assert_eq!(code(driver.bind(HOST, 0)), 100_001);
        assert_eq!(code(driver.init()), 0);
        assert_eq!(code(driver.init()), 100_002);
        assert_eq!(code(driver.check_sound(HOST)), 107_002);
        assert_eq!(code(driver.bind(HOST, 1)), 107_001);
        assert_eq!(code(driver.bind(HOST, -1)), 107_001);
        assert_eq!(code(driver.bind(HOST, 0)), 0);
        assert_eq!(code(driver.check_sound(HOST)), 0);
        assert_eq!(code(driver.check_sound(ActorId(7))), 107_002, "a thread that has not set the device");
        driver.finalize();
        assert_eq!(code(driver.check_sound(HOST)), 100_001);
        assert_eq!(code(driver.check_finalize()), 100_037);
        assert_eq!(code(driver.init()), 0, "a process may begin again");
        assert_eq!(code(driver.check_sound(HOST)), 107_002);
    }

    #[test]
    fn what_a_poisoned_context_still_does() {
        let mut driver = driver();
        driver.init().unwrap();
        driver.bind(HOST, 0).unwrap();
        driver.poison();
        assert_eq!(code(driver.check_sound(HOST)), 507_899);
        assert_eq!(code(driver.check_context(HOST)), 0);
        driver.heal();
        assert_eq!(code(driver.check_sound(HOST)), 0);
    }
}
