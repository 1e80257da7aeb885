//! The cache of callables' objects.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use serde::Serialize;

use super::super::image::CodeImage;
use super::super::image_error::ImageError;
use super::super::load_error::LoadError;
use super::slots::Slots;
use super::{CacheModel, Entry, LateUse, Loader};
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
    content: ContentHash,
    key: Key,
    /// What it uses.
    entry: Option<Entry>,
    running: bool,
}

struct Cached<O> {
    object: O,
    address: usize,
    content: ContentHash,
    key: Key,
    users: u32,
}

/// Objects of callables, loaded when the model says.
pub struct ObjectCache<L: Loader> {
    model: CacheModel,
    prewarm: bool,
    entry: String,
    loader: L,
    slots: Slots<Cached<L::Object>>,
    by_key: BTreeMap<Key, Entry>,
    callables: BTreeMap<Callable, Registered>,
    counts: CacheCounts,
}

impl<L: Loader> ObjectCache<L> {
    /// An empty cache of objects with this entry. With `prewarm` they are loaded when they are registered, else by the
    /// first run; a model that reloads for each run has nothing to prewarm.
    pub fn new(model: CacheModel, prewarm: bool, entry: &str, loader: L) -> Self {
        ObjectCache {
            model,
            prewarm: prewarm && model != CacheModel::ReloadPerRun,
            entry: entry.to_owned(),
            loader,
            slots: Slots::default(),
            by_key: BTreeMap::new(),
            callables: BTreeMap::new(),
            counts: CacheCounts::default(),
        }
    }

    /// Gives a callable this object. What the id had before is given up.
    pub fn register(&mut self, callable: Callable, name: &str, bytes: &[u8]) -> Result<(), CacheError> {
        if self.callables.contains_key(&callable) {
            self.unregister(callable)?;
        }
        let image = CodeImage::parse(name, bytes)?;
        let key = self.key_of(callable, &image);
        let registered = Registered {
            name: name.to_owned(),
            bytes: bytes.into(),
            content: image.content,
            key,
            entry: None,
            running: false,
        };
        self.callables.insert(callable, registered);
        if self.prewarm
            && let Err(error) = self.acquire(callable)
        {
            self.callables.remove(&callable);
            return Err(error);
        }
        Ok(())
    }

    /// The entry for a run of a callable.
    pub fn begin_run(&mut self, callable: Callable) -> Result<Entry, CacheError> {
        if self.registered(callable)?.running {
            return Err(CacheError::Running { callable });
        }
        let entry = self.acquire(callable)?;
        self.registered(callable)?.running = true;
        Ok(entry)
    }

    /// A run has ended.
    pub fn end_run(&mut self, callable: Callable) -> Result<(), CacheError> {
        let registered = self.registered(callable)?;
        if !std::mem::take(&mut registered.running) {
            return Err(CacheError::NotRunning { callable });
        }
        if self.model == CacheModel::ReloadPerRun { self.release(callable) } else { Ok(()) }
    }

    /// Takes a callable's object away from it.
    pub fn unregister(&mut self, callable: Callable) -> Result<(), CacheError> {
        if self.registered(callable)?.running {
            return Err(CacheError::Running { callable });
        }
        self.release(callable)?;
        self.callables.remove(&callable);
        Ok(())
    }

    /// The address behind an entry.
    pub fn address(&self, entry: Entry) -> Result<usize, LateUse> {
        self.slots.get(entry).map(|cached| cached.address)
    }

    /// Unloads what nobody uses.
    pub fn unload_idle(&mut self) {
        for entry in self.slots.entries() {
            if self.slots.get(entry).is_ok_and(|cached| cached.users == 0) {
                self.unload(entry);
            }
        }
    }

    /// What it has done so far.
    pub fn counts(&self) -> CacheCounts {
        self.counts
    }

    /// Whoever loads.
    pub fn loader(&self) -> &L {
        &self.loader
    }

    fn key_of(&self, callable: Callable, image: &CodeImage) -> Key {
        let content = || match &image.build_id {
            Some(id) => ContentKey::BuildId(id.clone()),
            None => ContentKey::Hash(image.content),
        };
        match self.model {
            CacheModel::ReloadPerRun | CacheModel::PerCallable => Key::Callable(callable),
            CacheModel::ByContent => Key::OfWorker(callable.worker, content()),
            CacheModel::ByFingerprint => Key::OfProcess(ContentKey::Hash(image.content)),
        }
    }

