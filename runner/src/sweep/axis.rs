//! One axis: a key with the values that it takes.

use serde::{Deserialize, Serialize};

use super::decimal::Decimal;

/// The most values that an axis can have.
const MOST_VALUES: usize = 10_000;

/// What the key of an axis names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AxisKind {
    /// A value of the profile.
    Profile,
    /// A parameter of the case.
    Parameter,
}

impl AxisKind {
    /// The option that gives such an axis.
    const fn option(self) -> &'static str {
        match self {
            AxisKind::Profile => "--set",
            AxisKind::Parameter => "--param",
        }
    }
}

/// A key with its values, in the order in which they were given.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Axis {
    /// What it names.
    pub kind: AxisKind,
    /// The key.
    pub key: String,
    /// The values as they would be written for one run.
    pub values: Vec<String>,
}

/// Why there is no such axis.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error, displaydoc::Display)]
pub enum AxisError {
    /// {option} {key}={text}: no value between two commas; write them as in 1,2,3
    EmptyValue {
        /// The option.
        option: &'static str,
        /// The key.
        key: String,
        /// All that was written for it.
        text: String,
    },
    /// {option} {key}: `{text}` is no range: write start..end:count, such as 1.2..1.8:7 or 80ns..120ns:5
    NotARange {
        /// The option.
        option: &'static str,
        /// The key.
        key: String,
        /// What was written.
        text: String,
    },
    /// {option} {key}: `{text}` has {count} values, expected 2 to 10000
    RangeCount {
        /// The option.
        option: &'static str,
        /// The key.
        key: String,
        /// What was written.
        text: String,
        /// How many it asks for.
        count: usize,
    },
    /// {option} {key}: `{text}` begins in {first} and ends in {last}: write both ends in one unit
    RangeUnits {
        /// The option.
        option: &'static str,
        /// The key.
        key: String,
        /// What was written.
        text: String,
        /// The unit of its beginning.
        first: String,
        /// The unit of its end.
        last: String,
    },
    /// {option} {key}: the value {value} is there twice; leave one away
    Repeated {
        /// The option.
        option: &'static str,
        /// The key.
        key: String,
        /// The value.
        value: String,
    },
}

impl Axis {
    /// The axis of a key, from a list of values and ranges: `1,2,3` or `1.2..1.8:7`.
    pub fn parse(kind: AxisKind, key: &str, text: &str) -> Result<Self, AxisError> {
        let reader = Reader { option: kind.option(), key };
        let mut values: Vec<String> = Vec::new();
        for part in text.split(',').map(str::trim) {
            if part.is_empty() {
                let (key, text) = (key.to_owned(), text.to_owned());
                return Err(AxisError::EmptyValue { option: kind.option(), key, text });
            }
            if part.contains("..") {
                values.extend(reader.range(part)?);
            } else {
                values.push(part.to_owned());
            }
        }
        let repeated = (1..values.len()).find(|at| values[..*at].contains(&values[*at]));
        match repeated {
            None => Ok(Axis { kind, key: key.to_owned(), values }),
            Some(at) => {
                Err(AxisError::Repeated { option: kind.option(), key: key.to_owned(), value: values[at].clone() })
            }
        }
    }
}

struct Reader<'a> {
    option: &'static str,
    key: &'a str,
}

impl Reader<'_> {
    /// The values of `start..end:count`. A unit of one end is that of the other, too.
    fn range(&self, text: &str) -> Result<Vec<String>, AxisError> {
        let (option, key) = (self.option, || self.key.to_owned());
        let not_a_range = || AxisError::NotARange { option, key: key(), text: text.to_owned() };
        let (ends, count) = text.rsplit_once(':').ok_or_else(not_a_range)?;
        let (start, end) = ends.split_once("..").ok_or_else(not_a_range)?;
        let count: usize = count.trim().parse().map_err(|_| not_a_range())?;
        let (start, first) = split(start.trim());
        let (end, last) = split(end.trim());
        let (start, end) =
            (Decimal::parse(start).ok_or_else(not_a_range)?, Decimal::parse(end).ok_or_else(not_a_range)?);
        if !(2..=MOST_VALUES).contains(&count) {
            return Err(AxisError::RangeCount { option, key: key(), text: text.to_owned(), count });
        }
        let unit = match (first, last) {
            ("", unit) | (unit, "") => unit,
            (first, last) if first == last => first,
            (first, last) => {
                let [first, last] = [first, last].map(str::to_owned);
                return Err(AxisError::RangeUnits { option, key: key(), text: text.to_owned(), first, last });
            }
        };
        Ok(start.steps_to(end, count).into_iter().map(|value| format!("{value}{unit}")).collect())
    }
}

/// A number and what follows it.
fn split(text: &str) -> (&str, &str) {
    let bytes = text.as_bytes();
    let plain = |byte: u8| byte.is_ascii_digit() || matches!(byte, b'.' | b'+' | b'-');
    let exponent = |at: usize| matches!(bytes[at], b'e' | b'E') && bytes.get(at + 1).is_some_and(|byte| plain(*byte));
    let end = (0..bytes.len()).find(|at| !plain(bytes[*at]) && !exponent(*at)).unwrap_or(bytes.len());
    (&text[..end], text[end..].trim())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn values(text: &str) -> Result<Vec<String>, String> {
        Axis::parse(AxisKind::Profile, "k", text).map(|axis| axis.values).map_err(|error| error.to_string())
    }

    #[test]
    fn which_values_has_an_axis() {
        assert_eq!(values("1,2, 3").unwrap(), ["1", "2", "3"]);
        assert_eq!(values("80ns..120ns:5").unwrap(), ["80ns", "90ns", "100ns", "110ns", "120ns"]);
        assert_eq!(values("1.2..1.8 TB/s:3").unwrap(), ["1.2TB/s", "1.5TB/s", "1.8TB/s"]);
        assert_eq!(values("1..3:3,10").unwrap(), ["1", "2", "3", "10"]);
        assert_eq!(values("poison").unwrap(), ["poison"]);
    }

    #[test]
    fn is_what_is_no_axis_refused_with_what_would_be_one() {
        let hint = "write start..end:count, such as 1.2..1.8:7 or 80ns..120ns:5";
        for text in ["1..2", "1..:3", "..2:3", "a..b:3", "1..2:x", "1..2..3:4"] {
            assert_eq!(values(text).unwrap_err(), format!("--set k: `{text}` is no range: {hint}"));
        }
        assert_eq!(values("1..2:1").unwrap_err(), "--set k: `1..2:1` has 1 values, expected 2 to 10000");
        assert_eq!(
            values("1GB/s..2TB/s:3").unwrap_err(),
            "--set k: `1GB/s..2TB/s:3` begins in GB/s and ends in TB/s: write both ends in one unit"
        );
        assert_eq!(values("1,,2").unwrap_err(), "--set k=1,,2: no value between two commas; write them as in 1,2,3");
        assert_eq!(values("1,2,1").unwrap_err(), "--set k: the value 1 is there twice; leave one away");
    }
}
