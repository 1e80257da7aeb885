//! Why an object could not be loaded.

use std::fmt;

use super::image_error::ImageError;
use super::ledger::{FailedStrategy, LoadCollision};
use crate::engine::wait_trap::TooManyTraps;

/// Why an object could not be loaded.
#[derive(Debug, thiserror::Error, displaydoc::Display)]
pub enum LoadError {
    /// {0}
    Image(#[from] ImageError),
    /// {name}: no way to load it worked ({tried}); allow another strategy, or set TMPDIR to a directory that can be written to
    Staging {
        /// The object.
        name: String,
        /// Every strategy and why it failed.
        tried: Tried,
    },
    /// {name}: {collision}; load it by a strategy whose names are unique, such as memfd
    Collision {
        /// The object.
        name: String,
        /// With whom.
        collision: Box<LoadCollision>,
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

/// Strategies that did not work, in order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tried(pub Vec<FailedStrategy>);

impl fmt::Display for Tried {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, failed) in self.0.iter().enumerate() {
            write!(f, "{}{failed}", if at == 0 { "" } else { "; " })?;
        }
        Ok(())
    }
}

impl LoadError {
    /// What was tried in vain, as far as it is known.
    pub fn tried(&self) -> &[FailedStrategy] {
        match self {
            LoadError::Staging { tried, .. } => &tried.0,
            _ => &[],
        }
    }

    /// What somebody should know beyond the failure.
    pub fn collision(&self) -> Option<&LoadCollision> {
        match self {
            LoadError::Collision { collision, .. } => Some(collision),
            _ => None,
        }
    }
}
