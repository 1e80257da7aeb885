//! `npusim validate`: the model against every published figure that it can be held to.
//!
//! ```text
//!   validation/*.json ──▶ Row: what is measured, what was published ──▶ Prediction ──▶ Outcome ──▶ Report
//!   rows                  measure                                       predict        score       report
//! ```
//!
//! The figures are data: a file for each [`Group`], of rows and of series of rows that differ in their shapes alone.
//! What a row measures is a `Measure`, a type, so that a figure which nothing predicts cannot be
//! written down by mistake. A prediction comes from the code that simulates, asked as a run asks it; a row of a whole
//! kernel or device is a bundled case that is run.
//!
//! Three things keep the score honest:
//!
//! - A row from which a constant was derived is a *fit*, names the constant, and does not count.
//! - A row that nothing predicts is *not modelled*: it says why, is counted, and never has a number.
//! - A published figure that cannot be a row is *left out*, with the reason.
//!
//! Nothing depends on the host: the report is the same on every machine, and a snapshot of it is under review.

mod group;
mod measure;
mod predict;
mod report;
mod rows;
mod score;
#[cfg(test)]
mod tests;

use sim_aicore::pipes::tables::load_profile;
use sim_core::profile::{Arch, Override, ProfileError};

pub use group::Group;
pub use predict::{CaseFailure, PredictError};
pub use report::{GroupReport, Report, ReportTable, ReportedRow};
pub use rows::{Evidence, LeftOut, RowsError, Unit};

use predict::Predictor;

/// Which rows are looked at.
#[derive(Clone, Debug, Default)]
pub struct Selection {
    /// Of these groups; all if there is none.
    pub groups: Vec<Group>,
    /// Of this generation; of both if there is none.
    pub arch: Option<Arch>,
    /// Values of all profiles that are replaced: what would the model say then?
    pub overrides: Vec<Override>,
}

impl Selection {
    fn groups(&self) -> impl Iterator<Item = Group> {
        Group::ALL.into_iter().filter(|group| self.groups.is_empty() || self.groups.contains(group))
    }

    fn has(&self, arch: Arch) -> bool {
        self.arch.is_none_or(|selected| selected == arch)
    }
}

/// Why the model cannot be validated.
#[derive(Debug, thiserror::Error, displaydoc::Display)]
pub enum ValidateError {
    /// {0}
    Profile(#[from] ProfileError),
    /// {0}
    Rows(#[from] RowsError),
    /// {0}
    Predict(#[from] PredictError),
}

/// Predicts every row of a selection and scores the predictions.
pub fn validate(selection: &Selection) -> Result<Report, ValidateError> {
    for arch in Arch::ALL.into_iter().filter(|arch| selection.has(*arch)) {
        load_profile(arch)?.with_overrides(&selection.overrides)?;
    }
    let mut predictor = Predictor::new(&selection.overrides);
    let mut groups = Vec::new();
    for group in selection.groups() {
        let published = rows::of(group)?;
        let mut reported = Vec::new();
        for row in published.rows.into_iter().filter(|row| selection.has(row.arch)) {
            let prediction = predictor.predict(&row)?;
            reported.push(ReportedRow::new(row, prediction));
        }
        let left_out = published.left_out.into_iter().filter(|figure| selection.has(figure.arch)).collect();
        groups.push(GroupReport::new(group, reported, left_out));
    }
    Ok(Report { groups })
}
