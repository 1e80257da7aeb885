//! How far virtual time can be trusted: work summed by the confidence of the constants that it was charged with.

use super::entry::Confidence;
use crate::time::SimDuration;

/// Spans of virtual time, by the confidence of what they come from.
///
/// Only work is counted, once for each actor that does it: what is polled or waited for has its length from the work
/// of others.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TimeByConfidence {
    spans: [SimDuration; Confidence::ALL.len()],
}

impl TimeByConfidence {
    /// Somebody has worked for so long because of a constant of this confidence.
    #[inline]
    pub fn add(&mut self, confidence: Confidence, span: SimDuration) {
        self.spans[confidence as usize] += span;
    }

    /// Work because of constants of this confidence.
    pub fn get(&self, confidence: Confidence) -> SimDuration {
        self.spans[confidence as usize]
    }

    /// All work.
    pub fn total(&self) -> SimDuration {
        self.spans.iter().copied().sum()
    }

    /// The part of all work that comes from constants of this confidence, 0 to 1.
    pub fn share(&self, confidence: Confidence) -> f64 {
        match self.total().as_ps() {
            0 => 0.0,
            total => self.get(confidence).as_ps() as f64 / total as f64,
        }
    }

    /// With the work of somebody else.
    pub fn plus(&self, other: &TimeByConfidence) -> TimeByConfidence {
        let mut sum = *self;
        sum.spans.iter_mut().zip(other.spans).for_each(|(span, other)| *span += other);
        sum
    }

    /// What has been added since `earlier`.
    pub fn since(&self, earlier: &TimeByConfidence) -> TimeByConfidence {
        let mut since = *self;
        since.spans.iter_mut().zip(earlier.spans).for_each(|(span, earlier)| *span = *span - earlier);
        since
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn which_part_of_the_work_leans_on_placeholders() {
        let mut work = TimeByConfidence::default();
        assert_eq!(work.share(Confidence::Placeholder), 0.0);
        work.add(Confidence::Measured, SimDuration::from_ns(30));
        let earlier = work;
        work.add(Confidence::Placeholder, SimDuration::from_ns(10));
        assert_eq!((work.total(), work.share(Confidence::Placeholder)), (SimDuration::from_ns(40), 0.25));
        assert_eq!(work.since(&earlier).share(Confidence::Placeholder), 1.0);
        assert_eq!(work.since(&earlier).plus(&earlier), work);
    }
}
