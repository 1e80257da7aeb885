//! Sizes, durations and parameters as people write them on a command line.

use std::str::FromStr;
use std::time::Duration;

/// A number of bytes: `8GiB`, `512 MiB`, `4096`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Size(pub(super) u64);

/// `{0}` is no size: write a whole number and B, KiB, MiB, GiB or TiB, such as `8GiB`
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error, displaydoc::Display)]
pub(super) struct NotASize(String);

impl FromStr for Size {
    type Err = NotASize;

    fn from_str(text: &str) -> Result<Self, NotASize> {
        let error = || NotASize(text.to_owned());
        let (number, unit) = split_unit(text);
        let shift = match unit {
            "" | "B" => 0,
            "KiB" => 10,
            "MiB" => 20,
            "GiB" => 30,
            "TiB" => 40,
            _ => return Err(error()),
        };
        let count: u64 = number.parse().map_err(|_| error())?;
        count.checked_mul(1 << shift).map(Size).ok_or_else(error)
    }
}

/// A span of host time above zero: `1s`, `250ms`, `2min`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct HostTime(pub(super) Duration);

/// `{0}` is no time: write a whole number above zero and us, ms, s or min, such as `500ms`
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error, displaydoc::Display)]
pub(super) struct NotATime(String);

impl FromStr for HostTime {
    type Err = NotATime;

    fn from_str(text: &str) -> Result<Self, NotATime> {
        /// A day: whoever waits longer does not want a limit, and the limit is multiplied later.
        const LONGEST_US: u64 = 24 * 3600 * 1_000_000;
        let error = || NotATime(text.to_owned());
        let (number, unit) = split_unit(text);
        let scale = match unit {
            "us" => 1,
            "ms" => 1_000,
            "s" => 1_000_000,
            "min" => 60_000_000,
            _ => return Err(error()),
        };
        let count: u64 = number.parse().map_err(|_| error())?;
        let time = count.checked_mul(scale).filter(|us| (1..=LONGEST_US).contains(us)).ok_or_else(error)?;
        Ok(HostTime(Duration::from_micros(time)))
    }
}

/// A value for a parameter of a case: `tasks=10000`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Parameter {
    pub(super) name: String,
    pub(super) value: String,
}

/// `{0}` sets no parameter: write a name and a value, such as `tasks=1000`
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error, displaydoc::Display)]
pub(super) struct NotAParameter(String);

impl FromStr for Parameter {
    type Err = NotAParameter;

    fn from_str(text: &str) -> Result<Self, NotAParameter> {
        match text.split_once('=').map(|(name, value)| (name.trim(), value.trim())) {
            Some((name, value)) if !name.is_empty() && !value.is_empty() => {
                Ok(Parameter { name: name.to_owned(), value: value.to_owned() })
            }
            _ => Err(NotAParameter(text.to_owned())),
        }
    }
}

/// A number and what stands behind it.
fn split_unit(text: &str) -> (&str, &str) {
    let digits = text.len() - text.trim_start_matches(|c: char| c.is_ascii_digit()).len();
    (&text[..digits], text[digits..].trim())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn which_sizes_are_understood() {
        let size = |text: &str| text.parse::<Size>().map(|size| size.0).ok();
        assert_eq!(["8GiB", "512 MiB", "4096", "1KiB", "0B"].map(size), [8 << 30, 512 << 20, 4096, 1024, 0].map(Some));
        assert_eq!(["", "GiB", "8GB", "-1", "1.5GiB", "99999999TiB"].map(size), [None; 6]);
    }

    #[test]
    fn which_times_are_understood() {
        let time = |text: &str| text.parse::<HostTime>().map(|time| time.0.as_micros()).ok();
        assert_eq!(["1s", "250 ms", "7us", "2min"].map(time), [1_000_000, 250_000, 7, 120_000_000].map(Some));
        assert_eq!(["", "1", "0s", "1h", "-1s", "99999999999999min"].map(time), [None; 6]);
    }

    #[test]
    fn does_an_error_show_what_would_be_right() {
        assert_eq!(
            "8GB".parse::<Size>().unwrap_err().to_string(),
            "`8GB` is no size: write a whole number and B, KiB, MiB, GiB or TiB, such as `8GiB`"
        );
        assert_eq!(
            "tasks".parse::<Parameter>().unwrap_err().to_string(),
            "`tasks` sets no parameter: write a name and a value, such as `tasks=1000`"
        );
    }
}
