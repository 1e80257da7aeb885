//! Numbers with units, and their exact conversion to the integers that the simulator counts in.
//!
//! A number is kept as the decimal that was written, never as a float, so that `1.85 GHz` is 1,850,000,000 Hz on every
//! machine. Conversion rounds to the nearest base unit: picosecond, hertz, byte, byte per second.

use std::fmt;

use serde::Serialize;

use crate::time::{Frequency, SimDuration};

/// Picoseconds in one second.
const PS_PER_S: u128 = 1_000_000_000_000;

/// A data rate in bytes per second.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(transparent)]
pub struct Bandwidth(u64);

impl Bandwidth {
    /// A rate of `bytes` per second. `None` for zero, at which nothing ever arrives.
    pub const fn from_bytes_per_s(bytes: u64) -> Option<Self> {
        if bytes == 0 { None } else { Some(Bandwidth(bytes)) }
    }

    /// The rate in bytes per second.
    pub const fn as_bytes_per_s(self) -> u64 {
        self.0
    }

    /// How long `bytes` take, rounded up to a picosecond.
    pub fn time_for(self, bytes: u64) -> SimDuration {
        SimDuration::of_transfer(bytes, self.0)
    }
}

/// How many times as much: in millionths, so that it is exact.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(transparent)]
pub struct Ratio(u64);

impl Ratio {
    /// As much.
    pub const ONE: Ratio = Ratio(1_000_000);
    /// The most that a slowdown may be.
    const MOST: u64 = 1_000 * Ratio::ONE.0;

    /// A ratio of so many millionths, from once to a thousand times.
    pub fn slowdown(millionths: u64) -> Option<Ratio> {
        (Ratio::ONE.0..=Ratio::MOST).contains(&millionths).then_some(Ratio(millionths))
    }

    /// The ratio in millionths.
    pub const fn as_millionths(self) -> u64 {
        self.0
    }

    /// So many times `amount`, to the nearest whole one.
    pub fn of(self, amount: u64) -> u64 {
        let exact = u128::from(amount) * u128::from(self.0) + u128::from(Ratio::ONE.0 / 2);
        u64::try_from(exact / u128::from(Ratio::ONE.0)).unwrap_or(u64::MAX)
    }

    /// What is left of it where only `part` of `whole` takes longer.
    pub fn in_part(self, part: u64, whole: u64) -> Ratio {
        let beyond = u128::from(self.0 - Ratio::ONE.0) * u128::from(part.min(whole)) / u128::from(whole.max(1));
        // It is no more than what was there.
        Ratio(Ratio::ONE.0 + beyond as u64)
    }
}

/// The most digits that a number may have behind its point: more than any unit can resolve.
const MAX_SCALE: u32 = 30;

/// A decimal number as it was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Number {
    negative: bool,
    digits: u64,
    /// How many of the digits stand behind the point.
    scale: u32,
}

impl Number {
    /// Reads a decimal number, perhaps with a point and an exponent, or a hexadecimal one after `0x`.
    pub(super) fn parse(text: &str) -> Option<Number> {
        if let Some(hex) = text.strip_prefix("0x") {
            let digits =
                hex.bytes().all(|byte| byte.is_ascii_hexdigit()).then(|| u64::from_str_radix(hex, 16).ok())??;
            return Some(Number { negative: false, digits, scale: 0 });
        }
        let (negative, text) = match text.strip_prefix('-') {
            Some(rest) => (true, rest),
            None => (false, text.strip_prefix('+').unwrap_or(text)),
        };
        let (mantissa, exponent) = match text.split_once(['e', 'E']) {
            Some((mantissa, exponent)) => (mantissa, exponent.parse::<i32>().ok()?),
            None => (text, 0),
        };
        let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
        let fraction = fraction.trim_end_matches('0');
        if whole.is_empty() || !whole.bytes().chain(fraction.bytes()).all(|byte| byte.is_ascii_digit()) {
            return None;
        }
        let digits: u64 = format!("{whole}{fraction}").parse().ok()?;
        let scale = i32::try_from(fraction.len()).ok()?.checked_sub(exponent)?;
        match u32::try_from(scale) {
            Ok(scale) => (scale <= MAX_SCALE).then_some(Number { negative, digits, scale }),
            Err(_) => {
                let digits = digits.checked_mul(10_u64.checked_pow(scale.unsigned_abs())?)?;
                Some(Number { negative, digits, scale: 0 })
            }
        }
    }

