//! Values made from a rule instead of a file.
//!
//! Each element depends on its index alone, so that any part of a tensor can be made on any thread and the result is
//! the same. Random elements are a hash of seed and index (SplitMix64), never a running state:
//! `u = (mix(seed + (index + 1) * 0x9e3779b97f4a7c15) >> 11) / 2^53`, then `low + u * (high - low)` for floats
//! and `low + floor(u * (high - low))` for integers. `high` is exclusive before an element is rounded to its type.

use rayon::prelude::*;

use super::{DType, HostTensor};

/// How the elements of a tensor are made.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub enum Generator {
    /// All zero.
    #[default]
    Zeros,
    /// All the same.
    Constant(f64),
    /// `start + step * index`.
    Ramp {
        /// The first element.
        start: f64,
        /// The difference between neighbours.
        step: f64,
    },
    /// Uniformly distributed in `low..high`.
    Random {
        /// The smallest value.
        low: f64,
        /// Above the largest value.
        high: f64,
        /// Seed of its own; without one, the run's seed and the tensor's position are taken.
        seed: Option<u64>,
    },
}

/// Why a rule cannot fill a tensor.
#[derive(Clone, Copy, Debug, PartialEq, thiserror::Error, displaydoc::Display)]
pub enum GeneratorError {
    /// {value} does not fit {dtype}, which holds {low} to {high}
    OutOfRange {
        /// The value that the rule makes.
        value: f64,
        /// The tensor's type.
        dtype: DType,
        /// The smallest value of the type.
        low: i128,
        /// The largest value of the type.
        high: i128,
    },
    /// {value} is no whole number, which {dtype} needs
    Fraction {
        /// The value that the rule asks for.
        value: f64,
        /// The tensor's type.
        dtype: DType,
    },
    /// the random range {low}..{high} is empty: `low` has to be less than `high`
    EmptyRange {
        /// The lower bound.
        low: f64,
        /// The upper bound, exclusive.
        high: f64,
    },
}

/// Elements filled by one parallel task.
const ELEMENTS_PER_TASK: usize = 1 << 16;

impl Generator {
    /// Makes a tensor; `seed` serves a random rule that has none.
    pub fn generate(&self, dtype: DType, shape: &[u32], seed: u64) -> Result<HostTensor, GeneratorError> {
        let mut tensor = HostTensor::zeros(dtype, shape);
        self.check(dtype, tensor.len())?;
        if *self == Generator::Zeros {
            return Ok(tensor);
        }
        self.fill(&mut tensor, seed);
        Ok(tensor)
    }

    /// Whether every element of `count` fits the type.
    pub fn check(&self, dtype: DType, count: usize) -> Result<(), GeneratorError> {
        let last_index = count.saturating_sub(1) as f64;
        let (parameters, extremes) = match *self {
            Generator::Zeros => return Ok(()),
            Generator::Constant(value) => ([value, value], [value, value]),
            Generator::Ramp { start, step } => ([start, step], [start, start + step * last_index]),
            Generator::Random { low, high, .. } if low < high => ([low, high], [low, high - 1.0]),
            Generator::Random { low, high, .. } => return Err(GeneratorError::EmptyRange { low, high }),
        };
        let Some((low, high)) = dtype.integer_range() else { return Ok(()) };
        if let Some(&value) = parameters.iter().find(|value| value.fract() != 0.0) {
            return Err(GeneratorError::Fraction { value, dtype });
        }
        match extremes.iter().find(|&&value| (value as i128) < low || (value as i128) > high) {
            Some(&value) => Err(GeneratorError::OutOfRange { value, dtype, low, high }),
            None => Ok(()),
        }
    }

    /// Fills a tensor whose type has been checked.
    fn fill(&self, tensor: &mut HostTensor, run_seed: u64) {
        let dtype = tensor.dtype();
        let size = dtype.size();
        let is_float = dtype.integer_range().is_none();
        let value_at = |index: usize| match *self {
            Generator::Zeros => 0.0,
            Generator::Constant(value) => value,
            Generator::Ramp { start, step } => start + step * index as f64,
            Generator::Random { low, high, seed } => {
                let scaled = unit_random(seed.unwrap_or(run_seed), index as u64) * (high - low);
                low + if is_float { scaled } else { scaled.floor() }
            }
        };
        tensor.bytes_mut().par_chunks_mut(ELEMENTS_PER_TASK * size).enumerate().for_each(|(task, part)| {
            let elements = (task * ELEMENTS_PER_TASK..).zip(part.chunks_exact_mut(size));
            if is_float {
                elements.for_each(|(index, element)| dtype.encode_float(value_at(index), element));
            } else {
                elements.for_each(|(index, element)| dtype.encode_integer(value_at(index) as i128, element));
            }
        });
    }
}

