//! One kernel on its core, from its start event to its end event.
//!
//! Its body runs while its time passes. A kernel of which it is known what it moves takes its part of the device's memory
//! meanwhile: its end moves as other kernels come and go, and so do theirs. Once it has ended its writes drain
//! (`aicore.flush`), and only then the core reports the task.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use sim_core::actor::ActorId;
use sim_core::engine::{CurrentActor, NativeBody};
use sim_core::profile::Bandwidth;
use sim_core::time::{SimDuration, SimTime};
use sim_core::trace::{ContentHash, EventKind};
use sim_hbm::bandwidth::{Direction, Pace, SharedMemory, Traffic, Transfer};

use crate::cluster::{MemoryShare, Seat, WHOLE, WaitInVain};
use crate::cost::{CostModel, KernelCost};
use crate::launch::Launched;
use crate::pipes::library::{KnownProgram, ProgramLibrary};
use crate::pipes::program::{Columns, Traffic as Touched};
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
    /// That of a kernel which does what `program` says with these tensors, where the L2 has lines of so many bytes.
    pub fn of_program(program: &Rc<KnownProgram>, tensors: &[TensorDescriptor], line: u64) -> MemoryUse {
        let touched = |direction, entry: &Touched| {
            let tensor = tensors.get(usize::from(entry.tensor?))?;
            Some(touched(direction, tensor.address(), entry, line))
        };
        let ways = program.traffic.iter().flat_map(|entry| {
            let read = (entry.read_bytes > 0).then_some(Direction::Read);
            let written = (entry.written_bytes > 0).then_some(Direction::Write);
            read.into_iter().chain(written).filter_map(|way| touched(way, entry))
        });
        let (read, written) = program.wanted();
        match read + written {
            0 => MemoryUse::Nothing,
            _ => MemoryUse::Moves { transfers: ways.collect(), work: MemoryWork::Program(Rc::clone(program)) },
        }
    }
}