    /// The object of a callable: the one it uses, one that is there, or a new one.
    fn acquire(&mut self, callable: Callable) -> Result<Entry, CacheError> {
        let registered = self.callables.get(&callable).ok_or(CacheError::NotRegistered { callable })?;
        if let Some(entry) = registered.entry {
            self.counts.hits += 1;
            return Ok(entry);
        }
        let entry = match self.by_key.get(&registered.key) {
            Some(entry) => {
                let cached = self.slots.get_mut(*entry)?;
                if let (false, Key::OfWorker(_, ContentKey::BuildId(id))) =
                    (cached.content == registered.content, &cached.key)
                {
                    return Err(CacheError::SameBuildId { name: registered.name.clone(), build_id: id.clone() });
                }
                cached.users += 1;
                self.counts.hits += 1;
                *entry
            }
            None => {
                let (object, address) = self.loader.load(&registered.name, &registered.bytes, &self.entry)?;
                self.counts.loads += 1;
                let (content, key) = (registered.content, registered.key.clone());
                let entry = self.slots.insert(Cached { object, address, content, key: key.clone(), users: 1 });
                self.by_key.insert(key, entry);
                entry
            }
        };
        self.registered(callable)?.entry = Some(entry);
        Ok(entry)
    }

    /// A callable uses its object no longer.
    fn release(&mut self, callable: Callable) -> Result<(), CacheError> {
        let Some(entry) = self.registered(callable)?.entry.take() else { return Ok(()) };
        let cached = self.slots.get_mut(entry)?;
        cached.users -= 1;
        if cached.users == 0 && self.model != CacheModel::ByFingerprint {
            self.unload(entry);
        }
        Ok(())
    }

    /// Unloads an object; every entry of it is late from now on.
    fn unload(&mut self, entry: Entry) {
        if let Ok(cached) = self.slots.remove(entry) {
            self.by_key.remove(&cached.key);
            self.loader.unload(cached.object);
            self.counts.unloads += 1;
        }
    }

    fn registered(&mut self, callable: Callable) -> Result<&mut Registered, CacheError> {
        self.callables.get_mut(&callable).ok_or(CacheError::NotRegistered { callable })
    }
}

