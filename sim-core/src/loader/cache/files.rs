//! Host runtimes: objects that come as files, and are loaded anew when the file is another one.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use super::super::load_error::LoadError;
use super::slots::Slots;
use super::{Entry, LateUse, Loader};

/// What a file is known by: a file that was built anew has another time or size.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FileKey {
    modified: SystemTime,
    size: u64,
}

impl FileKey {
    /// That of the file as it is now.
    pub fn of(path: &Path) -> io::Result<FileKey> {
        let metadata = std::fs::metadata(path)?;
        Ok(FileKey { modified: metadata.modified()?, size: metadata.len() })
    }
}

/// Why a file could not be loaded.
#[derive(Debug, thiserror::Error, displaydoc::Display)]
pub enum FileError {
    /// {path:?} cannot be read: {error}
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        error: io::Error,
    },
    /// {0}
    Load(#[from] LoadError),
}

struct Loaded<O> {
    object: O,
    address: usize,
}

/// Objects by the path, time and size of their files.
pub struct FileCache<L: Loader> {
    loader: L,
    slots: Slots<Loaded<L::Object>>,
    by_path: BTreeMap<PathBuf, (FileKey, Entry)>,
}

impl<L: Loader> FileCache<L> {
    /// An empty cache of what `loader` loads.
    pub fn new(loader: L) -> Self {
        FileCache { loader, slots: Slots::default(), by_path: BTreeMap::new() }
    }

    /// The object of a file as it is now. The one of an earlier state of the file is unloaded.
    pub fn open(&mut self, path: &Path, entry: &str) -> Result<Entry, FileError> {
        let failed = |error| FileError::Read { path: path.to_owned(), error };
        let key = FileKey::of(path).map_err(failed)?;
        match self.by_path.get(path) {
            Some((known, entry)) if *known == key => return Ok(*entry),
            Some(_) => self.close(path),
            None => {}
        }
        let bytes = std::fs::read(path).map_err(failed)?;
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let (object, address) = self.loader.load(&name, &bytes, entry)?;
        let entry = self.slots.insert(Loaded { object, address });
        self.by_path.insert(path.to_owned(), (key, entry));
        Ok(entry)
    }

    /// Unloads the object of a file, if there is one.
    pub fn close(&mut self, path: &Path) {
        let known = self.by_path.remove(path);
        if let Some(loaded) = known.and_then(|(_, entry)| self.slots.remove(entry).ok()) {
            self.loader.unload(loaded.object);
        }
    }

    /// The address behind an entry.
    pub fn address(&self, entry: Entry) -> Result<usize, LateUse> {
        self.slots.get(entry).map(|loaded| loaded.address)
    }

    /// Whoever loads.
    pub fn loader(&self) -> &L {
        &self.loader
    }
}

#[cfg(test)]
mod tests {
    use std::fs::File;
    use std::time::Duration;

    use super::super::tests::Counter;
    use super::*;

    #[test]
    fn is_a_file_that_was_built_anew_loaded_anew() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("libhost_runtime.so");
        std::fs::write(&path, "old").unwrap();
        let mut cache = FileCache::new(Counter::default());
        let old = cache.open(&path, "entry").unwrap();
        assert_eq!(cache.open(&path, "entry").unwrap(), old);
        assert_eq!(cache.address(old), Ok(usize::from(b'o')));

        // The same size, another time.
        let before = FileKey::of(&path).unwrap().modified;
        std::fs::write(&path, "new").unwrap();
        File::open(&path).unwrap().set_modified(before + Duration::from_nanos(1)).unwrap();
        let new = cache.open(&path, "entry").unwrap();
        assert_eq!((cache.address(new), cache.loader().unloaded.len()), (Ok(usize::from(b'n')), 1));
        assert!(cache.address(old).is_err());

        // The same time, another size.
        std::fs::write(&path, "newer").unwrap();
        File::open(&path).unwrap().set_modified(before + Duration::from_nanos(1)).unwrap();
        assert_ne!(cache.open(&path, "entry").unwrap(), new);
        cache.close(&path);
        assert_eq!((cache.loader().loaded.len(), cache.loader().unloaded.len()), (3, 3));
    }

    #[test]
    fn does_the_error_for_a_file_that_is_not_there_name_it() {
        let error = FileCache::new(Counter::default()).open(Path::new("/nowhere/x.so"), "entry").unwrap_err();
        assert!(error.to_string().starts_with("\"/nowhere/x.so\" cannot be read: "), "{error}");
    }
}
