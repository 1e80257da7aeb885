//! What is part of the program: cases, runtimes, orchestrations, kernels and variants of device objects.
//!
//! Each name is a type of its own, so that a misspelt one is an error of the case file and a table of objects by name
//! is checked by the compiler to be complete.

use std::fmt;

use serde::{Deserialize, Serialize};

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
    pub const ALL: [BundledCase; 13] = [
        BundledCase { name: "vector_example", text: include_str!("../../cases/vector_example.json") },
        BundledCase { name: "bgemm", text: include_str!("../../cases/bgemm.json") },
        BundledCase { name: "bgemm_heavy", text: include_str!("../../cases/bgemm_heavy.json") },
        BundledCase { name: "diamond", text: include_str!("../../cases/diamond.json") },
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
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Runtime {
    /// The host builds the whole task graph.
    HostBuildGraph,
    /// An AICPU thread builds the task graph.
    AicpuBuildGraph,
    /// An AICPU thread submits tasks to rings, and dependencies follow from the tensors.
    TensormapAndRingbuffer,
}

impl Runtime {
    /// The name in case files.
    pub const fn name(self) -> &'static str {
        match self {
            Runtime::HostBuildGraph => "host_build_graph",
            Runtime::AicpuBuildGraph => "aicpu_build_graph",
            Runtime::TensormapAndRingbuffer => "tensormap_and_ringbuffer",
        }
    }

    /// Whether its objects are part of the program.
    pub const fn is_bundled(self) -> bool {
        matches!(self, Runtime::TensormapAndRingbuffer)
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
    /// Runs tasks but does not report the completion of some.
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

/// A bundled orchestration. Arguments are tensors, then scalars; the number before a kernel is its function id, and
/// kernels take their tensors in the order of their signature, then scalars.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Orchestration {
    /// `f = (a + b + 1) * (a + b + 2) + (a + b)` in five tasks.
    ///
    /// Arguments: `a[n]` in, `b[n]` in, `f[n]` out, all f32.
    /// Kernels: 0 [`Kernel::Add`], 1 [`Kernel::AddScalar`], 2 [`Kernel::Mul`].
    VectorExample,
    /// `c[g, i] += sum over k of a[g, k, i] @ b[g, k, i]`: for each group a scope with one AIC task and one AIV task
    /// per `k`.
    ///
    /// Arguments: `a[groups, grid_k, tiles, edge, edge]` in, `b` likewise in, `c[groups, tiles, edge, edge]` inout,
    /// all f32; the shapes say everything. Kernels: 0 [`Kernel::GemmTile`], 1 [`Kernel::TileAdd`].
    Bgemm,
    /// One task, `width` tasks that depend on it, one task that depends on them all.
    ///
    /// `s = x + 1`, `parts[i] = s + i`, `y = parts[0] + parts[1] + …` in this order.
    /// Arguments: `x[n]` in, `parts[width, n]` out, `y[n]` out, all f32; `width` u64.
    /// Kernels: 0 [`Kernel::AddScalar`], 1 [`Kernel::SumSlices`].
    Diamond,
    /// `length` tasks, each of which depends on the one before and adds 1.
    ///
    /// Arguments: `x[n]` inout, f32; `length` u64. Kernels: 0 [`Kernel::Increment`].
    Chain,
    /// `tasks` tasks without arguments that depend on nothing, AIC and AIV in proportion to the cores.
    ///
    /// Arguments: `tasks` u64. Kernels: 0 [`Kernel::Empty`] on AIC, 1 [`Kernel::Empty`] on AIV.
    Flood,
    /// One AIV task that reads and writes its only argument.
    ///
    /// Arguments: `x[n]` inout, f32. Kernels: 0, any that takes one tensor.
    OneTask,
    /// `tasks` tasks in one scope, whose outputs and so whose slots are kept until the scope ends.
    ///
    /// Arguments: `x[n]` in, f32; `tasks` u64. Kernels: 0 [`Kernel::AddScalar`].
    RingFull,
    /// Submits one task that writes `x`, then waits within the orchestration for a word that only itself would write.
    ///
    /// Arguments: `x[n]` inout, f32. Kernels: 0 [`Kernel::Increment`].
    SelfWait,
}

impl Orchestration {
    /// Every orchestration.
    pub const ALL: [Orchestration; 8] = [
        Orchestration::VectorExample,
        Orchestration::Bgemm,
        Orchestration::Diamond,
        Orchestration::Chain,
        Orchestration::Flood,
        Orchestration::OneTask,
        Orchestration::RingFull,
        Orchestration::SelfWait,
    ];

    /// The name in case files.
    pub const fn name(self) -> &'static str {
        match self {
            Orchestration::VectorExample => "vector_example",
            Orchestration::Bgemm => "bgemm",
            Orchestration::Diamond => "diamond",
            Orchestration::Chain => "chain",
            Orchestration::Flood => "flood",
            Orchestration::OneTask => "one_task",
            Orchestration::RingFull => "ring_full",
            Orchestration::SelfWait => "self_wait",
        }
    }
}

/// A bundled kernel. All tensors are f32.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Kernel {
    /// `out = left + right`; left in, right in, out.
    Add,
    /// `out = source + value`; source in, out, value f32.
    AddScalar,
    /// `out = left * right`; left in, right in, out.
    Mul,
    /// `x = x + value`; x inout, value f32.
    Increment,
    /// `y = parts[0] + parts[1] + …`; parts in, y out.
    SumSlices,
    /// `out[i] = left[i] @ right[i]` for each tile; left in, right in, out.
    GemmTile,
    /// `sum = sum + addend`; sum inout, addend in.
    TileAdd,
    /// Nothing; no arguments.
    Empty,
    /// Never ends and calls nothing; x inout.
    Hang,
    /// Writes through a null pointer; x inout.
    NullWrite,
}

impl Kernel {
    /// Every kernel.
    pub const ALL: [Kernel; 10] = [
        Kernel::Add,
        Kernel::AddScalar,
        Kernel::Mul,
        Kernel::Increment,
        Kernel::SumSlices,
        Kernel::GemmTile,
        Kernel::TileAdd,
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
            Kernel::Increment => "increment",
            Kernel::SumSlices => "sum_slices",
            Kernel::GemmTile => "gemm_tile",
            Kernel::TileAdd => "tile_add",
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
