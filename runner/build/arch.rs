//! Device generations.

/// A device generation that objects are built for.
#[derive(Clone, Copy)]
pub(crate) enum Arch {
    A2a3,
    A5,
}

impl Arch {
    pub(crate) const ALL: [Arch; 2] = [Arch::A2a3, Arch::A5];

    /// The variant of `sim_core::profile::Arch`.
    pub(crate) const fn variant(self) -> &'static str {
        match self {
            Arch::A2a3 => "A2a3",
            Arch::A5 => "A5",
        }
    }

    /// What tells `npusim/registers.h` the generation.
    pub(crate) const fn define(self) -> &'static str {
        match self {
            Arch::A2a3 => "-DNPUSIM_ARCH_A2A3",
            Arch::A5 => "-DNPUSIM_ARCH_A5",
        }
    }
}
