//! What the C library has to be told before the process starts.
//!
//! Every namespace has a libc of its own, and each needs some of the static thread-local storage that glibc sets aside
//! at start-up: by default for 11 namespaces, with these settings for the 15 that there can be at most. Restartable
//! sequences are registered per thread control block, which fibers borrow, so they are off; and one malloc arena per
//! namespace is enough for threads that only sleep.
//!
//! Where fibers run without namespaces, in a process that this object is preloaded into, only restartable sequences
//! have to be off.

use std::ffi::{OsStr, OsString};
use std::io;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::process::CommandExt;
use std::process::Command;

/// The variable that glibc reads.
pub const VARIABLE: &str = "GLIBC_TUNABLES";

type Setting = (&'static str, &'static str);

const FIBERS: Setting = ("glibc.pthread.rseq", "0");

const NAMESPACES: [Setting; 4] =
    [("glibc.rtld.nns", "16"), ("glibc.rtld.optional_static_tls", "16384"), FIBERS, ("glibc.malloc.arena_max", "1")];

/// The value of the variable with what is missing of `wanted`; `None` if nothing is. What is set already stays.
fn completed(current: Option<&OsStr>, wanted: &[Setting]) -> Option<OsString> {
    let current = current.unwrap_or_default().as_bytes();
    let is_set = |name: &str| {
        let mut settings = current.split(|byte| *byte == b':');
        settings.any(|setting| setting.split(|byte| *byte == b'=').next() == Some(name.as_bytes()))
    };
    let mut value = current.to_vec();
    for (name, setting) in wanted.iter().filter(|(name, _)| !is_set(name)) {
        if !value.is_empty() {
            value.push(b':');
        }
        value.extend_from_slice(format!("{name}={setting}").as_bytes());
    }
    (value != current).then(|| OsString::from_vec(value))
}

/// The value of the variable for a process in which fibers run, without namespaces; `None` if it has that value.
pub fn for_fibers(current: Option<&OsStr>) -> Option<OsString> {
    completed(current, &[FIBERS])
}

/// Starts this program again with the settings that namespaces need, unless it has them. Returns only if it has, or if
/// that failed.
///
/// To be called while there is one thread.
pub fn apply_by_restart() -> io::Result<()> {
    let Some(value) = completed(std::env::var_os(VARIABLE).as_deref(), &NAMESPACES) else { return Ok(()) };
    let program = std::env::current_exe()?;
    let mut arguments = std::env::args_os();
    let name = arguments.next().unwrap_or_else(|| OsString::from("npusim"));
    Err(Command::new(program).arg0(name).args(arguments).env(VARIABLE, value).exec())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn completed(current: Option<&str>) -> Option<String> {
        super::completed(current.map(OsStr::new), &NAMESPACES).map(|value| value.into_string().unwrap())
    }

    #[test]
    fn is_what_the_user_set_kept_and_only_what_is_missing_added() {
        let all = completed(None).unwrap();
        assert_eq!(
            all,
            "glibc.rtld.nns=16:glibc.rtld.optional_static_tls=16384:glibc.pthread.rseq=0:glibc.malloc.arena_max=1"
        );
        assert_eq!(completed(Some(&all)), None);
        assert_eq!(
            completed(Some("glibc.rtld.nns=9:glibc.malloc.check=1")).unwrap(),
            "glibc.rtld.nns=9:glibc.malloc.check=1:glibc.rtld.optional_static_tls=16384:glibc.pthread.rseq=0:\
             glibc.malloc.arena_max=1"
        );
    }

    #[test]
    fn do_fibers_without_namespaces_need_nothing_else() {
        let of = |current: Option<&str>| for_fibers(current.map(OsStr::new));
        assert_eq!(of(None), Some("glibc.pthread.rseq=0".into()));
        assert_eq!(of(Some("glibc.malloc.check=1")), Some("glibc.malloc.check=1:glibc.pthread.rseq=0".into()));
        assert_eq!(of(Some("glibc.pthread.rseq=0")), None);
    }
}
