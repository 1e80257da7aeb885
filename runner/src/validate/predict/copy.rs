//! A matrix in global memory, read by many cores at once.

use sim_core::profile::Profile;

use super::super::measure::GmCopy;
use super::{Answer, Missing};

/// How long it takes until the last core has what it reads.
pub(super) fn predict(_profile: &Profile, _copy: &GmCopy) -> Answer {
    Err(Missing("cores do not share the memory yet".to_owned()))
}
