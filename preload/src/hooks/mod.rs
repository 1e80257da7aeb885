//! The functions that imports of a runtime's objects lead to.
//!
//! Each has the type of the function it stands for. One that an actor calls serves it under virtual time; anybody else
//! gets what the function always did.

pub(crate) mod charges;
pub(crate) mod code;
mod entry;
pub(crate) mod identity;
pub(crate) mod kernels;
pub(crate) mod keys;
pub(crate) mod locks;
pub(crate) mod memory;
pub(crate) mod registers;
pub(crate) mod runs;
pub(crate) mod threads;
pub(crate) mod time;
mod traces;
