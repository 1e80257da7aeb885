//! Directories in which every source is an object of its own: orchestrations, kernels, traits, scenarios.

use std::path::{Path, PathBuf};

use crate::compiler::Language;
use crate::error::BuildError;
use crate::layout::{Layout, Object};

/// A directory of `guest/` in which every source is an object of its own.
struct Family {
    /// The variant of `bundled::ObjectKind`.
    kind: &'static str,
    directory: &'static str,
    flags: &'static [&'static str],
    /// Sources that belong to each of its objects.
    common: &'static [&'static str],
}

const FAMILIES: &[Family] = &[
    Family {
        kind: "Orchestration",
        directory: "orchestrations",
        flags: ORCHESTRATION_FLAGS,
        common: &["orchestrations/common/bind.cpp"],
    },
    Family {
        kind: "Orchestration",
        directory: "orchestrations/faults",
        flags: ORCHESTRATION_FLAGS,
        common: &["orchestrations/common/bind.cpp"],
    },
    Family {
        kind: "Orchestration",
        directory: "orchestrations/workloads",
        flags: ORCHESTRATION_FLAGS,
        common: &["orchestrations/common/bind.cpp"],
    },
    Family { kind: "Kernel", directory: "kernels", flags: KERNEL_FLAGS, common: &[] },
    Family { kind: "Kernel", directory: "kernels/workloads", flags: KERNEL_FLAGS, common: &[] },
    Family { kind: "Kernel", directory: "kernels/faults", flags: KERNEL_FLAGS, common: &[] },
    Family { kind: "Trait", directory: "traits", flags: &["-O2"], common: &[] },
    // What the audit finds, one object for each kind of finding.
    Family { kind: "Trait", directory: "traits/audit", flags: &["-O2"], common: &[] },
    Family { kind: "Scenario", directory: "onboard/scenario", flags: &["-O2"], common: &[] },
];

const ORCHESTRATION_FLAGS: &[&str] = &["-O2", "-fvisibility=hidden"];
// Without contraction, and for the baseline processor, results are the same on every machine.
const KERNEL_FLAGS: &[&str] = &["-O3", "-ffp-contract=off", "-fvisibility=hidden"];

/// An object outside a runtime.
pub(crate) struct NamedObject {
    /// The variant of `bundled::ObjectKind`.
    pub(crate) kind: &'static str,
    pub(crate) name: String,
    pub(crate) object: Object,
}

/// Every object of every family.
pub(crate) fn plan(layout: &Layout) -> Result<Vec<NamedObject>, BuildError> {
    let mut objects = Vec::new();
    for family in FAMILIES {
        objects.extend(plan_family(layout, family)?);
    }
    Ok(objects)
}

fn plan_family(layout: &Layout, family: &Family) -> Result<Vec<NamedObject>, BuildError> {
    let sources = layout.sources(Path::new(family.directory))?;
    let plan = |source: PathBuf| {
        let name = source.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        let file = format!("{}-{name}", family.kind);
        let sources = [source].into_iter().chain(family.common.iter().map(PathBuf::from)).collect();
        NamedObject { kind: family.kind, object: layout.object(file, Language::Cxx, family.flags, sources), name }
    };
    Ok(sources.into_iter().map(plan).collect())
}
