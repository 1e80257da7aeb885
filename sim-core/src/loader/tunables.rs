//! What the C library has to be told before the process starts.
//!
//! Every namespace has a libc of its own, and each needs some of the static thread-local storage that glibc sets aside
//! at start-up: by default for 11 namespaces, with these settings for the 15 that there can be at most. Restartable
//! sequences are registered per thread control block, which fibers borrow, so they are off; and one malloc arena per
//! namespace is enough for threads that only sleep.

use std::ffi::OsString;
use std::io;
use std::os::unix::process::CommandExt;
use std::process::Command;

const VARIABLE: &str = "GLIBC_TUNABLES";

const WANTED: [(&str, &str); 4] = [
    ("glibc.rtld.nns", "16"),
    ("glibc.rtld.optional_static_tls", "16384"),
    ("glibc.pthread.rseq", "0"),
    ("glibc.malloc.arena_max", "1"),
];

/// The value of the variable with what is missing; `None` if nothing is. What is set already stays.
fn completed(current: Option<&str>) -> Option<String> {
    let current = current.unwrap_or_default();
    let has = |name: &str| current.split(':').any(|setting| setting.split('=').next() == Some(name));
    let missing: Vec<String> =
        WANTED.iter().filter(|(name, _)| !has(name)).map(|(name, value)| format!("{name}={value}")).collect();
    let parts = (!current.is_empty()).then(|| current.to_owned()).into_iter().chain(missing.iter().cloned());
    (!missing.is_empty()).then(|| parts.collect::<Vec<_>>().join(":"))
}

/// Starts this program again with the settings, unless it has them. Returns only if it has, or if that failed.
///
/// To be called first thing in `main`, while there is one thread.
pub fn apply_by_restart() -> io::Result<()> {
    let current = std::env::var_os(VARIABLE).map(|value| value.to_string_lossy().into_owned());
    let Some(value) = completed(current.as_deref()) else { return Ok(()) };
    let program = std::env::current_exe()?;
    let mut arguments = std::env::args_os();
    let name = arguments.next().unwrap_or_else(|| OsString::from("npusim"));
    Err(Command::new(program).arg0(name).args(arguments).env(VARIABLE, value).exec())
}

#[cfg(test)]
mod tests {
    use super::*;

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
}
