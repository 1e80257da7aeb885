//! The device-side objects that are part of this binary, so that one file runs from any directory.
//!
//! The build script compiles `guest/` and writes the tables: what is in them follows from the directories there.

use std::fmt;

use sim_core::profile::Arch;

/// A runtime: the three objects that it consists of.
#[derive(Clone, Copy)]
pub struct BundledRuntime {
    /// The generation it is built for.
    pub arch: Arch,
    /// Its name; unique within the generation.
    pub name: &'static str,
    /// The host object, with the C API.
    pub host: &'static [u8],
    /// The AICPU object: orchestrator and schedulers.
    pub aicpu: &'static [u8],
    /// The AICore object: the executor.
    pub aicore: &'static [u8],
}

/// What an object is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ObjectKind {
    /// An executor that takes the place of a runtime's own, with a fault.
    Aicore,
    /// A program that submits tasks.
    Orchestration,
    /// The code of tasks.
    Kernel,
    /// Code that shows one trait of real guests, for tests of the engine and the loader.
    Trait,
}

impl ObjectKind {
    /// Every kind.
    pub const ALL: [ObjectKind; 4] =
        [ObjectKind::Aicore, ObjectKind::Orchestration, ObjectKind::Kernel, ObjectKind::Trait];
}

impl fmt::Display for ObjectKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            ObjectKind::Aicore => "AICore object",
            ObjectKind::Orchestration => "orchestration",
            ObjectKind::Kernel => "kernel",
            ObjectKind::Trait => "trait",
        })
    }
}

/// An object by itself.
#[derive(Clone, Copy)]
pub struct BundledObject {
    /// What it is for.
    pub kind: ObjectKind,
    /// Its name; unique within the kind.
    pub name: &'static str,
    /// The ELF file.
    pub bytes: &'static [u8],
}

include!(concat!(env!("OUT_DIR"), "/guests.rs"));

/// The runtime of that name for a generation.
pub fn runtime(arch: Arch, name: &str) -> Option<&'static BundledRuntime> {
    runtimes(arch).find(|runtime| runtime.name == name)
}

/// The runtimes for a generation.
pub fn runtimes(arch: Arch) -> impl Iterator<Item = &'static BundledRuntime> {
    RUNTIMES.iter().filter(move |runtime| runtime.arch == arch)
}

/// The object of that kind and name.
pub fn object(kind: ObjectKind, name: &str) -> Option<&'static BundledObject> {
    objects(kind).find(|object| object.name == name)
}

/// The objects of a kind: by directory, then by name.
pub fn objects(kind: ObjectKind) -> impl Iterator<Item = &'static BundledObject> {
    OBJECTS.iter().filter(move |object| object.kind == kind)
}

#[cfg(test)]
mod tests {
    use sim_core::loader::elf::Elf;

    use super::*;
}
