//! What `npusim validate` shows.
//!
//! `--json` is `{"groups": {"micro": {"mape": 3.2, …, "rows": […]}, …}}`, errors in percent. Keys keep their meaning:
//! one may be added, but never renamed or reused.

use std::fmt;

use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};
use sim_core::profile::Arch;

use super::group::Group;
use super::predict::Prediction;
use super::rows::{Evidence, LeftOut, Row, Unit};
use super::score;

/// The error in percent beyond which a row needs a sentence that explains it.
pub(super) const NEEDS_EXPLANATION: f64 = 25.0;

/// Every group that was looked at.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// In their order.
    #[serde(serialize_with = "by_name")]
    pub groups: Vec<GroupReport>,
}

/// The rows of a group and what they come to.
#[derive(Clone, Debug, Serialize)]
pub struct GroupReport {
    /// Which group.
    #[serde(skip)]
    pub group: Group,
    /// The mean of the errors of the rows that count, without signs, in percent; none if no row counts.
    pub mape: Option<f64>,
    /// What that is to stay within.
    pub target: Option<f64>,
    /// How many rows count.
    pub scored: usize,
    /// How many do not because a constant was derived from them.
    pub fitted: usize,
    /// How many have no prediction.
    pub not_modelled: usize,
    /// All of them.
    pub rows: Vec<ReportedRow>,
    /// Published figures that are no rows.
    pub left_out: Vec<LeftOut>,
}

/// A row with what the model says of it.
#[derive(Clone, Debug, Serialize)]
pub struct ReportedRow {
    /// Its name.
    pub id: String,
    /// The generation.
    pub arch: Arch,
    /// The profile that was asked.
    pub profile: String,
    /// What the model says; none if it says nothing.
    pub predicted: Option<f64>,
    /// What was published.
    pub published: f64,
    /// The unit of both.
    pub unit: Unit,
    /// The difference in percent of what was published.
    pub error: Option<f64>,
    /// Who published it.
    pub source: String,
    /// How far to trust it.
    pub confidence: Evidence,
    /// Whether it does not count because a constant was derived from it.
    pub fit: bool,
    /// Which constant.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fits: Option<String>,
    /// Why there is no prediction.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub not_modelled: Option<String>,
    /// Why the prediction is far off.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub explanation: Option<String>,
}

impl ReportedRow {
    pub(super) fn new(row: Row, prediction: Prediction) -> Self {
        let profile = row.profile().to_owned();
        let (predicted, not_modelled) = match prediction {
            Prediction::Value(value) => (Some(value), None),
            Prediction::NotModelled(why) => (None, Some(why)),
        };
        ReportedRow {
            id: row.id,
            arch: row.arch,
            profile,
            predicted,
            published: row.published.value,
            unit: row.published.unit,
            error: predicted.map(|predicted| score::error_percent(predicted, row.published.value)),
            source: row.source,
            confidence: row.confidence,
            fit: row.fit.is_some(),
            fits: row.fit,
            not_modelled,
            explanation: row.explanation,
        }
    }

    /// The error, if it counts.
    pub fn scored_error(&self) -> Option<f64> {
        self.error.filter(|_| !self.fit)
    }

    /// Whether it is so far off that it needs an explanation.
    pub fn needs_explanation(&self) -> bool {
        self.error.is_some_and(|error| error.abs() > NEEDS_EXPLANATION)
    }
}

impl GroupReport {
    pub(super) fn new(group: Group, rows: Vec<ReportedRow>, left_out: Vec<LeftOut>) -> Self {
        let errors = || rows.iter().filter_map(ReportedRow::scored_error);
        GroupReport {
            group,
            mape: score::mean_absolute(errors()),
            target: group.target(),
            scored: errors().count(),
            fitted: rows.iter().filter(|row| row.fit && row.predicted.is_some()).count(),
            not_modelled: rows.iter().filter(|row| row.predicted.is_none()).count(),
            rows,
            left_out,
        }
    }
}

fn by_name<S: Serializer>(groups: &[GroupReport], to: S) -> Result<S::Ok, S::Error> {
    let mut map = to.serialize_map(Some(groups.len()))?;
    for group in groups {
        map.serialize_entry(group.group.name(), group)?;
    }
    map.end()
}

/// A report as a terminal shows it: a line for each row, one for each explanation, a line for each group at the end.
#[derive(Clone, Copy, Debug)]
pub struct ReportTable<'a>(pub &'a Report);

impl fmt::Display for ReportTable<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for group in &self.0.groups {
            rows_of(f, group)?;
        }
        for group in &self.0.groups {
            writeln!(f, "{}", Verdict(group))?;
        }
        Ok(())
    }
}

fn rows_of(f: &mut fmt::Formatter<'_>, report: &GroupReport) -> fmt::Result {
    let width = report.rows.iter().map(|row| row.id.len()).max().unwrap_or(0).max(report.group.name().len());
    writeln!(
        f,
        "{:<width$}  {:>12}  {:>12} unit   {:>8}  {:<10}  source",
        report.group, "predicted", "published", "error %", "confidence"
    )?;
    for row in &report.rows {
        let predicted = row.predicted.map_or_else(|| "-".to_owned(), digits);
        let error = match (row.error, row.fit) {
            (None, _) => "-".to_owned(),
            (Some(_), true) => "fit".to_owned(),
            (Some(error), false) => format!("{error:+.1}"),
        };
        writeln!(
            f,
            "{:<width$}  {predicted:>12}  {:>12} {:<5}  {error:>8}  {:<10}  {}",
            row.id,
            digits(row.published),
            row.unit,
            row.confidence,
            row.source
        )?;
        if let Some(why) = &row.not_modelled {
            writeln!(f, "    not modelled: {why}")?;
        }
        if let (true, Some(error), Some(constant)) = (row.needs_explanation(), row.error, &row.fits) {
            writeln!(f, "    fit of {constant}, off by {error:+.1} %")?;
        }
        if let (true, Some(explanation)) = (row.needs_explanation(), &row.explanation) {
            writeln!(f, "    {explanation}")?;
        }
    }
    for LeftOut { figure, source, why, .. } in &report.left_out {
        writeln!(f, "left out: {figure} ({source}): {why}")?;
    }
    writeln!(f)
}

/// A number in six digits: `12.5000`, `1506.00`, `759364`.
fn digits(value: f64) -> String {
    let places = match value.abs() {
        size if size >= 1e5 => 0,
        size if size >= 1e4 => 1,
        size if size >= 1e3 => 2,
        size if size >= 1e2 => 3,
        _ => 4,
    };
    format!("{value:.places$}")
}

struct Verdict<'a>(&'a GroupReport);

impl fmt::Display for Verdict<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let GroupReport { group, mape, target, scored, fitted, not_modelled, left_out, .. } = self.0;
        write!(f, "{group:<8}")?;
        match mape {
            Some(mape) => write!(f, "mean error {mape:>6.2} % over {scored} rows")?,
            None => write!(f, "no row counts")?,
        }
        match (target, mape) {
            (Some(target), Some(mape)) if mape <= target => write!(f, " (target {target} %: met)")?,
            (Some(target), _) => write!(f, " (target {target} %: missed)")?,
            (None, _) => {}
        }
        let left_out = left_out.len();
        write!(f, "; {fitted} fits, {not_modelled} not modelled, {left_out} left out")
    }
}
