//! The account of callables' objects: which each has, what has to be loaded for it, and what may go.
//!
//! It loads nothing itself: whoever asks does, and says so. Between [`CacheBook::begin_run`] and
//! [`CacheBook::loaded`] it is not borrowed, since what is loaded runs initialisers.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use serde::Serialize;

use super::super::image::CodeImage;
use super::super::image_error::ImageError;
use super::super::load_error::LoadError;
use super::slots::Slots;
use super::{CacheModel, CachePolicy, Entry, LateUse};
use crate::trace::ContentHash;

/// How many callables a worker has at most.
const CALLABLES: u32 = 64;

/// A callable of a worker.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Callable {
    worker: u32,
    id: u32,
}

impl Callable {
    /// Callable `id` of a worker: 0 to 63.
    pub fn new(worker: u32, id: u32) -> Result<Callable, UnknownCallable> {
        if id < CALLABLES { Ok(Callable { worker, id }) } else { Err(UnknownCallable { id }) }
    }
}

impl fmt::Display for Callable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "callable {} of worker {}", self.id, self.worker)
    }
}

/// {id} is no callable id: they are 0 to 63
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error, displaydoc::Display)]
pub struct UnknownCallable {
    /// What was asked for.
    pub id: u32,
}

/// Why a cache could not do what it was asked for.
#[derive(Debug, thiserror::Error, displaydoc::Display)]
pub enum CacheError {
    /// {0}
    Image(#[from] ImageError),
    /// {0}
    Load(#[from] LoadError),
    /// {0}
    Late(#[from] LateUse),
    /// {0}
    Unknown(#[from] UnknownCallable),
    /// {callable} is not registered; register it first
    NotRegistered {
        /// The callable.
        callable: Callable,
    },
    /// {callable} is running; end its run first
    Running {
        /// The callable.
        callable: Callable,
    },
    /// {callable} is not running; begin a run first
    NotRunning {
        /// The callable.
        callable: Callable,
    },
    /// {name} has the build id {build_id} of an object with other bytes; build it with --build-id=sha1
    SameBuildId {
        /// The object.
        name: String,
        /// The identification.
        build_id: String,
    },
}

/// What a cache has done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct CacheCounts {
    /// Objects loaded.
    pub loads: u64,
    /// Requests served by an object that was there.
    pub hits: u64,
    /// Objects unloaded.
    pub unloads: u64,
}

/// What a callable gets that needs its object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Request {
    /// The one that it has.
    Own(Entry),
    /// One that is there for equal bytes.
    Shared(Entry),
    /// It is to be loaded, and handed to [`CacheBook::loaded`].
    Load {
        /// What it is called.
        name: String,
        /// Its bytes.
        bytes: Arc<[u8]>,
    },
}

/// What becomes of an object that a callable uses no longer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Released<O> {
    /// The callable had none.
    Nothing,
    /// It stays.
    Stays(O),
    /// It is to be unloaded: no entry leads to it any more.
    Goes(O),
}

/// Bytes as a cache knows them: the linker's identification, else the hash.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum ContentKey {
    BuildId(String),
    Hash(ContentHash),
}

/// By what an object is shared.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Key {
    Callable(Callable),
    OfWorker(u32, ContentKey),
    OfProcess(ContentKey),
}

struct Registered {
    name: String,
    bytes: Arc<[u8]>,
    key: Key,
    /// The hash of the bytes, where objects are shared.
    content: Option<ContentHash>,
    /// What it uses.
    entry: Option<Entry>,
    running: bool,
}

struct Cached<O> {
    object: O,
    content: Option<ContentHash>,
    key: Key,
    users: u32,
}

/// Which callable has which object, by a policy.
pub struct CacheBook<O> {
    policy: CachePolicy,
    slots: Slots<Cached<O>>,
    by_key: BTreeMap<Key, Entry>,
    callables: BTreeMap<Callable, Registered>,
    counts: CacheCounts,
}

impl<O: Copy> CacheBook<O> {
    /// Nothing is registered.
    pub fn new(policy: CachePolicy) -> Self {
        CacheBook {
            policy,
            slots: Slots::default(),
            by_key: BTreeMap::new(),
            callables: BTreeMap::new(),
            counts: CacheCounts::default(),
        }
    }

    /// Gives a callable these bytes. What the id had before is released. If the policy prewarms, a
    /// [`CacheBook::request`] is to follow.
    pub fn register(&mut self, callable: Callable, name: &str, bytes: &[u8]) -> Result<Released<O>, CacheError> {
        let image = self.policy.model.shares().then(|| CodeImage::parse(name, bytes)).transpose()?;
        let released = match self.callables.get(&callable) {
            Some(_) => self.unregister(callable)?,
            None => Released::Nothing,
        };
        let registered = Registered {
            name: name.to_owned(),
            bytes: bytes.into(),
            key: self.key_of(callable, image.as_ref()),
            content: image.map(|image| image.content),
            entry: None,
            running: false,
        };
        self.callables.insert(callable, registered);
        Ok(released)
    }

