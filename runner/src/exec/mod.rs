//! `npusim exec`: device code inside any command, on the simulated device.
//!
//! The command is started again as it is, with an object preloaded into it and into its children. That object does
//! nothing until somebody in the process looks for a host runtime's functions; from then on the runtime's device code
//! runs under virtual time (the crate `npusim-preload`). What was asked for travels in environment variables
//! ([`settings`]), so that CI can set them without the command line.

pub mod account;
pub mod command;
pub mod launch;
pub mod listener;
pub mod preload_object;
pub mod report;
pub mod settings;