    /// Splits `text` where a number ends and a unit could begin; either part may be empty.
    pub(super) fn split(text: &str) -> (&str, &str) {
        let bytes = text.as_bytes();
        let end = if text.starts_with("0x") {
            2 + bytes[2..].iter().take_while(|byte| byte.is_ascii_hexdigit()).count()
        } else {
            let plain = |byte: u8| byte.is_ascii_digit() || matches!(byte, b'.' | b'+' | b'-');
            let exponent =
                |at: usize| matches!(bytes[at], b'e' | b'E') && bytes.get(at + 1).is_some_and(|&byte| plain(byte));
            (0..bytes.len()).find(|&at| !plain(bytes[at]) && !exponent(at)).unwrap_or(bytes.len())
        };
        (&text[..end], text[end..].trim())
    }

    /// The number times `numerator / denominator`, to the nearest integer; `None` if that is negative or beyond 64 bits.
    fn scaled(self, (numerator, denominator): (u128, u128)) -> Option<u64> {
        if self.negative && self.digits != 0 {
            return None;
        }
        let numerator = u128::from(self.digits).checked_mul(numerator)?;
        let denominator = 10_u128.checked_pow(self.scale)?.checked_mul(denominator)?;
        u64::try_from(numerator.checked_add(denominator / 2)? / denominator).ok()
    }

    /// Whether the number has no fraction.
    fn is_whole(self) -> bool {
        10_u64.checked_pow(self.scale).is_some_and(|power| self.digits.is_multiple_of(power))
    }
}

impl fmt::Display for Number {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = if self.negative { "-" } else { "" };
        let width = self.scale as usize + 1;
        let digits = format!("{:0width$}", self.digits);
        let (whole, fraction) = digits.split_at(digits.len() - self.scale as usize);
        match fraction.trim_end_matches('0') {
            "" => write!(f, "{sign}{whole}"),
            fraction => write!(f, "{sign}{whole}.{fraction}"),
        }
    }
}

/// A unit of a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unit {
    Ps,
    Ns,
    Us,
    Ms,
    S,
    Cycle,
    Hz,
    MHz,
    GHz,
    B,
    KiB,
    MiB,
    GiB,
    BytesPerS,
    GigabytesPerS,
    TerabytesPerS,
    BytesPerCycle,
    Count,
    Ratio,
    Offset,
}

impl Unit {
    const ALL: [Unit; 20] = [
        Unit::Ps,
        Unit::Ns,
        Unit::Us,
        Unit::Ms,
        Unit::S,
        Unit::Cycle,
        Unit::Hz,
        Unit::MHz,
        Unit::GHz,
        Unit::B,
        Unit::KiB,
        Unit::MiB,
        Unit::GiB,
        Unit::BytesPerS,
        Unit::GigabytesPerS,
        Unit::TerabytesPerS,
        Unit::BytesPerCycle,
        Unit::Count,
        Unit::Ratio,
        Unit::Offset,
    ];

    /// The unit written as `symbol`.
    pub(super) fn from_symbol(symbol: &str) -> Option<Unit> {
        Unit::ALL.into_iter().find(|unit| unit.symbol() == symbol)
    }

