//! The host process: what it says to a host runtime, and in which order.
//!
//! The order is that of a [`Session`]: create a context, initialise it with the AICPU and AICore objects, register a
//! callable, then prepare, launch, wait for and finalise each run, and undo it all in reverse. The layouts that cross
//! the interface are in [`abi`]; [`callable`] and [`args`] fill them in, [`callable_file`] reads a callable made elsewhere;
//! [`c_api`] finds the functions and gives their return codes a meaning.

pub mod abi;
pub mod args;
pub mod c_api;
pub mod callable;
pub mod callable_file;
pub mod session;
pub mod status;

pub use session::{Session, SessionError};
