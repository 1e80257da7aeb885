//! Max-min fair shares: the level up to which everybody is served.
//!
//! Think of the rate that each flow's transfers get as water that rises at the same speed for all. A flow stops using
//! more at its own pace; when a resource is full, the water stops rising for all that use it. The sum of what flows use
//! is a broken line over the level, so the level at which a resource is full lies between two of its bends, and is
//! found exactly.

use super::fluid::Flow;
use super::pace::{Rate, scaled};

/// A level that nothing holds back.
pub(super) const UNLIMITED: Rate = Rate::MAX;

/// How far the water rises, for flows that need the HBM and for those that live on the L2.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Levels {
    pub(super) hbm: Rate,
    pub(super) l2: Rate,
}

/// What the resources give at most, in rates; of the HBM in bytes read.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    pub(super) hbm: Rate,
    pub(super) l2: Rate,
}

impl Levels {
    pub(super) const UNLIMITED: Levels = Levels { hbm: UNLIMITED, l2: UNLIMITED };

    /// The levels for these flows. `bends` is room for a list, so that none is made each time.
    pub(super) fn of<'f>(
        flows: impl Iterator<Item = &'f Flow> + Clone,
        limits: Limits,
        bends: &mut Vec<Rate>,
    ) -> Levels {
        bends.clear();
        flows.clone().for_each(|flow| flow.pace.bends(|rate| bends.push(rate)));
        bends.sort_unstable();
        bends.dedup();
        let hbm_used = |level: Rate| -> u128 { flows.clone().map(|flow| flow.hbm_used(flow.pace.used(level))).sum() };
        let hbm = level_of(bends, Flow::hbm_limit(limits.hbm), hbm_used);
        if hbm != UNLIMITED {
            // Those that need the HBM rise no further: the sum bends there too.
            let at = bends.partition_point(|bend| *bend < hbm);
            bends.insert(at, hbm);
        }
        let l2_used = |level: Rate| -> u128 {
            flows.clone().map(|flow| flow.pace.used(if flow.needs_hbm() { level.min(hbm) } else { level })).sum()
        };
        let l2 = level_of(bends, limits.l2, l2_used);
        Levels { hbm: hbm.min(l2), l2 }
    }
}

/// The level at which `used` reaches `limit`. It is even between two of the sorted `bends`, and flat after the last.
fn level_of(bends: &[Rate], limit: u128, used: impl Fn(Rate) -> u128) -> Rate {
    let above = bends.partition_point(|bend| used(*bend) <= limit);
    let Some(&high) = bends.get(above) else { return UNLIMITED };
    let low = above.checked_sub(1).map_or(0, |below| bends[below]);
    let (used_low, used_high) = (used(low), used(high));
    low + scaled(limit - used_low, high - low, used_high - used_low)
}
