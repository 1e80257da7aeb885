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
    /// Executors with a fault compiled in, by name: they take the place of its own.
    pub faulty_aicores: &'static [(&'static str, &'static [u8])],
}

impl BundledRuntime {
    /// The executor with that fault.
    pub fn faulty_aicore(&self, name: &str) -> Option<&'static [u8]> {
        self.faulty_aicores.iter().find(|(known, _)| *known == name).map(|(_, bytes)| *bytes)
    }
}

/// The objects of a runtime that are others on the board, where the host speaks to the device through CANN's functions.
#[derive(Clone, Copy)]
pub struct OnboardRuntime {
    /// The generation it is built for.
    pub arch: Arch,
    /// Its name; unique within the generation.
    pub name: &'static str,
    /// The host object.
    pub host: &'static [u8],
    /// The AICPU object.
    pub aicpu: &'static [u8],
}

/// What an object is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ObjectKind {
    /// A program that submits tasks.
    Orchestration,
    /// The code of tasks.
    Kernel,
    /// Code that shows one trait of real guests, for tests of the engine and the loader.
    Trait,
    /// Code of a scenario of the driver.
    Scenario,
}

impl ObjectKind {
    /// Every kind.
    pub const ALL: [ObjectKind; 4] =
        [ObjectKind::Orchestration, ObjectKind::Kernel, ObjectKind::Trait, ObjectKind::Scenario];
}

impl fmt::Display for ObjectKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            ObjectKind::Orchestration => "orchestration",
            ObjectKind::Kernel => "kernel",
            ObjectKind::Trait => "trait",
            ObjectKind::Scenario => "scenario",
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

/// A file of the sim-shaped artifacts: small objects with the traits of a real simulator's, and a host process for them.
/// They need no npusim.
#[derive(Clone, Copy)]
pub struct SimShapedFile {
    /// The generation it is built for; none if it is the same for each.
    pub arch: Option<Arch>,
    /// Where the host process looks for it, from the directory that it is given.
    pub path: &'static str,
    /// Whether it is the host process.
    pub is_program: bool,
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

/// The runtime of that name as it is on the board: with the host and AICPU objects for it.
pub fn onboard(arch: Arch, name: &str) -> Option<BundledRuntime> {
    let OnboardRuntime { host, aicpu, .. } =
        *ONBOARD.iter().find(|runtime| runtime.arch == arch && runtime.name == name)?;
    Some(BundledRuntime { host, aicpu, ..*runtime(arch, name)? })
}

/// The object of that kind and name.
pub fn object(kind: ObjectKind, name: &str) -> Option<&'static BundledObject> {
    objects(kind).find(|object| object.name == name)
}

/// The objects of a kind: by directory, then by name.
pub fn objects(kind: ObjectKind) -> impl Iterator<Item = &'static BundledObject> {
    OBJECTS.iter().filter(move |object| object.kind == kind)
}

/// The sim-shaped artifacts for a generation: a complete directory.
pub fn sim_shaped(arch: Arch) -> impl Iterator<Item = &'static SimShapedFile> {
    SIM_SHAPED.iter().filter(move |file| file.arch.is_none_or(|only| only == arch))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use sim_core::loader::image::CodeImage;
    use sim_core::loader::wait_loops;

    use super::*;
    use crate::case::Runtime;

    fn exports(object: &BundledObject, symbol: &str) -> bool {
        let image = CodeImage::parse(object.name, object.bytes).expect("the compiler made a sound object");
        image.export(symbol).is_some()
    }

    #[test]
    fn does_a_name_mean_one_object() {
        let names: BTreeSet<_> = OBJECTS.iter().map(|object| (object.kind, object.name)).collect();
        assert_eq!(names.len(), OBJECTS.len());
    }

    #[test]
    fn does_every_kernel_have_its_entry() {
        assert!(objects(ObjectKind::Kernel).count() > 0);
        for kernel in objects(ObjectKind::Kernel) {
            assert!(exports(kernel, "kernel_entry"), "{} does not export kernel_entry", kernel.name);
        }
    }

    #[test]
    fn can_every_orchestration_be_bound_and_entered() {
        assert!(objects(ObjectKind::Orchestration).count() > 0);
        for orchestration in objects(ObjectKind::Orchestration) {
            for symbol in ["framework_bind_runtime", "aicpu_orchestration_config", "aicpu_orchestration_entry"] {
                assert!(exports(orchestration, symbol), "{} does not export {symbol}", orchestration.name);
            }
        }
    }

    #[test]
    fn is_every_runtime_bundled_for_every_generation() {
        let (known, bundled): (BTreeSet<_>, BTreeSet<_>) = (
            Arch::ALL
                .into_iter()
                .flat_map(|arch| Runtime::ALL.map(|runtime| (arch.as_str(), runtime.name())))
                .collect(),
            RUNTIMES.iter().map(|runtime| (runtime.arch.as_str(), runtime.name)).collect(),
        );
        assert_eq!((RUNTIMES.len(), bundled), (known.len(), known));
        for runtime in RUNTIMES {
            assert!(runtime.faulty_aicore("lossy").is_some(), "{} for {}", runtime.name, runtime.arch);
        }
    }

    #[test]
    fn which_objects_have_symbols_that_are_unique_in_a_process() {
        let unique =
            |bytes| CodeImage::parse("bundled", bytes).expect("the compiler made a sound object").unique_symbols;
        for object in OBJECTS {
            assert_eq!(unique(object.bytes), [""; 0], "{}", object.name);
        }
        assert_eq!(unique(SHIM), [""; 0]);
        // On purpose, and each runtime the same: they are what would mix runtimes up.
        for runtime in RUNTIMES {
            for bytes in [runtime.host, runtime.aicpu] {
                assert_eq!(unique(bytes), ["_ZN2rt6UniqueIPKcE4textE"], "{} for {}", runtime.name, runtime.arch);
            }
            assert_eq!(unique(runtime.aicore), [""; 0]);
        }
    }

    #[cfg(target_arch = "x86_64")]
    #[test]
    fn are_call_free_waits_told_from_what_looks_like_them() {
        let object = object(ObjectKind::Trait, "call_free_wait").expect("it is bundled");
        let loops = wait_loops::find(object.name, object.bytes).expect("the compiler made a sound object");
        let function = |site: &wait_loops::LoopSite| site.symbol.as_ref().map(|place| place.symbol.clone());
        let waits: BTreeSet<_> = loops.waits.iter().filter_map(|wait| function(&wait.site)).collect();
        let hopeless: BTreeSet<_> = loops.hopeless.iter().filter_map(|wait| function(&wait.site)).collect();
        let expected = ["wait_answer", "wait_flag", "wait_level", "wait_produced", "wait_word"];
        assert_eq!(waits, expected.map(str::to_owned).into());
        assert_eq!(hopeless, ["decoy_stack_slot".to_owned()].into());
    }
}
