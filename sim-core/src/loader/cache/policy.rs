//! When objects are loaded and how long they stay.

use std::fmt;
use std::str::FromStr;

use serde::Serialize;

/// How long an object stays, and who shares it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum CacheModel {
    /// Each run loads and unloads.
    ReloadPerRun,
    /// Each callable id has its own.
    PerCallable,
    /// Callables of a worker with equal bytes share one.
    ByContent,
    /// All workers of the process share one, which outlasts its callables.
    ByFingerprint,
}

impl CacheModel {
    /// Every model.
    pub const ALL: [CacheModel; 4] =
        [CacheModel::ReloadPerRun, CacheModel::PerCallable, CacheModel::ByContent, CacheModel::ByFingerprint];

    /// Its name on a command line.
    pub const fn name(self) -> &'static str {
        match self {
            CacheModel::ReloadPerRun => "reload-per-run",
            CacheModel::PerCallable => "per-callable",
            CacheModel::ByContent => "by-content",
            CacheModel::ByFingerprint => "by-fingerprint",
        }
    }

    /// Whether callables with equal bytes have one object.
    pub const fn shares(self) -> bool {
        matches!(self, CacheModel::ByContent | CacheModel::ByFingerprint)
    }
}

impl fmt::Display for CacheModel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A model, and when it loads.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct CachePolicy {
    /// How long objects stay.
    pub model: CacheModel,
    /// They are loaded when they are registered, else by their first run.
    pub prewarm: bool,
}

impl Default for CachePolicy {
    /// What the bundled runtimes do: a callable's object is loaded when it is registered, and stays.
    fn default() -> Self {
        CachePolicy { model: CacheModel::PerCallable, prewarm: true }
    }
}

impl CachePolicy {
    /// Whether anything is loaded at registration: who reloads for each run has nothing to prewarm.
    pub fn prewarms(self) -> bool {
        self.prewarm && self.model != CacheModel::ReloadPerRun
    }
}

/// `{text}` is no way to cache objects, did you mean `{nearest}`? There are {known}; `,lazy` behind one leaves the load to the first run
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error, displaydoc::Display)]
pub struct UnknownCachePolicy {
    /// What was written.
    pub text: String,
    /// The nearest that there is.
    pub nearest: &'static str,
    /// All of them.
    pub known: String,
}

impl FromStr for CachePolicy {
    type Err = UnknownCachePolicy;

    /// Reads `by-content` or `by-content,lazy`.
    fn from_str(text: &str) -> Result<Self, UnknownCachePolicy> {
        let (name, prewarm) = text.strip_suffix(",lazy").map_or((text, true), |name| (name, false));
        if let Some(model) = CacheModel::ALL.into_iter().find(|model| model.name() == name) {
            return Ok(CachePolicy { model, prewarm });
        }
        let names = CacheModel::ALL.map(CacheModel::name);
        let nearest = names.into_iter().min_by_key(|known| strsim::damerau_levenshtein(name, known));
        let known = names.join(", ");
        Err(UnknownCachePolicy { text: text.to_owned(), nearest: nearest.unwrap_or_default(), known })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_a_policy_read_as_it_is_written() {
        for model in CacheModel::ALL {
            assert_eq!(model.name().parse(), Ok(CachePolicy { model, prewarm: true }));
            assert_eq!(format!("{model},lazy").parse(), Ok(CachePolicy { model, prewarm: false }));
        }
        assert_eq!(
            "by-contend".parse::<CachePolicy>().unwrap_err().to_string(),
            "`by-contend` is no way to cache objects, did you mean `by-content`? There are reload-per-run, \
             per-callable, by-content, by-fingerprint; `,lazy` behind one leaves the load to the first run"
        );
    }
}
