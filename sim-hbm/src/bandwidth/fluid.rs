//! The fluid: kernels that move bytes at the same time, and when each of them ends.

use sim_core::profile::{Bandwidth, Profile, Ratio};
use sim_core::time::{SimDuration, SimTime};

use super::level::{Levels, Limits};
use super::pace::{MOST_BYTES, Pace, Rate, rate, scaled};
use super::transfer::{ShortRows, Traffic};

/// Weights have so many binary places.
const WEIGHT_PLACES: u32 = 40;

/// A speed at which a kernel takes as long as alone; speeds are fractions of it.
const FULL_SPEED: u128 = 1 << 64;

/// One running kernel, as the memory sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Flow {
    pub(super) pace: Pace,
    /// How many bytes read from the HBM each of its bytes is worth.
    weight: u128,
    /// What it reads in short rows: whoever reads the same at the same time stands in its way.
    short_rows: Option<ShortRows>,
}

impl Flow {
    /// A kernel that moves `traffic` at this pace.
    pub fn new(traffic: &Traffic, pace: Pace, profile: &Profile) -> Flow {
        let (reads, writes) = (&profile.hbm.read_bandwidth, &profile.hbm.write_bandwidth);
        let worth = |bytes: u64| u128::from(bytes.min(MOST_BYTES)) << WEIGHT_PLACES;
        let written =
            scaled(u128::from(reads.as_bytes_per_s()), worth(traffic.hbm_written), u128::from(writes.as_bytes_per_s()));
        let weight = (worth(traffic.hbm_read) + written) / u128::from(traffic.bytes().clamp(1, MOST_BYTES));
        Flow { pace, weight, short_rows: traffic.short_rows }
    }

    pub(super) fn needs_hbm(&self) -> bool {
        self.weight != 0
    }

    /// What of the HBM it takes to use `rate`, in units of [`Flow::hbm_limit`].
    pub(super) fn hbm_used(&self, rate: Rate) -> u128 {
        rate * self.weight
    }

    /// All of an HBM from which this rate can be read.
    pub(super) fn hbm_limit(rate: Rate) -> u128 {
        rate << WEIGHT_PLACES
    }
}

/// A flow that is under way.
#[derive(Clone, Debug)]
struct Active<Id> {
    id: Id,
    flow: Flow,
    /// What is left, in picoseconds alone, times [`FULL_SPEED`].
    left: u128,
    speed: u128,
    end: SimTime,
    /// It moves other bytes than before, so its end is another, whatever its speed.
    changed: bool,
}

impl<Id> Active<Id> {
    /// All of it, in the unit of what is left.
    fn whole(&self) -> u128 {
        u128::from(self.flow.pace.alone().as_ps()) * FULL_SPEED
    }

    /// What is left after `span` at its speed.
    fn progress(&mut self, span: SimDuration) {
        self.left = self.left.saturating_sub(u128::from(span.as_ps()) * self.speed);
    }

    /// From `now` on it has this speed: when it ends, to the nearest picosecond.
    fn proceed(&mut self, now: SimTime, speed: u128) {
        self.speed = speed.max(1);
        let span = (self.left + self.speed / 2) / self.speed;
        self.end = now + SimDuration::from_ps(u64::try_from(span).unwrap_or(u64::MAX));
    }
}

/// What cores do to each other that read the same in short rows.
#[derive(Clone, Copy, Debug)]
struct Neighbours {
    /// What it takes if all cores of the kind read the same.
    shared: Ratio,
    /// As many times that, if all of them read it at the same time.
    lockstep: Ratio,
    /// How many others there can be.
    others: u64,
}

impl Neighbours {
    /// The speed that is left with so many others, some of them in step.
    fn slow_down(&self, speed: u128, others: u64, in_step: u64) -> u128 {
        let shared = slowed_by(speed, self.shared.in_part(others.min(self.others), self.others));
        slowed_by(shared, self.lockstep.in_part(in_step.min(self.others), self.others))
    }
}

