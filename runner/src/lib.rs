//! npusim: assembles a device from its rooms and plays the host process.

pub mod bundled;
pub mod case;
pub mod device;
pub mod golden;
pub mod report;
pub mod tensor;
