//! The artifacts of a runtime as its own build leaves them, in this process and called directly.
//!
//! ```text
//!   directory ── files, machine, revision, which runtime ─▶ RuntimeDirectory
//!   NativeRuntime ── context (global) ─▶ host runtime (local) ─▶ platform ─▶ log ─▶ every function by name
//! ```
//!
//! Nothing here simulates: the host runtime starts threads of its own for AICPU and AICores. If the engine is preloaded
//! ([`under_preload`](crate::run::under_preload)), they are its actors, and it tells what becomes of them; otherwise they
//! run freely, there are no virtual times and no counters, and a crash of device code is a crash of this process. What
//! is checked before the first call is all that stands between an unknown object and this process: see [`revision`].

pub mod directory;
pub mod error;
mod host_log;
pub mod revision;
#[cfg(test)]
pub(crate) mod test_objects;

use std::ffi::{CStr, c_char};
use std::path::{Path, PathBuf};

use libloading::os::unix::{Library, RTLD_GLOBAL, RTLD_LOCAL, RTLD_NOW};
use sim_core::engine::GuestCall;
use sim_core::loader::load_error::LoadError;
use sim_core::profile::Arch;

use crate::device::error::DeviceError;
use crate::device::host_calls::HostCalls;
use crate::exec::account::Account;
use crate::exec::report::ReportedError;
use directory::RuntimeDirectory;
use error::NativeError;

/// A function by which a host runtime says what it is for; not one of the interface.
const PLATFORM: &str = "get_platform";

/// A host runtime that is loaded and has been told where to log.
#[derive(Debug)]
pub struct NativeRuntime {
    path: PathBuf,
    library: Library,
    /// What the engine tells, if it runs the device's code.
    engine: Option<Account>,
}

impl NativeRuntime {
    /// Loads the host runtime of a directory, and before it what it takes from its process.
    pub fn load(directory: &RuntimeDirectory, arch: Arch, engine: Option<Account>) -> Result<Self, NativeError> {
        if let Some(path) = &directory.context {
            let context = open(path, RTLD_NOW | RTLD_GLOBAL)?;
            bind_log(&context, path)?;
            // It holds devices for as long as the process lives, and host runtimes that are closed later refer to it.
            std::mem::forget(context);
        }
        let library = open(&directory.host, RTLD_NOW | RTLD_LOCAL)?;
        let runtime = NativeRuntime { path: directory.host.clone(), library, engine };
        match runtime.platform() {
            Some(found) if found != format!("{arch}sim") => {
                Err(NativeError::Platform { path: runtime.path, found, arch })
            }
            _ => {
                bind_log(&runtime.library, &runtime.path)?;
                Ok(runtime)
            }
        }
    }

    /// An error that the engine has told.
    fn told(&self, which: fn(&Account) -> Option<ReportedError>) -> Option<DeviceError> {
        self.engine.as_ref().and_then(which).map(|error| DeviceError::Reported(Box::new(error)))
    }

    /// What it says it is for: `a2a3sim`.
    fn platform(&self) -> Option<String> {
        // SAFETY: every host runtime that has a function of this name has it with this type.
        let function = unsafe { self.library.get::<unsafe extern "C" fn() -> *const c_char>(PLATFORM) }.ok()?;
        // SAFETY: as above; it only returns a constant.
        let name = unsafe { function() };
        // SAFETY: a constant text that ends in zero, in an object that stays loaded meanwhile.
        (!name.is_null()).then(|| unsafe { CStr::from_ptr(name) }.to_string_lossy().into_owned())
    }
}

fn open(path: &Path, flags: i32) -> Result<Library, NativeError> {
    // SAFETY: that its initialisers do no harm is what whoever names this directory vouches for.
    let opened = unsafe { Library::open(Some(path), flags) };
    opened.map_err(|error| NativeError::Load { path: path.to_owned(), reason: said(&error) })
}

/// What the dynamic linker said, without what libloading says about it.
fn said(error: &libloading::Error) -> String {
    std::error::Error::source(error).map_or_else(|| error.to_string(), ToString::to_string)
}

