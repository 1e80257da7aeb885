//! A cache that loads by itself, for those who are no device.

use super::{CacheBook, CacheCounts, CacheError, CachePolicy, Callable, Entry, LateUse, Loader, Released, Request};

/// Objects of callables, loaded when the policy says.
pub struct ObjectCache<L: Loader> {
    entry: String,
    loader: L,
    book: CacheBook<(L::Object, usize)>,
}

impl<L: Loader> ObjectCache<L> {
    /// An empty cache of objects with this entry.
    pub fn new(policy: CachePolicy, entry: &str, loader: L) -> Self {
        ObjectCache { entry: entry.to_owned(), loader, book: CacheBook::new(policy) }
    }

    /// Gives a callable this object. What the id had before is given up.
    pub fn register(&mut self, callable: Callable, name: &str, bytes: &[u8]) -> Result<(), CacheError> {
        let before = self.book.register(callable, name, bytes)?;
        self.let_go(before);
        if self.book.policy().prewarms() {
            let request = self.book.request(callable);
            if let Err(error) = request.and_then(|request| self.serve(callable, request)) {
                let none = self.book.unregister(callable)?;
                self.let_go(none);
                return Err(error);
            }
        }
        Ok(())
    }

    /// The entry for a run of a callable.
    pub fn begin_run(&mut self, callable: Callable) -> Result<Entry, CacheError> {
        let request = self.book.begin_run(callable)?;
        let served = self.serve(callable, request);
        if served.is_err() {
            self.end_run(callable)?;
        }
        served
    }

    /// A run has ended.
    pub fn end_run(&mut self, callable: Callable) -> Result<(), CacheError> {
        let released = self.book.end_run(callable)?;
        self.let_go(released);
        Ok(())
    }

    /// Takes a callable's object away from it.
    pub fn unregister(&mut self, callable: Callable) -> Result<(), CacheError> {
        let released = self.book.unregister(callable)?;
        self.let_go(released);
        Ok(())
    }

    /// The address behind an entry.
    pub fn address(&self, entry: Entry) -> Result<usize, LateUse> {
        self.book.object(entry).map(|(_, address)| address)
    }

    /// Unloads what nobody uses.
    pub fn unload_idle(&mut self) {
        self.book.take_idle().into_iter().for_each(|(object, _)| self.loader.unload(object));
    }

    /// What it has done so far.
    pub fn counts(&self) -> CacheCounts {
        self.book.counts()
    }

    /// Whoever loads.
    pub fn loader(&self) -> &L {
        &self.loader
    }

    fn serve(&mut self, callable: Callable, request: Request) -> Result<Entry, CacheError> {
        match request {
            Request::Own(entry) | Request::Shared(entry) => Ok(entry),
            Request::Load { name, bytes } => {
                let loaded = self.loader.load(&name, &bytes, &self.entry)?;
                self.book.loaded(callable, loaded)
            }
        }
    }

    fn let_go(&mut self, released: Released<(L::Object, usize)>) {
        if let Released::Goes((object, _)) = released {
            self.loader.unload(object);
        }
    }
}

impl<L: Loader> Drop for ObjectCache<L> {
    /// Nothing stays loaded.
    fn drop(&mut self) {
        self.book.take_all().into_iter().for_each(|(object, _)| self.loader.unload(object));
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::namespace::Namespace;
    use super::super::super::staging::StagingArea;
    use super::super::super::test_objects::{Language, shared_object};
    use super::super::CacheModel;
    use super::*;

    fn object(value: u32, flags: &[&str]) -> Vec<u8> {
        shared_object(Language::C, &format!("unsigned entry(void) {{ return {value}; }}"), flags)
    }

    fn cache(model: CacheModel, prewarm: bool) -> ObjectCache<Namespace> {
        ObjectCache::new(CachePolicy { model, prewarm }, "entry", Namespace::of_process(StagingArea::default()))
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