    /// How the unit is written.
    pub(super) const fn symbol(self) -> &'static str {
        match self {
            Unit::Ps => "ps",
            Unit::Ns => "ns",
            Unit::Us => "us",
            Unit::Ms => "ms",
            Unit::S => "s",
            Unit::Cycle => "cycle",
            Unit::Hz => "Hz",
            Unit::MHz => "MHz",
            Unit::GHz => "GHz",
            Unit::B => "B",
            Unit::KiB => "KiB",
            Unit::MiB => "MiB",
            Unit::GiB => "GiB",
            Unit::BytesPerS => "B/s",
            Unit::GigabytesPerS => "GB/s",
            Unit::TerabytesPerS => "TB/s",
            Unit::BytesPerCycle => "B/cycle",
            Unit::Count => "count",
            Unit::Ratio => "ratio",
            Unit::Offset => "offset",
        }
    }
}

/// What a key measures: which units fit it, and which integer it becomes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dimension {
    /// A span of time, in picoseconds.
    Time,
    /// A span of time on an AICore of this clock: its cycles fit too.
    CoreTime(Frequency),
    /// Cycles of an AICore, in millionths.
    Cycles,
    /// Bytes that an AICore moves in a cycle, in millionths.
    CycleRate,
    /// A clock rate, in hertz.
    Frequency,
    /// An amount of memory, in bytes.
    Size,
    /// A data rate, in bytes per second.
    Bandwidth,
    /// A data rate of an AICore of this clock: bytes per cycle fit too.
    CoreBandwidth(Frequency),
    /// How many.
    Count,
    /// How many times as much, in millionths.
    Ratio,
    /// A place in a core's register block, in bytes.
    Offset,
}

impl Dimension {
    /// How many base units one `unit` is, as a fraction; `None` if `unit` does not fit.
    fn base_units_per(self, unit: Unit) -> Option<(u128, u128)> {
        use Dimension::{
            Bandwidth, CoreBandwidth, CoreTime, Count, CycleRate, Cycles, Frequency, Offset, Ratio, Size, Time,
        };
        let base_units = match (self, unit) {
            (Time | CoreTime(_), Unit::Ps) => 1,
            (Time | CoreTime(_), Unit::Ns) => 1_000,
            (Time | CoreTime(_), Unit::Us) => 1_000_000,
            (Time | CoreTime(_), Unit::Ms) => 1_000_000_000,
            (Time | CoreTime(_), Unit::S) => PS_PER_S,
            (CoreTime(clock), Unit::Cycle) => return Some((PS_PER_S, u128::from(clock.as_hz()))),
            (Frequency, Unit::Hz) => 1,
            (Frequency, Unit::MHz) => 1_000_000,
            (Frequency, Unit::GHz) => 1_000_000_000,
            (Size, Unit::B) => 1,
            (Size, Unit::KiB) => 1 << 10,
            (Size, Unit::MiB) => 1 << 20,
            (Size, Unit::GiB) => 1 << 30,
            (Bandwidth | CoreBandwidth(_), Unit::BytesPerS) => 1,
            (Bandwidth | CoreBandwidth(_), Unit::GigabytesPerS) => 1_000_000_000,
            (Bandwidth | CoreBandwidth(_), Unit::TerabytesPerS) => 1_000_000_000_000,
            (CoreBandwidth(clock), Unit::BytesPerCycle) => u128::from(clock.as_hz()),
            (Ratio, Unit::Ratio) | (Cycles, Unit::Cycle) | (CycleRate, Unit::BytesPerCycle) => 1_000_000,
            (Count, Unit::Count) | (Offset, Unit::Offset) => 1,
            _ => return None,
        };
        Some((base_units, 1))
    }

    /// Whether a value of this dimension may be written in `unit`.
    pub(super) fn fits(self, unit: Unit) -> bool {
        self.base_units_per(unit).is_some()
    }

