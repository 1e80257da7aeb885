//! What is written down of one request to load.

use std::sync::Arc;

use serde::Serialize;

use super::{FailedStrategy, LoadCollision, LoadId, LoadStrategy};
use crate::loader::audit::{Examination, Finding};
use crate::loader::image::CodeImage;
use crate::loader::image_error::ImageError;
use crate::time::SimDuration;
use crate::trace::ContentHash;

/// What an object is to the device.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum LoadOrigin {
    /// The shim, first in its namespace.
    Shim,
    /// The C++ library, made unloadable.
    CxxLibrary,
    /// The host runtime.
    HostRuntime,
    /// The AICPU object of a runtime.
    Aicpu,
    /// The AICore object of a runtime.
    Aicore,
    /// An orchestration.
    Orchestration,
    /// A kernel.
    Kernel,
}

/// What came of a request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case", tag = "kind")]
pub enum LoadOutcome {
    /// Nothing was there to be reused: it was loaded.
    Miss {
        /// By which strategy.
        strategy: LoadStrategy,
    },
    /// The object of an earlier record served.
    Reuse {
        /// That record.
        of: LoadId,
    },
    /// It was not loaded.
    Failure {
        /// Why not.
        error: String,
    },
}

/// What became of a loaded object.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum LoadState {
    /// Loaded and in use.
    Live,
    /// Loaded, in case somebody asks for it again.
    Idle,
    /// Gone.
    Unloaded,
    /// Closed, and something still keeps it loaded.
    Pinned,
}

/// What the host has to do with a load; different in each process.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct HostSide {
    /// The name under which the dynamic linker opened it.
    pub opened_as: String,
    /// How long it took to load and bind.
    pub bind_us: u64,
}

/// One request to load an object.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct LoadRecord {
    /// What it is to the device.
    pub origin: LoadOrigin,
    /// The name it came with.
    pub name: String,
    /// The hash of its bytes.
    pub content: ContentHash,
    /// The number of its bytes.
    pub size: u64,
    /// The linker's identification.
    pub build_id: Option<String>,
    /// The namespace it was to be loaded into.
    pub namespace: Option<u32>,
    /// What came of the request.
    pub outcome: LoadOutcome,
    /// Strategies that were tried before, in order.
    pub fallbacks: Vec<FailedStrategy>,
    /// With which other loads it had a path in common.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub collisions: Vec<LoadCollision>,
    /// What the load takes on the device.
    #[serde(rename = "device_time_ps")]
    pub device_time: SimDuration,
    /// How many use what this record loaded.
    pub users: u32,
    /// What became of what this record loaded; none if it loaded nothing.
    pub state: Option<LoadState>,
    /// What it was bound to: for each provider, how many imports it serves. None if nobody looked.
    #[serde(rename = "bindings", serialize_with = "bindings", skip_serializing_if = "Option::is_none")]
    pub examination: Option<Arc<Examination>>,
    /// What the audit has to say about it.
    pub findings: Vec<Finding>,
    /// The host's part.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub host: Option<HostSide>,
}

fn bindings<S: serde::Serializer>(examination: &Option<Arc<Examination>>, serializer: S) -> Result<S::Ok, S::Error> {
    examination.as_ref().map(|examination| &examination.bindings).serialize(serializer)
}

impl LoadRecord {
    /// A record of a request for `image`. An object that is loaded has one user at first.
    pub fn new(origin: LoadOrigin, image: &CodeImage, outcome: LoadOutcome) -> Self {
        let loaded = matches!(outcome, LoadOutcome::Miss { .. });
        LoadRecord {
            origin,
            name: image.name.clone(),
            content: image.content,
            size: image.size,
            build_id: image.build_id.clone(),
            namespace: None,
            outcome,
            fallbacks: Vec::new(),
            collisions: Vec::new(),
            device_time: SimDuration::ZERO,
            users: u32::from(loaded),
            state: loaded.then_some(LoadState::Live),
            examination: None,
            findings: Vec::new(),
            host: None,
        }
    }

    /// A record of bytes that were refused as code.
    pub fn refused(origin: LoadOrigin, name: &str, bytes: &[u8], error: &ImageError) -> Self {
        LoadRecord {
            origin,
            name: name.to_owned(),
            content: ContentHash::of(bytes),
            size: bytes.len() as u64,
            build_id: None,
            namespace: None,
            outcome: LoadOutcome::Failure { error: error.to_string() },
            fallbacks: Vec::new(),
            collisions: Vec::new(),
            device_time: SimDuration::ZERO,
            users: 0,
            state: None,
            examination: None,
            findings: Vec::new(),
            host: None,
        }
    }
}
