//! Virtual time: integer picoseconds.
//!
//! A [`SimTime`] is an instant on the device's clock, a [`SimDuration`] a span between two of them. Both are whole
//! picoseconds, so that adding and comparing them is exact on every machine; 64 bits last for 213 days of device
//! time. Nothing here ever reads a host clock.

use std::fmt;
use std::iter::Sum;
use std::ops::{Add, AddAssign, Div, Mul, Rem, Sub};

use serde::Serialize;

pub mod nanoseconds;

/// Picoseconds in one second.
const PS_PER_S: u128 = 1_000_000_000_000;

/// An instant of virtual time, in picoseconds since the device was created.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(transparent)]
pub struct SimTime(u64);

/// A span of virtual time in picoseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(transparent)]
pub struct SimDuration(u64);

/// A clock rate in hertz.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(transparent)]
pub struct Frequency(u64);

impl SimTime {
    /// The instant at which the device was created.
    pub const ZERO: SimTime = SimTime(0);
    /// Later than any instant that is reached.
    pub const NEVER: SimTime = SimTime(u64::MAX);

    /// The instant `ps` picoseconds after the start.
    pub const fn from_ps(ps: u64) -> Self {
        SimTime(ps)
    }

    /// The instant `ns` nanoseconds after the start, at most [`SimTime::NEVER`].
    pub const fn from_ns(ns: u64) -> Self {
        SimTime(ns.saturating_mul(1000))
    }

    /// Picoseconds since the start.
    pub const fn as_ps(self) -> u64 {
        self.0
    }

    /// Whole nanoseconds since the start.
    pub const fn as_ns(self) -> u64 {
        self.0 / 1000
    }

    /// Nanoseconds since the start, with the fraction.
    pub fn as_ns_f64(self) -> f64 {
        self.0 as f64 / 1e3
    }

    /// The span since `earlier`; zero if `earlier` is not earlier.
    pub const fn since(self, earlier: SimTime) -> SimDuration {
        SimDuration(self.0.saturating_sub(earlier.0))
    }

    /// This instant on a counter of rate `frequency`, rounded down.
    pub fn ticks(self, frequency: Frequency) -> u64 {
        (u128::from(self.0) * u128::from(frequency.0) / PS_PER_S) as u64
    }
}

impl SimDuration {
    /// No time.
    pub const ZERO: SimDuration = SimDuration(0);
    /// Longer than any span that is waited for.
    pub const FOREVER: SimDuration = SimDuration(u64::MAX);

    /// A span of `ps` picoseconds.
    pub const fn from_ps(ps: u64) -> Self {
        SimDuration(ps)
    }

    /// A span of `ns` nanoseconds, at most [`SimDuration::FOREVER`].
    pub const fn from_ns(ns: u64) -> Self {
        SimDuration(ns.saturating_mul(1000))
    }

    /// A span of `us` microseconds, at most [`SimDuration::FOREVER`].
    pub const fn from_us(us: u64) -> Self {
        SimDuration(us.saturating_mul(1_000_000))
    }

    /// A span of `ms` milliseconds, at most [`SimDuration::FOREVER`].
    pub const fn from_ms(ms: u64) -> Self {
        SimDuration(ms.saturating_mul(1_000_000_000))
    }

    /// `cycles` of a clock of rate `frequency`, rounded up to a picosecond.
    pub fn from_cycles(cycles: u64, frequency: Frequency) -> Self {
        let ps = (u128::from(cycles) * PS_PER_S).div_ceil(u128::from(frequency.0));
        SimDuration(u64::try_from(ps).unwrap_or(u64::MAX))
    }

    /// How long `bytes` take at `bytes_per_second`, rounded up to a picosecond. [`SimDuration::FOREVER`] at rate zero.
    pub fn of_transfer(bytes: u64, bytes_per_second: u64) -> Self {
        if bytes_per_second == 0 {
            return SimDuration::FOREVER;
        }
        let ps = (u128::from(bytes) * PS_PER_S).div_ceil(u128::from(bytes_per_second));
        SimDuration(u64::try_from(ps).unwrap_or(u64::MAX))
    }

    /// The span in picoseconds.
    pub const fn as_ps(self) -> u64 {
        self.0
    }

    /// The span in whole nanoseconds.
    pub const fn as_ns(self) -> u64 {
        self.0 / 1000
    }

    /// The span in nanoseconds, with the fraction.
    pub fn as_ns_f64(self) -> f64 {
        self.0 as f64 / 1e3
    }

