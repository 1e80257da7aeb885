//! The AICore side of a device: cores in clusters, the kernels they run, and what a kernel costs.

pub mod array;
pub mod cost;
pub mod launch;
pub mod pipes;
pub mod registry;
pub mod task;
