//! How long a program takes.
//!
//! The scalar unit goes through the program and hands each instruction to its pipe; what it executes itself, it executes
//! there and then, so that all that follows has to wait. Each pipe begins its instructions in order:
//!
//! - An instruction begins when the one before leaves the pipe, and holds it for its *body*, before that its *head* if
//!   the pipe had run empty. Its result is there a *tail* or a latency later, while others are in the pipe already. So
//!   transfers that follow each other pay the latency of the memory once, and many small ones their instructions.
//! - What fills L0 while the cube reads it takes longer.
//! - `set_flag` raises its flag when all that its pipe was given before is there; it holds nothing up. Flags count: one
//!   can be raised again before it was taken down.
//! - `wait_flag` holds its pipe until the flag is up, and takes it down.
//! - A barrier holds its pipe until all that it was given before is there; a barrier of all, all pipes.
//!
//! - Flags between cores are the same, but that the two ends are on different cores ([`super::cluster`]). A program that is
//!   run by itself finds those that it waits for up at its beginning.
//!
//! Nothing else orders pipes: a program that forgets a flag is faster than it can be.

use std::collections::{BTreeMap, VecDeque};

use sim_core::profile::{Confidence, Profile};
use sim_core::time::{SimDuration, SimTime};

use super::cluster::{CrossFlags, Role, Stuck};
use super::error::{CoreKind, PipeError};
use super::instruction::{Instruction, Pipe};
use super::pricing::{Priced, Prices, Work};
use super::program::Program;
use super::record::MEMORIES;
use super::{MemoryRates, Timeline};

/// The pipes of one kind of core.
#[derive(Clone, Debug)]
pub struct PipeModel {
    prices: Prices,
}

/// A program with its prices: what is left to know is what part of the memory system the core gets.
#[derive(Clone, Debug)]
pub struct PricedProgram {
    instructions: Vec<Priced>,
    confidence: Confidence,
}

/// Bytes that the memory system has to move for a program: more than it wants, where rows cost more than their bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Moved {
    /// If all that it reads comes from the HBM.
    pub from_hbm: u64,
    /// If all that it reads comes from the L2.
    pub from_l2: u64,
    /// What it writes.
    pub written: u64,
}

impl PipeModel {
    /// The pipes of a core of a device with `profile`.
    pub fn of(profile: &Profile, core: CoreKind) -> Self {
        PipeModel { prices: Prices::of(profile, core) }
    }

    /// How `program` goes.
    pub fn run(&self, program: &Program, rates: &MemoryRates) -> Result<Timeline, PipeError> {
        self.price(program)?.run(rates)
    }

    /// The prices of `program`, for running it at different rates.
    pub fn price(&self, program: &Program) -> Result<PricedProgram, PipeError> {
        let mut instructions = Vec::with_capacity(program.instructions().len());
        let mut confidence = Confidence::Measured;
        for (index, instruction) in program.instructions().iter().enumerate() {
            let (priced, trust) = self.prices.price(index, instruction)?;
            confidence = trust.map_or(confidence, |trust| confidence.max(trust));
            instructions.push(priced);
        }
        Ok(PricedProgram { instructions, confidence })
    }

    /// What one instruction takes by itself on an empty pipe, until its result is there.
    pub fn cost_of(&self, instruction: Instruction) -> Result<Timeline, PipeError> {
        self.run(&Program::new(vec![instruction]), &MemoryRates::alone())
    }

    /// Whether the core has as much of each memory as a kernel used.
    pub fn check_memory(&self, used: &[u64; MEMORIES.len()]) -> Result<(), PipeError> {
        let sizes = self.prices.tables().memories.by_code();
        match (0..MEMORIES.len()).find(|&memory| used[memory] > sizes[memory]) {
            Some(memory) => {
                Err(PipeError::TooLarge { memory: MEMORIES[memory], used: used[memory], size: sizes[memory] })
            }
            None => Ok(()),
        }
    }
}

impl PricedProgram {
    /// How it goes with this part of the memory system.
    pub fn run(&self, rates: &MemoryRates) -> Result<Timeline, PipeError> {
        let mut run = Run::new(&self.instructions, rates, SimTime::ZERO, None);
        run.finish()?;
        Ok(Timeline {
            duration: run.end().since(SimTime::ZERO),
            busy: run.queues.map(|queue| queue.busy),
            read_bytes: self.moved().from_hbm,
            written_bytes: self.moved().written,
            confidence: self.confidence,
        })
    }

