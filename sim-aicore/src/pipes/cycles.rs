//! Fractions of cycles, exactly.

use std::iter::Sum;
use std::ops::{Add, Mul};

use serde::{Deserialize, Deserializer};
use sim_core::time::{Frequency, SimDuration};

/// Millionths of a cycle. Fitted costs have fractions; whole numbers of them add up the same in any order.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct MicroCycles(i64);

impl MicroCycles {
    /// None.
    pub const ZERO: MicroCycles = MicroCycles(0);

    /// Whole cycles.
    pub const fn whole(cycles: u32) -> Self {
        MicroCycles(cycles as i64 * 1_000_000)
    }

    /// The nearest to `cycles`.
    pub fn nearest(cycles: f64) -> Self {
        MicroCycles((cycles * 1e6).round() as i64)
    }

    /// How many millionths.
    pub const fn as_micro(self) -> i64 {
        self.0
    }

    /// How long they take, rounded up to a picosecond; less than nothing takes no time.
    pub fn at(self, clock: Frequency) -> SimDuration {
        let micro = u128::from(self.0.max(0).unsigned_abs());
        let ps = (micro * 1_000_000).div_ceil(u128::from(clock.as_hz()));
        SimDuration::from_ps(u64::try_from(ps).unwrap_or(u64::MAX))
    }

    /// This many thousandths of it.
    pub fn per_mille(self, thousandths: u32) -> Self {
        self.scaled(i128::from(thousandths), 1000)
    }

    /// The part `numerator` of `denominator`, rounded down.
    pub fn scaled(self, numerator: i128, denominator: i128) -> Self {
        let scaled = (i128::from(self.0) * numerator).div_euclid(denominator.max(1));
        MicroCycles(i64::try_from(scaled).unwrap_or(i64::MAX))
    }
}

impl Add for MicroCycles {
    type Output = MicroCycles;
    fn add(self, other: MicroCycles) -> MicroCycles {
        MicroCycles(self.0.saturating_add(other.0))
    }
}

impl Mul<u64> for MicroCycles {
    type Output = MicroCycles;
    fn mul(self, times: u64) -> MicroCycles {
        MicroCycles(self.0.saturating_mul(i64::try_from(times).unwrap_or(i64::MAX)))
    }
}

impl Sum for MicroCycles {
    fn sum<I: Iterator<Item = MicroCycles>>(all: I) -> MicroCycles {
        all.fold(MicroCycles::ZERO, Add::add)
    }
}

impl<'de> Deserialize<'de> for MicroCycles {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(MicroCycles::nearest(f64::deserialize(deserializer)?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn do_fractions_of_a_cycle_round_up_to_a_picosecond_once() {
        let clock = Frequency::from_hz(1_850_000_000).unwrap();
        let cost = MicroCycles::nearest(2.11) * 64 + MicroCycles::whole(24);
        assert_eq!(cost.as_micro(), 159_040_000);
        // 159.04 cycles are 85,967.57 ps.
        assert_eq!(cost.at(clock).as_ps(), 85_968);
        assert_eq!(MicroCycles::nearest(-1.5).at(clock), SimDuration::ZERO);
    }
}