/// What of the tensor at `address` is touched: rows of its columns, or all from the first byte to the last. Columns that are
/// narrower than a line share the lines with their neighbours.
fn touched(direction: Direction, address: u64, entry: &Touched, line: u64) -> Transfer {
    match entry.columns {
        Some(Columns { stride, begin, end }) if end - begin >= line && end - begin < stride => {
            let first = entry.begin / stride;
            Transfer {
                direction,
                address: address.saturating_add((first * stride).saturating_add(begin)),
                rows: entry.end.div_ceil(stride) - first,
                row_bytes: end - begin,
                row_stride: stride,
                nd2nz: false,
            }
        }
        _ => {
            Transfer::contiguous(direction, address.saturating_add(entry.begin), entry.end.saturating_sub(entry.begin))
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
                let (wanted, traffic) = MemoryWork::wanted_and_moved(program, tensors);
                (traffic, costs.pace(program, &wanted, &traffic))
            }
        }
    }

    /// What a kernel with this program wants of its tensors, and what the memory has to move for it.
    fn wanted_and_moved(program: &KnownProgram, tensors: Traffic) -> (Traffic, Traffic) {
        let (read, written) = program.wanted();
        let wanted = tensors.of_moved(read, written);
        let moved = program.moved();
        (wanted, wanted.with_penalties((read, written), (moved.from_hbm, moved.from_l2, moved.written)))
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
        let KernelCost { duration, .. } = cost;
        let task = self.start(actor, device);
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
                let paced = |work: &MemoryWork, tensors| work.paced(device.costs, tensors);
                let join =
                    |memory: &mut KernelMemory, now| memory.join(now, actor.id(), transfers, work.clone(), paced);
                // SAFETY: as above.
                let spent = unsafe { self.share(actor, device, body, join) };
                actor.charge(device.flush, caller);
                spent
            }
        };
        actor.record(EventKind::KernelEnd { kernel, task, cost: spent });
        KernelCost { duration: spent, ..cost }
    }

    /// Its time passes together with that of the other parts of its task, which it waits for, and `body` is run in it. What
    /// it has cost; `Err`: it would never come to its end.
    ///
    /// # Safety
    ///
    /// As for [`KernelRun::pass`].
    pub unsafe fn pass_together(
        &self,
        actor: &CurrentActor<'_>,
        device: KernelDevice<'_>,
        (seat, library): (&Seat, &RefCell<ProgramLibrary>),
        body: Option<&NativeBody>,
    ) -> Result<KernelCost, WaitInVain> {
        let KernelRun { kernel, cost, caller, .. } = *self;
        let task = self.start(actor, device);
        let begun = actor.now();
        seat.gather(actor, library)?;
        let asked = self.ask(device, seat);
        if let Some(body) = body {
            // SAFETY: the caller vouches for it.
            unsafe { actor.run_body_first(body, caller) };
        }
        seat.computed(actor);
        let rest = |sixteenths, now| seat.rest(&library.borrow(), sixteenths, now);
        match asked {
            None => actor.work_until(caller, |now| now + rest(WHOLE, now)),
            Some((traffic, most)) => {
                let join = |memory: &mut KernelMemory, now| {
                    let pace = Pace::of_durations(traffic.bytes(), most, |rate| rest(sixteenths_of(rate, most), now));
                    memory.enter(now, actor.id(), &traffic, pace)
                };
                // SAFETY: there is no body left to run.
                unsafe { self.share(actor, device, None, join) };
            }
        }
        let spent = actor.now().since(begun);
        actor.charge(device.flush, caller);
        actor.record(EventKind::KernelEnd { kernel, task, cost: spent });
        Ok(KernelCost { duration: spent, ..cost })
    }

    /// What a part asks of the memory, and the most that it gets of it; none: it moves nothing.
    fn ask(&self, device: KernelDevice<'_>, seat: &Seat) -> Option<(Traffic, Bandwidth)> {
        let MemoryUse::Moves { transfers, work: MemoryWork::Program(program) } = &self.memory else { return None };
        let tensors = device.memory.borrow_mut().look_up(transfers);
        let (wanted, traffic) = MemoryWork::wanted_and_moved(program, tensors);
        let most = device.costs.fastest(&wanted, &traffic);
        seat.looked_up(MemoryShare { most: Some(most), through: CostModel::through(&wanted) });
        Some((traffic, most))
    }

    /// Records that it begins; its task.
    fn start(&self, actor: &CurrentActor<'_>, device: KernelDevice<'_>) -> u64 {
        let KernelRun { kernel, cost: KernelCost { duration, source, .. }, .. } = *self;
        let (token, received) = device.launch.receive(self.core, actor.now());
        let task = self.task.unwrap_or_else(|| u64::from(token));
        actor.record(EventKind::KernelStart { kernel, task, token, received, cost: duration, source });
        task
    }

    /// Its time passes while it shares the memory with others, from the moment at which it joins them: `join` says when it
    /// ends, as things are then. How long it took.
    ///
    /// # Safety
    ///
    /// As for [`KernelRun::pass`].
    unsafe fn share(
        &self,
        actor: &CurrentActor<'_>,
        device: KernelDevice<'_>,
        body: Option<&NativeBody>,
        join: impl FnOnce(&mut KernelMemory, SimTime) -> SimTime,
    ) -> SimDuration {
        let begun = Cell::new(SimTime::ZERO);
        let join = |now: SimTime| {
            begun.set(now);
            let mut memory = device.memory.borrow_mut();
            let end = join(&mut memory, now);
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

/// How many sixteenths of `most` a rate is.
fn sixteenths_of(rate: Bandwidth, most: Bandwidth) -> u64 {
    let (rate, most) = (u128::from(rate.as_bytes_per_s()), u128::from(most.as_bytes_per_s()));
    let nearest = (rate * u128::from(WHOLE) + most / 2) / most;
    u64::try_from(nearest).unwrap_or(WHOLE).clamp(1, WHOLE)
}
