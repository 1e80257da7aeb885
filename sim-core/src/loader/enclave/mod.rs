//! Enclaves: namespaces whose objects share nothing with other runtimes, and the C library with the whole process.
//!
//! # Why the C library is shared
//!
//! A process that npusim did not start calls into a runtime from threads of its own, hands over memory, and changes its
//! environment while it goes on. A second C library in the namespace would see none of that: it has a heap, locales,
//! streams, an environment and `pthread_key_t`s of its own, and per-thread state that only threads of its own have. So
//! the objects of an enclave are given **mirrors** (`mirror`) of the C library's objects: the names, with the
//! addresses in the base namespace. What they have to themselves is all the rest: libstdc++ (a copy without unique
//! symbols), libgcc_s, what the process made global for them, and whatever is opened in the enclave.
//!
//! # Lifecycle
//!
//! ```text
//!   Enclave::open       the root ([`root`]), an object that only names others, in a new namespace: they are its global scope
//!   open_object         the runtime, by its own path; what that opens, by whoever sees to it
//!   has                 whether an object is still open, whoever closed it
//!   close               the root; the namespace is free again unless something in it cannot be unloaded
//! ```
//!
//! Nothing is closed by dropping an enclave: code in it may be running, and what the process has opened it closes itself.

mod data_object;
mod mirror;
mod root;
#[cfg(test)]
mod tests;

use std::ffi::{CStr, CString, c_int, c_void};
use std::os::unix::ffi::OsStringExt;
use std::path::PathBuf;
use std::sync::OnceLock;

use super::libstdcxx::{LIBSTDCXX, libstdcxx, not_staged};
use super::link::{self, LinkStep, NamespaceId};
use super::load_error::LoadError;
use super::staging::{SealedBytes, Staged};

/// The objects of the C library. All but the first two are empty since glibc 2.34, and still needed by older objects.
const C_LIBRARY: [&CStr; 6] =
    [c"libc.so.6", c"libm.so.6", c"libmvec.so.1", c"libpthread.so.0", c"libdl.so.2", c"librt.so.1"];

const LIBGCC: &CStr = c"libgcc_s.so.1";

/// A namespace that shares the C library with the process.
#[derive(Debug)]
pub struct Enclave {
    id: NamespaceId,
    root: usize,
}

impl Enclave {
    /// A new namespace. The objects in `shared` are loaded into it once more, and are found by all that follow.
    ///
    /// Their initialisers run on this thread.
    pub fn open(shared: &[PathBuf]) -> Result<Enclave, LoadError> {
        let staging = |name: &str| {
            let name = name.to_owned();
            move |error: std::io::Error| not_staged(&name, &error)
        };
        let mut staged: Vec<Staged> = Vec::new();
        for mirror in mirrors()? {
            staged.push(mirror.sealed.stage(mirror.name).map_err(staging(mirror.name))?);
        }
        staged.push(libstdcxx()?.sealed.stage(LIBSTDCXX).map_err(staging(LIBSTDCXX))?);
        let mut needed: Vec<CString> = staged.iter().map(|staged| staged.path().to_owned()).collect();
        let open_already = link::path_of_open(LIBGCC);
        let by_path = open_already.iter().chain(shared).cloned();
        needed.extend(by_path.filter_map(|path| CString::new(path.into_os_string().into_vec()).ok()));
        let root = SealedBytes::new(root::NAME, &root::needing(&needed)).map_err(staging(root::NAME))?;
        let root = root.stage(root::NAME).map_err(staging(root::NAME))?;
        let mut step = LinkStep::open(libc::LM_ID_NEWLM, root.path());
        step.run();
        let failed = |message| LoadError::Link { name: root::NAME.to_owned(), message };
        let root = step.opened().map_err(failed)?;
        let id = link::namespace_of(root).unwrap_or(libc::LM_ID_NEWLM);
        Ok(Enclave { id, root: root as usize })
    }

    /// The dynamic linker's number for it.
    pub fn id(&self) -> NamespaceId {
        self.id
    }

    /// What stands for the global scope of its objects in look-ups.
    pub fn scope(&self) -> *mut c_void {
        self.root as *mut c_void
    }

    /// Opens an object in it, as `dlopen` does: null if that fails, and `dlerror` says why.
    pub fn open_object(&self, path: &CStr, flags: c_int) -> *mut c_void {
        link::open_in(self.id, path, flags)
    }

    /// Whether an object is open in it, by the path that it was opened with.
    pub fn has(&self, path: &CStr) -> bool {
        let handle = self.open_object(path, libc::RTLD_LAZY | libc::RTLD_NOLOAD);
        if !handle.is_null() {
            // SAFETY: gives back what the look-up has taken.
            unsafe { libc::dlclose(handle) };
        }
        !handle.is_null()
    }

    /// Gives the namespace up, with what is in its global scope. Whatever was opened in it is closed.
    pub fn close(self) {
        LinkStep::close(self.scope(), None).run();
    }
}

/// A mirror of an object of the C library.
struct Mirror {
    name: &'static str,
    sealed: SealedBytes,
}

/// Made once a process: the C library stays where it is.
fn mirrors() -> Result<&'static [Mirror], LoadError> {
    static MIRRORS: OnceLock<Vec<Mirror>> = OnceLock::new();
    if let Some(mirrors) = MIRRORS.get() {
        return Ok(mirrors);
    }
    let made: Result<Vec<Mirror>, LoadError> =
        C_LIBRARY.iter().filter_map(|soname| mirror_of(soname).transpose()).collect();
    let made = made?;
    Ok(MIRRORS.get_or_init(|| made))
}

/// `None`: the system has no such object.
fn mirror_of(soname: &'static CStr) -> Result<Option<Mirror>, LoadError> {
    let name = soname.to_str().unwrap_or_default();
    // SAFETY: opens a part of the C library, for the rest of the process.
    let handle = unsafe { libc::dlopen(soname.as_ptr(), libc::RTLD_LAZY) };
    if handle.is_null() {
        return Ok(None);
    }
    let Some((_, path)) = link::location(handle) else { return Ok(None) };
    let bytes =
        std::fs::read(&path).map_err(|error| LoadError::Mirror { name: name.to_owned(), detail: error.to_string() })?;
    let mirror = mirror::mirror(name, &bytes, handle)?;
    let sealed = SealedBytes::new(name, &mirror).map_err(|error| not_staged(name, &error))?;
    Ok(Some(Mirror { name, sealed }))
}
