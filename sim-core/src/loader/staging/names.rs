//! Names that were never used before.

use std::ffi::{CString, OsString};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};

/// `npusim-<process>-<number>-<stem>.so`: unique in the file system, and it still says what it is.
pub(super) fn unique_file_name(name: &str) -> OsString {
    format!("npusim-{}-{}-{}", std::process::id(), next_number(), file_name(name)).into()
}

/// The last part of a name, as the name of a shared object.
pub(super) fn file_name(name: &str) -> String {
    let base = name.rsplit('/').next().unwrap_or(name).replace('\0', "_");
    if base.contains(".so") { base } else { format!("{base}.so") }
}

/// The next of the numbers that make names unique in this process.
pub(super) fn next_number() -> u64 {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    NEXT.fetch_add(1, Ordering::Relaxed)
}

/// The same path, spelt so that `number` can be read from it: an empty component for 0, a dot for 1.
pub(super) fn unique_spelling(path: &str, number: u64) -> String {
    let bits = u64::BITS - number.leading_zeros();
    (0..bits).map(|bit| if number >> bit & 1 == 1 { "/." } else { "/" }).chain([path]).collect()
}

pub(super) fn c_path(path: &Path) -> CString {
    c_string(path.as_os_str().as_bytes().to_vec())
}

/// Paths made here hold no zero byte; one from the environment that does is cut there by the system anyway.
pub(super) fn c_string(bytes: impl Into<Vec<u8>>) -> CString {
    let mut bytes = bytes.into();
    bytes.retain(|byte| *byte != 0);
    CString::new(bytes).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_every_spelling_of_a_path_another_one() {
        let spellings: std::collections::BTreeSet<_> = (1..100).map(|number| unique_spelling("/a", number)).collect();
        assert_eq!(spellings.len(), 99);
        assert_eq!(unique_spelling("/a", 2), "//./a");
    }

    #[test]
    fn does_a_file_name_still_say_what_it_is() {
        assert_eq!(file_name("kernels/add"), "add.so");
        assert_eq!(file_name("libdevice_orch_cid0.so"), "libdevice_orch_cid0.so");
    }
}
