//! The report of one shard, as it is read back.

use std::path::{Path, PathBuf};

use serde::de::DeserializeOwned;
use serde_json::Value;

use super::MergeError;
use crate::ci::report::{self as matrix, MatrixDocument};
use crate::shard::PartOf;
use crate::sweep::{self, SweepReport};

/// The report of one shard.
#[derive(Clone, Debug)]
pub struct Part {
    /// Where it is.
    pub path: PathBuf,
    /// Of what it is a part.
    pub of: PartOf,
    /// What it says.
    pub content: Content,
}

/// What a part says.
#[derive(Clone, Debug)]
pub enum Content {
    /// Rows of a sweep.
    Sweep(Box<SweepReport>),
    /// Runs of a matrix.
    Matrix(Box<MatrixDocument>),
}

impl Content {
    /// What it is a part of.
    pub fn kind(&self) -> &'static str {
        match self {
            Content::Sweep(_) => "sweep",
            Content::Matrix(_) => "matrix",
        }
    }

    /// How many points or runs it has.
    pub fn entries(&self) -> usize {
        match self {
            Content::Sweep(report) => report.rows.len(),
            Content::Matrix(report) => report.entries.len(),
        }
    }
}

impl Part {
    /// Reads a part from a file, or from the directory of `--out`.
    pub fn read(path: &Path) -> Result<Self, MergeError> {
        let file = if path.is_dir() {
            let files = ["sweep.json", "report.json"].map(|name| path.join(name));
            let found = files.into_iter().find(|file| file.is_file());
            found.ok_or_else(|| MergeError::EmptyDirectory { path: path.to_owned() })?
        } else {
            path.to_owned()
        };
        let text = std::fs::read(&file).map_err(|source| MergeError::Read { path: file.clone(), source })?;
        Part::parse(file, &text)
    }

    /// Reads the text of a part.
    pub fn parse(path: PathBuf, text: &[u8]) -> Result<Self, MergeError> {
        let json: Value = match serde_json::from_slice(text) {
            Ok(json) => json,
            Err(source) => return Err(MergeError::NotJson { path, source }),
        };
        let (is_sweep, is_matrix) = (json.get("rows").is_some(), json.get("entries").is_some());
        let expected = if is_sweep { sweep::SCHEMA } else { matrix::SCHEMA };
        if !is_sweep && !is_matrix {
            return Err(MergeError::NotAReport { path, reason: "it has neither `rows` nor `entries`".to_owned() });
        }
        match json.get("schema") {
            Some(schema) if *schema == expected => {}
            found => {
                let found = found.map_or_else(|| "none".to_owned(), Value::to_string);
                return Err(MergeError::Schema { path, found, expected });
            }
        }
        if json.get("shard").is_none_or(Value::is_null) {
            return Err(MergeError::NotAPart { path });
        }
        let content = if is_sweep {
            Content::Sweep(Box::new(typed(&path, json)?))
        } else {
            Content::Matrix(Box::new(typed(&path, json)?))
        };
        let of = match &content {
            Content::Sweep(report) => report.shard.clone(),
            Content::Matrix(report) => report.shard.clone(),
        };
        match of {
            Some(of) => Ok(Part { path, of, content }),
            None => Err(MergeError::NotAPart { path }),
        }
    }
}

fn typed<T: DeserializeOwned>(path: &Path, json: Value) -> Result<T, MergeError> {
    serde_path_to_error::deserialize(json).map_err(|error| {
        let reason = format!("`{}`: {}", error.path(), error.inner());
        MergeError::NotAReport { path: path.to_owned(), reason }
    })
}
