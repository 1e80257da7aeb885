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

use std::fmt;
use std::sync::Arc;

use serde::Serialize;

use super::audit::{Examination, Finding};
use super::image::CodeImage;
use super::staging::aicpu_os::PathUser;
use crate::time::SimDuration;
use crate::trace::ContentHash;

/// The version of the layout of `loads.json`.
const LAYOUT: u32 = 1;

/// The number of a record in its ledger.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(transparent)]
pub struct LoadId(pub u32);

/// What an object is to the device.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum LoadOrigin {
    /// The shim, first in its namespace.
    Shim,
    /// The C++ library, made unloadable.
    CxxLibrary,
    /// The host runtime.
    HostRuntime,
    /// The AICPU object of a runtime.
    Aicpu,
    /// The AICore object of a runtime.
    Aicore,
    /// An orchestration.
    Orchestration,
    /// A kernel.
    Kernel,
}

/// How bytes become something that the dynamic linker can open.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case", tag = "kind")]
pub enum LoadStrategy {
    /// A file in memory that nobody can change any more.
    SealedMemfd,
    /// A file with a new name, removed once it is open.
    TemporaryFile {
        /// Where it is.
        directory: String,
    },
    /// A file that stays, for debuggers and profilers.
    KeptFile {
        /// Where it is.
        directory: String,
    },
    /// A sealed file in memory, opened by its descriptor's name in this process.
    ProcFd,
    /// A file without a name.
    UnnamedFile {
        /// Where it is.
        directory: String,
    },
    /// A file whose name others may use as well.
    FixedPath {
        /// Where it is.
        directory: String,
    },
    /// A range of a bigger file.
    View,
    /// A sealed file in memory that a sandboxed process tried out first.
    Sandbox,
}

impl fmt::Display for LoadStrategy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            LoadStrategy::SealedMemfd => f.write_str("sealed memfd"),
            LoadStrategy::TemporaryFile { directory } => write!(f, "file in {directory}"),
            LoadStrategy::KeptFile { directory } => write!(f, "file kept in {directory}"),
            LoadStrategy::ProcFd => f.write_str("sealed memfd by its descriptor"),
            LoadStrategy::UnnamedFile { directory } => write!(f, "unnamed file in {directory}"),
            LoadStrategy::FixedPath { directory } => write!(f, "fixed path in {directory}"),
            LoadStrategy::View => f.write_str("view of a file"),
            LoadStrategy::Sandbox => f.write_str("sandboxed trial"),
        }
    }
}

/// A strategy that did not work.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct FailedStrategy {
    /// What was tried.
    pub strategy: LoadStrategy,
    /// Why it did not work.
    pub reason: String,
}

impl fmt::Display for FailedStrategy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.strategy, self.reason)
    }
}

/// A load and another that got into its way, though it may have succeeded.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case", tag = "kind")]
pub enum LoadCollision {
    /// Two loads that did not know of each other had one path.
    PathCollision {
        /// The directory of the path.
        directory: String,
        /// The other, if it is known.
        with: Option<PathUser>,
        /// What came of it.
        effect: CollisionEffect,
    },
}

/// What came of a collision, to the load that has the finding.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum CollisionEffect {
    /// It wrote over the file that the other had loaded.
    ReplacedTheOther,
    /// The other wrote over its file: its code is no longer its own.
    WasReplaced,
    /// The dynamic linker gave it another object than it asked for.
    GotAnotherObject,
}

impl fmt::Display for LoadCollision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let LoadCollision::PathCollision { directory, with, effect } = self;
        let with = with.as_ref().map_or_else(|| "somebody unknown".to_owned(), ToString::to_string);
        match effect {
            CollisionEffect::ReplacedTheOther => {
                write!(f, "its file in {directory} was that of {with}, too: now overwritten")
            }
            CollisionEffect::WasReplaced => write!(f, "its file in {directory} was overwritten by {with}"),
            CollisionEffect::GotAnotherObject => {
                write!(f, "its path in {directory} led to another object than was asked for, that of {with}")
            }
        }
    }
}

/// What came of a request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case", tag = "kind")]
pub enum LoadOutcome {
    /// Nothing was there to be reused: it was loaded.
    Miss {
        /// By which strategy.
        strategy: LoadStrategy,
    },
    /// The object of an earlier record served.
    Reuse {
        /// That record.
        of: LoadId,
    },
    /// It was not loaded.
    Failure {
        /// Why not.
        error: String,
    },
}

/// What became of a loaded object.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum LoadState {
    /// Loaded and in use.
    Live,
    /// Loaded, in case somebody asks for it again.
    Idle,
    /// Gone.
    Unloaded,
    /// Closed, and something still keeps it loaded.
    Pinned,
}

/// What the host has to do with a load; different in each process.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct HostSide {
    /// The name under which the dynamic linker opened it.
    pub opened_as: String,
    /// How long it took to load and bind.
    pub bind_us: u64,
}

