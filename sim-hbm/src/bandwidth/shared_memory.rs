//! The memory of a device, as its running kernels share it.

use sim_core::profile::{Profile, Ratio};
use sim_core::time::SimTime;

use super::fluid::{Flow, Fluid};
use super::pace::Pace;
use super::resident::ResidentSet;
use super::transfer::{Direction, ShortRows, Traffic, Transfer};

/// The HBM and the L2 of a device, and who uses them; kernels are told apart by some identity.
///
/// A launch finds the L2 empty: what the host has copied since the last one went past it.
#[derive(Clone, Debug)]
pub struct SharedMemory<Id> {
    profile: Profile,
    resident: ResidentSet,
    fluid: Fluid<Id>,
    misaligned_rows: Ratio,
    misaligned_nd2nz: Ratio,
    line: u64,
}

impl<Id: Copy + Eq> SharedMemory<Id> {
    /// The memory of a device with this profile.
    pub fn new(profile: &Profile) -> Self {
        SharedMemory {
            resident: ResidentSet::new(*profile.l2.capacity, *profile.l2.line),
            fluid: Fluid::new(profile),
            misaligned_rows: *profile.hbm.misaligned_rows,
            misaligned_nd2nz: *profile.hbm.misaligned_nd2nz,
            line: *profile.l2.line,
            profile: profile.clone(),
        }
    }

    /// A launch begins: nobody runs, and the L2 is empty.
    pub fn begin(&mut self) {
        self.fluid.clear();
        self.resident.clear();
    }

    /// A kernel begins at `now` that uses this memory. `kernel` is told what that asks of HBM and L2, and says what the
    /// kernel moves of it, and at which pace. When it ends, as things are; [`SharedMemory::moved`] says whose ends have
    /// changed.
    pub fn join(
        &mut self,
        now: SimTime,
        id: Id,
        transfers: &[Transfer],
        kernel: impl FnOnce(Traffic) -> (Traffic, Pace),
    ) -> SimTime {
        let (traffic, pace) = kernel(self.look_up(transfers));
        self.enter(now, id, &traffic, pace)
    }

    /// The second half of [`SharedMemory::join`], for a kernel of which it is known what its transfers ask of the memory.
    pub fn enter(&mut self, now: SimTime, id: Id, traffic: &Traffic, pace: Pace) -> SimTime {
        self.fluid.join(now, id, Flow::new(traffic, pace, &self.profile))
    }

    /// A kernel has ended at `now`.
    pub fn leave(&mut self, now: SimTime, id: Id) {
        self.fluid.leave(now, id);
    }

    /// Whose ends the last change has moved, and to when.
    pub fn moved(&self) -> &[(Id, SimTime)] {
        self.fluid.moved()
    }

    /// What transfers ask of the memory now; they leave what they use in the L2.
    pub fn look_up(&mut self, transfers: &[Transfer]) -> Traffic {
        let mut traffic = Traffic::default();
        for transfer in transfers {
            let bytes = transfer.bytes();
            let longer = match (transfer.is_misaligned(), transfer.nd2nz) {
                (false, _) => Ratio::ONE,
                (true, false) => self.misaligned_rows,
                (true, true) => self.misaligned_nd2nz,
            };
            let hits = self.touch(transfer);
            match transfer.direction {
                Direction::Read => {
                    traffic.hbm_read = traffic.hbm_read.saturating_add(longer.of(bytes - hits));
                    traffic.l2_hits = traffic.l2_hits.saturating_add(longer.of(hits));
                    if transfer.rows > 1 && transfer.row_bytes < self.line && transfer.row_stride != transfer.row_bytes
                    {
                        let rows = ShortRows::of(transfer);
                        traffic.short_rows = Some(traffic.short_rows.map_or(rows, |before| before.with(rows)));
                    }
                }
                // What is written is read from the L2 later, but it goes to the HBM some time.
                Direction::Write => traffic.hbm_written = traffic.hbm_written.saturating_add(longer.of(bytes)),
            }
        }
        traffic
    }

    fn touch(&mut self, transfer: &Transfer) -> u64 {
        if transfer.rows <= 1 || transfer.row_stride == transfer.row_bytes {
            return self.resident.touch(transfer.address, transfer.bytes());
        }
        let row = |row: u64| transfer.address.saturating_add(row.saturating_mul(transfer.row_stride));
        (0..transfer.rows).map(|at| self.resident.touch(row(at), transfer.row_bytes)).sum()
    }
}

#[cfg(test)]
mod tests {
    use sim_core::profile::Arch;
    use sim_core::time::SimDuration;

    use super::*;

    /// All cores read a matrix of fp16 [12288, 12288], each its part, as fast as the memory lets them: when the last
    /// one is done, in whole nanoseconds.
    fn sweep(memory: &mut SharedMemory<u64>, begin: SimTime, bytes: u64, cores: u64, row_stride: u64) -> SimTime {
        let rows = bytes / cores / 2048;
        let part = |core: u64| Transfer {
            direction: Direction::Read,
            address: core * rows * row_stride,
            rows,
            row_bytes: 2048,
            row_stride,
            nd2nz: false,
        };
        let kernel = |traffic: Traffic| (traffic, Pace::overlapped(traffic.bytes(), SimDuration::from_us(1)));
        let mut ends: Vec<SimTime> = (0..cores).map(|core| memory.join(begin, core, &[part(core)], kernel)).collect();
        let last = ends.pop().unwrap();
        (0..cores).for_each(|core| memory.leave(last, core));
        last
    }

    #[test]
    fn how_long_do_all_cores_take_to_read_a_matrix() {
        let mut memory = SharedMemory::new(&Profile::load(Arch::A2a3).unwrap());
        let matrix = 301_989_888;
        let first = sweep(&mut memory, SimTime::ZERO, matrix, 48, 2048);
        // Silicon takes 202.66 us.
        assert_eq!(first.as_ns(), 202_677);
        // Its last 192 MiB are in the L2, and nobody finds them by beginning at the beginning.
        let second = sweep(&mut memory, first, matrix, 48, 2048);
        assert_eq!(second.since(first).as_ns(), 202_677);
        // Rows that begin off a block: 259.05 us.
        memory.begin();
        assert_eq!(sweep(&mut memory, second, matrix, 48, 24_574).since(second).as_ns(), 259_022);
    }

    #[test]
    fn how_long_does_a_quarter_take_four_times() {
        let mut memory = SharedMemory::new(&Profile::load(Arch::A2a3).unwrap());
        let quarter = 75_497_472;
        let ends = (0..4).fold(vec![SimTime::ZERO], |mut ends, _| {
            let begin = ends[ends.len() - 1];
            ends.push(sweep(&mut memory, begin, quarter, 48, 2048));
            ends
        });
        let each: Vec<u64> = ends.windows(2).map(|pair| pair[1].since(pair[0]).as_ns()).collect();
        assert_eq!(each, [50_669, 12_667, 12_667, 12_667]);
    }

    #[test]
    fn is_what_was_written_read_from_the_l2() {
        let mut memory = SharedMemory::<u32>::new(&Profile::load(Arch::A2a3).unwrap());
        let tile = |direction| Transfer::contiguous(direction, 0x1000, 65_536);
        assert_eq!(memory.look_up(&[tile(Direction::Write)]), Traffic { hbm_written: 65_536, ..Traffic::default() });
        assert_eq!(memory.traffic(&[tile(Direction::Read)]), Traffic { l2_hits: 65_536, ..Traffic::default() });
        memory.begin();
        assert_eq!(memory.traffic(&[tile(Direction::Read)]), Traffic { hbm_read: 65_536, ..Traffic::default() });
    }
}
