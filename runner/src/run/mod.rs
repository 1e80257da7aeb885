//! One run of a case: from what its file says to what is known when it is over.
//!
//! ```text
//!   CaseSpec + RunSettings ──▶ RunPlan ──▶ FinishedRun ──▶ table, JSON, files
//!     a file, a command line    checked     the device, its summary, what went wrong
//! ```
//!
//! Making a [`RunPlan`](plan::RunPlan) reads everything that the run needs and checks it; whatever is wrong then is an
//! input. Executing the plan makes the device and plays the host process on it. A run that fails on the device is a
//! [`FinishedRun`](finished::FinishedRun) too: what had happened until then is what explains the failure.
//!
//! [`native`] is the same for the artifacts of `--runtime-dir`, which bring a device of their own: the same
//! [`RunInput`](input::RunInput) and the same conversation of the host process. Of the device it knows what the engine
//! tells ([`under_preload`]), or nothing if the artifacts run in their own threads.

mod conversation;
pub mod exit;
pub mod finished;
pub mod footprint;
pub mod input;
pub mod native;
pub mod objects;
mod observer;
pub mod plan;
pub mod pulse;
pub mod settings;
mod under_preload;

pub use conversation::RunFailure;
pub use under_preload::{UnderPreloadError, under_preload};
