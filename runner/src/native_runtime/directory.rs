//! The directory of a runtime's artifacts, looked through before anything of it is loaded.

use std::fs;
use std::path::{Path, PathBuf};

use sim_core::loader::image::CodeImage;

use super::error::NativeError;
use super::revision::{self, Commit};
use crate::case::Runtime;
use crate::run::plan::{AICORE_ENTRY, AICPU_ENTRY};

/// The object that a host process loads.
pub const HOST_RUNTIME: &str = "libhost_runtime.so";
/// What the host runtime loads for the AICPU.
pub const AICPU_KERNEL: &str = "libaicpu_kernel.so";
/// What it loads for the AICores.
pub const AICORE_KERNEL: &str = "libaicore_kernel.so";
/// The state of simulated devices, one for all host runtimes of a process.
pub const SIM_CONTEXT: &str = "libcpu_sim_context.so";

/// What begins the names that a host runtime takes from [`SIM_CONTEXT`].
const CONTEXT_FUNCTIONS: &str = "pto_cpu_sim_";

/// AICPU functions that only one runtime has.
const MARKS: [(&str, Runtime); 2] = [
    ("simpler_aicpu_register_callable", Runtime::TensormapAndRingbuffer),
    ("aicpu_prewarm_callable", Runtime::HostBuildGraph),
];

/// Artifacts of one runtime that fit each other and the client.
#[derive(Clone, Debug)]
pub struct RuntimeDirectory {
    /// As it was named.
    pub path: PathBuf,
    /// The revision of its interface.
    pub revision: Commit,
    /// The host runtime.
    pub(super) host: PathBuf,
    /// The state of simulated devices, if there is any.
    pub(super) context: Option<PathBuf>,
    /// The AICPU object.
    pub aicpu: Vec<u8>,
    /// The AICore object.
    pub aicore: Vec<u8>,
}

impl RuntimeDirectory {
    /// Reads and checks the artifacts in `path` for a case of that runtime.
    pub fn open(path: &Path, runtime: Runtime) -> Result<Self, NativeError> {
        let host = Artifact::read(path, HOST_RUNTIME)?;
        let aicpu = Artifact::read(path, AICPU_KERNEL)?;
        let aicore = Artifact::read(path, AICORE_KERNEL)?;
        let exports = host.image.exports.iter().map(|export| export.name.as_str());
        let revision = revision::check(exports)
            .map_err(|error| NativeError::Revision { path: host.path.clone(), error: Box::new(error) })?;
        aicpu.exports(AICPU_ENTRY, "an AICPU object")?;
        aicore.exports(AICORE_ENTRY, "an AICore object")?;
        if let Some((_, found)) = MARKS.into_iter().find(|(mark, _)| aicpu.image.export(mark).is_some())
            && found != runtime
        {
            return Err(NativeError::Runtime { path: aicpu.path, found, expected: runtime });
        }
        let context = context_of(&host)?;
        Ok(RuntimeDirectory {
            path: path.to_owned(),
            revision,
            host: host.path,
            context,
            aicpu: aicpu.bytes,
            aicore: aicore.bytes,
        })
    }
}

/// One object of the directory.
struct Artifact {
    path: PathBuf,
    bytes: Vec<u8>,
    image: CodeImage,
}

impl Artifact {
    fn read(directory: &Path, name: &str) -> Result<Self, NativeError> {
        let path = directory.join(name);
        let bytes = fs::read(&path).map_err(|error| NativeError::Read { path: path.clone(), error })?;
        let image = CodeImage::parse(&path.display().to_string(), &bytes)?;
        Ok(Artifact { path, bytes, image })
    }

    fn exports(&self, symbol: &'static str, kind: &'static str) -> Result<(), NativeError> {
        match self.image.export(symbol) {
            Some(_) => Ok(()),
            None => Err(NativeError::MissingSymbol { path: self.path.clone(), symbol, kind }),
        }
    }
}

