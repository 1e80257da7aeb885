//! Spans in files: nanoseconds, exact to a picosecond. For `#[serde(with = "nanoseconds")]`.

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serializer};

use super::SimDuration;

/// Whole nanoseconds as an integer, others as a decimal fraction.
pub fn serialize<S: Serializer>(span: &SimDuration, serializer: S) -> Result<S::Ok, S::Error> {
    if span.as_ps().is_multiple_of(1000) {
        serializer.serialize_u64(span.as_ns())
    } else {
        serializer.serialize_f64(span.as_ns_f64())
    }
}

/// The nearest picosecond; no span is negative.
pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<SimDuration, D::Error> {
    let ns = f64::deserialize(deserializer)?;
    if ns < 0.0 {
        return Err(D::Error::custom(format_args!("{ns} is negative")));
    }
    Ok(SimDuration::from_ps((ns * 1e3).round() as u64))
}

#[cfg(test)]
mod tests {
    use serde::Serialize;

    use super::super::nanoseconds;
    use super::*;

    #[derive(Serialize, Deserialize)]
    struct Span(#[serde(with = "nanoseconds")] SimDuration);

    fn text(ps: u64) -> String {
        serde_json::to_string(&Span(SimDuration::from_ps(ps))).unwrap()
    }

    fn read(text: &str) -> Result<u64, String> {
        serde_json::from_str(text).map(|Span(span)| span.as_ps()).map_err(|error| error.to_string())
    }

    #[test]
    fn does_a_span_come_back_to_the_picosecond() {
        assert_eq!([text(42_000), text(42_001), text(0)], ["42", "42.001", "0"]);
        assert_eq!([read("42"), read("42.001"), read("0")], [Ok(42_000), Ok(42_001), Ok(0)]);
    }

    #[test]
    fn is_a_negative_span_refused() {
        let refusal = read("-0.5").unwrap_err();
        assert!(refusal.starts_with("-0.5 is negative"), "{refusal}");
    }
}