    /// One run of it, on the core of this role, that begins at `begin`.
    pub(super) fn begin<'a>(&'a self, rates: &'a MemoryRates, begin: SimTime, role: Role) -> Run<'a> {
        Run::new(&self.instructions, rates, begin, Some(role))
    }

    /// Its instructions, in the order of the program.
    pub(super) fn instructions(&self) -> &[Priced] {
        &self.instructions
    }

    /// The least trustworthy constant in it.
    pub fn confidence(&self) -> Confidence {
        self.confidence
    }

    /// What the memory system has to move for it.
    pub fn moved(&self) -> Moved {
        let mut all = Moved::default();
        for priced in &self.instructions {
            match priced.work {
                Work::Gm(moved) if moved.reads => {
                    all.from_hbm += moved.hbm.bytes;
                    all.from_l2 += moved.l2.bytes;
                }
                Work::Gm(moved) => all.written += moved.hbm.bytes,
                _ => (),
            }
        }
        all
    }
}

/// A pipe.
#[derive(Clone, Copy, Debug, Default)]
struct Queue {
    /// From when till when it works without a gap, as far as is known.
    at_work: (SimTime, SimTime),
    /// When the next instruction can begin.
    free: SimTime,
    /// When all results so far are there.
    done: SimTime,
    busy: SimDuration,
    /// Something is in it, without a gap since.
    running: bool,
}

/// One run of a program.
pub(super) struct Run<'a> {
    instructions: &'a [Priced],
    rates: &'a MemoryRates,
    queues: [Queue; Pipe::COUNT],
    /// What the scalar unit has handed over and the pipes have not begun: which instruction, and since when.
    waiting: [VecDeque<(usize, SimTime)>; Pipe::COUNT],
    /// When flags were raised that nobody has taken down, by sender, receiver and event.
    flags: BTreeMap<(Pipe, Pipe, u16), VecDeque<SimTime>>,
    /// What the scalar unit comes to next.
    next: usize,
    /// Which core of its cluster runs it; none: it is run by itself, and waits for no other core.
    role: Option<Role>,
    begin: SimTime,
}

impl<'a> Run<'a> {
    fn new(instructions: &'a [Priced], rates: &'a MemoryRates, begin: SimTime, role: Option<Role>) -> Self {
        Run {
            instructions,
            rates,
            queues: [Queue { free: begin, done: begin, ..Queue::default() }; Pipe::COUNT],
            waiting: Default::default(),
            flags: BTreeMap::new(),
            next: 0,
            role,
            begin,
        }
    }

    fn finish(&mut self) -> Result<(), PipeError> {
        self.go_on(&mut CrossFlags::default());
        if self.is_done() { Ok(()) } else { Err(self.stuck()) }
    }

    /// Goes on until it has to wait; whether it came further.
    pub(super) fn go_on(&mut self, cross: &mut CrossFlags) -> bool {
        let mut any = false;
        loop {
            let mut further = self.hand_over(cross);
            for pipe in Pipe::ALL {
                further |= self.work_off(pipe, cross);
            }
            if !further {
                return any;
            }
            any = true;
        }
    }

    /// Whether there is nothing left of it.
    pub(super) fn is_done(&self) -> bool {
        self.next == self.instructions.len() && self.is_empty()
    }

    /// The scalar unit goes on until it has to wait; whether it came further.
    fn hand_over(&mut self, cross: &mut CrossFlags) -> bool {
        let before = self.next;
        while let Some(&priced) = self.instructions.get(self.next) {
            let now = self.queues[Pipe::S.index()].free;
            if priced.work == Work::BarrierAll {
                if !self.is_empty() {
                    break;
                }
                let end = self.end();
                for queue in &mut self.queues {
                    *queue = Queue { at_work: queue.at_work, free: end, done: end, running: false, busy: queue.busy };
                }
            } else if priced.pipe == Pipe::S {
                if !self.begin(priced, now, cross) {
                    break;
                }
            } else if !self.waiting[priced.pipe.index()].is_empty() || !self.begin(priced, now, cross) {
                self.waiting[priced.pipe.index()].push_back((self.next, now));
            }
            self.next += 1;
        }
        self.next > before
    }

    /// A pipe begins what it can of what waits for it; whether that was anything.
    fn work_off(&mut self, pipe: Pipe, cross: &mut CrossFlags) -> bool {
        let mut any = false;
        while let Some(&(index, since)) = self.waiting[pipe.index()].front() {
            if !self.begin(self.instructions[index], since, cross) {
                break;
            }
            self.waiting[pipe.index()].pop_front();
            any = true;
        }
        any
    }

