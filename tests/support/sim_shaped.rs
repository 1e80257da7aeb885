//! The sim-shaped artifacts as files: a host process, the runtime that it loads, kernels and orchestrations.

use std::ffi::OsString;
use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use npusim::bundled;
use sim_core::profile::Arch;

/// What a host process prints when every result was right.
pub(crate) const PASSED: &str = "PASSED\n";

/// Puts the artifacts for a generation into a directory.
pub(crate) fn install(arch: Arch, directory: &Path) {
    for file in bundled::sim_shaped(arch) {
        let path = directory.join(file.path);
        fs::create_dir_all(path.parent().expect("it lies in the directory")).expect("a directory can be made");
        fs::write(&path, file.bytes).expect("a file can be written");
        let mode = if file.is_program { 0o755 } else { 0o644 };
        fs::set_permissions(&path, Permissions::from_mode(mode)).expect("its mode can be set");
    }
}

/// The program and arguments that run a case on the artifacts in a directory; options of the host process may follow.
pub(crate) fn words(directory: &Path, case: &str) -> [OsString; 3] {
    [directory.join("host_process").into(), directory.into(), case.into()]
}
