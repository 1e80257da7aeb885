//! What the rows are sorted into.

use std::fmt;

use clap::ValueEnum;
use serde::Serialize;

/// A group of rows, by how much of the device takes part.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum Group {
    /// Single instructions, register accesses and charges.
    Micro,
    /// Transfers, on the device and to it.
    Memory,
    /// Kernels on all cores.
    Kernel,
    /// Whole runs: orchestration, scheduling, kernels.
    Device,
    /// Loading code, and what a host prepares.
    Loading,
}

impl Group {
    /// Every group.
    pub const ALL: [Group; 5] = [Group::Micro, Group::Memory, Group::Kernel, Group::Device, Group::Loading];

    /// The name on the command line and in reports.
    pub const fn name(self) -> &'static str {
        match self {
            Group::Micro => "micro",
            Group::Memory => "memory",
            Group::Kernel => "kernel",
            Group::Device => "device",
            Group::Loading => "loading",
        }
    }

    /// The mean error in percent that the model is to stay within, if there is one.
    pub const fn target(self) -> Option<f64> {
        match self {
            Group::Micro => Some(5.0),
            Group::Memory => Some(10.0),
            Group::Kernel | Group::Device => Some(15.0),
            Group::Loading => None,
        }
    }

    /// The text of its rows.
    pub(super) const fn text(self) -> &'static str {
        match self {
            Group::Micro => include_str!("../../validation/micro.json"),
            Group::Memory => include_str!("../../validation/memory.json"),
            Group::Kernel => include_str!("../../validation/kernel.json"),
            Group::Device => include_str!("../../validation/device.json"),
            Group::Loading => include_str!("../../validation/loading.json"),
        }
    }
}

impl fmt::Display for Group {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}
