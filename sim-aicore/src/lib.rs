//! The AICore side of a device: cores in clusters, the kernels they run, and what a kernel costs.

pub mod array;
pub mod cluster;
pub mod cold_start;
pub mod cost;
pub mod kernel_run;
pub mod launch;
pub mod pipes;
pub mod ports;
pub mod registry;
pub mod task;
pub mod tile_trace;
