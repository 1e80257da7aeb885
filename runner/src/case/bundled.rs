//! What is part of the program: cases, runtimes, orchestrations, kernels and variants of device objects.
//!
//! Each name is a type of its own, so that a misspelt one is an error of the case file and a table of objects by name
//! is checked by the compiler to be complete.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::error::nearest;

/// A case file that is part of the program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BundledCase {
    /// Its name.
    pub name: &'static str,
    /// Its text.
    pub text: &'static str,
}

impl BundledCase {
    /// Every bundled case: examples first, then what goes wrong on purpose.
    pub const ALL: [BundledCase; 14] = [
        BundledCase { name: "vector_example", text: include_str!("../../cases/vector_example.json") },
        BundledCase { name: "bgemm", text: include_str!("../../cases/bgemm.json") },
        BundledCase { name: "bgemm_heavy", text: include_str!("../../cases/bgemm_heavy.json") },
        BundledCase { name: "diamond", text: include_str!("../../cases/diamond.json") },
        BundledCase { name: "mixed", text: include_str!("../../cases/mixed.json") },
        BundledCase { name: "chain", text: include_str!("../../cases/chain.json") },
        BundledCase { name: "flood", text: include_str!("../../cases/flood.json") },
        BundledCase { name: "flood_2000", text: include_str!("../../cases/flood_2000.json") },
        BundledCase { name: "flood_million", text: include_str!("../../cases/flood_million.json") },
        BundledCase { name: "hang_kernel", text: include_str!("../../cases/hang_kernel.json") },
        BundledCase { name: "null_write", text: include_str!("../../cases/null_write.json") },
        BundledCase { name: "lost_completion", text: include_str!("../../cases/lost_completion.json") },
        BundledCase { name: "ring_full", text: include_str!("../../cases/ring_full.json") },
        BundledCase { name: "self_wait", text: include_str!("../../cases/self_wait.json") },
    ];
}

/// A runtime: the host, AICPU and AICore objects that work together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Runtime {
    /// The host builds the whole task graph.
    HostBuildGraph,
    /// An AICPU thread builds the task graph.
    AicpuBuildGraph,
    /// An AICPU thread submits tasks to rings, and dependencies follow from the tensors.
    #[default]
    TensormapAndRingbuffer,
}

impl Runtime {
    /// Every runtime.
    pub const ALL: [Runtime; 3] = [Runtime::TensormapAndRingbuffer, Runtime::AicpuBuildGraph, Runtime::HostBuildGraph];

    /// The name in case files.
    pub const fn name(self) -> &'static str {
        match self {
            Runtime::HostBuildGraph => "host_build_graph",
            Runtime::AicpuBuildGraph => "aicpu_build_graph",
            Runtime::TensormapAndRingbuffer => "tensormap_and_ringbuffer",
        }
    }

    /// Whether its orchestrations run on the AICPU, and so have to get there.
    pub const fn orchestrates_on_device(self) -> bool {
        matches!(self, Runtime::AicpuBuildGraph | Runtime::TensormapAndRingbuffer)
    }
}

/// `{name}` is no runtime: the nearest is `{nearest}`
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error, displaydoc::Display)]
pub struct UnknownRuntime {
    /// What was written.
    pub name: String,
    /// The known name that is most like it.
    pub nearest: String,
}

impl FromStr for Runtime {
    type Err = UnknownRuntime;

    fn from_str(name: &str) -> Result<Self, UnknownRuntime> {
        Runtime::ALL.into_iter().find(|runtime| runtime.name() == name).ok_or_else(|| UnknownRuntime {
            name: name.to_owned(),
            nearest: nearest(name, Runtime::ALL.map(Runtime::name)).unwrap_or_default().to_owned(),
        })
    }
}

impl fmt::Display for Runtime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A bundled AICore object other than the runtime's own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum AicoreVariant {
    /// Each core runs its third task but never reports its completion.
    Lossy,
}

impl AicoreVariant {
    /// The name in case files.
    pub const fn name(self) -> &'static str {
        match self {
            AicoreVariant::Lossy => "lossy",
        }
    }
}

/// A bundled orchestration. Arguments are tensors, then scalars; the number before a kernel is its function id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Orchestration {
    /// `f = (a + b + 1) * (a + b + 2) + (a + b)` in five tasks.
    ///
    /// Arguments: `a` in, `b` in, `f` out, of one shape.
    /// Kernels: 0 [`Kernel::Add`], 1 [`Kernel::AddScalar`], 2 [`Kernel::Mul`].
    VectorExample,
    /// `c[b] += a[b] @ b[b]` for every batch, tile by tile: two tasks for each step of k.
    ///
    /// Arguments: `a[batch, m_tiles, k_tiles, edge, edge]` in, `b[batch, k_tiles, n_tiles, edge, edge]` in,
    /// `c[batch, m_tiles, n_tiles, edge, edge]` inout; `batch`, `m_tiles`, `n_tiles`, `k_tiles`, `edge`.
    /// Kernels: 0 [`Kernel::GemmTile`] on AIC, 1 [`Kernel::TileAdd`] on AIV.
    Bgemm,
    /// One task, `width` tasks that depend on it, one task that depends on them all.
    ///
    /// `slices[i] = (input + 1) * (i + 1)`, `output = slices[0] + slices[1] + …` in this order.
    /// Arguments: `input[n]` in, `slices[width, n]` out, `output[n]` out; `width`.
    /// Kernels: 0 [`Kernel::DiamondSource`], 1 [`Kernel::DiamondMiddle`], 2 [`Kernel::DiamondSink`].
    Diamond,
    /// `rounds` tasks that take a whole cluster each, among empty ones for an AIC and for an AIV.
    ///
    /// `rows[i] = [input + input, input + 1, input + 2]`.
    /// Arguments: `input[n]` in, `rows[rounds, 3, n]` out; `rounds`.
    /// Kernels: 0 [`Kernel::MixedCube`] on AIC, 1 [`Kernel::MixedVector`] on AIV, 2 [`Kernel::Empty`].
    Mixed,
    /// `length` tasks, each of which needs the one before and adds 1.
    ///
    /// Arguments: `counter` inout; `length`. Kernels: 0 [`Kernel::Increment`], or another that takes one tensor.
    Chain,
    /// `tasks` tasks that do nothing and need nothing.
    ///
    /// Arguments: `tasks`. Kernels: 0 [`Kernel::Empty`].
    Flood,
    /// Fills a ring from within one scope, so that nothing retires. No arguments. Kernels: 0 [`Kernel::Empty`].
    RingFull,
    /// Waits for a word that only a task would write which it has not submitted yet.
    ///
    /// Arguments: `word`, one 0.0, inout. Kernels: 0 [`Kernel::Increment`].
    SelfWait,
}