/// A number in `0.0..1.0` that depends on `seed` and `index` alone.
fn unit_random(seed: u64, index: u64) -> f64 {
    let state = seed.wrapping_add((index.wrapping_add(1)).wrapping_mul(0x9e37_79b9_7f4a_7c15));
    (mix(state) >> 11) as f64 / (1_u64 << 53) as f64
}

/// The seed of the tensor at `position` among the arguments, so that two of the same rule differ.
pub(crate) fn tensor_seed(run_seed: u64, position: usize) -> u64 {
    mix(run_seed ^ mix(position as u64 + 1))
}

/// The finaliser of SplitMix64.
fn mix(state: u64) -> u64 {
    let state = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let state = (state ^ (state >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    state ^ (state >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn integers(tensor: &HostTensor) -> Vec<i128> {
        let dtype = tensor.dtype();
        tensor.bytes().chunks(dtype.size()).map(|element| dtype.decode_integer(element).unwrap()).collect()
    }

    #[test]
    fn do_simple_rules_give_their_values() {
        let constant = Generator::Constant(2.5).generate(DType::F32, &[2], 0).unwrap();
        assert_eq!(constant.to_f32().unwrap(), [2.5, 2.5]);
        let ramp = Generator::Ramp { start: -3.0, step: 2.0 }.generate(DType::I8, &[4], 0).unwrap();
        assert_eq!(integers(&ramp), [-3, -1, 1, 3]);
        let zeros = Generator::Zeros.generate(DType::Bool, &[2, 2], 0).unwrap();
        assert_eq!(zeros.bytes(), [0; 4]);
    }

    #[test]
    fn is_random_the_published_splitmix64_sequence() {
        // The first outputs of SplitMix64 with seed 1234567 (Steele, Lea, Flood; the reference implementation).
        let expected = [6_457_827_717_110_365_317_u64, 3_203_168_211_198_807_973];
        for (index, output) in expected.into_iter().enumerate() {
            assert_eq!(unit_random(1_234_567, index as u64), (output >> 11) as f64 / (1_u64 << 53) as f64);
        }
    }

    #[test]
    fn does_random_stay_in_its_half_open_range() {
        let rule = Generator::Random { low: -2.0, high: 3.0, seed: Some(9) };
        let values = integers(&rule.generate(DType::I16, &[100_000], 1).unwrap());
        assert_eq!((values.iter().min(), values.iter().max()), (Some(&-2), Some(&2)));
    }

    #[test]
    fn does_a_rule_with_a_seed_ignore_that_of_the_run() {
        let own = Generator::Random { low: 0.0, high: 1.0, seed: Some(9) };
        let runs = Generator::Random { low: 0.0, high: 1.0, seed: None };
        let make = |rule: &Generator, seed| rule.generate(DType::F32, &[8], seed).unwrap();
        assert_eq!(make(&own, 1), make(&own, 2));
        assert_eq!(make(&own, 1), make(&runs, 9));
        assert_ne!(make(&runs, 1), make(&runs, 2));
    }

    #[test]
    fn do_values_that_do_not_fit_name_the_range() {
        let error = Generator::Constant(300.0).generate(DType::U8, &[1], 0).unwrap_err();
        assert_eq!(error.to_string(), "300 does not fit u8, which holds 0 to 255");
        let error = Generator::Ramp { start: 0.0, step: 1.0 }.generate(DType::I8, &[129], 0).unwrap_err();
        assert_eq!(error.to_string(), "128 does not fit i8, which holds -128 to 127");
        let error = Generator::Constant(0.5).generate(DType::I32, &[1], 0).unwrap_err();
        assert_eq!(error.to_string(), "0.5 is no whole number, which i32 needs");
        let error = Generator::Random { low: 1.0, high: 1.0, seed: None }.generate(DType::F32, &[1], 0).unwrap_err();
        assert_eq!(error.to_string(), "the random range 1..1 is empty: `low` has to be less than `high`");
    }
}