/// The nearest [`SIM_CONTEXT`] beside the host runtime or above it. It may be missing if nothing is taken from it.
fn context_of(host: &Artifact) -> Result<Option<PathBuf>, NativeError> {
    let whole = host.path.canonicalize().map_err(|error| NativeError::Read { path: host.path.clone(), error })?;
    let context = whole.ancestors().skip(1).map(|directory| directory.join(SIM_CONTEXT)).find(|path| path.is_file());
    let needed = host.image.imports.iter().find(|import| !import.weak && import.name.starts_with(CONTEXT_FUNCTIONS));
    match (context, needed) {
        (None, Some(import)) => Err(NativeError::NoContext { path: host.path.clone(), symbol: import.name.clone() }),
        (context, _) => Ok(context),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::native_runtime::test_objects::Directory;

    fn refusal(directory: &Directory, runtime: Runtime) -> String {
        let error = RuntimeDirectory::open(directory.path(), runtime).map(drop).unwrap_err().to_string();
        error.replace(directory.path().to_str().unwrap(), "DIR")
    }

    const TMR: Runtime = Runtime::TensormapAndRingbuffer;

    #[test]
    fn are_artifacts_that_fit_accepted() {
        let directory = Directory::new();
        let opened = RuntimeDirectory::open(directory.path(), TMR).unwrap();
        assert_eq!((opened.revision, opened.context), (revision::KNOWN, None));
    }

    #[test]
    fn is_a_missing_file_named_with_what_else_there_has_to_be() {
        let directory = Directory::new();
        directory.remove(AICORE_KERNEL);
        assert_eq!(
            refusal(&directory, TMR),
            "\"DIR/libaicore_kernel.so\" cannot be read: No such file or directory (os error 2); a runtime directory has \
             libhost_runtime.so, libaicpu_kernel.so and libaicore_kernel.so"
        );
    }

    #[test]
    fn is_a_file_that_is_no_object_of_this_machine_refused() {
        let directory = Directory::new();
        directory.write(AICPU_KERNEL, b"#!/bin/sh\n");
        assert!(refusal(&directory, TMR).starts_with("DIR/libaicpu_kernel.so: not an ELF file"));

        let directory = Directory::new();
        directory.change(HOST_RUNTIME, |bytes| bytes[18..20].copy_from_slice(&243_u16.to_le_bytes()));
        let message = refusal(&directory, TMR);
        assert!(message.starts_with("DIR/libhost_runtime.so: ") && message.contains("RISC-V"), "{message}");
    }

    #[test]
    fn is_another_revision_refused_by_name() {
        let directory = Directory::new();
        directory.host_without(&["simpler_host_log_bind_state"]);
        let message = refusal(&directory, TMR);
        let expected =
            "\"DIR/libhost_runtime.so\": the runtime ABI from 60ab6ab9, 2026-08-08 to before f4cd9cba, 2026-08-18";
        assert!(message.starts_with(expected), "{message}");
    }

    #[test]
    fn are_objects_in_each_others_place_refused() {
        let directory = Directory::new();
        directory.compile(AICPU_KERNEL, "void aicore_execute_wrapper(void) {}");
        assert_eq!(
            refusal(&directory, TMR),
            "\"DIR/libaicpu_kernel.so\" does not export aicpu_execute; check that it is an AICPU object"
        );
    }

    #[test]
    fn is_the_artifact_of_another_runtime_refused() {
        let directory = Directory::new();
        directory.compile(AICPU_KERNEL, "void aicpu_execute(void) {} void aicpu_prewarm_callable(void) {}");
        assert_eq!(
            refusal(&directory, TMR),
            "\"DIR/libaicpu_kernel.so\" belongs to the runtime host_build_graph, the case is for tensormap_and_ringbuffer"
        );
        assert!(RuntimeDirectory::open(directory.path(), Runtime::HostBuildGraph).is_ok());
    }

    #[test]
    fn is_the_context_found_above_and_missed_only_if_needed() {
        let directory = Directory::new();
        directory.host_with("int pto_cpu_sim_bind_device(int); int bind(void) { return pto_cpu_sim_bind_device(0); }");
        assert_eq!(
            refusal(&directory, TMR),
            "\"DIR/libhost_runtime.so\" needs pto_cpu_sim_bind_device of libcpu_sim_context.so, which is neither beside it \
             nor in a directory above"
        );
        let above = directory.path().parent().unwrap().join(SIM_CONTEXT);
        fs::write(&above, "found by its name").unwrap();
        let opened = RuntimeDirectory::open(directory.path(), TMR).unwrap();
        assert_eq!(opened.context, Some(above.canonicalize().unwrap()));
    }
}
