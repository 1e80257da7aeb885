//! What each instruction of a program costs, as far as that does not depend on who else uses the memory.

use std::sync::Arc;

use sim_core::profile::{Arch, Bandwidth, Confidence, Profile, Ratio};
use sim_core::time::{Frequency, SimDuration};

use super::cluster::{Awaited, Role};
use super::cycles::MicroCycles;
use super::error::{CoreKind, PipeError};
use super::instruction::{Drain, Instruction, Mad, Path, Pipe, Transfer, VectorWork};
use super::tables::{DrainCost, MadCost, PathCost, Tables, tables_of};
use super::{L2Share, MemoryRates};
use crate::ports::CorePorts;

/// What an instruction does to its pipe.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Work {
    /// It holds the pipe.
    Busy(Busy),
    /// It moves bytes between the core and GM.
    Gm(GmMove),
    SetFlag {
        to: Pipe,
        event: u16,
    },
    WaitFlag {
        from: Pipe,
        event: u16,
    },
    SetCross {
        peer: Role,
        flag: u16,
        /// Until the other core sees it.
        latency: SimDuration,
    },
    WaitCross {
        peer: Role,
        flag: u16,
        awaited: Awaited,
    },
    Barrier,
    BarrierAll,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Busy {
    /// Only if the pipe was empty.
    pub(super) head: SimDuration,
    /// Nothing else can begin meanwhile.
    pub(super) body: SimDuration,
    /// From then on, until the result is there.
    pub(super) tail: SimDuration,
    /// More of the body while the cube is at work.
    pub(super) beside_cube: SimDuration,
}

impl Busy {
    const fn of(body: SimDuration) -> Self {
        Busy { head: SimDuration::ZERO, body, tail: SimDuration::ZERO, beside_cube: SimDuration::ZERO }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct GmMove {
    /// Whether it reads.
    pub(super) reads: bool,
    /// The least that an instruction takes.
    pub(super) floor: SimDuration,
    /// What its bytes take at the core's own rate.
    pub(super) core_time: SimDuration,
    /// From its first byte until it has arrived.
    pub(super) latency: SimDuration,
    /// From or to the HBM.
    pub(super) hbm: Demand,
    /// From the L2.
    pub(super) l2: Demand,
}

/// What a transfer asks of one level of the memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Demand {
    /// Bytes that the level moves for it.
    pub(super) bytes: u64,
    /// What it takes at the core's port.
    pub(super) port: SimDuration,
}

impl GmMove {
    /// How long it holds its pipe, and how long until all has arrived.
    pub(super) fn times(&self, rates: &MemoryRates) -> (SimDuration, SimDuration) {
        let share = if self.reads { rates.through.unwrap_or_default() } else { L2Share::default() };
        let granted = if self.reads { rates.read } else { rates.write };
        let bytes = share.between(self.hbm.bytes, self.l2.bytes);
        let memory = granted.map_or(SimDuration::ZERO, |rate| rate.time_for(bytes));
        let port = SimDuration::from_ps(share.between(self.hbm.port.as_ps(), self.l2.port.as_ps()));
        let port = rates.through.map_or(SimDuration::ZERO, |_| port);
        let bytes = self.core_time.max(memory).max(port);
        (self.floor.max(bytes), self.floor.max(self.latency + bytes))
    }
}

/// An instruction on its pipe; of a barrier of all, the pipe is the one that issues it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Priced {
    pub(super) pipe: Pipe,
    pub(super) work: Work,
}

/// The prices of one kind of core.
#[derive(Clone, Debug)]
pub(super) struct Prices {
    tables: Arc<Tables>,
    arch: Arch,
    core: CoreKind,
    clock: Frequency,
    bandwidth: Bandwidth,
    ports: CorePorts,
    rows: RowCosts,
    instruction_floor: SimDuration,
    load_latency: SimDuration,
    store_latency: SimDuration,
    gm_confidence: Confidence,
}

