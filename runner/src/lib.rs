//! npusim: assembles a device from its rooms and plays the host process.

pub mod client;
pub mod device;
pub mod report {
    pub mod tasks;
}
pub mod tensor;
