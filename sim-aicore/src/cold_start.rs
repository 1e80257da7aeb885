//! The first task of a core in a launch takes longer than later ones: its code, its arguments and the way to it are
//! cold, and how long that takes differs from core to core.
//!
//! What was published is a distribution over 72 cores, by its quartiles. Here each core has its own place in it, which
//! follows from the seed and the core's id alone: equal launches are equal, and another seed is another chip.

use sim_core::profile::{Confidence, Profile};
use sim_core::time::SimDuration;

/// How much longer the first task of each core takes.
#[derive(Clone, Debug)]
pub struct ColdStart {
    /// None of the cores, a quarter, half, three quarters and all of them take no more.
    quartiles: [SimDuration; 5],
    seed: u64,
    confidence: Confidence,
}

impl ColdStart {
    /// That of a device with this profile.
    pub fn new(profile: &Profile) -> Self {
        let aicore = &profile.aicore;
        let stated = [
            &aicore.cold_start_quarter,
            &aicore.cold_start_median,
            &aicore.cold_start_three_quarters,
            &aicore.cold_start_most,
        ];
        let [quarter, median, three_quarters, most] = stated.map(|value| value.value);
        let confidence = stated.map(|value| value.confidence).into_iter().max();
        ColdStart {
            quartiles: [SimDuration::ZERO, quarter, median, three_quarters, most],
            seed: u64::from(*aicore.cold_start_seed),
            confidence: confidence.unwrap_or(Confidence::Placeholder),
        }
    }

    /// How much longer the first task of this core takes.
    pub fn delay(&self, core: u16) -> SimDuration {
        let place = mixed((self.seed << 16) | u64::from(core));
        let quarter = (place >> 62) as usize;
        let (low, high) = (self.quartiles[quarter], self.quartiles[quarter + 1]);
        // Between two quartiles all delays are as likely.
        let within = (u128::from(place << 2) * u128::from((high - low).as_ps())) >> 64;
        low + SimDuration::from_ps(within as u64)
    }

    /// What that is on average over many chips: between two quartiles it is in their middle.
    pub fn mean(&self) -> SimDuration {
        let [least, inner @ .., most] = self.quartiles;
        let ends = least + most;
        let inner: SimDuration = inner.into_iter().sum();
        SimDuration::from_ps((ends + inner * 2).as_ps() / 8)
    }

    /// How far to trust it.
    pub fn confidence(&self) -> Confidence {
        self.confidence
    }
}

/// Every bit of the result depends on every bit of `word` (splitmix64).
fn mixed(word: u64) -> u64 {
    let word = word.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    word ^ (word >> 31)
}

#[cfg(test)]
mod tests {
    use sim_core::profile::Arch;

    use super::*;

    fn cold_start(change: &str) -> ColdStart {
        let profile = Profile::load(Arch::A2a3).unwrap();
        ColdStart::new(&profile.with_overrides(&[change.parse().unwrap()]).unwrap())
    }

    #[test]
    fn are_delays_distributed_as_published() {
        // As over many chips: a quarter of all cores in each quartile, to a percent.
        let mut delays: Vec<u64> = (1..=1000)
            .flat_map(|seed| {
                let cold_start = cold_start(&format!("aicore.cold_start_seed={seed}"));
                (0..72).map(move |core| cold_start.delay(core).as_ns()).collect::<Vec<_>>()
            })
            .collect();
        delays.sort_unstable();
        let at = |part: usize| delays[delays.len() * part / 4 - 1];
        for (part, published) in [(1, 530), (2, 1_770), (3, 3_390), (4, 5_310)] {
            assert!(at(part).abs_diff(published) <= 53, "{part}: {}", at(part));
        }
        // With the 0.33 us of a warm start: between the published averages, 2.29 and 2.61 us.
        let mean = delays.iter().sum::<u64>() / delays.len() as u64;
        assert!((2_050..=2_120).contains(&mean), "{mean}");
        assert_eq!(cold_start("aicore.cold_start_seed=1").mean().as_ps(), 2_086_250);
    }

    #[test]
    fn is_a_delay_the_same_each_time_and_another_with_another_seed() {
        let (one, other) = (cold_start("aicore.cold_start_seed=1"), cold_start("aicore.cold_start_seed=2"));
        assert_eq!(one.delay(7), cold_start("aicore.cold_start_seed=1").delay(7));
        assert_ne!(one.delay(7), other.delay(7));
        assert_ne!(one.delay(7), one.delay(8));
    }
}
