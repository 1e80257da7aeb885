//! Stores of 64 bits to registers: the bus makes two of 32 bits of each, and a core that loads both registers between
//! them sees half of it.
//!
//! Between the two passes [`sim_core::profile::Mmio::beat_gap`], far less than anything that guests do takes, so that on
//! silicon it depends on where in the bus's time a store falls whether a load hits it. Here the stores fall evenly over
//! the time that one takes, each at a place that follows from its number: in the long run as many loads are torn as
//! were measured, and the same ones in every run.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;

use serde::Serialize;
use sim_core::actor::ActorKind;
use sim_core::time::{SimDuration, SimTime};

use crate::register_file::Register;

/// A store of 64 bits that is on its way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Split {
    /// The lower register.
    pub low: Register,
    /// What the upper one is to hold.
    pub high: u32,
    /// When each half arrives.
    pub beats: [SimTime; 2],
    /// Who stores.
    pub by: ActorKind,
}

/// Reads of a core that saw half of a store.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, displaydoc::Display)]
#[serde(rename_all = "snake_case", tag = "kind")]
pub enum TornRead {
    /// {core} looked at registers {offset:#x} and on {reads} times between the two halves of a 64-bit store by {by}, for the first time at {at}: a load of 64 bits gives the new lower half and the old upper one; store the upper half first, by itself, and go by the lower one
    TornRead {
        /// Who looked.
        core: ActorKind,
        /// The offset of the lower register.
        offset: u32,
        /// How often.
        reads: u64,
        /// Who stored, the first time.
        by: ActorKind,
        /// When it looked for the first time.
        #[serde(rename = "at_ps")]
        at: SimTime,
    },
}

/// The stores of 64 bits to all cores.
#[derive(Debug, Default)]
pub(crate) struct SplitStores {
    /// By core; none until there was one.
    under_way: RefCell<Vec<VecDeque<Split>>>,
    /// Whether there was one.
    any: Cell<bool>,
    /// How many there were.
    count: Cell<u64>,
    torn: RefCell<Vec<TornRead>>,
}

/// 2^64 divided by the golden ratio: its multiples fall evenly between 0 and 2^64.
const EVENLY: u64 = 0x9e37_79b9_7f4a_7c15;

impl SplitStores {
    /// A launch begins.
    pub(crate) fn reset(&self) {
        self.under_way.borrow_mut().clear();
        self.any.set(false);
        self.count.set(0);
    }

    /// Where in the time that a store takes the next one falls.
    pub(crate) fn next_phase(&self, store: SimDuration) -> SimDuration {
        let count = self.count.get();
        self.count.set(count + 1);
        let phase = u128::from(count.wrapping_mul(EVENLY)) * u128::from(store.as_ps());
        SimDuration::from_ps((phase >> 64) as u64)
    }

    pub(crate) fn add(&self, split: Split) {
        let mut under_way = self.under_way.borrow_mut();
        let core = usize::from(split.low.core);
        if under_way.len() <= core {
            under_way.resize_with(core + 1, VecDeque::new);
        }
        under_way[core].push_back(split);
        self.any.set(true);
    }

    /// Whether there was one.
    #[inline(always)]
    pub(crate) fn any(&self) -> bool {
        self.any.get()
    }

    /// A core looks at its registers at `now`; `holds` says what a register holds. Takes note if it sees half of a store.
    pub(crate) fn look(&self, who: ActorKind, core: u16, now: SimTime, holds: impl Fn(Register) -> u32) {
        let mut under_way = self.under_way.borrow_mut();
        let Some(splits) = under_way.get_mut(usize::from(core)) else { return };
        while splits.front().is_some_and(|split| split.beats[1] <= now) {
            splits.pop_front();
        }
        let torn = splits.iter().find(|split| {
            let upper = Register { offset: split.low.offset + 4, ..split.low };
            split.beats[0] <= now && holds(upper) != split.high
        });
        if let Some(split) = torn {
            self.note(who, split, now);
        }
    }

    fn note(&self, who: ActorKind, split: &Split, now: SimTime) {
        let mut torn = self.torn.borrow_mut();
        for TornRead::TornRead { core, offset, reads, .. } in torn.iter_mut() {
            if (*core, *offset) == (who, split.low.offset) {
                *reads += 1;
                return;
            }
        }
        torn.push(TornRead::TornRead { core: who, offset: split.low.offset, reads: 1, by: split.by, at: now });
    }

    /// What cores have seen half of, each register of each core once.
    pub(crate) fn torn(&self) -> Vec<TornRead> {
        self.torn.borrow().clone()
    }
}