/// The kernels that share a device's memory, by some identity.
#[derive(Clone, Debug)]
pub struct Fluid<Id> {
    active: Vec<Active<Id>>,
    limits: Limits,
    rows: Neighbours,
    fractals: Neighbours,
    /// Up to when progress has been accounted for.
    now: SimTime,
    /// What all would use if nothing held them back.
    wanted_hbm: u128,
    wanted_l2: Rate,
    /// Somebody is slower than alone.
    slowed: bool,
    /// Flows that wait for others in step are looked for only if there are any.
    in_short_rows: usize,
    moved: Vec<(Id, SimTime)>,
    bends: Vec<Rate>,
}

impl<Id: Copy + Eq> Fluid<Id> {
    /// The memory of a device with this profile, which nobody uses yet.
    pub fn new(profile: &Profile) -> Self {
        let topology = &profile.topology;
        let bandwidth = |value: Bandwidth| rate(value);
        let others = |cores: u32| (u64::from(*topology.clusters) * u64::from(cores)).saturating_sub(1).max(1);
        Fluid {
            active: Vec::new(),
            limits: Limits { hbm: bandwidth(*profile.hbm.read_bandwidth), l2: bandwidth(*profile.l2.bandwidth) },
            rows: Neighbours {
                shared: *profile.hbm.shared_rows,
                lockstep: *profile.hbm.lockstep,
                others: others(*topology.aiv_per_cluster),
            },
            fractals: Neighbours {
                shared: *profile.hbm.shared_nd2nz,
                lockstep: *profile.hbm.lockstep_nd2nz,
                others: others(*topology.aic_per_cluster),
            },
            now: SimTime::ZERO,
            wanted_hbm: 0,
            wanted_l2: 0,
            slowed: false,
            in_short_rows: 0,
            moved: Vec::new(),
            bends: Vec::new(),
        }
    }

    /// A kernel begins at `now`, which is no earlier than whatever was told before. When it ends, as things are.
    pub fn join(&mut self, now: SimTime, id: Id, flow: Flow) -> SimTime {
        self.advance(now);
        self.count(&flow, true);
        let left = u128::from(flow.pace.alone().as_ps()) * FULL_SPEED;
        let mut newcomer = Active { id, flow, left, speed: FULL_SPEED, end: now, changed: false };
        newcomer.proceed(now, FULL_SPEED);
        self.active.push(newcomer);
        self.share(Some(id));
        self.active.last().map_or(now, |newcomer| newcomer.end)
    }

    /// Time passes until `now`, when a kernel will join; of it, what is left of a kernel is known then.
    pub(super) fn pass_until(&mut self, now: SimTime) {
        self.advance(now);
    }

    /// What is left of a kernel, of how much.
    pub(super) fn left_of(&self, id: Id) -> Option<(u128, u128)> {
        let active = self.active.iter().find(|active| active.id == id)?;
        Some((active.left, active.whole()))
    }

    /// The rest of a kernel is of another flow: from now on it moves this one's bytes at this one's pace. Its end is
    /// computed with those of all others when the next kernel joins or leaves.
    pub(super) fn exchange(&mut self, id: Id, flow: Flow) {
        let Some(index) = self.active.iter().position(|active| active.id == id) else { return };
        self.count(&flow, true);
        let active = &mut self.active[index];
        let before = active.whole();
        let gone = std::mem::replace(&mut active.flow, flow);
        active.left = scaled(active.left, active.whole(), before);
        active.changed = true;
        self.count(&gone, false);
    }

    /// A kernel has ended, or does not go on.
    pub fn leave(&mut self, now: SimTime, id: Id) {
        self.advance(now);
        let Some(index) = self.active.iter().position(|active| active.id == id) else {
            self.moved.clear();
            return;
        };
        let gone = self.active.remove(index);
        self.count(&gone.flow, false);
        self.share(None);
    }

    /// Whose ends the last change has moved, and to when; one that has just joined is not among them.
    pub fn moved(&self) -> &[(Id, SimTime)] {
        &self.moved
    }

    /// How many are under way.
    pub fn len(&self) -> usize {
        self.active.len()
    }