/// One request to load an object.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct LoadRecord {
    /// What it is to the device.
    pub origin: LoadOrigin,
    /// The name it came with.
    pub name: String,
    /// The hash of its bytes.
    pub content: ContentHash,
    /// The number of its bytes.
    pub size: u64,
    /// The linker's identification.
    pub build_id: Option<String>,
    /// The namespace it was to be loaded into.
    pub namespace: Option<u32>,
    /// What came of the request.
    pub outcome: LoadOutcome,
    /// Strategies that were tried before, in order.
    pub fallbacks: Vec<FailedStrategy>,
    /// With which other loads it had a path in common.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub collisions: Vec<LoadCollision>,
    /// What the load takes on the device.
    #[serde(rename = "device_time_ps")]
    pub device_time: SimDuration,
    /// How many use what this record loaded.
    pub users: u32,
    /// What became of what this record loaded; none if it loaded nothing.
    pub state: Option<LoadState>,
    /// What it was bound to: for each provider, how many imports it serves. None if nobody looked.
    #[serde(rename = "bindings", serialize_with = "bindings", skip_serializing_if = "Option::is_none")]
    pub examination: Option<Arc<Examination>>,
    /// What the audit has to say about it.
    pub findings: Vec<Finding>,
    /// The host's part.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub host: Option<HostSide>,
}

fn bindings<S: serde::Serializer>(examination: &Option<Arc<Examination>>, serializer: S) -> Result<S::Ok, S::Error> {
    examination.as_ref().map(|examination| &examination.bindings).serialize(serializer)
}

impl LoadRecord {
    /// A record of a request for `image`. An object that is loaded has one user at first.
    pub fn new(origin: LoadOrigin, image: &CodeImage, outcome: LoadOutcome) -> Self {
        let loaded = matches!(outcome, LoadOutcome::Miss { .. });
        LoadRecord {
            origin,
            name: image.name.clone(),
            content: image.content,
            size: image.size,
            build_id: image.build_id.clone(),
            namespace: None,
            outcome,
            fallbacks: Vec::new(),
            collisions: Vec::new(),
            device_time: SimDuration::ZERO,
            users: u32::from(loaded),
            state: loaded.then_some(LoadState::Live),
            examination: None,
            findings: Vec::new(),
            host: None,
        }
    }

