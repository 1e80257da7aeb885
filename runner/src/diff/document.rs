//! A report.json as it is read back.

use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde_json::Value;
use sim_core::time::{SimDuration, nanoseconds};

use crate::report::attribution::Attribution;
use crate::report::summary;

/// Why a file cannot be compared.
#[derive(Debug, thiserror::Error, displaydoc::Display)]
pub enum DocumentError {
    /// {path:?} cannot be read: {source}; name a report.json, which `npusim run --out DIR` writes
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// {path:?} is not JSON: {source}
    NotJson {
        /// The file.
        path: PathBuf,
        /// What the parser said, with line and column.
        source: serde_json::Error,
    },
    /// {path:?} is no report of a run: it has no `{key}`; name a report.json, which `npusim run --out DIR` writes
    NotAReport {
        /// The file.
        path: PathBuf,
        /// What is missing.
        key: &'static str,
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
    /// {path:?}: `{key}` {reason}
    Malformed {
        /// The file.
        path: PathBuf,
        /// Where in it.
        key: String,
        /// What is wrong there.
        reason: String,
    },
    /// {path:?} has no virtual times: it is of a run with --engine threads or on a stock simulator
    NoVirtualTime {
        /// The file.
        path: PathBuf,
    },
}

/// What a report says that can be compared.
#[derive(Clone, Debug, Deserialize)]
pub struct RunDocument {
    /// Name of the case.
    #[serde(default)]
    pub case: Option<String>,
    /// `a2a3` or `a5`.
    pub arch: String,
    /// Name of the runtime.
    pub runtime: String,
    /// From the first to the last event of AICPU and AICores.
    #[serde(rename = "device_time_ns", with = "nanoseconds")]
    pub device_time: SimDuration,
    /// How long each phase took; reports of runtimes that do not tell have none.
    #[serde(default)]
    pub phases: Option<Phases>,
    /// Kernel costs by where they came from.
    #[serde(default)]
    pub cost_sources: Option<CostSources>,
    /// Where the time went; reports of runs whose events were not kept have none.
    #[serde(default)]
    pub attribution: Option<Attribution>,
}

/// `phases` of a report.
#[derive(Clone, Copy, Debug, Deserialize)]
pub struct Phases {
    #[serde(rename = "preamble_ns", with = "nanoseconds")]
    pub(super) preamble: SimDuration,
    #[serde(rename = "orch_ns", with = "nanoseconds")]
    pub(super) orch: SimDuration,
    #[serde(rename = "sched_ns", with = "nanoseconds")]
    pub(super) sched: SimDuration,
    #[serde(rename = "post_orch_ns", with = "nanoseconds")]
    pub(super) post_orch: SimDuration,
}

/// `cost_sources` of a report.
#[derive(Clone, Copy, Debug, Deserialize)]
pub struct CostSources {
    pub(super) table: CostTime,
    pub(super) pipes: CostTime,
    pub(super) roofline: CostTime,
    pub(super) default: CostTime,
}

/// Costs from one source.
#[derive(Clone, Copy, Debug, Deserialize)]
pub struct CostTime {
    #[serde(rename = "time_ns", with = "nanoseconds")]
    pub(super) time: SimDuration,
}

impl RunDocument {
    /// Reads the report in a file; `path` may also be the directory of `--out`.
    pub fn read(path: &Path) -> Result<Self, DocumentError> {
        let file = if path.is_dir() { path.join("report.json") } else { path.to_owned() };
        let text = std::fs::read(&file).map_err(|source| DocumentError::Read { path: file.clone(), source })?;
        RunDocument::parse(&file, &text)
    }

    /// Reads the text of a report, which errors call `path`.
    pub fn parse(path: &Path, text: &[u8]) -> Result<Self, DocumentError> {
        let path = || path.to_owned();
        let json: Value =
            serde_json::from_slice(text).map_err(|source| DocumentError::NotJson { path: path(), source })?;
        let Some(schema) = json.get("schema") else {
            return Err(DocumentError::NotAReport { path: path(), key: "schema" });
        };
        if *schema != summary::SCHEMA {
            return Err(DocumentError::Schema { path: path(), found: schema.to_string(), expected: summary::SCHEMA });
        }
        let is_virtual = json.get("engine").is_none_or(|engine| engine == "virtual" || engine == "naive");
        if !is_virtual {
            return Err(DocumentError::NoVirtualTime { path: path() });
        }
        if json.get("device_time_ns").is_none() {
            return Err(DocumentError::NotAReport { path: path(), key: "device_time_ns" });
        }
        serde_path_to_error::deserialize(json).map_err(|error| DocumentError::Malformed {
            path: path(),
            key: error.path().to_string(),
            reason: error.inner().to_string(),
        })
    }

    /// The run by its names.
    pub fn title(&self) -> String {
        let case = self.case.as_deref().unwrap_or("a run");
        format!("{case} on {}, {}", self.arch, self.runtime)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn refusal(json: Value) -> String {
        let text = serde_json::to_vec(&json).unwrap();
        RunDocument::parse(Path::new("a.json"), &text).unwrap_err().to_string()
    }

    #[test]
    fn is_whatever_is_no_report_of_this_version_refused_by_name() {
        let text = |json| refusal(json);
        assert_eq!(
            text(json!({"entries": []})),
            r#""a.json" is no report of a run: it has no `schema`; name a report.json, which `npusim run --out DIR` writes"#
        );
        assert_eq!(
            text(json!({"schema": 2})),
            r#""a.json" has schema 2, this npusim reads schema 1: write it again with this version"#
        );
        assert_eq!(
            text(json!({"schema": "one"})),
            r#""a.json" has schema "one", this npusim reads schema 1: write it again with this version"#
        );
        assert_eq!(
            text(json!({"schema": 1, "engine": "threads", "device_time_ns": 1})),
            r#""a.json" has no virtual times: it is of a run with --engine threads or on a stock simulator"#
        );
        assert_eq!(
            text(json!({"schema": 1, "entries": []})),
            r#""a.json" is no report of a run: it has no `device_time_ns`; name a report.json, which `npusim run --out DIR` writes"#
        );
        let broken = json!({"schema": 1, "arch": "a5", "runtime": "x", "device_time_ns": -1});
        assert_eq!(text(broken), r#""a.json": `device_time_ns` -1 is negative"#);
        let error = RunDocument::parse(Path::new("a.json"), b"{\n\"schema\": 1,").unwrap_err().to_string();
        assert!(error.starts_with(r#""a.json" is not JSON: "#) && error.contains("line 2"), "{error}");
    }

    #[test]
    fn does_a_picosecond_survive() {
        let json = json!({"schema": 1, "arch": "a5", "runtime": "x", "device_time_ns": 42_030.001});
        let document = RunDocument::parse(Path::new("a.json"), &serde_json::to_vec(&json).unwrap()).unwrap();
        assert_eq!(document.device_time.as_ps(), 42_030_001);
    }
}
