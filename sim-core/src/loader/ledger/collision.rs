//! Loads that had a path in common.

use std::fmt;

use serde::Serialize;

use crate::loader::staging::aicpu_os::PathUser;

/// A load and another that got into its way, though it may have succeeded.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case", tag = "kind")]
pub enum LoadCollision {
    /// Two loads that did not know of each other had one path.
    PathCollision {
        /// The directory of the path.
        directory: String,
        /// The other, if it is known.
        with: Option<PathUser>,
        /// What came of it.
        effect: CollisionEffect,
    },
}

/// What came of a collision, to the load that has the finding.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum CollisionEffect {
    /// It wrote over the file that the other had loaded.
    ReplacedTheOther,
    /// The other wrote over its file: its code is no longer its own.
    WasReplaced,
    /// The dynamic linker gave it another object than it asked for.
    GotAnotherObject,
}

impl fmt::Display for LoadCollision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let LoadCollision::PathCollision { directory, with, effect } = self;
        let with = with.as_ref().map_or_else(|| "somebody unknown".to_owned(), ToString::to_string);
        match effect {
            CollisionEffect::ReplacedTheOther => {
                write!(f, "its file in {directory} was that of {with}, too: now overwritten")
            }
            CollisionEffect::WasReplaced => write!(f, "its file in {directory} was overwritten by {with}"),
            CollisionEffect::GotAnotherObject => {
                write!(f, "its path in {directory} led to another object than was asked for, that of {with}")
            }
        }
    }
}
