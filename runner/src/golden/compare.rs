//! Comparison of two tensors, element by element.

use rayon::prelude::*;
use serde::Serialize;

use crate::case::Tolerances;
use crate::tensor::{DType, HostTensor};

/// Elements compared by one parallel task.
const ELEMENTS_PER_TASK: usize = 1 << 16;

/// How one output compares with what it should be.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct OutputReport {
    /// The tensor.
    pub name: String,
    /// How many elements were compared.
    pub elements: usize,
    /// How many are not within tolerance.
    pub mismatches: usize,
    /// The first that is not.
    pub first_mismatch: Option<usize>,
    /// The largest `|actual - expected|`, the first of equals; `None` if every element is exact.
    pub worst_absolute: Option<Deviation>,
    /// The largest `|actual - expected| / |expected|`, the first of equals; `None` if every element is exact or is
    /// expected to be 0, which has no relative error.
    pub worst_relative: Option<Deviation>,
}

/// One element that is off.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Deviation {
    /// By how much; infinite where one of the values is no number.
    pub error: f64,
    /// Its index among all elements, in C order.
    pub index: usize,
    /// What it should be.
    pub expected: f64,
    /// What it is.
    pub actual: f64,
}

/// Compares two tensors; `None` if they differ in shape or type.
///
/// An element is right if `|actual - expected| <= absolute + relative * |expected|`. Equal infinities and two NaNs are
/// right, too, and no tolerance allows an infinite error.
pub fn compare(name: &str, expected: &HostTensor, actual: &HostTensor, tolerances: Tolerances) -> Option<OutputReport> {
    let dtype = expected.dtype();
    if dtype != actual.dtype() || expected.shape() != actual.shape() {
        return None;
    }
    let size = dtype.size();
    let chunks = expected.bytes().par_chunks(ELEMENTS_PER_TASK * size);
    let pairs = chunks.zip(actual.bytes().par_chunks(ELEMENTS_PER_TASK * size)).enumerate();
    let tally = pairs.map(|(task, (expected, actual))| {
        let mut tally = Tally::default();
        let elements = expected.chunks_exact(size).zip(actual.chunks_exact(size));
        for (index, (expected, actual)) in (task * ELEMENTS_PER_TASK..).zip(elements) {
            // Most results are exact, whatever their type.
            if expected != actual {
                tally.add(index, Difference::of(dtype, expected, actual), tolerances);
            }
        }
        tally
    });
    let tally = tally.reduce(Tally::default, Tally::join);
    Some(OutputReport {
        name: name.to_owned(),
        elements: expected.len(),
        mismatches: tally.mismatches,
        first_mismatch: tally.first_mismatch,
        worst_absolute: tally.worst_absolute,
        worst_relative: tally.worst_relative,
    })
}

/// Two elements and what lies between them.
struct Difference {
    expected: f64,
    actual: f64,
    error: f64,
}

impl Difference {
    fn of(dtype: DType, expected: &[u8], actual: &[u8]) -> Self {
        let integers = dtype.decode_integer(expected).zip(dtype.decode_integer(actual));
        if let Some((expected, actual)) = integers {
            // Subtracted before rounding: neighbours beyond 2^53 differ by 1, not by 0.
            let error = expected.abs_diff(actual) as f64;
            return Difference { expected: expected as f64, actual: actual as f64, error };
        }
        let float = |element| dtype.decode_float(element).unwrap_or(f64::NAN);
        let (expected, actual) = (float(expected), float(actual));
        let error = if expected == actual || (expected.is_nan() && actual.is_nan()) {
            0.0
        } else if expected.is_finite() && actual.is_finite() {
            (actual - expected).abs()
        } else {
            f64::INFINITY
        };
        Difference { expected, actual, error }
    }
}

/// What has been found in some of the elements.
#[derive(Clone, Copy, Debug, Default)]
struct Tally {
    mismatches: usize,
    first_mismatch: Option<usize>,
    worst_absolute: Option<Deviation>,
    worst_relative: Option<Deviation>,
}

impl Tally {
    /// Adds one element; elements are added in order.
    fn add(&mut self, index: usize, difference: Difference, tolerances: Tolerances) {
        let Difference { expected, actual, error } = difference;
        if error == 0.0 {
            return;
        }
        let deviation = |error| Some(Deviation { error, index, expected, actual });
        self.worst_absolute = worse(self.worst_absolute, deviation(error));
        if expected != 0.0 {
            let relative = if error.is_finite() { error / expected.abs() } else { error };
            self.worst_relative = worse(self.worst_relative, deviation(relative));
        }
        let allowed = tolerances.absolute + tolerances.relative * expected.abs();
        if !(error.is_finite() && error <= allowed) {
            self.mismatches += 1;
            self.first_mismatch.get_or_insert(index);
        }
    }

