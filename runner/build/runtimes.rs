//! The runtimes: which there are, and from which directories of `guest/runtime` their three objects are made.
//!
//! On the board the host and AICPU objects are others: of the same sources, with those of `guest/onboard` beside them.
//!
//! What runtimes share lies in `common/`, what is a runtime's own in a directory of its name. Shared sources include a few
//! headers that each runtime provides (`image_part.h`, `run_memory.h`, `orchestration_home.h`): the include path says whose.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use crate::arch::Arch;
use crate::compiler::Language;
use crate::error::BuildError;
use crate::layout::{Layout, Object};

const FLAGS: &[&str] = &["-O2"];

/// What runtimes have in common that is about objects, not about the device: unique symbols on purpose.
const IDENTITY: &str = "common/identity";

/// A runtime. Directories are relative to `guest/runtime`.
struct Runtime {
    name: &'static str,
    host: &'static [&'static str],
    aicpu: &'static [&'static str],
    /// Where the headers are that shared sources expect of a runtime.
    headers: &'static str,
}

const AICORE: &[&str] = &["common/aicore"];

/// Of runtimes with rings.
const RINGED_HOST: &[&str] = &["common/host", "common/ringed/host"];

const RUNTIMES: &[Runtime] = &[
    Runtime {
        name: "tensormap_and_ringbuffer",
        host: RINGED_HOST,
        aicpu: &[
            "common/aicpu",
            "common/submission",
            "common/orchestration",
            "common/ringed/aicpu",
            "tensormap_and_ringbuffer/aicpu",
        ],
        headers: "common/ringed",
    },
    Runtime {
        name: "aicpu_build_graph",
        host: RINGED_HOST,
        aicpu: &[
            "common/aicpu",
            "common/submission",
            "common/orchestration",
            "common/ringed/aicpu",
            "aicpu_build_graph/aicpu",
        ],
        headers: "common/ringed",
    },
    Runtime {
        name: "host_build_graph",
        host: &["common/host", "common/submission", "common/orchestration", "host_build_graph/host"],
        aicpu: &["common/aicpu", "host_build_graph/aicpu"],
        headers: "host_build_graph",
    },
];

/// The AICore objects with a fault compiled in that every runtime has: their name, and what compiles the fault in.
const FAULTS: &[(&str, &str)] = &[("lossy", "-DNPUSIM_LOSE_COMPLETION=3"), ("window", "-DNPUSIM_TOUCH_WINDOW=1")];

/// The objects of a runtime for a generation.
pub(crate) struct RuntimeObjects {
    pub(crate) arch: Arch,
    pub(crate) name: &'static str,
    pub(crate) host: Object,
    pub(crate) aicpu: Object,
    pub(crate) aicore: Object,
    /// AICore objects with a fault, by name.
    pub(crate) faulty: Vec<(&'static str, Object)>,
}

impl RuntimeObjects {
    pub(crate) fn all(&self) -> impl Iterator<Item = &Object> {
        [&self.host, &self.aicpu, &self.aicore].into_iter().chain(self.faulty.iter().map(|(_, object)| object))
    }
}

/// The objects of a runtime that are others on the board.
pub(crate) struct OnboardObjects {
    pub(crate) arch: Arch,
    pub(crate) name: &'static str,
    pub(crate) host: Object,
    pub(crate) aicpu: Object,
}

impl OnboardObjects {
    pub(crate) fn all(&self) -> impl Iterator<Item = &Object> {
        [&self.host, &self.aicpu].into_iter()
    }
}

/// Every runtime for every generation.
pub(crate) fn plan(layout: &Layout) -> Result<Vec<RuntimeObjects>, BuildError> {
    each().map(|(arch, runtime)| plan_runtime(layout, arch, runtime)).collect()
}

/// The same for the board.
pub(crate) fn plan_onboard(layout: &Layout) -> Result<Vec<OnboardObjects>, BuildError> {
    each().map(|(arch, runtime)| plan_runtime_onboard(layout, arch, runtime)).collect()
}

fn each() -> impl Iterator<Item = (Arch, &'static Runtime)> {
    RUNTIMES.iter().flat_map(|runtime| Arch::ALL.map(|arch| (arch, runtime)))
}

fn plan_runtime(layout: &Layout, arch: Arch, runtime: &Runtime) -> Result<RuntimeObjects, BuildError> {
    let part = |name: &str, directories, flags: &[&str]| plan_part(layout, arch, runtime, name, directories, flags);
    let faulty = FAULTS.iter().map(|(name, define)| Ok((*name, part(name, AICORE, &[define])?)));
    Ok(RuntimeObjects {
        arch,
        name: runtime.name,
        host: part("host", runtime.host, &["-fgnu-unique"])?,
        aicpu: part("aicpu", runtime.aicpu, &["-fgnu-unique"])?,
        aicore: part("aicore", AICORE, &[])?,
        faulty: faulty.collect::<Result<_, BuildError>>()?,
    })
}

fn plan_runtime_onboard(layout: &Layout, arch: Arch, runtime: &Runtime) -> Result<OnboardObjects, BuildError> {
    let part = |part: &str, directories| -> Result<Object, BuildError> {
        let name = format!("onboard-{part}");
        let mut object = plan_part(layout, arch, runtime, &name, directories, &["-fgnu-unique"])?;
        object.sources.extend(layout.sources(&Path::new("onboard").join(part))?);
        Ok(object)
    };
    Ok(OnboardObjects {
        arch,
        name: runtime.name,
        host: part("host", runtime.host)?,
        aicpu: part("aicpu", runtime.aicpu)?,
    })
}

/// One object, from all sources of these directories.
fn plan_part(
    layout: &Layout,
    arch: Arch,
    runtime: &Runtime,
    part: &str,
    directories: &[&str],
    flags: &[&str],
) -> Result<Object, BuildError> {
    let root = Path::new("runtime");
    let mut sources: Vec<PathBuf> = Vec::new();
    for directory in directories.iter().chain([&IDENTITY]) {
        sources.extend(layout.sources(&root.join(directory))?);
    }
    let name = runtime.name;
    let identity = format!("-DNPUSIM_IDENTITY=\"{name} for {}\"", arch.variant().to_lowercase());
    let include = |directory: &str| [OsString::from("-I"), root.join(directory).into_os_string()];
    let includes = [".", name, runtime.headers].into_iter().flat_map(include);
    let flags = FLAGS.iter().chain(flags).copied().chain([arch.define(), identity.as_str()]).map(OsString::from);
    Ok(layout.object(format!("{}-{name}-{part}", arch.variant()), Language::Cxx, flags.chain(includes), sources))
}
