//! One kernel on its core, from its start event to its end event.
//!
//! Its body runs while its time passes. A kernel of which it is known what it moves takes its part of the device's memory
//! meanwhile: its end moves as other kernels come and go, and so do theirs. Once it has ended its writes drain
//! (`aicore.flush`), and only then the core reports the task.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use sim_core::actor::ActorId;
use sim_core::engine::{CurrentActor, NativeBody};
use sim_core::time::{SimDuration, SimTime};
use sim_core::trace::{ContentHash, EventKind};
use sim_hbm::bandwidth::{Direction, Pace, SharedMemory, Traffic, Transfer};

use crate::cost::{CostModel, KernelCost};
use crate::launch::Launched;
use crate::pipes::library::KnownProgram;
use crate::task::TensorDescriptor;

/// What a kernel asks of the memory that it shares with others.
#[derive(Clone, Debug)]
pub enum MemoryUse {
    /// Nothing, or nothing that is known: its time is its own.
    Nothing,
    /// It moves something.
    Moves {
        /// Where that lies.
        transfers: Vec<Transfer>,
        /// What it does with it.
        work: MemoryWork,
    },
}

/// What a kernel does with the memory that it touches.
#[derive(Clone, Debug)]
pub enum MemoryWork {
    /// It moves all of it once.
    Once {
        /// Copy instructions.
        instructions: u64,
    },
    /// What its program does, which says how long that takes, by what of the memory it gets.
    Program(Rc<KnownProgram>),
}

/// A device's memory as its kernels share it.
pub type KernelMemory = SharedMemory<ActorId, MemoryWork>;

impl MemoryUse {
    /// That of a kernel which does what `program` says with these tensors.
    pub fn of_program(program: &Rc<KnownProgram>, tensors: &[TensorDescriptor]) -> MemoryUse {
        let touched = |direction, tensor: Option<u16>, begin: u64, end: u64| {
            let tensor = tensors.get(usize::from(tensor?))?;
            Some(Transfer::contiguous(direction, tensor.address().saturating_add(begin), end.saturating_sub(begin)))
        };
        let ways = program.traffic.iter().flat_map(|entry| {
            let read = (entry.read_bytes > 0).then_some(Direction::Read);
            let written = (entry.written_bytes > 0).then_some(Direction::Write);
            read.into_iter().chain(written).filter_map(|way| touched(way, entry.tensor, entry.begin, entry.end))
        });
        let (read, written) = program.wanted();
        match read + written {
            0 => MemoryUse::Nothing,
            _ => MemoryUse::Moves { transfers: ways.collect(), work: MemoryWork::Program(Rc::clone(program)) },
        }
    }
}

impl MemoryWork {
    /// What it moves of its tensors, and how fast.
    pub fn paced(&self, costs: &CostModel, tensors: Traffic) -> (Traffic, Pace) {
        match self {
            MemoryWork::Once { instructions } => {
                (tensors, Pace::overlapped(tensors.bytes(), costs.roofline().ports(&tensors, *instructions)))
            }
            MemoryWork::Program(program) => {
                let (read, written) = program.wanted();
                let wanted = tensors.of_moved(read, written);
                let moved = program.moved();
                let traffic = wanted.with_penalties((read, written), (moved.from_hbm, moved.from_l2, moved.written));
                (traffic, costs.pace(program, &wanted, &traffic))
            }
        }
    }
}

/// The parts of a device that a kernel has to do with.
#[derive(Clone, Copy)]
pub struct KernelDevice<'a> {
    /// Which cores there are, and what was sent to them.
    pub launch: &'a Launched,
    /// What kernels cost.
    pub costs: &'a CostModel,
    /// What they share.
    pub memory: &'a RefCell<KernelMemory>,
    /// How long a kernel's writes take to drain.
    pub flush: SimDuration,
}

/// A kernel with its cost.
pub struct KernelRun {
    /// The core.
    pub core: u16,
    /// The kernel.
    pub kernel: ContentHash,
    /// The task; where nothing else is known, its token names it.
    pub task: Option<u64>,
    /// What it costs alone.
    pub cost: KernelCost,
    /// What it shares with others.
    pub memory: MemoryUse,
    /// For messages: who calls.
    pub caller: usize,
}

impl KernelRun {
    /// Its time passes, and `body` is run in it if there is one. What the kernel has cost.
    ///
    /// # Safety
    ///
    /// The body must be sound to call as this actor.
    pub unsafe fn pass(
        &self,
        actor: &CurrentActor<'_>,
        device: KernelDevice<'_>,
        body: Option<&NativeBody>,
    ) -> KernelCost {
        let KernelRun { kernel, cost, caller, .. } = *self;
        let (token, received) = device.launch.receive(self.core, actor.now());
        let task = self.task.unwrap_or_else(|| u64::from(token));
        let KernelCost { duration, source, .. } = cost;
        actor.record(EventKind::KernelStart { kernel, task, token, received, cost: duration, source });
        let spent = match &self.memory {
            MemoryUse::Nothing => {
                let interval = duration + device.flush;
                match body {
                    // SAFETY: the caller vouches for it.
                    Some(body) => unsafe { actor.run_body(body, interval, caller) },
                    None => actor.charge(interval, caller),
                }
                duration
            }
            MemoryUse::Moves { transfers, work } => {
                // SAFETY: as above.
                let spent = unsafe { self.share(actor, device, (transfers, work), body) };
                actor.charge(device.flush, caller);
                spent
            }
        };
        actor.record(EventKind::KernelEnd { kernel, task, cost: spent });
        KernelCost { duration: spent, ..cost }
    }

    /// Its time passes while it shares the memory with others. How long it took.
    ///
    /// # Safety
    ///
    /// As for [`KernelRun::pass`].
    unsafe fn share(
        &self,
        actor: &CurrentActor<'_>,
        device: KernelDevice<'_>,
        (transfers, work): (&[Transfer], &MemoryWork),
        body: Option<&NativeBody>,
    ) -> SimDuration {
        let begun = Cell::new(SimTime::ZERO);
        let join = |now: SimTime| {
            begun.set(now);
            let mut memory = device.memory.borrow_mut();
            let paced = |work: &MemoryWork, tensors| work.paced(device.costs, tensors);
            let end = memory.join(now, actor.id(), transfers, work.clone(), paced);
            actor.move_ends(memory.moved());
            end
        };
        match body {
            // SAFETY: the caller vouches for it.
            Some(body) => unsafe { actor.run_body_until(body, self.caller, join) },
            None => actor.work_until(self.caller, join),
        }
        let now = actor.now();
        let mut memory = device.memory.borrow_mut();
        memory.leave(now, actor.id());
        actor.move_ends(memory.moved());
        now.since(begun.get())
    }
}