/// Lends the object the state of the log, if it takes one.
fn bind_log(library: &Library, path: &Path) -> Result<(), NativeError> {
    // SAFETY: objects that have this name have it with this type.
    let Ok(bind) = (unsafe { library.get::<host_log::Bind>(host_log::BIND) }) else {
        return Ok(());
    };
    // SAFETY: the state is of the layout that the function takes, and lives as long as the process.
    match unsafe { bind(&raw const host_log::STATE) } {
        0 => Ok(()),
        _ => Err(NativeError::Log { path: path.to_owned() }),
    }
}

impl HostCalls for NativeRuntime {
    fn symbol(&self, name: &str) -> Result<usize, DeviceError> {
        // SAFETY: the address is only handed on.
        let found = unsafe { self.library.get::<unsafe extern "C" fn()>(name) };
        found.map(|symbol| *symbol as usize).map_err(|error| {
            let (name, message) = (self.path.display().to_string(), said(&error));
            LoadError::Link { name, message }.into()
        })
    }

    unsafe fn call(&self, function: usize, arguments: &[u64]) -> Result<u64, DeviceError> {
        // SAFETY: the caller vouches for the call; this thread's control block is that of the only namespace there is.
        Ok(unsafe { GuestCall::new(function, arguments).invoke() })
    }

    fn fault(&self) -> Option<DeviceError> {
        self.told(Account::fault)
    }

    fn take_error(&self) -> Option<DeviceError> {
        self.told(Account::take_failure)
    }

    fn stall(&self) -> Option<DeviceError> {
        self.told(Account::stall)
    }
}

#[cfg(test)]
mod tests {
    use super::test_objects::Directory;
    use super::*;
    use crate::case::Runtime;

    fn load(directory: &Directory) -> Result<NativeRuntime, NativeError> {
        let opened = RuntimeDirectory::open(directory.path(), Runtime::TensormapAndRingbuffer).unwrap();
        NativeRuntime::load(&opened, Arch::A2a3, None)
    }

    fn refusal(directory: &Directory) -> String {
        load(directory).unwrap_err().to_string().replace(directory.path().to_str().unwrap(), "DIR")
    }

    #[test]
    fn does_a_call_reach_the_runtime_with_all_its_arguments() {
        let directory = Directory::new();
        directory.host_with(
            "long simpler_init(long a, int b, long c, long d, long e, long f, long g, long h, long i) {
                 return a + 10 * b + 100 * c + d + e + f + g + 1000 * h + 10000 * i;
             }",
        );
        let runtime = load(&directory).unwrap();
        let function = runtime.symbol("simpler_init").unwrap();
        // SAFETY: the function has these nine arguments.
        assert_eq!(unsafe { runtime.call(function, &[1, 2, 3, 0, 0, 0, 0, 4, 5]) }.unwrap(), 54_321);
        assert!(runtime.symbol("simpler_begin").is_err());
    }

    #[test]
    fn is_the_runtime_of_another_generation_refused() {
        let directory = Directory::new();
        directory.host_with("const char *get_platform(void) { return \"a5sim\"; }");
        assert_eq!(
            refusal(&directory),
            "\"DIR/libhost_runtime.so\" is for the platform a5sim, the case is for a2a3sim; take another directory, or \
             --arch"
        );
    }

    #[test]
    fn is_the_log_lent_and_its_refusal_told() {
        let directory = Directory::new();
        directory.host_with(
            "static int *state; int threshold(void) { return state[2]; }
             long simpler_host_log_bind_state(int *lent) { state = lent; return lent[0] != 1 || lent[1] != 16; }",
        );
        let runtime = load(&directory).unwrap();
        // SAFETY: the function has no arguments.
        assert_eq!(unsafe { runtime.call(runtime.symbol("threshold").unwrap(), &[]) }.unwrap(), 40);

        let directory = Directory::new();
        directory.host_with("long simpler_host_log_bind_state(int *lent) { return -1; }");
        let expected = "\"DIR/libhost_runtime.so\" refuses the state of its log: it speaks another version of it";
        assert_eq!(refusal(&directory), expected);
    }

    #[test]
    fn does_an_object_that_cannot_be_loaded_say_what_it_lacks() {
        let directory = Directory::new();
        directory.host_with("int nowhere(void); int needs(void) { return nowhere(); }");
        let message = refusal(&directory);
        assert!(message.starts_with("\"DIR/libhost_runtime.so\" cannot be loaded: "), "{message}");
        assert!(message.contains("undefined symbol: nowhere"), "{message}");
    }
}