    /// Whether nobody is.
    pub fn is_empty(&self) -> bool {
        self.active.is_empty()
    }

    /// Forgets whoever is under way.
    pub fn clear(&mut self) {
        self.active.clear();
        self.moved.clear();
        (self.wanted_hbm, self.wanted_l2) = (0, 0);
        (self.slowed, self.in_short_rows) = (false, 0);
    }

    fn advance(&mut self, now: SimTime) {
        let span = now.since(self.now);
        if span > SimDuration::ZERO {
            self.active.iter_mut().for_each(|active| active.progress(span));
        }
        self.now = self.now.max(now);
    }

    /// What a flow would use at most, added or taken away.
    fn count(&mut self, flow: &Flow, comes: bool) {
        let most = flow.pace.most_used();
        let (hbm, short) = (flow.hbm_used(most), usize::from(flow.short_rows.is_some()));
        if comes {
            self.wanted_hbm += hbm;
            self.wanted_l2 += most;
            self.in_short_rows += short;
        } else {
            self.wanted_hbm -= hbm;
            self.wanted_l2 -= most;
            self.in_short_rows -= short;
        }
    }

    /// Gives everybody its share from now on, and notes whose ends that moves.
    fn share(&mut self, newcomer: Option<Id>) {
        self.moved.clear();
        let enough = self.wanted_hbm <= Flow::hbm_limit(self.limits.hbm) && self.wanted_l2 <= self.limits.l2;
        let held_up = !enough || self.in_short_rows > 1;
        if !held_up && !self.slowed && !self.active.iter().any(|active| active.changed) {
            return;
        }
        let levels = if enough {
            Levels::UNLIMITED
        } else {
            Levels::of(self.active.iter().map(|active| &active.flow), self.limits, &mut self.bends)
        };
        for index in 0..self.active.len() {
            let (others, in_step) = self.neighbours_of(index);
            let Active { id, flow, end, speed, changed, .. } = &self.active[index];
            let (id, before, speed_before, changed) = (*id, *end, *speed, *changed);
            let speed = speed_at(flow, levels);
            let speed = match flow.short_rows {
                Some(ShortRows { nd2nz: true, .. }) => self.fractals.slow_down(speed, others, in_step),
                Some(_) => self.rows.slow_down(speed, others, in_step),
                None => speed,
            };
            if speed == speed_before && !changed {
                continue;
            }
            let active = &mut self.active[index];
            active.changed = false;
            active.proceed(self.now, speed);
            if active.end != before && newcomer != Some(id) {
                self.moved.push((id, active.end));
            }
        }
        self.slowed = held_up;
    }

    /// How many others read the same in short rows, and how many of them at the same time.
    fn neighbours_of(&self, index: usize) -> (u64, u64) {
        let Some(rows) = self.active[index].flow.short_rows.filter(|_| self.in_short_rows > 1) else { return (0, 0) };
        let met = self.active.iter().filter_map(|other| other.flow.short_rows).filter(|other| rows.meets(other));
        let (all, in_step) =
            met.fold((0, 0), |(all, in_step), other| (all + 1, in_step + u64::from(other.first == rows.first)));
        // It has met itself.
        (all - 1, in_step - 1)
    }
}

fn speed_at(flow: &Flow, levels: Levels) -> u128 {
    let level = if flow.needs_hbm() { levels.hbm } else { levels.l2 };
    let (used, most) = (flow.pace.used(level), flow.pace.most_used());
    if used >= most { FULL_SPEED } else { scaled(used, FULL_SPEED, most) }
}

fn slowed_by(speed: u128, ratio: Ratio) -> u128 {
    if ratio == Ratio::ONE {
        speed
    } else {
        scaled(u128::from(Ratio::ONE.as_millionths()), speed, u128::from(ratio.as_millionths()))
    }
}

#[cfg(test)]
mod tests {
    use sim_core::profile::{Arch, Override};

    use super::*;

