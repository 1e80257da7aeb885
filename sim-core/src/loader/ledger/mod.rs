//! The account of everything that was loaded.
//!
//! Each request to load an object leaves one [`LoadRecord`], in the order of the requests: it was loaded, an object
//! loaded before was reused, or it failed. A record that loaded something goes on to say how many use it and what
//! became of it:
//!
//! ```text
//!   loaded ──► Live ──release, by the last user──► Idle ──► Unloaded
//!                ▲                                  │ └───► Pinned     closed, and still there
//!                └──────────────reuse───────────────┘
//! ```
//!
//! What depends on the host (how long it took, which temporary name it had) is kept apart in [`HostSide`], and left out
//! of [`LoadLedger::deterministic`].

mod collision;
mod record;
mod strategy;
#[cfg(test)]
mod tests;

use serde::Serialize;

pub use self::collision::{CollisionEffect, LoadCollision};
pub use self::record::{HostSide, LoadOrigin, LoadOutcome, LoadRecord, LoadState};
pub use self::strategy::{FailedStrategy, LoadStrategy};
use super::audit::Finding;
use crate::time::SimDuration;

/// The version of the layout of `loads.json`.
const LAYOUT: u32 = 1;

/// The number of a record in its ledger.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(transparent)]
pub struct LoadId(pub u32);

/// A request to the ledger that its records do not allow.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error, displaydoc::Display)]
pub enum LedgerError {
    /// load {id} is not in this ledger of {count} loads; use an id that it gave out
    Unknown {
        /// The record asked for.
        id: u32,
        /// How many there are.
        count: usize,
    },
    /// load {id} has no object that could be used (it is {state}); load it again
    NotLoaded {
        /// The record asked for.
        id: u32,
        /// What became of its object.
        state: &'static str,
    },
    /// load {id} was released more often than it was used; release it once per use
    NotInUse {
        /// The record asked for.
        id: u32,
    },
    /// load {id} was unloaded while {users} still use it; release it first
    InUse {
        /// The record asked for.
        id: u32,
        /// How many use it.
        users: u32,
    },
}

/// How many loads came to what.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct LoadCounts {
    /// Requests in all.
    pub requests: usize,
    /// Objects loaded.
    pub loaded: usize,
    /// Requests served by an object that was there.
    pub reused: usize,
    /// Requests that failed.
    pub failed: usize,
    /// Objects that are still loaded, those that nobody uses included.
    pub resident: usize,
    /// Objects that were closed and did not go.
    pub pinned: usize,
}

impl LoadCounts {
    fn count(&mut self, record: &LoadRecord) {
        self.requests += 1;
        match record.outcome {
            LoadOutcome::Miss { .. } => self.loaded += 1,
            LoadOutcome::Reuse { .. } => self.reused += 1,
            LoadOutcome::Failure { .. } => self.failed += 1,
        }
        match record.state {
            Some(LoadState::Live | LoadState::Idle) => self.resident += 1,
            Some(LoadState::Pinned) => self.pinned += 1,
            Some(LoadState::Unloaded) | None => {}
        }
    }
}

/// All loads of a process, in the order in which they were asked for.
///
/// A process that loads objects all day and shows the ledger to nobody may [forget](LoadLedger::forget_closed) what is
/// over. What is forgotten stays in the counts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LoadLedger {
    records: Vec<LoadRecord>,
    /// The number of each record. Their indexes, as long as nothing is forgotten.
    ids: Vec<LoadId>,
    next: u32,
    forgotten: LoadCounts,
}

impl LoadLedger {
    /// Adds a record.
    pub fn add(&mut self, record: LoadRecord) -> LoadId {
        let id = self.next_id();
        self.records.push(record);
        self.ids.push(id);
        self.next += 1;
        id
    }

    /// The number that the next record will have.
    pub fn next_id(&self) -> LoadId {
        LoadId(self.next)
    }

    /// Forgets every record that loaded nothing, or whose object is gone.
    pub fn forget_closed(&mut self) {
        let is_over = |record: &LoadRecord| matches!(record.state, None | Some(LoadState::Unloaded));
        let mut over = self.records.iter().map(is_over).collect::<Vec<_>>().into_iter();
        self.ids.retain(|_| over.next() != Some(true));
        for record in self.records.extract_if(.., |record| is_over(record)) {
            self.forgotten.count(&record);
        }
    }

