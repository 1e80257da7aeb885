//! One value with where it comes from and how far to trust it.

use std::fmt;
use std::ops::{Deref, RangeInclusive};

use serde::Serialize;
use serde_json::{Map, Value};

use super::arch::Arch;
use super::error::ProfileError;
use super::quantity::{Bandwidth, Dimension, Number, Ratio, Unit};
use super::spelling::distance;
use crate::printable::printable;
use crate::time::{Frequency, SimDuration};

/// How far a value can be trusted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Confidence {
    /// Measured on silicon by the source.
    Measured,
    /// Documented or configured by the vendor or the runtime.
    Documented,
    /// Measured on a simulator of the vendor, not on silicon.
    Simulated,
    /// Derived from measured or documented values; the note shows how.
    Inferred,
    /// Nobody published it: a guess.
    Placeholder,
    /// A choice of the simulator, which silicon knows nothing of.
    Setting,
    /// Given by the user.
    Override,
}

impl Confidence {
    /// Every class.
    pub const ALL: [Confidence; 7] = [
        Confidence::Measured,
        Confidence::Documented,
        Confidence::Simulated,
        Confidence::Inferred,
        Confidence::Placeholder,
        Confidence::Setting,
        Confidence::Override,
    ];

    /// Those that a file may claim.
    const IN_FILES: [Confidence; 6] = [
        Confidence::Measured,
        Confidence::Documented,
        Confidence::Simulated,
        Confidence::Inferred,
        Confidence::Placeholder,
        Confidence::Setting,
    ];

    /// The name in files and listings.
    pub const fn as_str(self) -> &'static str {
        match self {
            Confidence::Measured => "measured",
            Confidence::Documented => "documented",
            Confidence::Simulated => "simulated",
            Confidence::Inferred => "inferred",
            Confidence::Placeholder => "placeholder",
            Confidence::Setting => "setting",
            Confidence::Override => "override",
        }
    }
}

impl fmt::Display for Confidence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// A value that knows where it comes from; it is used like the value itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Sourced<T> {
    /// The value.
    pub value: T,
    /// What the sources allow, where they differ.
    pub range: Option<RangeInclusive<T>>,
    /// Who says so: a public document, a repository at a commit, `npusim` or `--set`.
    pub source: String,
    /// How far to trust it.
    pub confidence: Confidence,
    /// How it was derived, or what to know about it.
    pub note: Option<String>,
}

impl<T> Deref for Sourced<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.value
    }
}

/// A value as a file states it: a number in a unit, not yet converted.
///
/// The typed getters convert it, and refuse units that do not fit and numbers that make no sense.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The file it stands in, or `--set`: what errors name.
    pub(super) origin: String,
    pub(super) path: String,
    /// `None` where a generation has no such thing.
    pub(super) number: Option<Number>,
    /// As written; whether it fits shows when the value is converted.
    pub(super) unit: String,
    pub(super) range: Option<(Number, Number)>,
    pub(super) source: String,
    pub(super) confidence: Confidence,
    pub(super) note: Option<String>,
}

/// An entry as a file has it, all of whose fields are known ones.
struct Fields<'a> {
    origin: &'a str,
    path: &'a str,
    json: &'a Map<String, Value>,
}