/// What rows of transfers cost beside their bytes. Of two values, the second is of rows into L1 and back.
#[derive(Clone, Copy, Debug)]
struct RowCosts {
    /// A line of the L2.
    line: u64,
    /// Bytes for a row that has nothing of a line.
    short: [u64; 2],
    misaligned: [Ratio; 2],
    /// The least for a row that becomes fractals.
    nd2nz: SimDuration,
    /// Until the first of them is there.
    nd2nz_latency: SimDuration,
}

impl Prices {
    pub(super) fn of(profile: &Profile, core: CoreKind) -> Prices {
        let tables = tables_of(profile);
        let clock = *profile.clock.aicore;
        let aicore = &profile.aicore;
        let (bandwidth, floor, latency) = (&aicore.bandwidth, &aicore.instruction_floor, &aicore.memory_latency);
        Prices {
            arch: profile.arch,
            core,
            clock,
            bandwidth: **bandwidth,
            ports: CorePorts::of(profile),
            rows: RowCosts {
                line: *profile.l2.line,
                short: [*profile.hbm.short_rows, *profile.hbm.short_nd2nz],
                misaligned: [*profile.hbm.misaligned_rows, *profile.hbm.misaligned_nd2nz],
                nd2nz: *aicore.nd2nz_row,
                nd2nz_latency: *aicore.nd2nz_latency,
            },
            instruction_floor: **floor,
            load_latency: **latency,
            store_latency: tables.gm.store_latency.at(clock),
            tables,
            gm_confidence: bandwidth.confidence.max(floor.confidence).max(latency.confidence),
        }
    }

    pub(super) fn tables(&self) -> &Tables {
        &self.tables
    }

    /// What `instruction` costs and how far that can be trusted; flags and barriers cost nothing by themselves.
    pub(super) fn price(
        &self,
        index: usize,
        instruction: &Instruction,
    ) -> Result<(Priced, Option<Confidence>), PipeError> {
        let pipe = instruction.pipe().unwrap_or(Pipe::S);
        if !self.core.has(pipe) {
            return Err(PipeError::NoSuchPipe { index, core: self.core, pipe });
        }
        let (work, confidence) = match instruction {
            Instruction::Transfer(transfer) => self.transfer(index, transfer)?,
            Instruction::Vector(work) => self.vector(index, work)?,
            Instruction::Mad(mad) => self.mad(mad),
            Instruction::Drain(drain) => self.drain(index, drain)?,
            Instruction::Scalar { cycles } => (Work::Busy(Busy::of(MicroCycles::whole(*cycles).at(self.clock))), None),
            Instruction::SetFlag { to, event, .. } => (Work::SetFlag { to: *to, event: *event }, None),
            Instruction::WaitFlag { from, event, .. } => (Work::WaitFlag { from: *from, event: *event }, None),
            Instruction::Barrier(_) => (Work::Barrier, None),
            Instruction::BarrierAll => (Work::BarrierAll, None),
            Instruction::SetCross { peer, flag, .. } => {
                self.check_peer(index, *peer)?;
                let cost = &self.tables.cluster;
                let latency = cost.flag_latency.at(self.clock);
                (Work::SetCross { peer: *peer, flag: *flag, latency }, Some(cost.origin.confidence))
            }
            Instruction::WaitCross { peer, flag, awaited, .. } => {
                self.check_peer(index, *peer)?;
                (Work::WaitCross { peer: *peer, flag: *flag, awaited: *awaited }, None)
            }
        };
        Ok((Priced { pipe, work }, confidence))
    }

    fn check_peer(&self, index: usize, peer: Role) -> Result<(), PipeError> {
        match self.core == peer.kind() {
            true => Err(PipeError::NoSuchPeer { index, core: self.core, peer }),
            false => Ok(()),
        }
    }

    fn vector(&self, index: usize, work: &VectorWork) -> Result<(Work, Option<Confidence>), PipeError> {
        let cost = self.tables.vector.cost(work);
        let cost = cost.ok_or(PipeError::UnknownCost { index, op: work.op, element: work.element })?;
        Ok((Work::Busy(Busy::of(cost.cycles.at(self.clock))), Some(cost.confidence)))
    }

