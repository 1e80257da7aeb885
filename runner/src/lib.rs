//! npusim: assembles a device from its rooms and plays the host process.

pub mod bundled;
pub mod device;
pub mod report;
