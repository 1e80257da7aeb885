//! Where sources are and where objects go.

use std::env;
use std::ffi::{OsStr, OsString};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::compiler::{Language, Linkage};
use crate::error::BuildError;

/// One file to build.
pub(crate) struct Object {
    pub(crate) name: String,
    pub(crate) language: Language,
    pub(crate) linkage: Linkage,
    pub(crate) flags: Vec<OsString>,
    /// Relative to `guest/`.
    pub(crate) sources: Vec<PathBuf>,
    pub(crate) output: PathBuf,
}

/// Where sources are and objects go.
pub(crate) struct Layout {
    pub(crate) guest: PathBuf,
    pub(crate) out: PathBuf,
}

impl Layout {
    pub(crate) fn from_environment() -> Self {
        let manifest = PathBuf::from(env::var_os("CARGO_MANIFEST_DIR").expect("cargo sets CARGO_MANIFEST_DIR"));
        let root = manifest.parent().expect("the package lies in the workspace").to_owned();
        let out = PathBuf::from(env::var_os("OUT_DIR").expect("cargo sets OUT_DIR"));
        Self { guest: root.join("guest"), out }
    }

    /// The C++ sources in a directory of `guest/`, in order of their names.
    pub(crate) fn sources(&self, directory: &Path) -> Result<Vec<PathBuf>, BuildError> {
        let path = self.guest.join(directory);
        let entries = match fs::read_dir(&path) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Err(BuildError::NoSources(path)),
            Err(source) => return Err(BuildError::File { path, source }),
        };
        let mut sources = Vec::new();
        for entry in entries {
            let name = entry.map_err(|source| BuildError::File { path: path.clone(), source })?.file_name();
            if Path::new(&name).extension() == Some(OsStr::new("cpp")) {
                sources.push(directory.join(name));
            }
        }
        sources.sort();
        if sources.is_empty() { Err(BuildError::NoSources(path)) } else { Ok(sources) }
    }

    pub(crate) fn object<F: AsRef<OsStr>>(
        &self,
        name: String,
        language: Language,
        flags: impl IntoIterator<Item = F>,
        sources: Vec<PathBuf>,
    ) -> Object {
        let output = self.out.join(format!("{name}.so"));
        let flags = flags.into_iter().map(|flag| flag.as_ref().to_owned()).collect();
        Object { name, language, linkage: Linkage::Shared, flags, sources, output }
    }
}
