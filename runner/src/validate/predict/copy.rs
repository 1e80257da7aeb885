//! A matrix in global memory, read by many cores at once: each as a kernel does, sharing the memory with the others.

use std::rc::Rc;

use sim_aicore::cost::{CostModel, KernelTable};
use sim_aicore::kernel_run::MemoryWork;
use sim_aicore::pipes::library::{CallPart, KnownProgram, ProgramKey, ProgramLibrary};
use sim_aicore::pipes::{self, CoreKind, GmPlace, Instruction, Path, Program};
use sim_core::profile::Profile;
use sim_core::time::SimTime;
use sim_core::trace::ContentHash;
use sim_hbm::bandwidth::{Direction, SharedMemory, Transfer};

use super::super::measure::{CopyTarget, GmCopy, Sharing};
use super::{Answer, Missing, Quantity};

/// How long it takes until the last core has what it reads.
pub(super) fn predict(profile: &Profile, copy: &GmCopy) -> Answer {
    let costs = CostModel::new(profile, KernelTable::default());
    let reads = Reads::of(copy);
    let programs = reads.programs(&costs).map_err(Missing)?;
    let mut memory = SharedMemory::new(profile);
    let mut cores: Vec<Reader> = (0..copy.cores).map(|core| Reader { core, turn: 0, end: SimTime::ZERO }).collect();
    let mut last = SimTime::ZERO;
    for reader in 0..cores.len() {
        begin(&mut memory, &costs, &programs, &reads, &mut cores, reader, SimTime::ZERO);
    }
    // Whoever is done first begins its next turn, or has ended.
    while let Some(first) =
        (0..cores.len()).filter(|at| cores[*at].turn < reads.turns()).min_by_key(|at| cores[*at].end)
    {
        let now = cores[first].end;
        last = last.max(now);
        memory.leave(now, cores[first].core);
        follow(&mut cores, memory.moved());
        cores[first].turn += 1;
        if cores[first].turn < reads.turns() {
            begin(&mut memory, &costs, &programs, &reads, &mut cores, first, now);
        }
    }
    Ok(Quantity::Transfer { bytes: reads.bytes(), time: last.since(SimTime::ZERO) })
}

/// A core on its way through what it reads.
struct Reader {
    core: u32,
    /// Which of its turns it is in.
    turn: u32,
    /// When that ends, as things are.
    end: SimTime,
}

fn begin(
    memory: &mut SharedMemory<u32, MemoryWork>,
    costs: &CostModel,
    programs: &[Rc<KnownProgram>],
    reads: &Reads<'_>,
    cores: &mut [Reader],
    at: usize,
    now: SimTime,
) {
    let (core, turn) = (cores[at].core, cores[at].turn);
    let transfers = reads.transfers(core, turn);
    // The last program is that of all turns that have none of their own.
    let program = &programs[(turn as usize).min(programs.len() - 1)];
    let work = MemoryWork::Program(Rc::clone(program));
    cores[at].end = memory.join(now, core, &transfers, work, |work, traffic| work.paced(costs, traffic));
    follow(cores, memory.moved());
}

fn follow(cores: &mut [Reader], moved: &[(u32, SimTime)]) {
    for (core, end) in moved {
        cores[*core as usize].end = *end;
    }
}

/// Who reads what, turn by turn. In each turn a core reads some columns of its rows, in tiles one below the other. Where
/// all cores read all rows, each first reads a part that nobody has read yet, which is then in the L2 for the others.
struct Reads<'a> {
    copy: &'a GmCopy,
    /// Rows of one core.
    rows: u32,
    slices: u32,
    passes: u32,
}

impl<'a> Reads<'a> {
    fn of(copy: &'a GmCopy) -> Self {
        let (rows, slices, passes) = match copy.sharing {
            Sharing::Split { slices, passes } => (copy.rows.div_ceil(copy.cores.max(1)), slices.max(1), passes),
            Sharing::Lockstep | Sharing::Staggered => (copy.rows, 1, 2),
        };
        Reads { copy, rows, slices, passes }
    }

    /// Bytes that all cores read in all turns.
    fn bytes(&self) -> u64 {
        let matrix = u64::from(self.copy.rows) * u64::from(self.copy.row_bytes);
        match self.copy.sharing {
            Sharing::Split { passes, .. } => matrix * u64::from(passes),
            Sharing::Lockstep | Sharing::Staggered => matrix * u64::from(self.copy.cores),
        }
    }

