//! The sim-shaped artifacts: small objects with the traits of a real simulator's, and a host process for them.

use std::path::{Path, PathBuf};

use crate::arch::Arch;
use crate::compiler::{Language, Linkage};
use crate::error::BuildError;
use crate::layout::{Layout, Object};

/// A file of the sim-shaped artifacts, from all sources in a directory of `guest/sim_shaped/`.
struct SimShapedPart {
    directory: &'static str,
    file: &'static str,
    linkage: Linkage,
    /// None: it is the same for each.
    arch: Option<Arch>,
    flags: &'static [&'static str],
    /// Sources from elsewhere.
    common: &'static [&'static str],
}

/// A directory of `guest/sim_shaped/` in which every source is an object of its own, for every architecture.
struct SimShapedFamily {
    directory: &'static str,
    flags: &'static [&'static str],
    /// Sources that belong to each of its objects.
    common: &'static [&'static str],
}

const SIM_SHAPED_PARTS: &[SimShapedPart] = &[
    SimShapedPart::host(Arch::A2a3),
    SimShapedPart::device("aicpu", "libaicpu_kernel.so", Arch::A2a3),
    SimShapedPart::device("aicore", "libaicore_kernel.so", Arch::A2a3),
    SimShapedPart::kernel("build_kernel", "kernels/build.so", Arch::A2a3),
    SimShapedPart::host(Arch::A5),
    SimShapedPart::device("aicpu", "libaicpu_kernel.so", Arch::A5),
    SimShapedPart::device("aicore", "libaicore_kernel.so", Arch::A5),
    SimShapedPart::kernel("build_kernel", "kernels/build.so", Arch::A5),
    SimShapedPart {
        directory: "context",
        file: "libcpu_sim_context.so",
        linkage: Linkage::Shared,
        arch: None,
        flags: &[],
        common: &[],
    },
    SimShapedPart {
        directory: "process",
        file: "host_process",
        linkage: Linkage::Program,
        arch: None,
        flags: &[],
        common: &[],
    },
];

impl SimShapedPart {
    const fn device(directory: &'static str, file: &'static str, arch: Arch) -> Self {
        Self { directory, file, linkage: Linkage::Shared, arch: Some(arch), flags: &[], common: &[] }
    }

    /// A kernel that differs from one generation to the other.
    const fn kernel(directory: &'static str, file: &'static str, arch: Arch) -> Self {
        Self { flags: SIM_SHAPED_KERNEL_FLAGS, ..Self::device(directory, file, arch) }
    }

    const fn host(arch: Arch) -> Self {
        let common = &["runtime/common/host/comm.cpp"];
        Self { common, ..Self::device("host", "libhost_runtime.so", arch) }
    }
}

const SIM_SHAPED_FAMILIES: &[SimShapedFamily] = &[
    SimShapedFamily { directory: "kernels", flags: SIM_SHAPED_KERNEL_FLAGS, common: &[] },
    SimShapedFamily { directory: "orchestrations", flags: &[], common: &["sim_shaped/orchestrations/common/bind.cpp"] },
];

// As real ones are built. Everything is visible, so that what is found earlier can take the place of any function.
const SIM_SHAPED_FLAGS: &[&str] = &["-O3", "-I", "sim_shaped"];
// Their unique symbols are part of what makes them like real ones.
const SIM_SHAPED_KERNEL_FLAGS: &[&str] = &["-fgnu-unique", "-ffp-contract=off"];

/// A file of the sim-shaped artifacts.
pub(crate) struct SimShapedFile {
    pub(crate) arch: Option<Arch>,
    /// Where it lies in the directory that they are put into.
    pub(crate) path: String,
    pub(crate) object: Object,
}

/// Every file of the sim-shaped artifacts.
pub(crate) fn plan(layout: &Layout) -> Result<Vec<SimShapedFile>, BuildError> {
    let mut files = Vec::new();
    for part in SIM_SHAPED_PARTS {
        files.push(plan_sim_shaped_part(layout, part)?);
    }
    for family in SIM_SHAPED_FAMILIES {
        files.extend(plan_sim_shaped_family(layout, family)?);
    }
    Ok(files)
}

fn plan_sim_shaped_part(layout: &Layout, part: &SimShapedPart) -> Result<SimShapedFile, BuildError> {
    let mut sources = layout.sources(&Path::new("sim_shaped").join(part.directory))?;
    sources.extend(part.common.iter().map(PathBuf::from));
    let flags = SIM_SHAPED_FLAGS.iter().chain(part.flags).copied().chain(part.arch.map(Arch::define));
    let name = format!("SimShaped-{}-{}", part.arch.map_or("any", Arch::variant), part.directory);
    let object = Object { linkage: part.linkage, ..layout.object(name, Language::Cxx, flags, sources) };
    Ok(SimShapedFile { arch: part.arch, path: part.file.to_owned(), object })
}

fn plan_sim_shaped_family(layout: &Layout, family: &SimShapedFamily) -> Result<Vec<SimShapedFile>, BuildError> {
    let directory = family.directory;
    let plan = |source: PathBuf| {
        let stem = source.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        let flags = SIM_SHAPED_FLAGS.iter().chain(family.flags);
        let sources = [source].into_iter().chain(family.common.iter().map(PathBuf::from)).collect();
        let object = layout.object(format!("SimShaped-{directory}-{stem}"), Language::Cxx, flags, sources);
        SimShapedFile { arch: None, path: format!("{directory}/{stem}.so"), object }
    };
    Ok(layout.sources(&Path::new("sim_shaped").join(directory))?.into_iter().map(plan).collect())
}