    fn mad(&self, mad: &Mad) -> (Work, Option<Confidence>) {
        let cost = &self.tables.cube.mad;
        let head = cost.start.at(self.clock);
        let work = Busy { head, ..Busy::of(mad_cycles(cost, mad).at(self.clock)) };
        (Work::Busy(work), Some(cost.origin.confidence))
    }

    fn transfer(&self, index: usize, transfer: &Transfer) -> Result<(Work, Option<Confidence>), PipeError> {
        let path = transfer.path;
        let own = self.tables.path(path);
        let by_gm = matches!(path, Path::GmToUb | Path::GmToL1 | Path::UbToGm);
        if own.is_none() && !by_gm {
            return Err(self.no_such_path(index, path));
        }
        let own_rate = own.and_then(|own| Some((own.head, own.bytes_per_cycle?)));
        let own_cycles = own_rate.map(|(head, rate)| head + over(transfer.bytes(), rate));
        let core_time = match own_cycles {
            Some(cycles) => cycles.at(self.clock),
            None => self.bandwidth.time_for(transfer.bytes()),
        };
        if !path.reads_gm() && !path.writes_gm() {
            let slower = |own: &PathCost, cycles: MicroCycles| {
                let slow = cycles.scaled(i128::from(own.beside_cube.as_micro()), 1_000_000);
                slow.at(self.clock).saturating_sub(core_time)
            };
            let beside_cube = own.zip(own_cycles).map_or(SimDuration::ZERO, |(own, cycles)| slower(own, cycles));
            let work = Work::Busy(Busy { beside_cube, ..Busy::of(core_time) });
            return Ok((work, own.map(|own| own.origin.confidence)));
        }
        let is_aligned = self.is_aligned(transfer);
        let reads = path.reads_gm();
        let moved = GmMove {
            reads,
            floor: self.instruction_floor,
            core_time: core_time.max(self.least_for_rows(transfer)),
            latency: self.latency(transfer),
            hbm: self.of_hbm(transfer, is_aligned),
            l2: self.of_l2(transfer, is_aligned),
        };
        let work = Work::Gm(moved);
        let gm = &self.tables.gm;
        let aligned_confidence = own.map_or(self.gm_confidence, |own| own.origin.confidence.max(self.gm_confidence));
        let confidence =
            if is_aligned && reads { aligned_confidence } else { aligned_confidence.max(gm.origin.confidence) };
        Ok((work, Some(confidence)))
    }

    /// Whether its rows touch, or all begin at a block of memory.
    fn is_aligned(&self, transfer: &Transfer) -> bool {
        let aligned = |bytes: u64| bytes.is_multiple_of(self.tables.gm.row_alignment);
        touches(transfer) || (aligned(transfer.stride) && aligned(u64::from(transfer.place.alignment)))
    }

    /// How long its last byte is under way.
    fn latency(&self, transfer: &Transfer) -> SimDuration {
        match transfer.path.reads_gm() {
            true if makes_fractals(transfer) => self.rows.nd2nz_latency,
            true => self.load_latency,
            false => self.store_latency,
        }
    }

    /// What its rows take however few bytes they have.
    fn least_for_rows(&self, transfer: &Transfer) -> SimDuration {
        match makes_fractals(transfer) {
            true => self.rows.nd2nz * u64::from(transfer.rows),
            false => SimDuration::ZERO,
        }
    }

    /// Bytes that the memory has to move: more than it is, if rows are not aligned.
    fn memory_bytes(&self, transfer: &Transfer, is_aligned: bool) -> u64 {
        match is_aligned {
            true => transfer.bytes(),
            false => self.rows.misaligned[by_l1(transfer)].of(transfer.bytes()),
        }
    }

    /// What it asks of the HBM: rows that do not fill a line of the L2 cost it more than their bytes.
    fn of_hbm(&self, transfer: &Transfer, is_aligned: bool) -> Demand {
        let bytes = self.memory_bytes(transfer, is_aligned);
        if !transfer.path.reads_gm() {
            return Demand { bytes, port: self.ports.write.time_for(transfer.bytes()) };
        }
        let lacking = self.rows.line.saturating_sub(u64::from(transfer.row_bytes));
        let short = match touches(transfer) {
            true => 0,
            false => u64::from(transfer.rows) * self.rows.short[by_l1(transfer)] * lacking / self.rows.line,
        };
        Demand { bytes: bytes + short, port: self.ports.hbm.time_for(transfer.bytes()) }
    }

