//! What is wrong with a program that forgets its caches.

use std::fmt;

use serde::Serialize;
use sim_core::actor::ActorKind;
use sim_core::time::SimTime;

use crate::device_ptr::DevicePtr;
use crate::{Hbm, Place};

/// Bytes of device memory, from the first to the last of them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Site {
    /// The address of the first.
    pub address: DevicePtr,
    /// How many.
    pub bytes: u64,
    /// Whose memory that is, and which byte of it is the first, as far as is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub block: Option<(String, u64)>,
}

impl Site {
    /// The bytes of a line that have a bit in `mask`.
    pub(super) fn of(line: u64, mask: u64) -> Self {
        let first = u64::from(mask.trailing_zeros());
        let bytes = 64 - u64::from(mask.leading_zeros()) - first;
        Site { address: DevicePtr::new(line + first), bytes, block: None }
    }

    fn resolve(&mut self, hbm: &Hbm) {
        if let Place::Live(block) | Place::Freed(block) = hbm.locate(self.address) {
            self.block = Some((block.owner.to_string(), self.address.address() - block.start.address()));
        }
    }
}

impl fmt::Display for Site {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.block {
            Some((owner, offset)) => write!(f, "{} bytes at +{offset:#x} of `{owner}`", self.bytes),
            None => write!(f, "{} bytes at {}", self.bytes, self.address),
        }
    }
}

/// Who wrote, if that is known.
struct By<'a>(&'a Option<ActorKind>);

impl fmt::Display for By<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(by) => write!(f, "{by}"),
            None => f.write_str("somebody else"),
        }
    }
}

/// Something that others did not see, or that was seen too late.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case", tag = "kind")]
pub enum CoherenceFinding {
    /// A core stored, and never gave the line back.
    NeverWrittenBack {
        /// Who stored.
        core: ActorKind,
        /// Where.
        site: Site,
        /// When it last did.
        #[serde(rename = "at_ps")]
        at: SimTime,
    },
    /// A core loaded something from its cache that was no longer so in memory, and never looked again.
    StaleRead {
        /// Who loaded.
        core: ActorKind,
        /// What.
        site: Site,
        /// Since when it has had the line.
        #[serde(rename = "since_ps")]
        since: SimTime,
        /// Who had written there since, if that is known.
        by: Option<ActorKind>,
        /// How often.
        reads: u64,
        /// When it did for the first time.
        #[serde(rename = "at_ps")]
        at: SimTime,
    },
    /// A core gave back a line with bytes that it had not written and somebody else had.
    Overwritten {
        /// Whose line.
        core: ActorKind,
        /// What was lost.
        site: Site,
        /// Who had written that, if that is known.
        by: Option<ActorKind>,
        /// Since when the core has had the line.
        #[serde(rename = "since_ps")]
        since: SimTime,
        /// When its line arrives.
        #[serde(rename = "at_ps")]
        at: SimTime,
    },
    /// An AICPU thread loaded something from its cache that the host had written anew.
    StaleAfterCopy {
        /// Who loaded.
        thread: ActorKind,
        /// What.
        site: Site,
        /// When the host wrote.
        #[serde(rename = "since_ps")]
        since: SimTime,
        /// When it loaded.
        #[serde(rename = "at_ps")]
        at: SimTime,
    },
}

impl CoherenceFinding {
    /// The same, knowing whose memory it is about.
    pub fn resolved(mut self, hbm: &Hbm) -> Self {
        match &mut self {
            CoherenceFinding::NeverWrittenBack { site, .. }
            | CoherenceFinding::StaleRead { site, .. }
            | CoherenceFinding::Overwritten { site, .. }
            | CoherenceFinding::StaleAfterCopy { site, .. } => site.resolve(hbm),
        }
        self
    }
}

impl fmt::Display for CoherenceFinding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            CoherenceFinding::NeverWrittenBack { core, site, at } => write!(
                f,
                "{core} stored {site} at {at}, and that never left its data cache: nobody else can see it; a store \
                 that others are to see needs a dcci behind it"
            ),
            CoherenceFinding::StaleRead { core, site, since, by, reads, at } => write!(
                f,
                "{core} loaded {site} from its data cache {reads} times, for the first time at {at}, as they were at \
                 {since}; {} has written there since: a load of what others write needs a dcci before it",
                By(by)
            ),
            CoherenceFinding::Overwritten { core, site, by, since, at } => write!(
                f,
                "{core} wrote back a line as it was at {since} and with that, at {at}, put old values over {site} that \
                 {} had written: a line goes back whole, so two must not write to one line at a time",
                By(by)
            ),
            CoherenceFinding::StaleAfterCopy { thread, site, since, at } => write!(
                f,
                "{thread} loaded {site} at {at} from its cache, as they were before the host wrote there at {since}: \
                 what the host copies has to be invalidated before it is loaded (invalidate_range)"
            ),
        }
    }
}