    /// Adds a record of a request that the object of record `of` serves, and counts its new user.
    pub fn reuse(&mut self, of: LoadId) -> Result<LoadId, LedgerError> {
        let loaded = self.resident(of)?;
        loaded.users += 1;
        loaded.state = Some(LoadState::Live);
        let record = LoadRecord {
            outcome: LoadOutcome::Reuse { of },
            fallbacks: Vec::new(),
            collisions: Vec::new(),
            device_time: SimDuration::ZERO,
            users: 0,
            state: None,
            examination: None,
            findings: Vec::new(),
            host: None,
            ..loaded.clone()
        };
        Ok(self.add(record))
    }

    /// Counts one user less of what record `id` loaded; returns how many are left.
    pub fn release(&mut self, id: LoadId) -> Result<u32, LedgerError> {
        let record = self.resident(id)?;
        record.users = record.users.checked_sub(1).ok_or(LedgerError::NotInUse { id: id.0 })?;
        if record.users == 0 {
            record.state = Some(LoadState::Idle);
        }
        Ok(record.users)
    }

    /// Notes that what record `id` loaded was closed, and whether it went.
    pub fn close(&mut self, id: LoadId, gone: bool) -> Result<(), LedgerError> {
        let record = self.resident(id)?;
        if record.users > 0 {
            return Err(LedgerError::InUse { id: id.0, users: record.users });
        }
        record.state = Some(if gone { LoadState::Unloaded } else { LoadState::Pinned });
        Ok(())
    }

    /// Adds what the audit has to say about what record `id` loaded.
    pub fn add_finding(&mut self, id: LoadId, finding: Finding) -> Result<(), LedgerError> {
        self.record(id)?.findings.push(finding);
        Ok(())
    }

    /// Adds a collision of record `id`, unless it has that.
    pub fn add_collision(&mut self, id: LoadId, collision: LoadCollision) -> Result<(), LedgerError> {
        let record = self.record(id)?;
        if !record.collisions.contains(&collision) {
            record.collisions.push(collision);
        }
        Ok(())
    }

    /// What the audit has to say about all of them, in the order of the records.
    pub fn findings(&self) -> impl Iterator<Item = &Finding> {
        self.records.iter().flat_map(|record| &record.findings)
    }

    /// The records from `first` on, as a ledger of their own.
    pub fn since(&self, first: LoadId) -> LoadLedger {
        let from = self.ids.partition_point(|id| *id < first);
        LoadLedger {
            records: self.records[from..].to_vec(),
            ids: self.ids[from..].to_vec(),
            next: self.next,
            forgotten: LoadCounts::default(),
        }
    }

    /// The records, in order; the id of a record is its index, unless records were forgotten.
    pub fn records(&self) -> &[LoadRecord] {
        &self.records
    }

    /// One record.
    pub fn get(&self, id: LoadId) -> Option<&LoadRecord> {
        self.ids.binary_search(&id).ok().map(|index| &self.records[index])
    }

    /// How many loads came to what.
    pub fn counts(&self) -> LoadCounts {
        let mut counts = self.forgotten;
        self.records.iter().for_each(|record| counts.count(record));
        counts
    }

    /// The same ledger without what depends on the host: equal for equal runs.
    pub fn deterministic(&self) -> LoadLedger {
        let without_host = |record: &LoadRecord| LoadRecord { host: None, ..record.clone() };
        LoadLedger { records: self.records.iter().map(without_host).collect(), ..self.clone() }
    }

    fn resident(&mut self, id: LoadId) -> Result<&mut LoadRecord, LedgerError> {
        let record = self.record(id)?;
        let state = match record.state {
            Some(LoadState::Live | LoadState::Idle) => return Ok(record),
            Some(LoadState::Unloaded) => "unloaded",
            Some(LoadState::Pinned) => "closed",
            None => "no load of its own",
        };
        Err(LedgerError::NotLoaded { id: id.0, state })
    }

    fn record(&mut self, id: LoadId) -> Result<&mut LoadRecord, LedgerError> {
        match self.ids.binary_search(&id) {
            Ok(index) => Ok(&mut self.records[index]),
            Err(_) => Err(LedgerError::Unknown { id: id.0, count: self.records.len() }),
        }
    }
}

impl Serialize for LoadLedger {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct Layout<'ledger> {
            version: u32,
            counts: LoadCounts,
            loads: &'ledger [LoadRecord],
        }
        Layout { version: LAYOUT, counts: self.counts(), loads: &self.records }.serialize(serializer)
    }
}