    /// A terabyte a second is a byte a picosecond: 1 of reads, half of writes, 2 of the L2; two cores.
    fn fluid() -> (Fluid<u32>, Profile) {
        let values = [
            "hbm.read_bandwidth=1TB/s",
            "hbm.write_bandwidth=0.5TB/s",
            "l2.bandwidth=2TB/s",
            "hbm.shared_rows=3",
            "hbm.lockstep=2",
            "topology.clusters=1",
        ];
        let values: Vec<Override> = values.iter().map(|text| text.parse().unwrap()).collect();
        let profile = Profile::load(Arch::A2a3).unwrap().with_overrides(&values).unwrap();
        (Fluid::new(&profile), profile)
    }

    const US: SimDuration = SimDuration::from_us(1);

    fn ps(time: u64) -> SimTime {
        SimTime::from_ps(time)
    }

    /// A flow that takes a microsecond alone.
    fn flow(profile: &Profile, traffic: Traffic) -> Flow {
        Flow::new(&traffic, Pace::overlapped(traffic.bytes(), US), profile)
    }

    fn reader(profile: &Profile, bytes: u64) -> Flow {
        flow(profile, Traffic { hbm_read: bytes, ..Traffic::default() })
    }

    #[test]
    fn does_a_kernel_that_has_the_memory_to_itself_take_as_long_as_alone() {
        let (mut fluid, profile) = fluid();
        assert_eq!(fluid.join(ps(7), 1, reader(&profile, 333_333)), ps(1_000_007));
        assert_eq!(fluid.join(ps(9), 2, reader(&profile, 666_667)), ps(1_000_009));
        assert_eq!((fluid.moved(), fluid.len()), (&[][..], 2));
    }

    #[test]
    fn do_two_that_want_all_of_it_take_twice_as_long_until_one_leaves() {
        let (mut fluid, profile) = fluid();
        assert_eq!(fluid.join(ps(0), 1, reader(&profile, 1_000_000)), ps(1_000_000));
        assert_eq!(fluid.join(ps(500_000), 2, reader(&profile, 1_000_000)), ps(2_500_000));
        assert_eq!(fluid.moved(), [(1, ps(1_500_000))]);
        fluid.leave(ps(1_500_000), 1);
        assert_eq!(fluid.moved(), [(2, ps(2_000_000))]);
        fluid.leave(ps(2_000_000), 2);
        assert!(fluid.is_empty() && fluid.moved().is_empty());
    }

    #[test]
    fn is_a_third_of_it_exact() {
        let (mut fluid, profile) = fluid();
        for id in 0..3 {
            fluid.join(ps(0), id, reader(&profile, 1_000_000));
        }
        let ends: Vec<SimTime> = fluid.active.iter().map(|active| active.end).collect();
        assert_eq!(ends, [ps(3_000_000); 3]);
    }

    #[test]
    fn is_what_some_cannot_use_shared_by_the_others() {
        let (mut fluid, profile) = fluid();
        // 100, 400 and 800 GB/s of 1000: the first two are served in full, the third gets 500.
        fluid.join(ps(0), 1, reader(&profile, 100_000));
        fluid.join(ps(0), 2, reader(&profile, 400_000));
        assert_eq!(fluid.join(ps(0), 3, reader(&profile, 800_000)), ps(1_600_000));
        assert!(fluid.moved().is_empty());
        // Without the second there is enough for all.
        fluid.leave(ps(800_000), 2);
        assert_eq!(fluid.moved(), [(3, ps(1_300_000))]);
    }

    #[test]
    fn do_reads_and_writes_take_turns() {
        let (mut fluid, profile) = fluid();
        fluid.join(ps(0), 1, reader(&profile, 1_000_000));
        // A third of a byte a picosecond each: of what the second would write alone that is two thirds.
        let end = fluid.join(ps(0), 2, flow(&profile, Traffic { hbm_written: 500_000, ..Traffic::default() }));
        assert_eq!((end, fluid.moved()), (ps(1_500_000), &[(1, ps(3_000_000))][..]));
        fluid.leave(ps(1_500_000), 2);
        assert_eq!(fluid.moved(), [(1, ps(2_000_000))]);
    }

