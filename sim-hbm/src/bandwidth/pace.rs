//! How fast a kernel moves its bytes, by the rate at which its transfers run.

use sim_core::profile::Bandwidth;
use sim_core::time::SimDuration;

/// Rates have so many binary places behind the byte per second.
pub(super) const RATE_PLACES: u32 = 24;

/// A rate in bytes per second, with [`RATE_PLACES`].
pub(super) type Rate = u128;

/// Picoseconds in one second.
const PS_PER_S: u128 = 1_000_000_000_000;
/// More than any device holds; keeps all products in 128 bits.
pub(super) const MOST_BYTES: u64 = 1 << 44;

/// A rate as it is computed with.
pub(super) fn rate(bandwidth: Bandwidth) -> Rate {
    Rate::from(bandwidth.as_bytes_per_s()) << RATE_PLACES
}

/// The rate at which `bytes` move in `span`.
fn rate_of(bytes: u64, span: SimDuration) -> Rate {
    ((u128::from(bytes.min(MOST_BYTES)) * PS_PER_S) << RATE_PLACES) / u128::from(span.as_ps().max(1))
}

/// The rates at which a kernel with a duration of its own is asked how long it takes, in sixteenths of the most that
/// its core moves. Between two of them its use of the memory is taken to change evenly.
const SIXTEENTHS: [u64; 7] = [1, 2, 4, 6, 8, 12, 16];

/// What a kernel takes alone, and how much of the memory it uses on average when its transfers get a certain rate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pace {
    alone: SimDuration,
    /// Rates of its transfers and what it uses on average then: both go up.
    points: Points,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Points {
    /// It uses whatever it gets, up to this.
    Straight(Rate),
    Bent(Box<[(Rate, Rate)]>),
}

impl Pace {
    /// A kernel that takes `alone` and moves `bytes` all the while, behind whatever else it does. Slower memory shows
    /// only when moving the bytes takes longer than that.
    pub fn overlapped(bytes: u64, alone: SimDuration) -> Pace {
        Pace { alone, points: Points::Straight(rate_of(bytes, alone)) }
    }

    /// A kernel that moves `bytes` and knows how long it takes when its transfers run at a given rate, `most` at best.
    pub fn of_durations(bytes: u64, most: Bandwidth, duration: impl Fn(Bandwidth) -> SimDuration) -> Pace {
        let sixteenth = |part: u64| Bandwidth::from_bytes_per_s((most.as_bytes_per_s() / 16 * part).max(1));
        let mut points: Vec<(Rate, Rate)> = Vec::with_capacity(SIXTEENTHS.len());
        for part in SIXTEENTHS {
            let granted = if part == 16 { most } else { sixteenth(part).unwrap_or(most) };
            // What is moved is no more than what was granted, and no less than at a lower rate.
            let used = rate_of(bytes, duration(granted)).min(rate(granted));
            let before = points.last().map_or(0, |(_, used)| *used);
            points.push((rate(granted), used.max(before)));
        }
        Pace { alone: duration(most), points: Points::Bent(points.into()) }
    }

    /// How long it takes when nothing slows it down.
    pub fn alone(&self) -> SimDuration {
        self.alone
    }

    /// The most that it uses on average.
    pub(super) fn most_used(&self) -> Rate {
        match &self.points {
            Points::Straight(most) => *most,
            Points::Bent(points) => points.last().map_or(0, |(_, used)| *used),
        }
    }

    /// What it uses on average when its transfers get `granted`.
    pub(super) fn used(&self, granted: Rate) -> Rate {
        let points = match &self.points {
            Points::Straight(most) => return granted.min(*most),
            Points::Bent(points) => points,
        };
        let mut below = (0, 0);
        for &above in points {
            if granted <= above.0 {
                let (span, climb) = (above.0 - below.0, above.1 - below.1);
                return below.1 + scaled(granted - below.0, climb, span);
            }
            below = above;
        }
        below.1
    }

    /// The rates at which its use changes its slope.
    pub(super) fn bends(&self, mut add: impl FnMut(Rate)) {
        match &self.points {
            Points::Straight(most) => add(*most),
            Points::Bent(points) => points.iter().for_each(|(granted, _)| add(*granted)),
        }
    }
}

/// `part * of / whole`, to 63 binary digits, for a part that is less than twice the whole.
pub(super) fn scaled(part: u128, of: u128, whole: u128) -> u128 {
    let excess = |number: u128| (128 - number.leading_zeros()).saturating_sub(63);
    let (narrow, wide) = (excess(whole), excess(of));
    let whole = whole >> narrow;
    ((part >> narrow) * (of >> wide)).checked_div(whole).unwrap_or(0) << wide
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gigabytes(count: u64) -> Bandwidth {
        Bandwidth::from_bytes_per_s(count * 1_000_000_000).unwrap()
    }

    #[test]
    fn does_an_overlapped_kernel_use_what_it_gets_up_to_its_own_pace() {
        // 200 kB in 2 us are 100 GB/s.
        let pace = Pace::overlapped(200_000, SimDuration::from_us(2));
        let used = |granted| pace.used(rate(gigabytes(granted)));
        assert_eq!((used(30), used(100), used(400)), (rate(gigabytes(30)), rate(gigabytes(100)), rate(gigabytes(100))));
        assert_eq!(pace.alone(), SimDuration::from_us(2));
    }

    #[test]
    fn does_a_kernel_that_loads_and_then_computes_use_less_on_average() {
        // 160 kB at up to 160 GB/s and then 1 us of work: 2 us alone, 80 GB/s on average.
        let duration = |granted: Bandwidth| granted.time_for(160_000) + SimDuration::from_us(1);
        let pace = Pace::of_durations(160_000, gigabytes(160), duration);
        let used = |granted| pace.used(rate(gigabytes(granted)));
        assert_eq!((pace.alone(), used(160)), (SimDuration::from_us(2), rate(gigabytes(80))));
        // At half the rate it takes 3 us.
        assert_eq!(used(80), rate_of(160_000, SimDuration::from_us(3)));
        assert_eq!(used(500), rate(gigabytes(80)));
        // Between 120 GB/s (2,333,334 ps) and 160 GB/s the use is taken to change evenly.
        let middle = used(140) >> RATE_PLACES;
        assert_eq!(middle, 74_285_704_489);
    }

    #[test]
    fn is_nothing_lost_when_numbers_are_narrowed() {
        assert_eq!(scaled(1, 3_000_000, 3), 1_000_000);
        assert_eq!(scaled(5 << 90, 7 << 40, 5 << 90), 7 << 40);
        assert_eq!(scaled(0, 1, 0), 0);
    }
}