impl<'a> Fields<'a> {
    const NAMES: [&'static str; 6] = ["value", "unit", "range", "confidence", "source", "note"];

    fn of(origin: &'a str, path: &'a str, json: &'a Value) -> Result<Self, ProfileError> {
        let Value::Object(fields) = json else {
            let expected = "an object with value, unit, source and confidence";
            return Err(ProfileError::malformed(origin, path, json, expected));
        };
        if let Some(unknown) = fields.keys().find(|field| !Fields::NAMES.contains(&field.as_str())) {
            let [first, rest @ ..] = Fields::NAMES;
            let nearer = |best, field| if distance(unknown, field) < distance(unknown, best) { field } else { best };
            return Err(ProfileError::UnknownKey {
                origin: origin.to_owned(),
                key: printable(&format!("{path}.{unknown}")),
                nearest: format!("{path}.{}", rest.into_iter().fold(first, nearer)),
            });
        }
        Ok(Fields { origin, path, json: fields })
    }

    fn malformed(&self, field: &str, found: &Value, expected: &str) -> ProfileError {
        ProfileError::malformed(self.origin, &format!("{}.{field}", self.path), found, expected)
    }

    fn missing(&self, field: &str, expected: &str) -> ProfileError {
        let (origin, key) = (self.origin.to_owned(), format!("{}.{field}", self.path));
        ProfileError::MissingKey { origin, key, expected: expected.to_owned() }
    }

    fn text(&self, field: &str) -> Result<Option<String>, ProfileError> {
        match self.json.get(field) {
            None => Ok(None),
            Some(Value::String(text)) if !text.trim().is_empty() => Ok(Some(text.clone())),
            Some(other) => Err(self.malformed(field, other, "a text that is not empty")),
        }
    }

    fn number(&self, field: &str, json: &Value) -> Result<Number, ProfileError> {
        let written = match json {
            Value::Number(number) => Some(number.to_string()),
            Value::String(text) if text.starts_with("0x") => Some(text.clone()),
            _ => None,
        };
        let number = written.and_then(|text| Number::parse(&text));
        number.ok_or_else(|| self.malformed(field, json, "a number"))
    }

    /// `None` where a generation has no such thing.
    fn value(&self) -> Result<Option<Number>, ProfileError> {
        match self.json.get("value") {
            None => Err(self.missing("value", "a number")),
            Some(Value::Null) => Ok(None),
            Some(value) => self.number("value", value).map(Some),
        }
    }

    fn confidence(&self, unstated: Option<Confidence>) -> Result<Confidence, ProfileError> {
        let Some(name) = self.text("confidence")? else {
            return unstated.ok_or_else(|| self.missing("confidence", "how far to trust the value"));
        };
        Confidence::IN_FILES.into_iter().find(|known| known.as_str() == name).ok_or_else(|| {
            let names = Confidence::IN_FILES.map(Confidence::as_str);
            self.malformed("confidence", &self.json["confidence"], &format!("one of {}", names.join(", ")))
        })
    }

    fn range(&self) -> Result<Option<(Number, Number)>, ProfileError> {
        match self.json.get("range") {
            None => Ok(None),
            Some(Value::Array(ends)) if ends.len() == 2 => {
                Ok(Some((self.number("range", &ends[0])?, self.number("range", &ends[1])?)))
            }
            Some(other) => Err(self.malformed("range", other, "two numbers, the lowest and the highest value")),
        }
    }
}

impl Entry {
    /// Reads `{"value": 95, "unit": "ns", "source": "…", "confidence": "measured"}`, with a range and a note perhaps.
    /// Where no confidence is stated, `unstated` stands in; without that, one must be stated.
    pub fn from_json(
        origin: &str,
        path: &str,
        json: &Value,
        unstated: Option<Confidence>,
    ) -> Result<Self, ProfileError> {
        let fields = Fields::of(origin, path, json)?;
        Ok(Entry {
            origin: origin.to_owned(),
            path: path.to_owned(),
            number: fields.value()?,
            confidence: fields.confidence(unstated)?,
            range: fields.range()?,
            unit: fields.text("unit")?.ok_or_else(|| fields.missing("unit", "the unit of the value"))?,
            source: fields.text("source")?.ok_or_else(|| fields.missing("source", "who says so"))?,
            note: fields.text("note")?,
        })
    }

    /// The key: section and name, `mmio.load`.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// The value with its unit, as written: `95 ns`; `none` where a generation has no such thing.
    pub fn value(&self) -> String {
        self.number.map_or_else(|| "none".to_owned(), |number| written(number, &self.unit))
    }

    /// The lowest and the highest value that the sources allow, with their unit.
    pub fn range(&self) -> Option<(String, String)> {
        self.range.map(|(low, high)| (written(low, &self.unit), written(high, &self.unit)))
    }

    /// Who says so.
    pub fn source(&self) -> &str {
        &self.source
    }

