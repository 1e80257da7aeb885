//! The libstdc++ of all namespaces: that of the process if it has one, else the system's, with its unique symbols made global, in sealed memory.

use std::path::Path;
use std::sync::{Arc, OnceLock};

use super::image::CodeImage;
use super::ledger::{FailedStrategy, LoadStrategy};
use super::link;
use super::load_error::{LoadError, Tried};
use super::preparation::{Preparation, PreparedObject};
use super::staging::SealedBytes;

/// Where distributions keep libstdc++.
const LIBRARY_DIRECTORIES: [&str; 7] = [
    "/usr/lib/x86_64-linux-gnu",
    "/usr/lib/aarch64-linux-gnu",
    "/lib/x86_64-linux-gnu",
    "/lib/aarch64-linux-gnu",
    "/usr/lib64",
    "/lib64",
    "/usr/lib",
];

/// The name that objects need it by.
pub(super) const LIBSTDCXX: &str = "libstdc++.so.6";

/// A libstdc++ without unique symbols.
pub(super) struct Libstdcxx {
    pub(super) image: Arc<CodeImage>,
    pub(super) bytes: Arc<[u8]>,
    pub(super) preparation: Preparation,
    pub(super) sealed: SealedBytes,
}

/// Made once a process: it is the same for every namespace and never changes.
pub(super) fn libstdcxx() -> Result<&'static Libstdcxx, LoadError> {
    static COPY: OnceLock<Libstdcxx> = OnceLock::new();
    if let Some(copy) = COPY.get() {
        return Ok(copy);
    }
    let directories = LIBRARY_DIRECTORIES.map(|directory| Path::new(directory).join(LIBSTDCXX));
    let of_process = link::path_of_open(c"libstdc++.so.6");
    let found = of_process.iter().chain(&directories).find_map(|path| std::fs::read(path).ok());
    let original = found.ok_or_else(|| LoadError::NoLibstdcxx { searched: LIBRARY_DIRECTORIES.join(", ") })?;
    let PreparedObject { image, bytes, preparation } = PreparedObject::of_library(LIBSTDCXX, original.into())?;
    let image = Arc::new(image);
    let sealed = SealedBytes::new(LIBSTDCXX, &bytes).map_err(|error| not_staged(LIBSTDCXX, &error))?;
    Ok(COPY.get_or_init(|| Libstdcxx { image, bytes, preparation, sealed }))
}

/// What is staged in one way alone could not be.
pub(super) fn not_staged(name: &str, error: &std::io::Error) -> LoadError {
    let failed = FailedStrategy { strategy: LoadStrategy::SealedMemfd, reason: error.to_string() };
    LoadError::Staging { name: name.to_owned(), tried: Tried(vec![failed]) }
}
