//! The loader: from bytes to code in a namespace, with nothing unaccounted for.
//!
//! An object arrives as bytes (read from a file, fetched from device memory, embedded in the binary) and goes through
//! these steps; everything up to the load itself works on the bytes alone and touches no state of the process:
//!
//! 1. [`image`]: is this a shared object that this host can load, and what does it bring along? [`image::CodeImage`]
//!    has the facts, [`image_error::ImageError`] says in one sentence why not. The dynamic linker trusts its input; no
//!    bytes may reach it that have not passed here.
//! 2. `preparation`: in a copy of the bytes, unique symbols become global ones, so that the object can be unloaded
//!    again, and initialisers and finalisers are taken out of the dynamic linker's sight, since it would run them with
//!    its lock held.
//! 3. [`wait_loops`]: loops that wait for memory without calling anything. No hook sees them; the engine puts a trap
//!    on their back edge, and evaluates the branch it replaced with [`condition::Condition`].
//! 4. [`staging`] gives the bytes a name that the dynamic linker can open, and [`namespace`] has it opened there,
//!    which makes it a [`loaded_object::LoadedObject`].
//! 5. [`audit`]: what the object was bound to, and what about that is not as it should be.
//! 6. [`cache`]: what runtimes do so that not every run pays for a load.
//! 7. [`ledger`]: every load leaves a [`ledger::LoadRecord`], whether or not it succeeded.
//!
//! [`enclave`] is the other kind of namespace: for objects that a process opens by itself and that are to share its C
//! library, but nothing else.
//!
//! The process has to be started with settings that leave room for namespaces: [`tunables`]. [`program`] tells whether
//! objects can be preloaded into a program that is to be started. [`exports`] tells it of a file whether it has a symbol.
//!
//! [`inspect`] gathers the facts about one object for a reader, using [`hooks`], the table of functions by which code
//! reaches the device. [`symbols`] says which function an address lies in.
//!
//! Hostile bytes are expected. Each number from a file is checked against the file before it is used as an offset or
//! a count; the private module `elf` is the only place that turns bytes into tables.

pub mod audit;
pub mod cache;
pub mod condition;
mod elf;
pub mod enclave;
pub mod exports;
pub mod faults;
pub mod heap;
pub mod hooks;
pub mod image;
pub mod image_error;
pub mod imports;
pub mod inspect;
pub mod ledger;
mod libstdcxx;
pub mod link;
pub mod load_error;
pub mod loaded_object;
pub mod namespace;
pub mod preparation;
pub mod program;
mod snapshot;
pub mod staging;
pub mod symbols;
pub mod thunk;
pub mod tunables;
mod unique;
pub mod wait_loops;

#[cfg(test)]
mod hostile_tests;
#[cfg(test)]
mod stale_tests;
#[cfg(test)]
mod test_objects;
