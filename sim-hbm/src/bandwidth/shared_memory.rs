//! The memory of a device, as its running kernels share it.

use sim_core::profile::{Profile, Ratio};
use sim_core::time::SimTime;

use super::fluid::{Flow, Fluid};
use super::misses::{Found, Misses};
use super::pace::Pace;
use super::resident::{Bringer, NOBODY, ResidentSet};
use super::transfer::{Direction, ShortRows, Traffic, Transfer};

/// The HBM and the L2 of a device, and who uses them; kernels are told apart by some identity, and what one does is some
/// `Work`.
///
/// A launch finds the L2 empty: what the host has copied since the last one went past it.
#[derive(Clone, Debug)]
pub struct SharedMemory<Id, Work> {
    profile: Profile,
    resident: ResidentSet,
    misses: Misses<Id, Work>,
    /// How many have joined in this launch.
    joined: Bringer,
    fluid: Fluid<Id>,
    misaligned_rows: Ratio,
    misaligned_nd2nz: Ratio,
    line: u64,
}

impl<Id: Copy + Eq, Work> SharedMemory<Id, Work> {
    /// The memory of a device with this profile.
    pub fn new(profile: &Profile) -> Self {
        SharedMemory {
            resident: ResidentSet::new(*profile.l2.capacity, *profile.l2.line),
            misses: Misses::new(),
            joined: NOBODY,
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
        self.misses.clear();
        self.resident.clear();
        self.joined = NOBODY;
    }

    /// A kernel begins at `now` that does `work` with this memory. `paced` is told what that asks of HBM and L2, and says
    /// what the kernel moves of it, and at which pace; it is asked again of those who share with the newcomer what they
    /// were bringing into the L2. When it ends, as things are; [`SharedMemory::moved`] says whose ends have changed.
    pub fn join(
        &mut self,
        now: SimTime,
        id: Id,
        transfers: &[Transfer],
        work: Work,
        paced: impl Fn(&Work, Traffic) -> (Traffic, Pace),
    ) -> SimTime
    where
        Work: Clone,
    {
        self.fluid.pass_until(now);
        let (traffic, found) = self.traffic(transfers);
        let traffic = self.misses.join(id, work.clone(), self.joined, traffic, &found, |id| self.fluid.left_of(id));
        let flow = |work: &Work, traffic| {
            let (traffic, pace) = paced(work, traffic);
            Flow::new(&traffic, pace, &self.profile)
        };
        for (id, work, traffic) in self.misses.changed() {
            self.fluid.exchange(id, flow(work, traffic));
        }
        let flow = flow(&work, traffic);
        self.fluid.join(now, id, flow)
    }

    /// Another kernel begins at `now`, of which [`SharedMemory::look_up`] has said what its transfers ask of the memory: what it
    /// misses it brings by itself.
    pub fn enter(&mut self, now: SimTime, id: Id, traffic: &Traffic, pace: Pace) -> SimTime {
        self.fluid.join(now, id, Flow::new(traffic, pace, &self.profile))
    }

    /// A kernel has ended at `now`.
    pub fn leave(&mut self, now: SimTime, id: Id) {
        self.misses.leave(id);
        self.fluid.leave(now, id);
    }

    /// Whose ends the last change has moved, and to when.
    pub fn moved(&self) -> &[(Id, SimTime)] {
        self.fluid.moved()
    }

    /// What transfers ask of the memory now; they leave what they use in the L2.
    pub fn look_up(&mut self, transfers: &[Transfer]) -> Traffic {
        self.traffic(transfers).0
    }

    /// What transfers of the next kernel ask of the memory now, and who had missed what they find in the L2; they leave
    /// what they use there.
    fn traffic(&mut self, transfers: &[Transfer]) -> (Traffic, Found) {
        self.joined += 1;
        let (mut traffic, mut found) = (Traffic::default(), Found::default());
        for transfer in transfers {
            let bytes = transfer.bytes();
            let longer = match (transfer.is_misaligned(), transfer.nd2nz) {
                (false, _) => Ratio::ONE,
                (true, false) => self.misaligned_rows,
                (true, true) => self.misaligned_nd2nz,
            };
            let hits = self.touch(transfer, &mut found);
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
        (traffic, found)
    }

    fn touch(&mut self, transfer: &Transfer, found: &mut Found) -> u64 {
        let resident = &mut self.resident;
        let (bringer, reads) = match transfer.direction {
            Direction::Read => (self.joined, true),
            Direction::Write => (NOBODY, false),
        };
        let mut touch = |address, bytes| {
            resident.touch(address, bytes, bringer, |bringer, bytes| {
                if reads && bringer != NOBODY {
                    found.add(bringer, bytes);
                }
            })
        };
        if transfer.rows <= 1 || transfer.row_stride == transfer.row_bytes {
            return touch(transfer.address, transfer.bytes());
        }
        let row = |row: u64| transfer.address.saturating_add(row.saturating_mul(transfer.row_stride));
        (0..transfer.rows).map(|at| touch(row(at), transfer.row_bytes)).sum()
    }
}

#[cfg(test)]
mod tests {
    use sim_core::profile::Arch;
    use sim_core::time::SimDuration;

    use super::*;

    /// All cores read a matrix of fp16 [12288, 12288], each its part, as fast as the memory lets them: when the last
    /// one is done, in whole nanoseconds.
    fn sweep(memory: &mut SharedMemory<u64, ()>, begin: SimTime, bytes: u64, cores: u64, row_stride: u64) -> SimTime {
        let rows = bytes / cores / 2048;
        let part = |core: u64| Transfer {
            direction: Direction::Read,
            address: core * rows * row_stride,
            rows,
            row_bytes: 2048,
            row_stride,
            nd2nz: false,
        };
        let kernel = |&(): &(), traffic: Traffic| (traffic, Pace::overlapped(traffic.bytes(), SimDuration::from_us(1)));
        let mut ends: Vec<SimTime> =
            (0..cores).map(|core| memory.join(begin, core, &[part(core)], (), kernel)).collect();
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
        let mut memory = SharedMemory::<u32, ()>::new(&Profile::load(Arch::A2a3).unwrap());
        let tile = |direction| Transfer::contiguous(direction, 0x1000, 65_536);
        assert_eq!(memory.look_up(&[tile(Direction::Write)]), Traffic { hbm_written: 65_536, ..Traffic::default() });
        assert_eq!(memory.traffic(&[tile(Direction::Read)]).0, Traffic { l2_hits: 65_536, ..Traffic::default() });
        memory.begin();
        assert_eq!(memory.traffic(&[tile(Direction::Read)]).0, Traffic { hbm_read: 65_536, ..Traffic::default() });
    }

    /// 1.5 MB at `address`, by a core that reads a byte a picosecond from the HBM and four from the L2.
    fn read(memory: &mut SharedMemory<u32, ()>, now: u64, core: u32, address: u64) -> u64 {
        let ports = |&(): &(), traffic: Traffic| {
            let alone = SimDuration::from_ps(traffic.hbm_read + traffic.l2_hits / 4);
            (traffic, Pace::overlapped(traffic.bytes(), alone))
        };
        let transfers = [Transfer::contiguous(Direction::Read, address, 1_536_000)];
        memory.join(SimTime::from_ps(now), core, &transfers, (), ports).as_ps()
    }

    /// A memory that is never full.
    fn wide() -> SharedMemory<u32, ()> {
        let values = ["hbm.read_bandwidth=100TB/s", "l2.bandwidth=100TB/s"].map(|text| text.parse().unwrap());
        SharedMemory::new(&Profile::load(Arch::A2a3).unwrap().with_overrides(&values).unwrap())
    }

    #[test]
    fn do_those_who_begin_together_bring_what_they_read_together() {
        let mut memory = wide();
        let at = SimTime::from_ps;
        assert_eq!(read(&mut memory, 0, 1, 0), 1_536_000);
        // Half of it each from the HBM, half from the L2.
        assert_eq!(read(&mut memory, 0, 2, 0), 960_000);
        assert_eq!(memory.moved(), [(1, at(960_000))]);
        // Somewhere else, alone.
        assert_eq!(read(&mut memory, 0, 3, 1 << 30), 1_536_000);
        assert!(memory.moved().is_empty());
        // A third each.
        assert_eq!(read(&mut memory, 0, 4, 0), 768_000);
        assert_eq!(memory.moved(), [(1, at(768_000)), (2, at(768_000))]);
    }

    #[test]
    fn does_a_latecomer_find_what_was_brought_and_share_the_rest() {
        let mut memory = wide();
        let at = SimTime::from_ps;
        assert_eq!(read(&mut memory, 0, 1, 0), 1_536_000);
        // Half is there, and half of the rest is the newcomer's: 384 KB from the HBM, the others from the L2.
        assert_eq!(read(&mut memory, 768_000, 2, 0), 768_000 + 384_000 + 288_000);
        // The first has a half left of what would have taken it 960 ns.
        assert_eq!(memory.moved(), [(1, at(768_000 + 480_000))]);
        memory.leave(at(1_248_000), 1);
        assert!(memory.moved().is_empty());
        memory.leave(at(1_440_000), 2);
        assert_eq!(read(&mut memory, 1_440_000, 3, 0), 1_440_000 + 384_000);
    }

    #[test]
    fn does_it_matter_who_of_those_that_begin_together_is_first() {
        let ends = |order: [u32; 3]| {
            let mut memory = wide();
            for core in order {
                read(&mut memory, 0, core, 0);
            }
            [1, 2, 3].map(|core| memory.fluid.left_of(core))
        };
        assert_eq!(ends([1, 2, 3]), ends([3, 1, 2]));
        assert_eq!(ends([1, 2, 3])[0], ends([1, 2, 3])[2]);
    }
}
