//! The shared objects of a run: bundled, or files that have to export what they are for.

use std::borrow::Cow;
use std::path::Path;

use sim_core::loader::image::CodeImage;
use sim_core::profile::Arch;

use super::plan::PlanError;
use crate::bundled::{self, ObjectKind};
use crate::case::CaseOrigin;

/// What a kernel object exports.
pub(super) const KERNEL_ENTRY: &str = "kernel_entry";

/// An object with its bytes.
#[derive(Clone, Debug)]
pub struct CodeObject {
    /// What errors and ledgers call it.
    pub name: String,
    /// The shared object.
    pub bytes: Cow<'static, [u8]>,
}

impl CodeObject {
    /// A file that has to be a shared object with this symbol.
    pub(super) fn read(path: &Path, symbol: &str, kind: &'static str) -> Result<Self, PlanError> {
        let bytes = std::fs::read(path).map_err(|error| PlanError::Read { path: path.to_owned(), error })?;
        let image = CodeImage::parse(&path.display().to_string(), &bytes)?;
        if image.export(symbol).is_none() {
            return Err(PlanError::MissingSymbol { path: path.to_owned(), symbol: symbol.to_owned(), kind });
        }
        let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        Ok(CodeObject { name, bytes: Cow::Owned(bytes) })
    }

    /// A part of the program.
    pub(super) fn bundled(name: &str, bytes: &'static [u8]) -> Self {
        CodeObject { name: name.to_owned(), bytes: Cow::Borrowed(bytes) }
    }
}

/// Finds what is bundled for the case and generation that it is asked for.
#[derive(Clone, Copy)]
pub(super) struct Bundle<'a> {
    pub(super) origin: &'a CaseOrigin,
    pub(super) arch: Arch,
}

impl Bundle<'_> {
    pub(super) fn object(
        self,
        kind: ObjectKind,
        what: &'static str,
        name: &'static str,
    ) -> Result<CodeObject, PlanError> {
        let object = bundled::object(kind, name).map(|object| CodeObject::bundled(name, object.bytes));
        object.ok_or_else(|| self.lacks(what, name))
    }

    pub(super) fn lacks(self, kind: &'static str, name: &'static str) -> PlanError {
        PlanError::NotBundled { origin: self.origin.clone(), kind, name, arch: self.arch }
    }
}
