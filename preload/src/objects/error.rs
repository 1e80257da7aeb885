//! Why an object cannot be used.

use std::path::PathBuf;

/// Why an object cannot be used.
#[derive(Debug, thiserror::Error, displaydoc::Display)]
pub(crate) enum ObjectError {
    /// {path:?} cannot be read: {error}
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        error: std::io::Error,
    },
    /// {0}
    Image(#[from] sim_core::loader::image_error::ImageError),
    /// {0}
    Load(#[from] sim_core::loader::load_error::LoadError),
    /// {name} cannot be loaded from memory: {error}
    Stage {
        /// The object.
        name: String,
        /// What the system said.
        error: std::io::Error,
    },
    /// {name}: its imports cannot be redirected: {error}
    Redirect {
        /// The object.
        name: String,
        /// What the system said.
        error: std::io::Error,
    },
    /// {name}: the dynamic linker gave an object with other code than the bytes that were handed in
    OtherCode {
        /// The object.
        name: String,
    },
}
