//! Where `run --runtime-dir` leaves the stock simulator's threads for the deterministic engine: the program starts
//! itself again with the object preloaded that redirects host runtimes to the engine.

use std::collections::BTreeMap;
use std::env;
use std::ffi::{OsStr, OsString};
use std::io;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::exec::account::Account;
use crate::exec::listener::{LISTEN, Listen};
use crate::exec::preload_object::{self, NoPreloadObject};
use crate::exec::settings::{BadVariable, ExecSettings, variables};

/// Names the objects that the dynamic linker preloads.
const PRELOAD: &str = "LD_PRELOAD";

/// Why device code cannot be run on the engine.
#[derive(Debug, thiserror::Error, displaydoc::Display)]
pub enum UnderPreloadError {
    /// {0}; or run the case on the stock simulator's own threads with --engine threads
    NoObject(#[from] NoPreloadObject),
    /// {0}
    Variable(#[from] BadVariable),
    /// the dynamic linker does not preload {path:?} (it takes no path with a blank or a colon); what it says is above
    Refused {
        /// The object.
        path: PathBuf,
    },
    /// another version of libnpusim_preload.so is preloaded; build it together with npusim, and look at LD_PRELOAD
    Version,
    /// npusim cannot start again with the object preloaded: {0}
    Restart(io::Error),
}

/// Makes sure that the device code which this process is going to load runs on the engine with these settings, and
/// listens to what becomes of it. Unless the object is there and has these settings, this starts the program again, and
/// does not return.
///
/// To be called while there is one thread.
pub fn under_preload(settings: &ExecSettings) -> Result<Account, UnderPreloadError> {
    let preloaded = find_listen();
    let wanted: BTreeMap<_, _> = settings.to_variables().into_iter().collect();
    let has_settings = variables::ALL.iter().all(|name| env::var_os(name).as_ref() == wanted.get(name));
    match preloaded {
        // SAFETY: only the preloaded object exports a function of this name.
        Some(listen) if has_settings => unsafe { Account::open(listen) }.ok_or(UnderPreloadError::Version),
        Some(_) => Err(restart(&wanted, None)),
        None => Err(restart(&wanted, Some(&preload_object::find()?))),
    }
}

/// The function by which the object is recognised, if it is there.
fn find_listen() -> Option<Listen> {
    // SAFETY: the name is a string.
    let found = unsafe { libc::dlsym(libc::RTLD_DEFAULT, LISTEN.as_ptr()) };
    // SAFETY: objects that have this name have it with this type.
    (!found.is_null()).then(|| unsafe { std::mem::transmute::<*mut libc::c_void, Listen>(found) })
}

/// Starts the program again with these variables, and with one more object preloaded. Returns only if that failed.
fn restart(wanted: &BTreeMap<&'static str, OsString>, object: Option<&Path>) -> UnderPreloadError {
    let mut preload = env::var_os(PRELOAD).unwrap_or_default();
    if let Some(object) = object {
        match with_first(object, &preload) {
            Some(with) => preload = with,
            // This was tried before.
            None => return UnderPreloadError::Refused { path: object.to_owned() },
        }
    }
    let program = match env::current_exe() {
        Ok(program) => program,
        Err(error) => return UnderPreloadError::Restart(error),
    };
    let mut arguments = env::args_os();
    let name = arguments.next().unwrap_or_else(|| OsString::from("npusim"));
    let mut command = Command::new(program);
    for variable in variables::ALL {
        command.env_remove(variable);
    }
    command.arg0(name).args(arguments).envs(wanted).env(PRELOAD, preload);
    UnderPreloadError::Restart(command.exec())
}

/// The list with `object` before all others; `None` if it is there.
fn with_first(object: &Path, list: &OsStr) -> Option<OsString> {
    let object = object.as_os_str();
    let rest = list.as_encoded_bytes().strip_prefix(object.as_encoded_bytes());
    if rest.is_some_and(|rest| matches!(rest.first(), None | Some(b':' | b' '))) {
        return None;
    }
    let mut with = object.to_owned();
    if !list.is_empty() {
        with.push(":");
        with.push(list);
    }
    Some(with)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn are_other_preloaded_objects_kept_and_the_same_not_named_twice() {
        let object = Path::new("/a/libx.so");
        let with = |list: &str| with_first(object, OsStr::new(list)).map(|with| with.into_string().unwrap());
        assert_eq!(with("").as_deref(), Some("/a/libx.so"));
        assert_eq!(with("/b.so").as_deref(), Some("/a/libx.so:/b.so"));
        assert_eq!(with("/a/libx.so.1").as_deref(), Some("/a/libx.so:/a/libx.so.1"));
        assert_eq!((with("/a/libx.so"), with("/a/libx.so:/b.so")), (None, None));
    }

    #[test]
    fn is_a_process_without_the_object_told_apart() {
        assert!(find_listen().is_none());
    }
}
