//! Why an object could not be loaded.

use super::image_error::ImageError;
use crate::engine::wait_trap::TooManyTraps;

/// Why an object could not be loaded.
#[derive(Debug, thiserror::Error, displaydoc::Display)]
pub enum LoadError {
    /// {0}
    Image(#[from] ImageError),
    /// {name}: no way to stage it worked ({tried}); set TMPDIR to a directory that can be written to
    Staging {
        /// The object.
        name: String,
        /// Every strategy and why it failed.
        tried: String,
    },
    /// the shim does not fit this program: it speaks another version of the hook table; build both together
    ShimVersion,
    /// {name}: {message}
    Link {
        /// The object.
        name: String,
        /// What the dynamic linker said.
        message: String,
    },
    /// {name} has no symbol {symbol}; it exports {exports} functions, check that it is the right object
    MissingSymbol {
        /// The object.
        name: String,
        /// What was looked for.
        symbol: String,
        /// How many symbols it has.
        exports: usize,
    },
    /// libstdc++.so.6 was not found in {searched}; install libstdc++6
    NoLibstdcxx {
        /// The directories.
        searched: String,
    },
    /// {name} cannot be shared with a namespace: {detail}
    Mirror {
        /// The object.
        name: String,
        /// What is unusual about it.
        detail: String,
    },
    /// {name}: its code cannot be made writable to put a trap into a wait loop: {error}
    Protect {
        /// The object.
        name: String,
        /// What the system said.
        error: std::io::Error,
    },
    /// {name}: {error}
    Traps {
        /// The object.
        name: String,
        /// What there is too much of.
        error: TooManyTraps,
    },
}