impl Orchestration {
    /// Every orchestration.
    pub const ALL: [Orchestration; 8] = [
        Orchestration::VectorExample,
        Orchestration::Bgemm,
        Orchestration::Diamond,
        Orchestration::Mixed,
        Orchestration::Chain,
        Orchestration::Flood,
        Orchestration::RingFull,
        Orchestration::SelfWait,
    ];

    /// The name in case files.
    pub const fn name(self) -> &'static str {
        match self {
            Orchestration::VectorExample => "vector_example",
            Orchestration::Bgemm => "bgemm",
            Orchestration::Diamond => "diamond",
            Orchestration::Mixed => "mixed",
            Orchestration::Chain => "chain",
            Orchestration::Flood => "flood",
            Orchestration::RingFull => "ring_full",
            Orchestration::SelfWait => "self_wait",
        }
    }
}

/// A bundled kernel. Tensors are f32 and contiguous.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Kernel {
    /// `sum = left + right`; left in, right in, sum out.
    Add,
    /// `sum = tensor + addend`; tensor in, sum out, addend f32.
    AddScalar,
    /// `product = left * right`; left in, right in, product out.
    Mul,
    /// `product = left @ right`, each element summed in the order of k; left in, right in, product out.
    GemmTile,
    /// `total = total + addend`; total inout, addend in.
    TileAdd,
    /// `tile = input + 1`; input in, tile out.
    DiamondSource,
    /// `slice = tile * factor`; tile in, slice out, factor f32.
    DiamondMiddle,
    /// `output = slices[0] + slices[1] + …`; slices in, output out.
    DiamondSink,
    /// `rows[0] = input + input`; input in, rows out.
    MixedCube,
    /// `rows[1 + s] = input + (1 + s)` for sub-block s; input in, rows out.
    MixedVector,
    /// `counter = counter + 1`; counter inout.
    Increment,
    /// Nothing, with any arguments.
    Empty,
    /// Never returns and calls nothing.
    Hang,
    /// Writes through a null pointer.
    NullWrite,
}

impl Kernel {
    /// Every kernel.
    pub const ALL: [Kernel; 14] = [
        Kernel::Add,
        Kernel::AddScalar,
        Kernel::Mul,
        Kernel::GemmTile,
        Kernel::TileAdd,
        Kernel::DiamondSource,
        Kernel::DiamondMiddle,
        Kernel::DiamondSink,
        Kernel::MixedCube,
        Kernel::MixedVector,
        Kernel::Increment,
        Kernel::Empty,
        Kernel::Hang,
        Kernel::NullWrite,
    ];

    /// The name in case files.
    pub const fn name(self) -> &'static str {
        match self {
            Kernel::Add => "add",
            Kernel::AddScalar => "add_scalar",
            Kernel::Mul => "mul",
            Kernel::GemmTile => "gemm_tile",
            Kernel::TileAdd => "tile_add",
            Kernel::DiamondSource => "diamond_source",
            Kernel::DiamondMiddle => "diamond_middle",
            Kernel::DiamondSink => "diamond_sink",
            Kernel::MixedCube => "mixed_cube",
            Kernel::MixedVector => "mixed_vector",
            Kernel::Increment => "increment",
            Kernel::Empty => "empty",
            Kernel::Hang => "hang",
            Kernel::NullWrite => "null_write",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::case::CaseSpec;

    #[test]
    fn is_every_bundled_case_valid_and_described_in_one_line() {
        for case in BundledCase::ALL {
            let spec = CaseSpec::bundled(case.name).unwrap_or_else(|error| panic!("{error}"));
            assert_eq!(spec.name, case.name);
            assert!((10..100).contains(&spec.description.len()), "{}: {}", case.name, spec.description);
            assert!(!spec.description.contains('\n'), "{}", case.name);
        }
    }

    #[test]
    fn do_case_files_spell_names_as_they_are_shown() {
        for orchestration in Orchestration::ALL {
            assert_eq!(serde_json::to_value(orchestration).unwrap(), orchestration.name());
        }
        for kernel in Kernel::ALL {
            assert_eq!(serde_json::to_value(kernel).unwrap(), kernel.name());
        }
        for runtime in [Runtime::HostBuildGraph, Runtime::AicpuBuildGraph, Runtime::TensormapAndRingbuffer] {
            assert_eq!(serde_json::to_value(runtime).unwrap(), runtime.name());
        }
        assert_eq!(serde_json::to_value(AicoreVariant::Lossy).unwrap(), AicoreVariant::Lossy.name());
    }
}
