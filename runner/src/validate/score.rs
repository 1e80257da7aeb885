//! How far predictions are off.

/// The difference of a prediction to what was published, in percent of that; positive if it is too much.
pub(super) fn error_percent(predicted: f64, published: f64) -> f64 {
    (predicted - published) / published * 100.0
}

/// The mean of the errors without their signs; none of no error.
pub(super) fn mean_absolute(errors: impl IntoIterator<Item = f64>) -> Option<f64> {
    let (count, sum) = errors.into_iter().fold((0_u32, 0.0), |(count, sum), error| (count + 1, sum + error.abs()));
    (count > 0).then(|| sum / f64::from(count))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_are_the_errors_of_too_much_and_of_too_little() {
        assert_eq!(error_percent(110.0, 88.0), 25.0);
        assert_eq!(error_percent(6.0, 8.0), -25.0);
        assert_eq!(error_percent(3.5, 3.5), 0.0);
    }

    #[test]
    fn do_errors_of_both_signs_add_up() {
        assert_eq!(mean_absolute([10.0, -20.0, 0.0]), Some(10.0));
        assert_eq!(mean_absolute([-7.5]), Some(7.5));
        assert_eq!(mean_absolute([]), None);
    }
}
