//! Why bytes cannot be loaded as code.
//!
//! Each error names the object, what is wrong with it, where in the file, and what to do about it, in one sentence.

use std::fmt;

use object::elf;

/// The machine that an object is built for: the number in its header.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Machine(pub u16);

impl Machine {
    /// 64-bit x86.
    pub const X86_64: Machine = Machine(elf::EM_X86_64.0);
    /// 64-bit Arm.
    pub const AARCH64: Machine = Machine(elf::EM_AARCH64.0);

    /// The machine of this process.
    #[cfg(target_arch = "x86_64")]
    pub const HOST: Machine = Machine::X86_64;
    /// The machine of this process.
    #[cfg(target_arch = "aarch64")]
    pub const HOST: Machine = Machine::AARCH64;
}

#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
compile_error!("npusim loads code on x86-64 and aarch64 Linux only");

impl fmt::Display for Machine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match elf::Machine(self.0) {
            elf::EM_X86_64 => f.write_str("x86-64"),
            elf::EM_AARCH64 => f.write_str("aarch64"),
            elf::EM_386 => f.write_str("32-bit x86"),
            elf::EM_ARM => f.write_str("32-bit Arm"),
            elf::EM_RISCV => f.write_str("RISC-V"),
            elf::EM_PPC64 => f.write_str("64-bit PowerPC"),
            elf::EM_S390 => f.write_str("S/390"),
            elf::EM_LOONGARCH => f.write_str("LoongArch"),
            elf::EM_NONE => f.write_str("no machine"),
            other => write!(f, "machine {:#x}", other.0),
        }
    }
}

impl serde::Serialize for Machine {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// Bytes that are no shared object this host can load.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error, displaydoc::Display)]
pub enum ImageError {
    /// {name}: not an ELF file ({found} at offset 0x0); give the compiled shared object itself
    NotElf {
        /// The object.
        name: String,
        /// What the file begins with.
        found: String,
    },
    /// {name}: truncated: {what} takes bytes {start:#x}..{end:#x} and the file ends at {file_size:#x}; copy or build it again
    Truncated {
        /// The object.
        name: String,
        /// The part that is cut off.
        what: String,
        /// Where the part begins.
        start: u64,
        /// Where the part would end.
        end: u64,
        /// Where the file ends.
        file_size: u64,
    },
    /// {name}: a {found} object (byte at offset 0x4), while this host loads 64-bit ones; build it for {host}
    WrongClass {
        /// The object.
        name: String,
        /// Its class.
        found: String,
        /// The machine to build it for.
        host: Machine,
    },
    /// {name}: {found} (byte at offset 0x5), while this host is little-endian; build it for {host}
    WrongByteOrder {
        /// The object.
        name: String,
        /// Its byte order.
        found: String,
        /// The machine to build it for.
        host: Machine,
    },
    /// {name}: built for {found} (field at offset 0x12), while this host is {host}; build it for {host}
    WrongMachine {
        /// The object.
        name: String,
        /// The machine it is built for.
        found: Machine,
        /// The machine of this process.
        host: Machine,
    },
    /// {name}: {found} (field at offset 0x10), not a shared object; link it with -shared from objects built with -fPIC
    NotSharedObject {
        /// The object.
        name: String,
        /// What it is.
        found: String,
    },
    /// {name}: a position-independent executable (DF_1_PIE at offset {offset:#x}), which cannot be loaded; link it with -shared
    Executable {
        /// The object.
        name: String,
        /// Where its flags are.
        offset: u64,
    },
    /// {name}: no dynamic segment among the program headers at offset {offset:#x}; link it with -shared
    NotDynamic {
        /// The object.
        name: String,
        /// Where the program headers are.
        offset: u64,
    },
    /// {name}: malformed {what} at offset {offset:#x}: {detail}; build it again
    Malformed {
        /// The object.
        name: String,
        /// The part that is malformed.
        what: &'static str,
        /// Where it is.
        offset: u64,
        /// What is wrong with it.
        detail: String,
    },
}

impl ImageError {
    /// Whether the object may be a good one elsewhere.
    pub fn is_for_another_machine(&self) -> bool {
        matches!(
            self,
            ImageError::WrongClass { .. } | ImageError::WrongByteOrder { .. } | ImageError::WrongMachine { .. }
        )
    }

    /// The name of the object.
    pub fn name(&self) -> &str {
        match self {
            ImageError::NotElf { name, .. }
            | ImageError::Truncated { name, .. }
            | ImageError::WrongClass { name, .. }
            | ImageError::WrongByteOrder { name, .. }
            | ImageError::WrongMachine { name, .. }
            | ImageError::NotSharedObject { name, .. }
            | ImageError::Executable { name, .. }
            | ImageError::NotDynamic { name, .. }
            | ImageError::Malformed { name, .. } => name,
        }
    }
}