    fn of_l2(&self, transfer: &Transfer, is_aligned: bool) -> Demand {
        let bytes = self.memory_bytes(transfer, is_aligned);
        Demand { bytes, port: self.ports.l2.time_for(transfer.bytes()) }
    }

    fn drain(&self, index: usize, drain: &Drain) -> Result<(Work, Option<Confidence>), PipeError> {
        let Some(path) = self.tables.path(drain.path) else { return Err(self.no_such_path(index, drain.path)) };
        let cost = &self.tables.cube.drain;
        let [head, body] = drain_cycles(cost, drain).map(|cycles| cycles.at(self.clock));
        let confidence = Some(path.origin.confidence.max(cost.origin.confidence));
        if !drain.path.writes_gm() {
            return Ok((Work::Busy(Busy { tail: head, ..Busy::of(body) }), confidence));
        }
        // What was measured is the time until the product was in GM.
        let none = SimDuration::ZERO;
        let hbm = Demand { bytes: drain.bytes(), port: none };
        let moved = GmMove { reads: false, floor: none, core_time: body, latency: head, hbm, l2: hbm };
        Ok((Work::Gm(moved), confidence))
    }

    fn no_such_path(&self, index: usize, path: Path) -> PipeError {
        PipeError::NoSuchPath { index, arch: self.arch.as_str(), path: format!("{path:?}") }
    }
}

/// L0C sums in fp32 or int32, whatever leaves it.
const L0C_ELEMENT_BYTES: u64 = 4;

/// Whether its rows are one piece of memory.
fn touches(transfer: &Transfer) -> bool {
    transfer.rows <= 1 || transfer.stride == u64::from(transfer.row_bytes)
}

/// Whether its rows become fractals in L1.
fn makes_fractals(transfer: &Transfer) -> bool {
    transfer.path == Path::GmToL1 && transfer.nd2nz
}

/// Which of two costs of rows counts.
fn by_l1(transfer: &Transfer) -> usize {
    usize::from(matches!(transfer.path, Path::GmToL1 | Path::L1ToGm))
}

/// Cycles of a product of matrices.
fn mad_cycles(cost: &MadCost, mad: &Mad) -> MicroCycles {
    let depth = 32 / mad.element.bytes().clamp(1, 32);
    let passes = if mad.element.bytes() >= 4 { cost.slow_element_passes } else { 1 };
    let steps = |extent: u32, step: u64| u64::from(extent).div_ceil(step);
    let blocks = steps(mad.m, 16) * steps(mad.k, depth) * steps(mad.n, 16);
    cost.head + MicroCycles::whole(1) * (passes * blocks)
}

/// Cycles until the first row of a product arrives, and those that all its rows take to leave L0C.
fn drain_cycles(cost: &DrainCost, drain: &Drain) -> [MicroCycles; 2] {
    let row_bytes = u64::from(drain.n) * L0C_ELEMENT_BYTES;
    let blocks = row_bytes.div_ceil(32).max(1);
    let odd = blocks >> blocks.trailing_zeros();
    let rate = MicroCycles::whole(1) * cost.row_bytes_per_cycle;
    let row = cost.row_floor.max(over(row_bytes, rate)) + cost.odd * (odd - 1);
    [cost.head, row * u64::from(drain.m)].map(|cycles| cycles.scaled(i128::from(cost.scale.as_micro()), 1_000_000))
}

/// Cycles for `bytes` at so many bytes a cycle.
fn over(bytes: u64, bytes_per_cycle: MicroCycles) -> MicroCycles {
    let million = i128::from(1_000_000_u32);
    MicroCycles::whole(1).scaled(i128::from(bytes) * million, i128::from(bytes_per_cycle.as_micro()))
}
