//! Isolation: each host runtime that the process opens gets a namespace of its own ([`Enclave`]), if that was asked for.
//!
//! A host runtime is recognised by what its file exports, before the dynamic linker sees it. The process gets the handle
//! of the runtime itself and closes it when it likes; nobody tells us. So a namespace stays, for the same file opened
//! again, until there are no more namespaces for another one: then those go whose runtime is closed.

use std::cell::Cell;
use std::collections::BTreeSet;
use std::ffi::{CStr, CString, OsStr, c_int, c_void};
use std::fs::{self, File};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use npusim::exec::settings::variables;
use sim_core::engine::calling_actor;
use sim_core::loader::enclave::Enclave;
use sim_core::loader::exports::exports;
use sim_core::loader::image::CodeImage;
use sim_core::loader::link::{self, NamespaceId};
use sim_core::loader::load_error::LoadError;

use crate::interposed::real_dlsym;
use crate::objects::open::{close_left, fail};
use crate::process::{Process, lock};
use crate::runtime;

/// Why a host runtime has no namespace of its own.
#[derive(Debug, thiserror::Error, displaydoc::Display)]
enum IsolationError {
    /// {path:?} cannot be read: {error}
    Read {
        /// The runtime.
        path: PathBuf,
        /// What the system said.
        error: std::io::Error,
    },
    /// {path:?} gets no namespace of its own: {error}
    Enclave {
        /// The runtime.
        path: PathBuf,
        /// Why it cannot be loaded.
        error: LoadError,
    },
    /// {path:?} gets no namespace of its own: {live} other host runtimes have one and are open; close one of them ({error})
    TooMany {
        /// The runtime.
        path: PathBuf,
        /// How many have one.
        live: usize,
        /// What the dynamic linker said.
        error: LoadError,
    },
}

/// A file as it is now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct FileVersion {
    device: u64,
    inode: u64,
    size: u64,
    changed: (i64, i64),
}

impl FileVersion {
    fn of(path: &Path) -> Option<Self> {
        let facts = fs::metadata(path).ok().filter(|facts| facts.is_file())?;
        let (device, inode, size) = (facts.dev(), facts.ino(), facts.size());
        Some(FileVersion { device, inode, size, changed: (facts.mtime(), facts.mtime_nsec()) })
    }
}

/// A runtime's file and the namespace that is for it.
struct Place {
    file: FileVersion,
    path: CString,
    enclave: Enclave,
}

/// The namespaces of host runtimes.
#[derive(Default)]
pub(crate) struct Isolated(Vec<Place>);

impl Isolated {
    /// The global scope of a namespace, if it is one of these.
    pub(crate) fn scope(&self, namespace: NamespaceId) -> Option<*mut c_void> {
        self.0.iter().find(|place| place.enclave.id() == namespace).map(|place| place.enclave.scope())
    }

    /// The namespace that is for a file.
    fn known(&self, file: FileVersion) -> Option<&Enclave> {
        self.0.iter().find(|place| place.file == file).map(|place| &place.enclave)
    }

    /// Makes a namespace for a runtime.
    fn add(&mut self, file: FileVersion, path: &CStr) -> Result<(), IsolationError> {
        let name = PathBuf::from(OsStr::from_bytes(path.to_bytes()));
        let bytes = fs::read(&name).map_err(|error| IsolationError::Read { path: name.clone(), error })?;
        let image = CodeImage::parse(&name.display().to_string(), &bytes);
        let refused = |error: LoadError| IsolationError::Enclave { path: name.clone(), error };
        let shared = shared_objects(&image.map_err(LoadError::from).map_err(refused)?);
        let mut opened = Enclave::open(&shared);
        if opened.is_err() && self.make_room() {
            opened = Enclave::open(&shared);
        }
        let live = self.0.len();
        let enclave = opened.map_err(|error| match error {
            LoadError::Link { .. } if live > 0 => IsolationError::TooMany { path: name.clone(), live, error },
            error => refused(error),
        })?;
        self.0.push(Place { file, path: path.to_owned(), enclave });
        Ok(())
    }

    /// Gives up the namespaces whose runtimes are closed: whether there were any.
    fn make_room(&mut self) -> bool {
        let before = self.0.len();
        for place in std::mem::take(&mut self.0) {
            if place.enclave.has(&place.path) {
                self.0.push(place);
                continue;
            }
            close_left(place.enclave.id());
            lock(&Process::get().objects).forget_context(place.enclave.scope());
            place.enclave.close();
        }
        self.0.len() < before
    }
}

/// Whether it was asked for.
pub(crate) fn is_on() -> bool {
    static ON: OnceLock<bool> = OnceLock::new();
    *ON.get_or_init(|| std::env::var_os(variables::ISOLATE).is_some_and(|value| value == "1"))
}

thread_local! {
    /// The thread is opening a runtime: what that opens meanwhile follows it.
    static OPENING: Cell<bool> = const { Cell::new(false) };
}

/// Opens a host runtime in its own namespace, as `dlopen` does. `None`: it is none, or a part of one opens it.
pub(crate) fn open(path: &CStr, flags: c_int) -> Option<*mut c_void> {
    // Without a directory, where it is depends on who asks. Device code opens what is its own.
    if !path.to_bytes().contains(&b'/') || calling_actor().is_some() || OPENING.get() {
        return None;
    }
    let name = Path::new(OsStr::from_bytes(path.to_bytes()));
    let file = FileVersion::of(name)?;
    OPENING.set(true);
    let opened = open_in_own(file, path, flags);
    OPENING.set(false);
    opened
}

fn open_in_own(file: FileVersion, path: &CStr, flags: c_int) -> Option<*mut c_void> {
    let name = Path::new(OsStr::from_bytes(path.to_bytes()));
    // A process that has opened none has no state yet.
    let is_known = || Process::existing().is_some_and(|process| lock(&process.isolated).known(file).is_some());
    let is_runtime = || File::open(name).is_ok_and(|file| exports(file, runtime::CREATE.to_bytes()));
    if !is_known() && !is_runtime() {
        return None;
    }
    let mut isolated = lock(&Process::get().isolated);
    if isolated.known(file).is_none() {
        if flags & libc::RTLD_NOLOAD != 0 {
            return None;
        }
        if let Err(error) = isolated.add(file, path) {
            eprintln!("npusim: {error}");
            return Some(fail(&error));
        }
        // What was said on the way is no error of the caller's.
        // SAFETY: it has no preconditions.
        unsafe { libc::dlerror() };
    }
    let enclave = isolated.known(file)?;
    if !enclave.has(path) {
        // It was closed, and begins anew.
        close_left(enclave.id());
    }
    Some(enclave.open_object(path, flags))
}

/// The objects from which a runtime takes what none that it needs by name has: the process has opened them for
/// everybody.
fn shared_objects(runtime: &CodeImage) -> Vec<PathBuf> {
    let found = runtime.imports.iter().filter(|import| import.version.is_none()).filter_map(|import| {
        let name = CString::new(import.name.as_str()).ok()?;
        let address = real_dlsym(libc::RTLD_DEFAULT, &name);
        let (_, path) = link::location_of(address).filter(|_| address != 0)?;
        std::path::absolute(path).ok().filter(|path| path.is_file())
    });
    let found: BTreeSet<PathBuf> = found.collect();
    found.into_iter().collect()
}
