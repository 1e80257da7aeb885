//! npusim: assembles a device from its rooms and plays the host process.

pub mod audit;
pub mod bundled;
pub mod case;
pub mod ci;
pub mod cli;
pub mod client;
pub mod device;
pub mod diff;
pub mod exec;
pub mod golden;
pub mod loads;
pub mod merge;
pub mod native_runtime;
pub mod report;
pub mod run;
pub mod scenario;
pub mod shard;
pub mod snapshot;
pub mod sweep;
pub mod tensor;
pub mod validate;