    /// How far to trust it.
    pub fn confidence(&self) -> Confidence {
        self.confidence
    }

    /// How it was derived, or what to know about it.
    pub fn note(&self) -> Option<&str> {
        self.note.as_deref()
    }

    /// The value as a span of time, which may be zero.
    pub fn duration(&self) -> Result<Sourced<SimDuration>, ProfileError> {
        self.convert(Dimension::Time, "a time from zero to 213 days", |ps| Some(SimDuration::from_ps(ps)))
    }

    /// The value as a span of time above zero.
    pub(super) fn positive_duration(&self) -> Result<Sourced<SimDuration>, ProfileError> {
        self.convert(Dimension::Time, "a time above zero", positive)
    }

    /// The value as a span of time on an AICore with this clock, which may be zero.
    pub fn core_duration(&self, clock: Frequency) -> Result<Sourced<SimDuration>, ProfileError> {
        let dimension = Dimension::CoreTime(clock);
        self.convert(dimension, "a time from zero to 213 days", |ps| Some(SimDuration::from_ps(ps)))
    }

    /// The value as a span of time above zero on an AICore with this clock.
    pub(super) fn positive_core_duration(&self, clock: Frequency) -> Result<Sourced<SimDuration>, ProfileError> {
        self.convert(Dimension::CoreTime(clock), "a time above zero", positive)
    }

    /// The value as cycles of an AICore, in millionths, which may be none.
    pub fn cycles(&self) -> Result<Sourced<u64>, ProfileError> {
        let most = 1_000_000_000_000;
        self.convert(Dimension::Cycles, "from 0 to 1000000 cycles", |micro| (micro <= most).then_some(micro))
    }

    /// The value as bytes that an AICore moves in a cycle, in millionths.
    pub fn cycle_rate(&self) -> Result<Sourced<u64>, ProfileError> {
        let range = 1..=1_000_000_000_000;
        let expected = "a rate above zero, of at most 1000000 bytes per cycle";
        self.convert(Dimension::CycleRate, expected, |micro| range.contains(&micro).then_some(micro))
    }

    /// The value as a factor, in millionths.
    pub fn factor(&self) -> Result<Sourced<u64>, ProfileError> {
        let range = 1..=1_000_000_000;
        let expected = "a ratio above zero, of at most 1000";
        self.convert(Dimension::Ratio, expected, |millionths| range.contains(&millionths).then_some(millionths))
    }

    /// The unit that the value has where it is written.
    pub fn unit(&self) -> &str {
        &self.unit
    }

    /// The value as a clock rate.
    pub(super) fn frequency(&self) -> Result<Sourced<Frequency>, ProfileError> {
        self.convert(Dimension::Frequency, "a rate above zero", Frequency::from_hz)
    }

    /// The value as an amount of memory in bytes.
    pub fn size(&self) -> Result<Sourced<u64>, ProfileError> {
        self.convert(Dimension::Size, "a size above zero", |bytes| (bytes > 0).then_some(bytes))
    }

    /// The value as a data rate.
    pub(super) fn bandwidth(&self) -> Result<Sourced<Bandwidth>, ProfileError> {
        self.convert(Dimension::Bandwidth, "a rate above zero", Bandwidth::from_bytes_per_s)
    }

    /// The value as a data rate of an AICore with this clock.
    pub(super) fn core_bandwidth(&self, clock: Frequency) -> Result<Sourced<Bandwidth>, ProfileError> {
        self.convert(Dimension::CoreBandwidth(clock), "a rate above zero", Bandwidth::from_bytes_per_s)
    }

    /// The value as a number of things, of which there is at least one.
    pub fn count(&self) -> Result<Sourced<u32>, ProfileError> {
        self.convert(Dimension::Count, "a whole number from 1", |count| {
            u32::try_from(count).ok().filter(|&count| count > 0)
        })
    }

    /// The value as how many times as long something takes, never less than once.
    pub(super) fn slowdown(&self) -> Result<Sourced<Ratio>, ProfileError> {
        self.convert(Dimension::Ratio, "a ratio from 1 to 1000", Ratio::slowdown)
    }