    /// `number` in base units. `None` if it is negative, too large, or a fraction of something that is counted.
    pub(super) fn to_base(self, number: Number, unit: Unit) -> Option<u64> {
        let counted = matches!(self, Dimension::Count | Dimension::Offset);
        if counted && !number.is_whole() {
            return None;
        }
        number.scaled(self.base_units_per(unit)?)
    }
}

impl fmt::Display for Dimension {
    /// What it is and the units that fit: `a span of time in ps, ns, us, ms or s`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let what = match self {
            Dimension::Time | Dimension::CoreTime(_) => "a span of time",
            Dimension::Cycles => "a number of cycles",
            Dimension::Frequency => "a clock rate",
            Dimension::Size => "an amount of memory",
            Dimension::Bandwidth | Dimension::CoreBandwidth(_) | Dimension::CycleRate => "a data rate",
            Dimension::Count => "a whole number",
            Dimension::Ratio => "a ratio",
            Dimension::Offset => "a register offset",
        };
        let units: Vec<_> = Unit::ALL.into_iter().filter(|&unit| self.fits(unit)).map(Unit::symbol).collect();
        match units.as_slice() {
            [first @ .., last] if !first.is_empty() => write!(f, "{what} in {} or {last}", first.join(", ")),
            units => write!(f, "{what}, unit {}", units.concat()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn are_numbers_read_exactly_as_written() {
        for (text, shown) in
            [("1.85", "1.85"), ("0x4C8", "1224"), ("2.50", "2.5"), ("1e3", "1000"), ("5e-2", "0.05"), ("-0.5", "-0.5")]
        {
            assert_eq!(Number::parse(text).unwrap().to_string(), shown, "{text}");
        }
        for text in [
            "",
            ".5",
            "1.2.3",
            "ns",
            "0x",
            "0x+1",
            "1e",
            "--1",
            "99999999999999999999",
            "1e20",
            "1e-31",
            "1e-2000000000",
        ] {
            assert_eq!(Number::parse(text), None, "{text}");
        }
    }

    #[test]
    fn is_a_text_split_where_the_unit_begins() {
        for (text, parts) in [
            ("100ns", ("100", "ns")),
            ("1.49 TB/s", ("1.49", "TB/s")),
            ("2e3us", ("2e3", "us")),
            ("0xA0", ("0xA0", "")),
            ("8", ("8", "")),
            ("fast", ("", "fast")),
        ] {
            assert_eq!(Number::split(text), parts, "{text}");
        }
    }

    #[test]
    fn are_conversions_exact_and_rounded_to_the_nearest_base_unit() {
        let base = |dimension: Dimension, text: &str, unit| dimension.to_base(Number::parse(text).unwrap(), unit);
        let clock = Frequency::from_hz(1_850_000_000).unwrap();
        assert_eq!(base(Dimension::Time, "11.15", Unit::Ns), Some(11_150));
        assert_eq!(base(Dimension::Time, "1.4", Unit::Ps), Some(1));
        assert_eq!(base(Dimension::CoreTime(clock), "264", Unit::Cycle), Some(142_703));
        assert_eq!(base(Dimension::CoreBandwidth(clock), "128", Unit::BytesPerCycle), Some(236_800_000_000));
        assert_eq!(base(Dimension::Size, "1.5", Unit::KiB), Some(1536));
        assert_eq!(base(Dimension::Count, "1.5", Unit::Count), None);
        assert_eq!(base(Dimension::Time, "-1", Unit::Ns), None);
        assert_eq!(base(Dimension::Time, "99999999", Unit::S), None);
    }

    #[test]
    fn does_a_dimension_name_the_units_that_fit_it() {
        let clock = Frequency::from_hz(1).unwrap();
        assert_eq!(Dimension::CoreTime(clock).to_string(), "a span of time in ps, ns, us, ms, s or cycle");
        assert_eq!(Dimension::Bandwidth.to_string(), "a data rate in B/s, GB/s or TB/s");
        assert_eq!(Dimension::Count.to_string(), "a whole number, unit count");
    }
}