    #[test]
    fn do_hits_leave_the_hbm_to_others_and_share_the_l2() {
        let (mut fluid, profile) = fluid();
        let hits = |bytes| flow(&profile, Traffic { l2_hits: bytes, ..Traffic::default() });
        fluid.join(ps(0), 1, reader(&profile, 1_000_000));
        assert_eq!(fluid.join(ps(0), 2, hits(1_000_000)), ps(1_000_000));
        assert_eq!(fluid.join(ps(0), 3, hits(1_000_000)), ps(1_500_000));
        assert_eq!(fluid.moved(), [(1, ps(1_500_000)), (2, ps(1_500_000))]);
        fluid.clear();
        // Two that share the HBM leave the rest of the L2 to the third.
        fluid.join(ps(0), 1, reader(&profile, 1_000_000));
        fluid.join(ps(0), 2, reader(&profile, 1_000_000));
        assert_eq!(fluid.join(ps(0), 3, hits(1_000_000)), ps(1_000_000));
    }

    #[test]
    fn do_short_rows_that_all_read_at_once_take_longer() {
        let (mut fluid, profile) = fluid();
        let rows = |first, begin, nd2nz| {
            let short_rows = Some(ShortRows { first, begin, end: begin + 0x1000, nd2nz });
            flow(&profile, Traffic { hbm_read: 1000, short_rows, ..Traffic::default() })
        };
        assert_eq!(fluid.join(ps(0), 1, rows(0x1000, 0x1000, false)), ps(1_000_000));
        // Elsewhere, and by the cube.
        assert_eq!(fluid.join(ps(0), 2, rows(0x2000, 0x2000, false)), ps(1_000_000));
        assert_eq!(fluid.join(ps(0), 3, rows(0x1000, 0x1000, true)), ps(1_000_000));
        fluid.leave(ps(0), 2);
        fluid.leave(ps(0), 3);
        // The same at another time: three times as long; at the same time, twice that.
        assert_eq!(fluid.join(ps(500_000), 4, rows(0x1800, 0x1000, false)), ps(3_500_000));
        assert_eq!(fluid.moved(), [(1, ps(2_000_000))]);
        fluid.leave(ps(500_000), 4);
        assert_eq!(fluid.join(ps(500_000), 5, rows(0x1000, 0x1000, false)), ps(6_500_000));
        assert_eq!(fluid.moved(), [(1, ps(3_500_000))]);
        fluid.leave(ps(3_500_000), 1);
        assert_eq!(fluid.moved(), [(5, ps(4_000_000))]);
    }

    #[test]
    fn does_whoever_computes_between_transfers_suffer_less_than_its_share() {
        let (mut fluid, profile) = fluid();
        let most = Bandwidth::from_bytes_per_s(1_000_000_000_000).unwrap();
        // Half a microsecond of transfers, half of work.
        let pace = |granted: Bandwidth| granted.time_for(500_000) + SimDuration::from_ns(500);
        let serial = || {
            let traffic = Traffic { hbm_read: 500_000, ..Traffic::default() };
            Flow::new(&traffic, Pace::of_durations(500_000, most, pace), &profile)
        };
        fluid.join(ps(0), 1, serial());
        assert_eq!(fluid.join(ps(0), 2, serial()), ps(1_000_000));
        // Three want one and a half; a third each is what they use when their transfers get half: 1.5 us.
        assert_eq!(fluid.join(ps(0), 3, serial()), ps(1_500_000));
    }

    #[test]
    fn does_the_order_of_equal_changes_not_matter() {
        let ends = |order: [u32; 3]| {
            let (mut fluid, profile) = fluid();
            for id in order {
                fluid.join(ps(5), id, reader(&profile, 300_000 + 100_000 * u64::from(id)));
            }
            let mut ends: Vec<_> = fluid.active.iter().map(|active| (active.id, active.end)).collect();
            ends.sort_unstable_by_key(|(id, _)| *id);
            ends
        };
        assert_eq!(ends([1, 2, 3]), ends([3, 1, 2]));
        assert_eq!(ends([1, 2, 3]).last(), Some(&(3, ps(1_800_005))));
    }
}