    /// The difference to a shorter span; zero if `other` is not shorter.
    pub const fn saturating_sub(self, other: SimDuration) -> SimDuration {
        SimDuration(self.0.saturating_sub(other.0))
    }
}

impl Frequency {
    /// A rate of `hz` hertz. `None` for zero, at which nothing ever ticks.
    pub const fn from_hz(hz: u64) -> Option<Self> {
        if hz == 0 { None } else { Some(Frequency(hz)) }
    }

    /// The rate in hertz.
    pub const fn as_hz(self) -> u64 {
        self.0
    }
}

impl Add<SimDuration> for SimTime {
    type Output = SimTime;
    fn add(self, span: SimDuration) -> SimTime {
        SimTime(self.0.saturating_add(span.0))
    }
}

impl AddAssign<SimDuration> for SimTime {
    fn add_assign(&mut self, span: SimDuration) {
        *self = *self + span;
    }
}

impl Add for SimDuration {
    type Output = SimDuration;
    fn add(self, other: SimDuration) -> SimDuration {
        SimDuration(self.0.saturating_add(other.0))
    }
}

impl AddAssign for SimDuration {
    fn add_assign(&mut self, other: SimDuration) {
        *self = *self + other;
    }
}

impl Sub for SimDuration {
    type Output = SimDuration;
    fn sub(self, other: SimDuration) -> SimDuration {
        self.saturating_sub(other)
    }
}

impl Mul<u64> for SimDuration {
    type Output = SimDuration;
    fn mul(self, times: u64) -> SimDuration {
        SimDuration(self.0.saturating_mul(times))
    }
}

impl Div<SimDuration> for SimDuration {
    type Output = u64;
    /// How many whole times `other` fits; `other` must not be zero.
    fn div(self, other: SimDuration) -> u64 {
        self.0 / other.0
    }
}

impl Rem for SimDuration {
    type Output = SimDuration;
    fn rem(self, other: SimDuration) -> SimDuration {
        SimDuration(self.0 % other.0)
    }
}

impl Sum for SimDuration {
    fn sum<I: Iterator<Item = SimDuration>>(spans: I) -> SimDuration {
        spans.fold(SimDuration::ZERO, Add::add)
    }
}

impl fmt::Display for SimTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        SimDuration(self.0).fmt(f)
    }
}

impl fmt::Display for SimDuration {
    /// In the largest unit that leaves at most three digits before the point: `42.03 us`, `950 ns`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (per_unit, unit) = match self.0 {
            0..1_000 => (1, "ps"),
            1_000..1_000_000 => (1_000, "ns"),
            1_000_000..1_000_000_000 => (1_000_000, "us"),
            1_000_000_000..1_000_000_000_000 => (1_000_000_000, "ms"),
            _ => (1_000_000_000_000, "s"),
        };
        let whole = self.0 / per_unit;
        let fraction = format!("{:03}", self.0 % per_unit * 1000 / per_unit);
        match fraction.trim_end_matches('0') {
            "" => write!(f, "{whole} {unit}"),
            digits => write!(f, "{whole}.{digits} {unit}"),
        }
    }
}

impl fmt::Display for Frequency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} Hz", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn does_a_50_mhz_counter_tick_every_20_ns() {
        let counter = Frequency::from_hz(50_000_000).unwrap();
        assert_eq!(SimTime::from_ns(19).ticks(counter), 0);
        assert_eq!(SimTime::from_ns(20).ticks(counter), 1);
        assert_eq!(SimTime::from_ns(42_030).ticks(counter), 2101);
    }

    #[test]
    fn do_cycles_and_transfers_round_up_to_a_picosecond() {
        let clock = Frequency::from_hz(1_850_000_000).unwrap();
        assert_eq!(SimDuration::from_cycles(1, clock).as_ps(), 541);
        assert_eq!(SimDuration::of_transfer(1, 3).as_ps(), 333_333_333_334);
        assert_eq!(SimDuration::of_transfer(1, 0), SimDuration::FOREVER);
    }

    #[test]
    fn is_time_shown_in_the_largest_fitting_unit() {
        assert_eq!(SimTime::from_ns(42_030).to_string(), "42.03 us");
        assert_eq!(SimDuration::from_ns(950).to_string(), "950 ns");
        assert_eq!(SimDuration::from_ps(7).to_string(), "7 ps");
    }

    #[test]
    fn does_adding_beyond_the_end_of_time_stay_there() {
        assert_eq!(SimTime::NEVER + SimDuration::from_ns(1), SimTime::NEVER);
    }
}
