//! Directories of small artifacts for tests, compiled on the spot.

use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

use super::directory::{AICORE_KERNEL, AICPU_KERNEL, HOST_RUNTIME};
use super::revision::FUNCTIONS;

/// Artifacts that have every name and do nothing, two levels below a directory of their own.
pub(crate) struct Directory {
    path: PathBuf,
    _above: TempDir,
}

impl Directory {
    pub(crate) fn new() -> Self {
        let above = tempfile::tempdir().expect("create a directory for the test");
        let directory = Directory { path: above.path().join("a2a3/sim"), _above: above };
        fs::create_dir_all(&directory.path).expect("create the directory");
        directory.host_without(&[]);
        directory.compile(AICPU_KERNEL, "void aicpu_execute(void) {} void simpler_aicpu_register_callable(void) {}");
        directory.compile(AICORE_KERNEL, "void aicore_execute_wrapper(void) {}");
        directory
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    pub(crate) fn write(&self, name: &str, bytes: &[u8]) {
        fs::write(self.path.join(name), bytes).expect("write the file");
    }

    pub(crate) fn remove(&self, name: &str) {
        fs::remove_file(self.path.join(name)).expect("remove the file");
    }

    pub(crate) fn change(&self, name: &str, change: impl FnOnce(&mut [u8])) {
        let mut bytes = fs::read(self.path.join(name)).expect("read the file");
        change(&mut bytes);
        self.write(name, &bytes);
    }

    /// A host runtime that does not export these.
    pub(crate) fn host_without(&self, names: &[&str]) {
        self.compile(HOST_RUNTIME, &host(names));
    }

    /// A host runtime with more in it; what that defines of the interface takes the place of the empty function.
    pub(crate) fn host_with(&self, source: &str) {
        let defined: Vec<&str> = FUNCTIONS.into_iter().filter(|name| source.contains(&format!("{name}("))).collect();
        self.compile(HOST_RUNTIME, &(host(&defined) + source));
    }

    /// Compiles C. The project needs a compiler to be built, so a test without one fails.
    pub(crate) fn compile(&self, name: &str, source: &str) {
        let (input, output) = (self.path.join("source.c"), self.path.join(name));
        fs::write(&input, source).expect("write the source");
        let result = Command::new("cc").args(["-shared", "-fPIC"]).arg(&input).arg("-o").arg(&output).output();
        let result = result.unwrap_or_else(|error| panic!("these tests need the compiler cc: {error}"));
        assert!(result.status.success(), "cc: {}", String::from_utf8_lossy(&result.stderr));
    }
}

/// The source of a host runtime without these names.
fn host(without: &[&str]) -> String {
    let mut source = String::new();
    for name in FUNCTIONS.into_iter().filter(|name| !without.contains(name)) {
        writeln!(source, "long {name}(void) {{ return 0; }}").expect("a string takes all text");
    }
    source
}
