//! The published figures as they are written down.

use std::collections::BTreeSet;
use std::fmt;

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize};
use sim_aicore::pipes::{Element, VectorOp};
use sim_core::profile::Arch;

use super::group::Group;
use super::measure::{ElementName, Measure, Step, optional_element};

/// A published figure and what predicts it.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Row {
    /// Its name, of which there is one.
    pub(super) id: String,
    /// The generation.
    #[serde(deserialize_with = "arch")]
    pub(super) arch: Arch,
    /// The profile of the part that was measured; that of the generation if none is named.
    pub(super) profile: Option<String>,
    /// What is measured.
    pub(super) measure: Measure,
    /// What it came to.
    pub(super) published: Published,
    /// Who says so.
    pub(super) source: String,
    /// How far to trust it.
    pub(super) confidence: Evidence,
    /// The constant that was derived from this figure, if one was.
    pub(super) fit: Option<String>,
    /// Why the prediction is far off.
    pub(super) explanation: Option<String>,
}

impl Row {
    /// The name of its profile.
    pub(super) fn profile(&self) -> &str {
        self.profile.as_deref().unwrap_or(self.arch.as_str())
    }
}

/// A number in a unit.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Published {
    pub(super) value: f64,
    pub(super) unit: Unit,
}

/// The unit of a published figure.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub enum Unit {
    /// Cycles of the AICores' clock.
    #[serde(rename = "cycle")]
    Cycle,
    /// Nanoseconds.
    #[serde(rename = "ns")]
    Ns,
    /// Microseconds.
    #[serde(rename = "us")]
    Us,
    /// Milliseconds.
    #[serde(rename = "ms")]
    Ms,
    /// Seconds.
    #[serde(rename = "s")]
    S,
    /// 10^9 bytes per second.
    #[serde(rename = "GB/s")]
    GigabytesPerSecond,
    /// Hundredths of something else.
    #[serde(rename = "%")]
    Percent,
}

impl fmt::Display for Unit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Unit::Cycle => "cycle",
            Unit::Ns => "ns",
            Unit::Us => "us",
            Unit::Ms => "ms",
            Unit::S => "s",
            Unit::GigabytesPerSecond => "GB/s",
            Unit::Percent => "%",
        })
    }
}

/// How a figure was come by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Evidence {
    /// On silicon.
    Measured,
    /// Stated by the vendor or the runtime.
    Documented,
    /// On a simulator of the vendor.
    Simulated,
    /// By arithmetic on measured figures.
    Inferred,
}

impl fmt::Display for Evidence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Evidence::Measured => "measured",
            Evidence::Documented => "documented",
            Evidence::Simulated => "simulated",
            Evidence::Inferred => "inferred",
        })
    }
}

/// A published figure that is no row.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct LeftOut {
    /// The generation.
    #[serde(deserialize_with = "arch")]
    pub arch: Arch,
    /// What was published.
    pub figure: String,
    /// Who says so.
    pub source: String,
    /// Why it is no row.
    pub why: String,
}

/// Rows that differ in the shape of one vector operation alone, in cycles.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Series {
    id: String,
    #[serde(deserialize_with = "arch")]
    arch: Arch,
    op: VectorOp,
    #[serde(with = "ElementName")]
    element: Element,
    #[serde(default, with = "optional_element")]
    to_element: Option<Element>,
    source: String,
    confidence: Evidence,
    fit: Option<String>,
    explanation: Option<String>,
    points: Vec<Point>,
}

/// Rows, columns, elements from one row to the next, cycles.
#[derive(Clone, Copy, Debug, Deserialize)]
struct Point(u32, u32, u32, f64);

impl Series {
    fn rows(self) -> impl Iterator<Item = Row> {
        let Series { id, arch, op, element, to_element, source, confidence, fit, explanation, points } = self;
        points.into_iter().map(move |Point(rows, cols, width, cycles)| Row {
            id: format!("{id}.{rows}x{cols}of{width}"),
            arch,
            profile: None,
            measure: Measure::of_step(Step::Vector {
                op,
                element,
                to: to_element,
                rows,
                cols,
                width: Some(width),
                places: None,
            }),
            published: Published { value: cycles, unit: Unit::Cycle },
            source: source.clone(),
            confidence,
            fit: fit.clone(),
            explanation: explanation.clone(),
        })
    }
}

/// A file of rows.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct RowFile {
    rows: Vec<Row>,
    series: Vec<Series>,
    left_out: Vec<LeftOut>,
}

/// What was published for a group.
#[derive(Debug)]
pub(super) struct PublishedFigures {
    pub(super) rows: Vec<Row>,
    pub(super) left_out: Vec<LeftOut>,
}

/// Why a file of rows cannot be used.
#[derive(Debug, thiserror::Error, displaydoc::Display)]
pub enum RowsError {
    /// the rows of {group}: `{path}`: {error}
    Malformed {
        /// The group.
        group: Group,
        /// Where in the file.
        path: String,
        /// What is wrong.
        error: serde_json::Error,
    },
    /// the rows of {group} have `{id}` twice
    Duplicate {
        /// The group.
        group: Group,
        /// The name.
        id: String,
    },
    /// the rows of {group}: `{id}` has {value} as its published value; write a number above zero
    Value {
        /// The group.
        group: Group,
        /// The name.
        id: String,
        /// What is written.
        value: f64,
    },
}

/// The figures of a group: rows first, then series.
pub(super) fn of(group: Group) -> Result<PublishedFigures, RowsError> {
    read(group, group.text())
}

/// Reads and checks a file of rows.
pub(super) fn read(group: Group, text: &str) -> Result<PublishedFigures, RowsError> {
    let mut json = serde_json::Deserializer::from_str(text);
    let file: RowFile = serde_path_to_error::deserialize(&mut json).map_err(|error| RowsError::Malformed {
        group,
        path: error.path().to_string(),
        error: error.into_inner(),
    })?;
    let rows: Vec<Row> = file.rows.into_iter().chain(file.series.into_iter().flat_map(Series::rows)).collect();
    let mut seen = BTreeSet::new();
    for row in &rows {
        let value = row.published.value;
        if !(value.is_finite() && value > 0.0) {
            return Err(RowsError::Value { group, id: row.id.clone(), value });
        }
        if !seen.insert(&row.id) {
            return Err(RowsError::Duplicate { group, id: row.id.clone() });
        }
    }
    Ok(PublishedFigures { rows, left_out: file.left_out })
}

fn arch<'de, D: Deserializer<'de>>(from: D) -> Result<Arch, D::Error> {
    String::deserialize(from)?.parse().map_err(D::Error::custom)
}
