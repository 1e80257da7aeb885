//! Caches of loaded objects: what runtimes do, or could do, so that not every run pays for a load.
//!
//! A [`CacheBook`] decides by its [`CachePolicy`] when objects are loaded, by whom they are shared and when they go. A
//! device has one for its orchestrations, and loads as its actors; an [`ObjectCache`] has one and a [`Loader`]. Callables
//! come and go, with ids that are used again; each run asks for the entry of its callable:
//!
//! ```text
//!   register ── [prewarm: load] ──► begin_run ── [load or hit] ──► Entry ── end_run ──► ... ──► unregister
//!                                                                    │
//!                                        address(entry): the pointer, or LateUse once the object is gone
//! ```
//!
//! | model | an object is loaded | and unloaded |
//! |---|---|---|
//! | reload per run | by each run | at its end |
//! | per callable | once for a callable id | when the id gets another object or none |
//! | by content | once a worker for equal bytes | with the last callable that has them |
//! | by fingerprint | once a process for equal bytes | when the cache is emptied |
//!
//! Nobody keeps a pointer: an [`Entry`] is a slot and a generation. What is unloaded takes its pointers with it, and an
//! entry that is used later is an error and not a jump into nothing. Host runtimes, which come as files, are cached by
//! [`files`]: a file that was built anew is another object.

mod book;
pub mod files;
mod object_cache;
mod policy;
mod slots;

pub use book::{CacheBook, CacheCounts, CacheError, Callable, Released, Request, UnknownCallable};
pub use object_cache::ObjectCache;
pub use policy::{CacheModel, CachePolicy, UnknownCachePolicy};
pub use slots::{Entry, LateUse};

use super::ledger::LoadOrigin;
use super::load_error::LoadError;
use super::namespace::{Namespace, ObjectId};

/// Whoever loads and unloads objects for a cache.
pub trait Loader {
    /// What it calls a loaded object.
    type Object: Copy;

    /// Loads an object; also gives the address of its entry.
    fn load(&mut self, name: &str, bytes: &[u8], entry: &str) -> Result<(Self::Object, usize), LoadError>;

    /// Unloads it.
    fn unload(&mut self, object: Self::Object);
}

impl Loader for Namespace {
    type Object = ObjectId;

    fn load(&mut self, name: &str, bytes: &[u8], entry: &str) -> Result<(ObjectId, usize), LoadError> {
        let object = Namespace::load(self, LoadOrigin::Orchestration, name, bytes)?;
        match self.object(object).map(|loaded| loaded.symbol(entry)) {
            Some(Ok(address)) => Ok((object, address)),
            Some(Err(error)) => {
                Namespace::unload(self, object);
                Err(error)
            }
            None => unreachable!("the object was just loaded"),
        }
    }

    fn unload(&mut self, object: ObjectId) {
        Namespace::unload(self, object);
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// Gives objects numbers, and addresses that follow from their first byte.
    #[derive(Default)]
    pub(super) struct Counter {
        pub(super) loaded: Vec<String>,
        pub(super) unloaded: Vec<usize>,
    }

    impl Loader for Counter {
        type Object = usize;

        fn load(&mut self, name: &str, bytes: &[u8], entry: &str) -> Result<(usize, usize), LoadError> {
            if bytes.is_empty() {
                return Err(LoadError::MissingSymbol { name: name.to_owned(), symbol: entry.to_owned(), exports: 0 });
            }
            self.loaded.push(name.to_owned());
            Ok((self.loaded.len() - 1, usize::from(bytes[0])))
        }

        fn unload(&mut self, object: usize) {
            self.unloaded.push(object);
        }
    }
}