    /// Rows that a core reads first where all read the same.
    fn own_rows(&self) -> u32 {
        self.rows / self.copy.cores.max(1)
    }

    fn turns(&self) -> u32 {
        self.slices * self.passes
    }

    /// Bytes of a row that are read in a turn.
    fn width(&self) -> u32 {
        self.copy.row_bytes / self.slices
    }

    /// The columns of the tiles: where they begin in a row, and how many bytes of it they are.
    fn columns(&self) -> impl Iterator<Item = (u32, u32)> {
        let (width, tile) = (self.width(), self.copy.tile_row_bytes.max(1));
        (0..width.div_ceil(tile)).map(move |column| (column * tile, tile.min(width - column * tile)))
    }

    /// What a core does in its turns.
    fn programs(&self, costs: &CostModel) -> Result<Vec<Rc<KnownProgram>>, String> {
        let rows = match self.copy.sharing {
            Sharing::Split { .. } => vec![self.rows],
            Sharing::Lockstep | Sharing::Staggered => vec![self.own_rows(), self.rows - self.own_rows()],
        };
        rows.into_iter().map(|rows| self.program(costs, rows)).collect()
    }

    /// What it does to read so many rows.
    fn program(&self, costs: &CostModel, rows: u32) -> Result<Rc<KnownProgram>, String> {
        let (kind, path, nd2nz) = match self.copy.to {
            CopyTarget::Ub => (CoreKind::Aiv, Path::GmToUb, false),
            CopyTarget::L1 => (CoreKind::Aic, Path::GmToL1, true),
        };
        let stride = u64::from(self.copy.row_bytes);
        let tile = self.copy.tile_rows.max(1);
        let mut instructions = Vec::new();
        let mut copies = 0;
        for (begin, row_bytes) in self.columns() {
            for row in (0..rows).step_by(tile as usize) {
                let offset = u64::from(row) * stride + u64::from(begin);
                let place = GmPlace { tensor: None, offset, alignment: (offset % 512) as u16 };
                let rows = tile.min(rows - row);
                let copy = pipes::Transfer { path, rows, row_bytes, stride, place, nd2nz };
                instructions.push(Instruction::Transfer(copy));
                copies += 1;
                if self.copy.in_flight.is_some_and(|most| copies % most.max(1) == 0) {
                    instructions.push(Instruction::Barrier(path.pipe()));
                }
            }
        }
        let key = ProgramKey::new(ContentHash(0), kind, &[], &[], CallPart::default());
        let mut library = ProgramLibrary::default();
        library.add(key, &Program::new(instructions), costs.pipes(kind)).map_err(|error| error.to_string())
    }

    /// What a core touches in a turn, in the order in which it does.
    fn transfers(&self, core: u32, turn: u32) -> Vec<Transfer> {
        let stride = u64::from(self.copy.row_bytes);
        let column = u64::from(turn / self.passes.max(1)) * u64::from(self.width());
        let rows = |first: u64, count: u64| {
            self.columns().map(move |(begin, row_bytes)| Transfer {
                direction: Direction::Read,
                address: first * stride + u64::from(begin),
                rows: count,
                row_bytes: u64::from(row_bytes),
                row_stride: stride,
                nd2nz: self.copy.to == CopyTarget::L1,
            })
        };
        let all = u64::from(self.rows);
        match self.copy.sharing {
            Sharing::Split { .. } => {
                // All that the turn reads of a row is read once, whatever the tiles: as one row.
                let first = u64::from(core) * all;
                vec![Transfer {
                    direction: Direction::Read,
                    address: first * stride + column,
                    rows: all.min(u64::from(self.copy.rows).saturating_sub(first)),
                    row_bytes: u64::from(self.width()),
                    row_stride: stride,
                    nd2nz: self.copy.to == CopyTarget::L1,
                }]
            }
            Sharing::Lockstep | Sharing::Staggered if turn == 0 => {
                rows(u64::from(core) * u64::from(self.own_rows()), u64::from(self.own_rows())).collect()
            }
            Sharing::Lockstep => rows(u64::from(self.own_rows()), all - u64::from(self.own_rows())).collect(),
            Sharing::Staggered => {
                let own = u64::from(self.own_rows());
                let first = own * u64::from(core + 1);
                let parts = [(first, all.saturating_sub(first)), (0, first - own)];
                parts.into_iter().filter(|(_, count)| *count > 0).flat_map(|(at, count)| rows(at, count)).collect()
            }
        }
    }
}
