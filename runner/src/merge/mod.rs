//! Joins what the shards of a sweep or a matrix have reported.
//!
//! ```text
//!   sweep.json | report.json of each shard ──▶ Part ──▶ join ──▶ Merged: the report that one machine would have written
//! ```
//!
//! Parts belong together if they are of the same whole (the same list of points or runs, with the same settings), cut
//! into the same number of shards. Every shard has to be there, once and complete: whatever is missing, double or of
//! something else is refused by name.

mod part;

use std::path::PathBuf;

use crate::ci::report::MatrixDocument;
use crate::shard::Shard;
use crate::sweep::{SweepReport, exit_of};

pub use part::{Content, Part};

/// Why parts cannot be joined.
#[derive(Debug, thiserror::Error, displaydoc::Display)]
pub enum MergeError {
    /// {path:?} cannot be read: {source}; name what `npusim sweep` or `npusim ci` wrote with --out
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// {path:?} has neither sweep.json nor report.json; name what `npusim sweep` or `npusim ci` wrote with --out
    EmptyDirectory {
        /// The directory.
        path: PathBuf,
    },
    /// {path:?} is not JSON: {source}
    NotJson {
        /// The file.
        path: PathBuf,
        /// What the parser said, with line and column.
        source: serde_json::Error,
    },
    /// {path:?} is no report of a sweep or a matrix: {reason}
    NotAReport {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// {path:?} has schema {found}, this npusim reads schema {expected}: write it again with this version
    Schema {
        /// The file.
        path: PathBuf,
        /// What it says.
        found: String,
        /// What is read.
        expected: u32,
    },
    /// {path:?} is the whole and no part of it: it was not written with --shard
    NotAPart {
        /// The file.
        path: PathBuf,
    },
    /// nothing to merge: name the report of each shard
    NoParts,
    /// {other:?} and {first:?} do not belong together: {why}
    Foreign {
        /// The first part.
        first: PathBuf,
        /// The one that does not belong to it.
        other: PathBuf,
        /// How that shows.
        why: String,
    },
    /// shard {shard} is there twice: {first:?} and {second:?}
    Overlap {
        /// Which one.
        shard: Shard,
        /// Where it is.
        first: PathBuf,
        /// Where it is, too.
        second: PathBuf,
    },
    /// {path:?} is not complete: shard {shard} has {found} of {expected} entries
    Incomplete {
        /// The file.
        path: PathBuf,
        /// Which shard.
        shard: Shard,
        /// How many entries it has.
        found: usize,
        /// How many it should have.
        expected: usize,
    },
    /// missing: shard {missing}
    Missing {
        /// Which ones.
        missing: String,
    },
}

/// The whole.
#[derive(Debug)]
pub enum Merged {
    /// Of a sweep.
    Sweep(Box<SweepReport>),
    /// Of a matrix.
    Matrix(Box<MatrixDocument>),
}

/// Joins parts, given in any order.
pub fn join(mut parts: Vec<Part>) -> Result<Merged, MergeError> {
    let Some(first) = parts.first() else { return Err(MergeError::NoParts) };
    for other in &parts[1..] {
        if let Some(why) = foreign(first, other) {
            return Err(MergeError::Foreign { first: first.path.clone(), other: other.path.clone(), why });
        }
    }
    parts.sort_by_key(|part| part.of.shard.index());
    if let Some(pair) = parts.windows(2).find(|pair| pair[0].of.shard == pair[1].of.shard) {
        let [first, second] = [&pair[0], &pair[1]].map(|part| part.path.clone());
        return Err(MergeError::Overlap { shard: pair[0].of.shard, first, second });
    }
    for Part { path, of, content } in &parts {
        let (found, expected) = (content.entries(), of.shard.share_of(of.total));
        if found != expected {
            return Err(MergeError::Incomplete { path: path.clone(), shard: of.shard, found, expected });
        }
    }
    let of = parts[0].of.shard.of();
    let there = |index: usize| parts.iter().any(|part| part.of.shard.index() == index);
    let missing: Vec<String> = (1..=of).filter(|index| !there(*index)).map(|index| format!("{index}/{of}")).collect();
    if !missing.is_empty() {
        return Err(MergeError::Missing { missing: missing.join(", ") });
    }
    Ok(together(parts))
}

/// How it shows that two parts are not of the same whole.
fn foreign(first: &Part, other: &Part) -> Option<String> {
    let (one, two) = (&first.of, &other.of);
    if first.content.kind() != other.content.kind() {
        return Some(format!("one is of a {}, the other of a {}", other.content.kind(), first.content.kind()));
    }
    if one.shard.of() != two.shard.of() {
        return Some(format!("one is shard {}, the other {}", two.shard, one.shard));
    }
    if (one.total, &one.identity) != (two.total, &two.identity) {
        return Some(format!("they are parts of different {}s or of different settings", first.content.kind()));
    }
    None
}

/// The whole of all shards, in their order.
fn together(parts: Vec<Part>) -> Merged {
    let mut sweeps = Vec::new();
    let mut matrices = Vec::new();
    for part in parts {
        match part.content {
            Content::Sweep(report) => sweeps.push(report),
            Content::Matrix(report) => matrices.push(report),
        }
    }
    if matrices.is_empty() {
        let host_ms = sweeps.iter().map(|report| report.host_ms).sum();
        let mut sweeps = sweeps.into_iter();
        let first = sweeps.next().unwrap_or_else(|| unreachable!("there is a part"));
        let rows = interleaved(std::iter::once(first.rows.clone()).chain(sweeps.map(|report| report.rows)).collect());
        let exit = exit_of(&rows);
        return Merged::Sweep(Box::new(SweepReport { exit, shard: None, rows, host_ms, ..*first }));
    }
    let host_ms = matrices.iter().map(|report| report.host_ms).sum();
    let namespaces = matrices.iter().map(|report| report.namespaces).max().unwrap_or_default();
    let mut matrices = matrices.into_iter();
    let first = matrices.next().unwrap_or_else(|| unreachable!("there is a part"));
    let entries =
        interleaved(std::iter::once(first.entries.clone()).chain(matrices.map(|report| report.entries)).collect());
    Merged::Matrix(Box::new(MatrixDocument { shard: None, entries, host_ms, namespaces, ..*first }))
}

/// The entries of a list from those of its shards.
fn interleaved<T>(shards: Vec<Vec<T>>) -> Vec<T> {
    let mut shards: Vec<_> = shards.into_iter().map(Vec::into_iter).collect();
    let mut whole = Vec::new();
    loop {
        let before = whole.len();
        shards.iter_mut().for_each(|shard| whole.extend(shard.next()));
        if whole.len() == before {
            return whole;
        }
    }
}

#[cfg(test)]
mod tests;