    /// What a callable gets that needs its object outside of a run.
    pub fn request(&mut self, callable: Callable) -> Result<Request, CacheError> {
        let registered = self.callables.get(&callable).ok_or(CacheError::NotRegistered { callable })?;
        if let Some(entry) = registered.entry {
            self.counts.hits += 1;
            return Ok(Request::Own(entry));
        }
        let Some(entry) = self.by_key.get(&registered.key).copied() else {
            return Ok(Request::Load { name: registered.name.clone(), bytes: Arc::clone(&registered.bytes) });
        };
        let cached = self.slots.get_mut(entry)?;
        if let (false, Key::OfWorker(_, ContentKey::BuildId(id))) = (cached.content == registered.content, &cached.key)
        {
            return Err(CacheError::SameBuildId { name: registered.name.clone(), build_id: id.clone() });
        }
        cached.users += 1;
        self.counts.hits += 1;
        self.registered(callable)?.entry = Some(entry);
        Ok(Request::Shared(entry))
    }

    /// The object that was to be loaded for a callable is there.
    pub fn loaded(&mut self, callable: Callable, object: O) -> Result<Entry, CacheError> {
        let registered = self.callables.get_mut(&callable).ok_or(CacheError::NotRegistered { callable })?;
        let (content, key) = (registered.content, registered.key.clone());
        let entry = self.slots.insert(Cached { object, content, key: key.clone(), users: 1 });
        registered.entry = Some(entry);
        self.by_key.insert(key, entry);
        self.counts.loads += 1;
        Ok(entry)
    }

    /// A run of a callable begins, and needs its object. It has to be ended also if that cannot be loaded.
    pub fn begin_run(&mut self, callable: Callable) -> Result<Request, CacheError> {
        if self.registered(callable)?.running {
            return Err(CacheError::Running { callable });
        }
        let request = self.request(callable)?;
        self.registered(callable)?.running = true;
        Ok(request)
    }

    /// A run has ended.
    pub fn end_run(&mut self, callable: Callable) -> Result<Released<O>, CacheError> {
        if !std::mem::take(&mut self.registered(callable)?.running) {
            return Err(CacheError::NotRunning { callable });
        }
        if self.policy.model == CacheModel::ReloadPerRun { self.release(callable) } else { Ok(Released::Nothing) }
    }

    /// Takes a callable's bytes away from it.
    pub fn unregister(&mut self, callable: Callable) -> Result<Released<O>, CacheError> {
        if self.registered(callable)?.running {
            return Err(CacheError::Running { callable });
        }
        let released = self.release(callable)?;
        self.callables.remove(&callable);
        Ok(released)
    }

    /// The object behind an entry.
    pub fn object(&self, entry: Entry) -> Result<O, LateUse> {
        self.slots.get(entry).map(|cached| cached.object)
    }

    /// Takes out what nobody uses, to be unloaded.
    pub fn take_idle(&mut self) -> Vec<O> {
        let entries = self.slots.entries().into_iter();
        let idle: Vec<_> = entries.filter(|at| self.slots.get(*at).is_ok_and(|cached| cached.users == 0)).collect();
        idle.into_iter().filter_map(|entry| self.take(entry)).collect()
    }

    /// Takes everything out, to be unloaded.
    pub fn take_all(&mut self) -> Vec<O> {
        self.slots.entries().into_iter().filter_map(|entry| self.take(entry)).collect()
    }

    /// By what it keeps objects.
    pub fn policy(&self) -> CachePolicy {
        self.policy
    }

    /// What it has done so far.
    pub fn counts(&self) -> CacheCounts {
        self.counts
    }

    fn key_of(&self, callable: Callable, image: Option<&CodeImage>) -> Key {
        match (self.policy.model, image) {
            (CacheModel::ByContent, Some(CodeImage { build_id: Some(id), .. })) => {
                Key::OfWorker(callable.worker, ContentKey::BuildId(id.clone()))
            }
            (CacheModel::ByContent, Some(image)) => Key::OfWorker(callable.worker, ContentKey::Hash(image.content)),
            (CacheModel::ByFingerprint, Some(image)) => Key::OfProcess(ContentKey::Hash(image.content)),
            (_, _) => Key::Callable(callable),
        }
    }

    /// A callable uses its object no longer.
    fn release(&mut self, callable: Callable) -> Result<Released<O>, CacheError> {
        let Some(entry) = self.registered(callable)?.entry.take() else { return Ok(Released::Nothing) };
        let cached = self.slots.get_mut(entry)?;
        cached.users -= 1;
        let stays = cached.users > 0 || self.policy.model == CacheModel::ByFingerprint;
        let object = cached.object;
        if stays {
            return Ok(Released::Stays(object));
        }
        self.take(entry);
        Ok(Released::Goes(object))
    }

    /// Takes an object out; every entry of it is late from now on.
    fn take(&mut self, entry: Entry) -> Option<O> {
        let cached = self.slots.remove(entry).ok()?;
        if self.by_key.get(&cached.key) == Some(&entry) {
            self.by_key.remove(&cached.key);
        }
        self.counts.unloads += 1;
        Some(cached.object)
    }

    fn registered(&mut self, callable: Callable) -> Result<&mut Registered, CacheError> {
        self.callables.get_mut(&callable).ok_or(CacheError::NotRegistered { callable })
    }
}
