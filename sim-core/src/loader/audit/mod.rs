//! The binding audit: what each loaded object was bound to, and what about it is not as it should be.
//!
//! ```text
//!   loaded object ──► bindings   the words that the dynamic linker wrote, and in whose object they point
//!                 ──► inline     instructions in its code that reach the host past every hook
//!                        │
//!   namespace ───────────┴─► judge ──► Finding   kind, object, symbol, provider
//!                                         ▲
//!   what an object leaves behind: holdings, temporary_names
//! ```
//!
//! What was bound is read from memory after the load, and not computed from symbol tables: the words decide which code
//! runs. An object is [examined](Examination) when it has been loaded, and [judged](judge::findings) together with its
//! peers, which are all other guests of its namespace. The shim is meant to win over everybody, so a symbol that it
//! serves is never a collision; what it fronts and somebody else serves is [`FindingKind::HookBypassed`].
//!
//! The shim and libstdc++ are not examined: they are the same for every guest. What a guest takes from libstdc++ that
//! goes past the shim from there is in the table of `escapes`.
//!
//! Findings of what is left behind ([`FindingKind::LeakedHandle`] and the two after it) need somebody who compares
//! before and after: [`Watch`](holdings::Watch).

mod bindings;
mod escapes;
pub mod holdings;
pub mod inline;
pub mod judge;
mod temporary_names;

use std::fmt;

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

pub use bindings::{Bindings, Provider};
pub(super) use bindings::{OwnObject, Peers};
use inline::InlineUse;

use super::elf::Elf;
use super::image::CodeImage;
use super::image_error::ImageError;

/// What is not as it should be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum FindingKind {
    /// An import is served by an object of another namespace, or by no object.
    OutsideNamespace,
    /// The object defines the symbol itself, or needs an object that does, and an earlier one serves it.
    FirstWins,
    /// A weak import was left null, and a peer defines it.
    WeakUnresolved,
    /// A function that is to arrive at the shim arrives elsewhere.
    HookBypassed,
    /// An import leads into the kernel's own library, or the code asks where that is.
    Vdso,
    /// The code reads a counter of the host.
    InlineClock,
    /// The code enters the kernel by itself.
    InlineSyscall,
    /// A library that the object opened is still open when it goes.
    LeakedHandle,
    /// A file descriptor that the object opened is still open when it goes.
    LeakedDescriptor,
    /// A temporary file that the object made is still there when it goes.
    LeakedFile,
    /// Other code was loaded under a name that is in use.
    NameReuse,
}

impl FindingKind {
    /// Every kind.
    pub const ALL: [FindingKind; 11] = [
        FindingKind::OutsideNamespace,
        FindingKind::FirstWins,
        FindingKind::WeakUnresolved,
        FindingKind::HookBypassed,
        FindingKind::Vdso,
        FindingKind::InlineClock,
        FindingKind::InlineSyscall,
        FindingKind::LeakedHandle,
        FindingKind::LeakedDescriptor,
        FindingKind::LeakedFile,
        FindingKind::NameReuse,
    ];

    /// Its name in reports and case files.
    pub const fn name(self) -> &'static str {
        match self {
            FindingKind::OutsideNamespace => "outside_namespace",
            FindingKind::FirstWins => "first_wins",
            FindingKind::WeakUnresolved => "weak_unresolved",
            FindingKind::HookBypassed => "hook_bypassed",
            FindingKind::Vdso => "vdso",
            FindingKind::InlineClock => "inline_clock",
            FindingKind::InlineSyscall => "inline_syscall",
            FindingKind::LeakedHandle => "leaked_handle",
            FindingKind::LeakedDescriptor => "leaked_descriptor",
            FindingKind::LeakedFile => "leaked_file",
            FindingKind::NameReuse => "name_reuse",
        }
    }
}

impl<'de> Deserialize<'de> for FindingKind {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let name = String::deserialize(deserializer)?;
        let known = FindingKind::ALL.into_iter().find(|kind| kind.name() == name);
        known.ok_or_else(|| D::Error::custom(format!("`{name}` is no kind of finding")))
    }
}

impl fmt::Display for FindingKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl Serialize for FindingKind {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}

/// Something about a loaded object that is not as it should be.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Finding {
    /// What.
    pub kind: FindingKind,
    /// The object that it is about.
    pub object: String,
    /// The import; for code, the function it is in; for what was left behind, what that is; for a name, the name.
    pub symbol: String,
    /// Who serves the import, or could have; for code, the instruction; for a file, what made it; for a name, what has
    /// it already.
    pub provider: String,
}

impl Finding {
    /// An object was closed, nobody needs it, and it is still there.
    pub fn kept(image: &CodeImage) -> Finding {
        let provider = match (image.no_delete, image.imports("dlopen")) {
            (true, _) => "DF_1_NODELETE",
            (false, true) => "dlopen",
            (false, false) => "unknown",
        };
        let object = image.name.clone();
        Finding { kind: FindingKind::LeakedHandle, symbol: object.clone(), object, provider: provider.to_owned() }
    }
}

/// What an object is bound to, and what its code does past every hook.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Examination {
    /// Its imports.
    pub bindings: Bindings,
    inline: Vec<InlineUse>,
    /// Its definitions serve its own references first.
    symbolic: bool,
}

impl Examination {
    /// Examines the object that is loaded at `load_address` and has these bytes.
    ///
    /// # Safety
    ///
    /// The object must be loaded there and bound, and nobody may open or close objects of its namespace meanwhile.
    pub(super) unsafe fn of(
        name: &str,
        bytes: &[u8],
        load_address: usize,
        peers: &Peers,
    ) -> Result<Examination, ImageError> {
        let elf = Elf::open(name, bytes)?;
        Ok(Examination {
            // SAFETY: as the caller says.
            bindings: unsafe { Bindings::read(&elf, load_address, peers)? },
            inline: inline::find_in(&elf)?,
            symbolic: elf.symbolic(),
        })
    }
}
