//! npusim: assembles a device from its rooms and plays the host process.

pub mod cli;
pub mod client;
pub mod device;
pub mod report;
pub mod run;
pub mod tensor;
