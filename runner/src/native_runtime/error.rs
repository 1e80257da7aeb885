//! Why the artifacts of a runtime cannot be used.

use std::path::PathBuf;

use sim_core::loader::image_error::ImageError;
use sim_core::profile::Arch;

use super::revision::RevisionError;
use crate::case::Runtime;

/// Why the artifacts of a runtime cannot be used. Nothing of them has been called then, but for their initialisers.
#[derive(Debug, thiserror::Error, displaydoc::Display)]
pub enum NativeError {
    /// {path:?} cannot be read: {error}; a runtime directory has libhost_runtime.so, libaicpu_kernel.so and libaicore_kernel.so
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        error: std::io::Error,
    },
    /// {0}
    Image(Box<ImageError>),
    /// {path:?} does not export {symbol}; check that it is {kind}
    MissingSymbol {
        /// The file.
        path: PathBuf,
        /// What was looked for.
        symbol: &'static str,
        /// What the file is to be.
        kind: &'static str,
    },
    /// {path:?}: {error}
    Revision {
        /// The host runtime.
        path: PathBuf,
        /// What differs.
        error: Box<RevisionError>,
    },
    /// {path:?} belongs to the runtime {found}, the case is for {expected}
    Runtime {
        /// The file.
        path: PathBuf,
        /// The runtime it belongs to.
        found: Runtime,
        /// The runtime of the case.
        expected: Runtime,
    },
    /// {path:?} needs {symbol} of libcpu_sim_context.so, which is neither beside it nor in a directory above
    NoContext {
        /// The host runtime.
        path: PathBuf,
        /// A symbol that it imports.
        symbol: String,
    },
    /// {path:?} cannot be loaded: {reason}
    Load {
        /// The file.
        path: PathBuf,
        /// What the dynamic linker said.
        reason: String,
    },
    /// {path:?} is for the platform {found}, the case is for {arch}sim; take another directory, or --arch
    Platform {
        /// The host runtime.
        path: PathBuf,
        /// What it says of itself.
        found: String,
        /// The generation of the case.
        arch: Arch,
    },
    /// {path:?} refuses the state of its log: it speaks another version of it
    Log {
        /// The file.
        path: PathBuf,
    },
}

impl From<ImageError> for NativeError {
    fn from(error: ImageError) -> Self {
        NativeError::Image(Box::new(error))
    }
}
