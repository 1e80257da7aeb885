//! How an object was brought to the dynamic linker, and what was tried before.

use std::fmt;

use serde::Serialize;

/// How bytes become something that the dynamic linker can open.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case", tag = "kind")]
pub enum LoadStrategy {
    /// A file in memory that nobody can change any more.
    SealedMemfd,
    /// A file with a new name, removed once it is open.
    TemporaryFile {
        /// Where it is.
        directory: String,
    },
    /// A file that stays, for debuggers and profilers.
    KeptFile {
        /// Where it is.
        directory: String,
    },
    /// A sealed file in memory, opened by its descriptor's name in this process.
    ProcFd,
    /// A file without a name.
    UnnamedFile {
        /// Where it is.
        directory: String,
    },
    /// A file whose name others may use as well.
    FixedPath {
        /// Where it is.
        directory: String,
    },
    /// A range of a bigger file.
    View,
    /// A sealed file in memory that a sandboxed process tried out first.
    Sandbox,
}

impl fmt::Display for LoadStrategy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            LoadStrategy::SealedMemfd => f.write_str("sealed memfd"),
            LoadStrategy::TemporaryFile { directory } => write!(f, "file in {directory}"),
            LoadStrategy::KeptFile { directory } => write!(f, "file kept in {directory}"),
            LoadStrategy::ProcFd => f.write_str("sealed memfd by its descriptor"),
            LoadStrategy::UnnamedFile { directory } => write!(f, "unnamed file in {directory}"),
            LoadStrategy::FixedPath { directory } => write!(f, "fixed path in {directory}"),
            LoadStrategy::View => f.write_str("view of a file"),
            LoadStrategy::Sandbox => f.write_str("sandboxed trial"),
        }
    }
}

/// A strategy that did not work.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct FailedStrategy {
    /// What was tried.
    pub strategy: LoadStrategy,
    /// Why it did not work.
    pub reason: String,
}

impl fmt::Display for FailedStrategy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.strategy, self.reason)
    }
}
