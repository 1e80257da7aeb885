//! Decimal numbers as they are written, and what lies between two of them, exactly.

use std::fmt;

/// Digits behind the point that a value between two others has beyond theirs.
const EXTRA_DIGITS: u32 = 9;
/// More than any unit can resolve.
const MOST_DIGITS: usize = 15;

/// A decimal number: `mantissa / 10^scale`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Decimal {
    mantissa: i128,
    scale: u32,
}

impl Decimal {
    /// Reads `12`, `-1.5`, `2e3`, `1.2e-3`.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let (mantissa, exponent) = match text.split_once(['e', 'E']) {
            Some((mantissa, exponent)) => (mantissa, exponent.parse::<i32>().ok()?),
            None => (text, 0),
        };
        let (negative, digits) = match mantissa.strip_prefix('-') {
            Some(digits) => (true, digits),
            None => (false, mantissa.strip_prefix('+').unwrap_or(mantissa)),
        };
        let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
        let plain = !whole.is_empty() && whole.bytes().chain(fraction.bytes()).all(|byte| byte.is_ascii_digit());
        if !plain || whole.len() + fraction.len() > MOST_DIGITS || exponent.unsigned_abs() > MOST_DIGITS as u32 {
            return None;
        }
        let value: i128 = format!("{whole}{fraction}").parse().ok()?;
        let scale = fraction.len() as i32 - exponent;
        let (value, scale) =
            if scale < 0 { (value * 10_i128.pow(scale.unsigned_abs()), 0) } else { (value, scale.unsigned_abs()) };
        Some(Decimal { mantissa: if negative { -value } else { value }, scale })
    }

    /// `count` numbers at equal distances, of which the first is `self` and the last `end`; rounded to nine digits more than
    /// those have.
    pub(super) fn steps_to(self, end: Decimal, count: usize) -> Vec<Decimal> {
        let scale = self.scale.max(end.scale) + EXTRA_DIGITS;
        let scaled = |number: Decimal| number.mantissa * 10_i128.pow(scale - number.scale);
        let (start, end) = (scaled(self), scaled(end));
        let intervals = count.saturating_sub(1).max(1) as i128;
        (0..count as i128)
            .map(|step| Decimal { mantissa: start + rounded((end - start) * step, intervals), scale })
            .collect()
    }
}

/// A quotient, rounded to the nearest; half away from zero.
fn rounded(dividend: i128, divisor: i128) -> i128 {
    let half = if dividend < 0 { -divisor / 2 } else { divisor / 2 };
    (dividend + half) / divisor
}

impl fmt::Display for Decimal {
    /// In as few digits as there are.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = if self.mantissa < 0 { "-" } else { "" };
        let width = self.scale as usize + 1;
        let digits = format!("{:0width$}", self.mantissa.unsigned_abs());
        let (whole, fraction) = digits.split_at(digits.len() - self.scale as usize);
        match fraction.trim_end_matches('0') {
            "" => write!(f, "{sign}{whole}"),
            fraction => write!(f, "{sign}{whole}.{fraction}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn steps(start: &str, end: &str, count: usize) -> Vec<String> {
        let steps = Decimal::parse(start).unwrap().steps_to(Decimal::parse(end).unwrap(), count);
        steps.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn are_steps_exact_where_they_can_be_and_rounded_where_not() {
        assert_eq!(steps("1.2", "1.8", 7), ["1.2", "1.3", "1.4", "1.5", "1.6", "1.7", "1.8"]);
        assert_eq!(steps("1", "4", 4), ["1", "2", "3", "4"]);
        assert_eq!(steps("1", "2", 4), ["1", "1.333333333", "1.666666667", "2"]);
        assert_eq!(steps("2", "-1", 3), ["2", "0.5", "-1"]);
        assert_eq!(steps("1e3", "1.5e3", 2), ["1000", "1500"]);
        assert_eq!(steps("5e-2", "0.1", 2), ["0.05", "0.1"]);
    }

    #[test]
    fn which_texts_are_numbers() {
        for text in ["", ".5", "1.2.3", "ns", "1e", "--1", "0x10", "1e99", "1234567890123456"] {
            assert_eq!(Decimal::parse(text), None, "{text}");
        }
    }
}