    /// A record of bytes that were refused as code.
    pub fn refused(origin: LoadOrigin, name: &str, bytes: &[u8], error: &super::image_error::ImageError) -> Self {
        LoadRecord {
            origin,
            name: name.to_owned(),
            content: ContentHash::of(bytes),
            size: bytes.len() as u64,
            build_id: None,
            namespace: None,
            outcome: LoadOutcome::Failure { error: error.to_string() },
            fallbacks: Vec::new(),
            collisions: Vec::new(),
            device_time: SimDuration::ZERO,
            users: 0,
            state: None,
            examination: None,
            findings: Vec::new(),
            host: None,
        }
    }
}

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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::loader::test_objects::{Language, shared_object};

    fn image() -> CodeImage {
        let bytes = shared_object(Language::C, "int f(void) { return 1; }", &["-nostdlib", "-Wl,--build-id=0xab"]);
        let image = CodeImage::parse("k.so", &bytes).expect("a loadable object");
        // What the linker decides.
        CodeImage { content: ContentHash(7), size: 100, ..image }
    }

    fn loaded() -> LoadRecord {
        let mut record =
            LoadRecord::new(LoadOrigin::Kernel, &image(), LoadOutcome::Miss { strategy: LoadStrategy::SealedMemfd });
        record.namespace = Some(1);
        record.device_time = SimDuration::from_us(12);
        record.host = Some(HostSide { opened_as: "/tmp/0-k.so".to_owned(), bind_us: 31 });
        record
    }

    #[test]
    fn what_is_in_loads_json() {
        let mut ledger = LoadLedger::default();
        let mut fallen_back = loaded();
        let directory = || "/tmp".to_owned();
        let no_memfd = FailedStrategy { strategy: LoadStrategy::SealedMemfd, reason: "EPERM".to_owned() };
        fallen_back.fallbacks.push(no_memfd);
        fallen_back.outcome = LoadOutcome::Miss { strategy: LoadStrategy::TemporaryFile { directory: directory() } };
        let id = ledger.add(fallen_back);
        ledger.reuse(id).expect("it is loaded");
        insta::assert_json_snapshot!(ledger, @r#"
        {
          "version": 1,
          "counts": {
            "requests": 2,
            "loaded": 1,
            "reused": 1,
            "failed": 0,
            "resident": 1,
            "pinned": 0
          },
          "loads": [
            {
              "origin": "kernel",
              "name": "k.so",
              "content": "0000000000000007",
              "size": 100,
              "build_id": "ab",
              "namespace": 1,
              "outcome": {
                "kind": "miss",
                "strategy": {
                  "kind": "temporary_file",
                  "directory": "/tmp"
                }
              },
              "fallbacks": [
                {
                  "strategy": {
                    "kind": "sealed_memfd"
                  },
                  "reason": "EPERM"
                }
              ],
              "device_time_ps": 12000000,
              "users": 2,
              "state": "live",
              "findings": [],
              "host": {
                "opened_as": "/tmp/0-k.so",
                "bind_us": 31
              }
            },
            {
              "origin": "kernel",
              "name": "k.so",
              "content": "0000000000000007",
              "size": 100,
              "build_id": "ab",
              "namespace": 1,
              "outcome": {
                "kind": "reuse",
                "of": 0
              },
              "fallbacks": [],
              "device_time_ps": 0,
              "users": 0,
              "state": null,
              "findings": []
            }
          ]
        }
        "#);
    }

    #[test]
    fn are_equal_runs_equal_without_the_host() {
        let (mut first, mut second) = (LoadLedger::default(), LoadLedger::default());
        first.add(loaded());
        let mut slower = loaded();
        slower.host = Some(HostSide { opened_as: "/tmp/9-k.so".to_owned(), bind_us: 99 });
        second.add(slower);
        assert_ne!(first, second);
        assert_eq!(first.deterministic(), second.deterministic());
        let json = serde_json::to_string(&first.deterministic()).expect("plain data");
        assert!(!json.contains("bind_us") && !json.contains("opened_as"), "{json}");
    }

    #[test]
    fn is_a_load_followed_from_its_first_user_to_its_end() {
        let mut ledger = LoadLedger::default();
        let id = ledger.add(loaded());
        ledger.reuse(id).expect("it is loaded");
        assert_eq!(ledger.close(id, true), Err(LedgerError::InUse { id: 0, users: 2 }));
        assert_eq!((ledger.release(id), ledger.release(id)), (Ok(1), Ok(0)));
        assert_eq!(ledger.get(id).map(|record| record.state), Some(Some(LoadState::Idle)));
        assert_eq!(ledger.release(id), Err(LedgerError::NotInUse { id: 0 }));

        ledger.reuse(id).expect("it is still loaded");
        assert_eq!(ledger.release(id), Ok(0));
        assert_eq!(ledger.close(id, true), Ok(()));
        assert_eq!(ledger.reuse(id), Err(LedgerError::NotLoaded { id: 0, state: "unloaded" }));
        let counts = LoadCounts { requests: 3, loaded: 1, reused: 2, ..LoadCounts::default() };
        assert_eq!(ledger.counts(), counts);
    }

    #[test]
    fn is_an_object_that_does_not_go_counted() {
        let mut ledger = LoadLedger::default();
        let id = ledger.add(loaded());
        assert_eq!(ledger.release(id), Ok(0));
        assert_eq!(ledger.close(id, false), Ok(()));
        assert_eq!((ledger.counts().pinned, ledger.counts().resident), (1, 0));
    }

    #[test]
    fn does_a_ledger_that_forgets_keep_its_counts_and_what_is_loaded() {
        let mut ledger = LoadLedger::default();
        let kernel = ledger.add(loaded());
        for _ in 0..1_000 {
            let object = ledger.add(loaded());
            ledger.reuse(kernel).expect("it is loaded");
            assert_eq!((ledger.release(kernel), ledger.release(object)), (Ok(1), Ok(0)));
            assert_eq!(ledger.close(object, true), Ok(()));
            ledger.forget_closed();
            assert_eq!(ledger.records().len(), 1);
            assert_eq!(ledger.release(object), Err(LedgerError::Unknown { id: object.0, count: 1 }));
        }
        let counts = LoadCounts { requests: 2_001, loaded: 1_001, reused: 1_000, resident: 1, ..LoadCounts::default() };
        assert_eq!(ledger.counts(), counts);
        let next = ledger.add(loaded());
        assert_eq!((next, ledger.next_id()), (LoadId(2_001), LoadId(2_002)));
        assert!(ledger.get(kernel).is_some() && ledger.get(next).is_some());
        assert_eq!(ledger.since(next).counts().requests, 1);
        assert_eq!(ledger.since(LoadId(1)).records().len(), 1, "the first one that is left");
    }

    #[test]
    fn does_a_refused_object_leave_a_record() {
        let mut ledger = LoadLedger::default();
        let error = CodeImage::parse("k.so", b"junk").expect_err("no object");
        let id = ledger.add(LoadRecord::refused(LoadOrigin::Kernel, "k.so", b"junk", &error));
        let record = &ledger.records()[0];
        assert_eq!(record.outcome, LoadOutcome::Failure { error: error.to_string() });
        assert_eq!((record.size, record.content), (4, ContentHash::of(b"junk")));
        assert_eq!(ledger.counts().failed, 1);
        let expected = LedgerError::NotLoaded { id: 0, state: "no load of its own" };
        assert_eq!(ledger.reuse(id), Err(expected));
        assert_eq!(ledger.release(LoadId(5)), Err(LedgerError::Unknown { id: 5, count: 1 }));
    }
}