    /// The next instruction of a pipe begins, which it was given at `given`; `false`: it waits for a flag.
    fn begin(&mut self, Priced { pipe, work }: Priced, given: SimTime, cross: &mut CrossFlags) -> bool {
        let cube = self.queues[Pipe::M.index()];
        let queue = &mut self.queues[pipe.index()];
        let start = queue.free.max(given);
        match work {
            Work::Busy(busy) => {
                let is_empty = !queue.running || start > queue.free;
                let mut body = if is_empty { busy.head + busy.body } else { busy.body };
                if cube.works_at(start) {
                    body += busy.beside_cube;
                }
                queue.hold(start, body, body + busy.tail);
            }
            Work::Gm(moved) => {
                let (body, until_done) = moved.times(self.rates);
                queue.hold(start, body, until_done);
            }
            Work::SetFlag { to, event } => {
                let at = queue.done.max(start);
                self.flags.entry((pipe, to, event)).or_default().push_back(at);
            }
            Work::WaitFlag { from, event } => {
                let flag = self.flags.get_mut(&(from, pipe, event)).and_then(VecDeque::pop_front);
                let Some(raised) = flag else { return false };
                queue.wait_until(start.max(raised));
            }
            Work::SetCross { peer, flag, latency } => {
                let at = queue.done.max(start) + latency;
                if let Some(role) = self.role {
                    cross.raise(role, peer, flag, at);
                }
            }
            Work::WaitCross { peer, flag, .. } => {
                let flag = match self.role {
                    Some(role) => cross.take(peer, role, flag),
                    None => Some(self.begin),
                };
                let Some(raised) = flag else { return false };
                queue.wait_until(start.max(raised));
            }
            Work::Barrier => {
                let done = queue.done;
                queue.wait_until(start.max(done));
                queue.running = false;
            }
            Work::BarrierAll => unreachable!("the scalar unit waits for all pipes itself"),
        }
        true
    }

    fn is_empty(&self) -> bool {
        self.waiting.iter().all(VecDeque::is_empty)
    }

    /// When all of it is done, so far.
    pub(super) fn end(&self) -> SimTime {
        self.queues.iter().map(|queue| queue.done.max(queue.free)).fold(SimTime::ZERO, SimTime::max)
    }

    /// The instructions that wait, in the order of the program.
    fn blocked(&self) -> Vec<usize> {
        let fronts = self.waiting.iter().filter_map(|queue| queue.front().map(|(index, _)| *index));
        let mut blocked: Vec<usize> =
            fronts.chain((self.next < self.instructions.len()).then_some(self.next)).collect();
        blocked.sort_unstable();
        blocked
    }

    /// The first of them that waits for another core.
    pub(super) fn stuck_for_peer(&self) -> Option<Stuck> {
        let role = self.role?;
        self.blocked().into_iter().find_map(|index| match self.instructions[index] {
            Priced { pipe, work: Work::WaitCross { peer, awaited, .. } } => {
                Some(Stuck { role, index, pipe, peer, awaited })
            }
            _ => None,
        })
    }

    /// Who waits in vain: the first of them in the program.
    fn stuck(&self) -> PipeError {
        let waits = |index: usize| match self.instructions[index] {
            Priced { pipe, work: Work::WaitFlag { from, event } } => {
                Some(PipeError::NeverSet { index, pipe, from, event })
            }
            _ => None,
        };
        let found = self.blocked().into_iter().find_map(waits);
        found.unwrap_or_else(|| unreachable!("only a flag can keep a pipe from going on"))
    }
}

impl Queue {
    /// Whether an instruction is under way then. What was before the last gap is not known any more.
    fn works_at(&self, at: SimTime) -> bool {
        self.at_work.0 <= at && at < self.at_work.1
    }

    fn hold(&mut self, start: SimTime, body: SimDuration, until_done: SimDuration) {
        let since = if start > self.at_work.1 { start } else { self.at_work.0 };
        self.at_work = (since, start + body);
        self.free = start + body;
        self.done = self.done.max(start + until_done);
        self.busy += body;
        self.running = true;
    }

    fn wait_until(&mut self, at: SimTime) {
        if at > self.free {
            self.running = false;
        }
        self.free = self.free.max(at);
    }
}
