//! Why the guests could not be built.

use std::io;
use std::path::PathBuf;

/// Why the guests could not be built.
#[derive(Debug, thiserror::Error, displaydoc::Display)]
pub(crate) enum BuildError {
    /// no {language} compiler: '{program}' not found; install {package} or set {variable}
    NoCompiler { language: &'static str, program: String, package: &'static str, variable: &'static str },
    /// cannot run '{program}': {source}
    Run { program: String, source: io::Error },
    /// cannot compile {object}: {status}{output}
    Compile { object: String, status: String, output: String },
    /// no sources (*.cpp) in {0}
    NoSources(PathBuf),
    /// {path}: {source}
    File { path: PathBuf, source: io::Error },
}