    /// Joins the tallies of two neighbouring ranges.
    fn join(left: Tally, right: Tally) -> Tally {
        Tally {
            mismatches: left.mismatches + right.mismatches,
            first_mismatch: left.first_mismatch.or(right.first_mismatch),
            worst_absolute: worse(left.worst_absolute, right.worst_absolute),
            worst_relative: worse(left.worst_relative, right.worst_relative),
        }
    }
}

/// The larger deviation, the earlier one if they are equal.
fn worse(earlier: Option<Deviation>, later: Option<Deviation>) -> Option<Deviation> {
    match (earlier, later) {
        (Some(earlier), Some(later)) if later.error > earlier.error => Some(later),
        (earlier, later) => earlier.or(later),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn floats(values: &[f32]) -> HostTensor {
        HostTensor::from_f32(&[values.len() as u32], values).unwrap()
    }

    fn compared(expected: &[f32], actual: &[f32], absolute: f64, relative: f64) -> OutputReport {
        compare("f", &floats(expected), &floats(actual), Tolerances { absolute, relative }).unwrap()
    }

    #[test]
    fn where_are_the_worst_errors() {
        let report = compared(&[1.0, 100.0, 0.0, -4.0], &[1.5, 102.0, 0.25, -2.0], 0.25, 0.01);
        assert_eq!(report.worst_absolute, Some(Deviation { error: 2.0, index: 1, expected: 100.0, actual: 102.0 }));
        assert_eq!(report.worst_relative, Some(Deviation { error: 0.5, index: 0, expected: 1.0, actual: 1.5 }));
        assert_eq!((report.mismatches, report.first_mismatch, report.elements), (3, Some(0), 4));
    }

    #[test]
    fn is_an_error_of_just_the_tolerance_allowed() {
        assert_eq!(compared(&[8.0], &[9.5], 0.5, 0.125).mismatches, 0);
        assert_eq!(compared(&[8.0], &[9.75], 0.5, 0.125).mismatches, 1);
    }

    #[test]
    fn does_no_tolerance_allow_what_is_no_number() {
        let (inf, nan) = (f32::INFINITY, f32::NAN);
        let report = compared(&[inf, 1.0, 2.0, inf], &[3.0, nan, inf, -inf], 1e30, 1e30);
        assert_eq!((report.mismatches, report.worst_absolute.unwrap().error), (4, f64::INFINITY));
        let report = compared(&[inf, -nan, 0.0], &[inf, nan, -0.0], 0.0, 0.0);
        assert_eq!((report.mismatches, report.worst_absolute, report.worst_relative), (0, None, None));
    }

    #[test]
    fn do_large_integers_differ_by_one() {
        let tensor = |value: i64| HostTensor::from_bytes(DType::I64, &[1], value.to_le_bytes().to_vec()).unwrap();
        let report = compare("i", &tensor(i64::MAX), &tensor(i64::MAX - 1), Tolerances::default()).unwrap();
        assert_eq!((report.mismatches, report.worst_absolute.unwrap().error), (1, 1.0));
    }

    #[test]
    fn do_different_shapes_or_types_not_compare() {
        let (row, column) = (HostTensor::zeros(DType::F32, &[1, 2]), HostTensor::zeros(DType::F32, &[2, 1]));
        assert_eq!(compare("f", &row, &column, Tolerances::default()), None);
        assert_eq!(compare("f", &row, &HostTensor::zeros(DType::I32, &[1, 2]), Tolerances::default()), None);
    }

    #[test]
    fn is_the_report_the_same_on_any_number_of_threads() {
        let expected: Vec<f32> = (0..300_000_u32).map(|index| (index % 977) as f32).collect();
        let actual: Vec<f32> =
            expected.iter().map(|value| value + if value % 5.0 == 0.0 { 1.0 } else { 0.0 }).collect();
        let on = |threads| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            pool.install(|| compared(&expected, &actual, 0.0, 0.0))
        };
        let report = on(1);
        assert_eq!(report.worst_absolute, Some(Deviation { error: 1.0, index: 0, expected: 0.0, actual: 1.0 }));
        assert_eq!(report.worst_relative.map(|worst| worst.index), Some(5));
        assert_eq!((on(2), on(7)), (report.clone(), report));
    }
}