    /// The value as an offset of a 32-bit register, or of the end of them all.
    pub(super) fn offset(&self) -> Result<Sourced<u32>, ProfileError> {
        self.convert(Dimension::Offset, "a 32-bit offset divisible by 4", register_offset)
    }

    /// The value as an offset of a register that a generation may lack.
    pub(super) fn optional_offset(&self) -> Result<Sourced<Option<u32>>, ProfileError> {
        match self.number {
            Some(_) => self.convert(Dimension::Offset, "a 32-bit offset divisible by 4, or none", |offset| {
                register_offset(offset).map(Some)
            }),
            None => {
                self.unit_of(Dimension::Offset)?;
                Ok(self.sourced(None, None))
            }
        }
    }

    /// The error for a value that its key does not allow.
    pub fn out_of_range(&self, expected: impl Into<String>) -> ProfileError {
        ProfileError::OutOfRange {
            origin: self.origin.clone(),
            key: self.path.clone(),
            value: self.value(),
            expected: expected.into(),
        }
    }

    fn convert<T: PartialOrd>(
        &self,
        dimension: Dimension,
        expected: &str,
        from_base: impl Fn(u64) -> Option<T>,
    ) -> Result<Sourced<T>, ProfileError> {
        let unit = self.unit_of(dimension)?;
        let Some(number) = self.number else {
            return Err(ProfileError::Malformed {
                origin: self.origin.clone(),
                key: self.path.clone(),
                found: "none".to_owned(),
                expected: dimension.to_string(),
            });
        };
        let typed = |number| dimension.to_base(number, unit).and_then(&from_base);
        let value = typed(number).ok_or_else(|| self.out_of_range(expected))?;
        let range = match self.range {
            None => None,
            Some((low, high)) => {
                let range = typed(low).zip(typed(high)).map(|(low, high)| low..=high);
                let outside = || self.out_of_range(format!("its own range {low} to {high}"));
                Some(range.filter(|range| range.contains(&value)).ok_or_else(outside)?)
            }
        };
        Ok(self.sourced(value, range))
    }

    /// The unit, if it fits `dimension`.
    fn unit_of(&self, dimension: Dimension) -> Result<Unit, ProfileError> {
        Unit::from_symbol(&self.unit).filter(|&unit| dimension.fits(unit)).ok_or_else(|| ProfileError::WrongUnit {
            origin: self.origin.clone(),
            key: self.path.clone(),
            unit: self.unit.clone(),
            expected: dimension,
        })
    }

    /// A value of one generation that nobody published for another, `here`: the same is expected there, no more.
    pub(super) fn expected_as_on(mut self, elsewhere: Arch, here: Arch) -> Self {
        if matches!(self.confidence, Confidence::Placeholder | Confidence::Setting) {
            return self;
        }
        self.confidence = Confidence::Inferred;
        let expected = format!("Not published for {here}: expected as on {elsewhere}.");
        self.note = Some(self.note.map_or_else(|| expected.clone(), |note| format!("{expected} {note}")));
        self
    }

    fn sourced<T>(&self, value: T, range: Option<RangeInclusive<T>>) -> Sourced<T> {
        Sourced { value, range, source: self.source.clone(), confidence: self.confidence, note: self.note.clone() }
    }
}

fn positive(ps: u64) -> Option<SimDuration> {
    (ps > 0).then_some(SimDuration::from_ps(ps))
}

fn register_offset(offset: u64) -> Option<u32> {
    u32::try_from(offset).ok().filter(|offset| offset % 4 == 0)
}

/// A number with its unit; what is counted needs none, and offsets are hexadecimal.
fn written(number: Number, unit: &str) -> String {
    match Unit::from_symbol(unit) {
        Some(Unit::Count | Unit::Ratio) => number.to_string(),
        Some(Unit::Offset) => Dimension::Offset
            .to_base(number, Unit::Offset)
            .map_or_else(|| number.to_string(), |offset| format!("{offset:#x}")),
        _ => format!("{number} {unit}"),
    }
}