impl<L: Loader> Drop for ObjectCache<L> {
    /// Nothing stays loaded.
    fn drop(&mut self) {
        self.slots.entries().into_iter().for_each(|entry| self.unload(entry));
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::namespace::Namespace;
    use super::super::super::staging::StagingArea;
    use super::super::super::test_objects::{Language, shared_object};
    use super::*;

    fn object(value: u32, flags: &[&str]) -> Vec<u8> {
        shared_object(Language::C, &format!("unsigned entry(void) {{ return {value}; }}"), flags)
    }

    fn cache(model: CacheModel, prewarm: bool) -> ObjectCache<Namespace> {
        ObjectCache::new(model, prewarm, "entry", Namespace::of_process(StagingArea::default()))
    }

    fn callable(worker: u32, id: u32) -> Callable {
        Callable::new(worker, id).unwrap()
    }

    /// One run of a callable: what its entry returns.
    fn run(cache: &mut ObjectCache<Namespace>, callable: Callable) -> u32 {
        let entry = cache.begin_run(callable).unwrap();
        let address = cache.address(entry).unwrap();
        // SAFETY: the object has a function of this type there, and is loaded.
        let value = unsafe { std::mem::transmute::<usize, extern "C" fn() -> u32>(address)() };
        cache.end_run(callable).unwrap();
        value
    }

    /// Loads, hits and unloads.
    fn counts(cache: &ObjectCache<Namespace>) -> [u64; 3] {
        let CacheCounts { loads, hits, unloads } = cache.counts();
        [loads, hits, unloads]
    }

    #[test]
    fn how_often_does_each_model_load_for_three_runs_of_two_callables_in_two_workers() {
        let bytes = object(7, &["-Wl,--build-id=sha1"]);
        let callables = [callable(0, 0), callable(0, 1), callable(1, 0)];
        for (model, expected, after) in [
            (CacheModel::ReloadPerRun, [9, 0, 9], [9, 0, 9]),
            (CacheModel::PerCallable, [3, 6, 0], [3, 6, 3]),
            (CacheModel::ByContent, [2, 7, 0], [2, 7, 2]),
            (CacheModel::ByFingerprint, [1, 8, 0], [1, 8, 0]),
        ] {
            let mut cache = cache(model, false);
            for callable in callables {
                cache.register(callable, "orch.so", &bytes).unwrap();
            }
            assert_eq!(counts(&cache)[0], 0, "{model}: nothing is loaded before a run");
            for callable in callables.repeat(3) {
                assert_eq!(run(&mut cache, callable), 7, "{model}");
            }
            assert_eq!(counts(&cache), expected, "{model}");
            callables.iter().for_each(|callable| cache.unregister(*callable).unwrap());
            assert_eq!(counts(&cache), after, "{model}");
            cache.unload_idle();
            assert_eq!(counts(&cache)[0], counts(&cache)[2], "{model}: nothing stays");
        }
    }

    #[test]
    fn does_an_id_that_is_used_again_get_its_new_object() {
        for model in CacheModel::ALL {
            let mut cache = cache(model, true);
            let id = callable(0, 63);
            for value in [1, 2, 1] {
                cache.register(id, "orch.so", &object(value, &[])).unwrap();
                assert_eq!(run(&mut cache, id), value, "{model}");
            }
        }
    }

    #[test]
    fn is_everything_loaded_at_registration_with_prewarming() {
        for (model, loads) in CacheModel::ALL.into_iter().zip([0, 1, 1, 1]) {
            let mut cache = cache(model, true);
            cache.register(callable(0, 0), "orch.so", &object(1, &[])).unwrap();
            assert_eq!(counts(&cache), [loads, 0, 0], "{model}");
        }
    }

    #[test]
    fn is_an_entry_that_is_used_after_its_object_went_an_error() {
        for model in CacheModel::ALL {
            let mut cache = cache(model, false);
            let id = callable(0, 0);
            cache.register(id, "orch.so", &object(1, &[])).unwrap();
            let entry = cache.begin_run(id).unwrap();
            assert!(cache.address(entry).is_ok());
            assert!(matches!(cache.unregister(id), Err(CacheError::Running { .. })), "{model}");
            cache.end_run(id).unwrap();
            cache.unregister(id).unwrap();
            cache.unload_idle();
            assert_eq!(
                cache.address(entry).unwrap_err().to_string(),
                "the object behind entry 0.0 was unloaded (its slot is at generation 1); begin the run again"
            );
            // Another object in the same slot does not bring it back.
            cache.register(id, "orch.so", &object(2, &[])).unwrap();
            let next = cache.begin_run(id).unwrap();
            assert!(cache.address(next).is_ok() && cache.address(entry).is_err(), "{model}");
        }
    }

    #[test]
    fn are_two_objects_with_one_build_id_told_apart() {
        let flags = &["-Wl,--build-id=0xabcd"];
        let mut cache = cache(CacheModel::ByContent, true);
        cache.register(callable(0, 0), "a.so", &object(1, flags)).unwrap();
        let error = cache.register(callable(0, 1), "b.so", &object(2, flags)).unwrap_err();
        assert_eq!(
            error.to_string(),
            "b.so has the build id abcd of an object with other bytes; build it with --build-id=sha1"
        );
        assert!(matches!(cache.begin_run(callable(0, 1)), Err(CacheError::NotRegistered { .. })));
    }

    #[test]
    fn are_calls_out_of_order_refused() {
        assert_eq!(Callable::new(0, 64).unwrap_err().to_string(), "64 is no callable id: they are 0 to 63");
        let mut cache = cache(CacheModel::PerCallable, false);
        let id = callable(2, 5);
        assert_eq!(
            cache.begin_run(id).unwrap_err().to_string(),
            "callable 5 of worker 2 is not registered; register it first"
        );
        cache.register(id, "orch.so", &object(1, &[])).unwrap();
        assert!(matches!(cache.end_run(id), Err(CacheError::NotRunning { .. })));
        cache.begin_run(id).unwrap();
        assert!(matches!(cache.begin_run(id), Err(CacheError::Running { .. })));
    }

    #[test]
    fn does_an_object_without_the_entry_leave_nothing_loaded() {
        let mut cache = cache(CacheModel::PerCallable, true);
        let bytes = shared_object(Language::C, "int other(void) { return 1; }", &[]);
        let error = cache.register(callable(0, 0), "orch.so", &bytes).unwrap_err();
        assert!(error.to_string().starts_with("orch.so has no symbol entry"), "{error}");
        assert_eq!(cache.loader().objects().count(), 0);
    }
}
