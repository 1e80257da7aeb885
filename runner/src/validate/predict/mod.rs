//! What the model says of a row: asked of the code that simulates, with the profile of the part that was measured.

mod case;
mod control;
mod copy;
mod host;
mod program;

use std::collections::BTreeMap;

use sim_aicore::pipes::tables::load_profile;
use sim_core::profile::{Override, Profile, ProfileError};
use sim_core::time::{Frequency, SimDuration};

use super::measure::Measure;
use super::rows::{Row, Unit};
pub use case::CaseFailure;
use case::Runs;

/// What the model says of a row.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Prediction {
    /// This, in the unit of the published figure.
    Value(f64),
    /// Nothing, because of this.
    NotModelled(String),
}

/// What a predictor gives, before it is put into the unit of the published figure.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Quantity {
    /// How long something takes.
    Time(SimDuration),
    /// How long it takes to move so many bytes.
    Transfer { bytes: u64, time: SimDuration },
}

impl Quantity {
    /// The number in this unit, for a core with this clock; none if the unit is of something else.
    fn in_unit(self, unit: Unit, clock: Frequency) -> Option<f64> {
        let time = match self {
            Quantity::Time(time) | Quantity::Transfer { time, .. } => time,
        };
        let ps = time.as_ps() as f64;
        match (unit, self) {
            (Unit::Cycle, _) => Some(ps * clock.as_hz() as f64 / 1e12),
            (Unit::Ns, _) => Some(ps / 1e3),
            (Unit::Us, _) => Some(ps / 1e6),
            (Unit::Ms, _) => Some(ps / 1e9),
            (Unit::S, _) => Some(ps / 1e12),
            (Unit::GigabytesPerSecond, Quantity::Transfer { bytes, .. }) if ps > 0.0 => Some(bytes as f64 / ps * 1e3),
            (Unit::GigabytesPerSecond | Unit::Percent, _) => None,
        }
    }
}

/// A prediction of one part of the model: a quantity, or what is missing.
type Answer = Result<Quantity, Missing>;

/// What the model lacks for a row.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Missing(String);

/// Why a row cannot be asked for.
#[derive(Debug, thiserror::Error, displaydoc::Display)]
pub enum PredictError {
    /// row {row}: {error}
    Profile {
        /// The row.
        row: String,
        /// What is wrong.
        error: Box<ProfileError>,
    },
    /// row {row}: a prediction of this kind cannot be put into {unit}
    Unit {
        /// The row.
        row: String,
        /// The unit of the published figure.
        unit: Unit,
    },
    /// row {row}: {error}
    Case {
        /// The row.
        row: String,
        /// What is wrong.
        error: Box<CaseFailure>,
    },
}

/// The model, with what it was asked already.
pub(super) struct Predictor {
    /// Values of all profiles that are replaced.
    overrides: Vec<Override>,
    /// By name; none where there is no such profile.
    profiles: BTreeMap<String, Option<Profile>>,
    runs: Runs,
}

impl Predictor {
    /// The model with these values replaced.
    pub(super) fn new(overrides: &[Override]) -> Self {
        Predictor { overrides: overrides.to_vec(), profiles: BTreeMap::new(), runs: Runs::new(overrides) }
    }

    /// What the model says of this row.
    pub(super) fn predict(&mut self, row: &Row) -> Result<Prediction, PredictError> {
        if let Measure::Unmodelled { why } = &row.measure {
            return Ok(Prediction::NotModelled(why.clone()));
        }
        let Some(profile) = self.profile(row)? else {
            return Ok(Prediction::NotModelled(format!("there is no profile {}", row.profile())));
        };
        let answer = match &row.measure {
            Measure::Program(program) => program::predict(&profile, program),
            Measure::GmCopy(copy) => copy::predict(&profile, copy),
            Measure::Mmio(access) => control::mmio(&profile, *access),
            Measure::Aicpu(work) => control::aicpu(&profile, *work),
            Measure::Executor(work) => control::executor(&profile, *work),
            Measure::Host(call) => host::predict(&profile, *call),
            Measure::Case(run) => self
                .runs
                .predict(row, run)
                .map_err(|error| PredictError::Case { row: row.id.clone(), error: Box::new(error) })?,
            Measure::Unmodelled { why } => Err(Missing(why.clone())),
        };
        match answer {
            Ok(quantity) => {
                let unit = row.published.unit;
                let value = quantity.in_unit(unit, *profile.clock.aicore);
                value.map(Prediction::Value).ok_or_else(|| PredictError::Unit { row: row.id.clone(), unit })
            }
            Err(Missing(why)) => Ok(Prediction::NotModelled(why)),
        }
    }

    fn profile(&mut self, row: &Row) -> Result<Option<Profile>, PredictError> {
        let name = row.profile();
        if let Some(known) = self.profiles.get(name) {
            return Ok(known.clone());
        }
        let profile = match load_profile(name).and_then(|profile| profile.with_overrides(&self.overrides)) {
            Ok(profile) => Some(profile),
            Err(ProfileError::UnknownProfile { .. }) => None,
            Err(error) => return Err(PredictError::Profile { row: row.id.clone(), error: Box::new(error) }),
        };
        self.profiles.insert(name.to_owned(), profile.clone());
        Ok(profile)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_a_quantity_put_into_every_unit_that_fits() {
        let clock = Frequency::from_hz(1_850_000_000).unwrap();
        let time = Quantity::Time(SimDuration::from_us(2));
        let units = [Unit::Cycle, Unit::Ns, Unit::Us, Unit::Ms, Unit::S, Unit::GigabytesPerSecond, Unit::Percent];
        let values = units.map(|unit| time.in_unit(unit, clock));
        assert_eq!(values, [Some(3700.0), Some(2000.0), Some(2.0), Some(0.002), Some(2e-6), None, None]);
        let transfer = Quantity::Transfer { bytes: 30_000, time: SimDuration::from_us(2) };
        assert_eq!(transfer.in_unit(Unit::GigabytesPerSecond, clock), Some(15.0));
        let nothing = Quantity::Transfer { bytes: 0, time: SimDuration::ZERO };
        assert_eq!(nothing.in_unit(Unit::GigabytesPerSecond, clock), None);
    }
}
