//! Everything that a run needs, read and checked before there is a device.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use sim_aicore::cost::KernelTable;
use sim_aicore::registry::{Access, Description};
use sim_core::loader::image::CodeImage;
use sim_core::loader::image_error::ImageError;
use sim_core::profile::{Arch, Profile, ProfileError};
use sim_core::trace::ContentHash;

use super::settings::RunSettings;
use crate::bundled::{self, BundledRuntime, ObjectKind};
use crate::case::{CaseError, CaseOrigin, CaseSpec, Direction, KernelSpec, ObjectSource};
use crate::client::abi::{ArgDirection, CallConfig, RuntimeEnv};
use crate::client::args;
use crate::client::callable::{self, CallableError, CallableParts, KernelPart};
use crate::device::DeviceConfig;
use crate::report::names::{KernelName, ProgramNames};
use crate::tensor::HostTensor;

/// What a kernel object exports.
const KERNEL_ENTRY: &str = "kernel_entry";
/// What an AICPU object exports.
const AICPU_ENTRY: &str = "aicpu_execute";
/// What an AICore object exports.
const AICORE_ENTRY: &str = "aicore_execute_wrapper";
/// What a host runtime exports, among others.
const HOST_ENTRY: &str = "create_device_context";

/// Why a case cannot be run as asked.
#[derive(Debug, thiserror::Error, displaydoc::Display)]
pub enum PlanError {
    /// {0}
    Case(Box<CaseError>),
    /// {0}
    Profile(Box<ProfileError>),
    /// {path:?} cannot be read: {error}
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        error: std::io::Error,
    },
    /// {0}
    Image(Box<ImageError>),
    /// {path:?} does not export {symbol}; check that it is {kind}
    MissingSymbol {
        /// The file.
        path: PathBuf,
        /// What was looked for.
        symbol: String,
        /// What the file is to be.
        kind: &'static str,
    },
    /// {origin}: no {kind} `{name}` is bundled for {arch}; give it by path or take another generation with --arch
    NotBundled {
        /// The case.
        origin: CaseOrigin,
        /// What it is.
        kind: &'static str,
        /// Its name.
        name: &'static str,
        /// The generation.
        arch: Arch,
    },
    /// {origin}: {error}
    Callable {
        /// The case.
        origin: CaseOrigin,
        /// What does not fit.
        error: CallableError,
    },
}

impl From<CaseError> for PlanError {
    fn from(error: CaseError) -> Self {
        PlanError::Case(Box::new(error))
    }
}

impl From<ProfileError> for PlanError {
    fn from(error: ProfileError) -> Self {
        PlanError::Profile(Box::new(error))
    }
}

impl From<ImageError> for PlanError {
    fn from(error: ImageError) -> Self {
        PlanError::Image(Box::new(error))
    }
}

/// An object with its bytes.
#[derive(Clone, Debug)]
pub struct CodeObject {
    /// What errors and ledgers call it.
    pub name: String,
    /// The shared object.
    pub bytes: Cow<'static, [u8]>,
}

/// The objects of a runtime.
#[derive(Clone, Debug)]
pub struct RuntimeObjects {
    /// Runs in the host process.
    pub host: CodeObject,
    /// Runs on the AICPU.
    pub aicpu: CodeObject,
    /// Runs on the AICores.
    pub aicore: CodeObject,
}

/// A case that is ready to run.
pub struct RunPlan {
    /// The case, with the parameters of this run.
    pub case: CaseSpec,
    /// The device.
    pub config: DeviceConfig,
    /// The runtime.
    pub objects: RuntimeObjects,
    /// Orchestration and kernels, as they cross the host interface.
    pub callable: Vec<u8>,
    /// How each run is carried out.
    pub call_config: CallConfig,
    /// The tensors as they are before each run.
    pub tensors: Vec<HostTensor>,
    /// What orchestration and kernels are called.
    pub names: ProgramNames,
}

impl RunPlan {
    /// Reads and checks whatever a run of `case` needs.
    pub fn new(case: CaseSpec, settings: &RunSettings) -> Result<RunPlan, PlanError> {
        let case = case.with_parameters(&settings.parameters)?;
        let reader = Reader { case: &case, arch: settings.arch.unwrap_or(case.arch) };
        let mut config = device_of(&case, settings)?;
        let (orchestration, kernels) = (reader.orchestration()?, reader.kernels()?);
        config.kernels = kernels.iter().map(Kernel::described).collect();
        Ok(RunPlan {
            objects: reader.runtime()?,
            callable: callable_of(&case, &orchestration, &kernels)?,
            call_config: args::call_config(RuntimeEnv {
                task_window: case.rings.task_window,
                heap: case.rings.heap,
                dep_pool: case.rings.dep_pool,
            }),
            tensors: case.make_tensors(settings.seed)?,
            names: names_of(orchestration.name, &kernels),
            case,
            config,
        })
    }
}

/// A kernel of the case, with its code.
struct Kernel {
    func_id: u32,
    object: CodeObject,
    signature: Vec<Direction>,
}

impl Kernel {
    /// What the device is told of it.
    fn described(&self) -> (ContentHash, Description) {
        let tensors = self.signature.iter().map(|direction| match direction {
            Direction::In => Access::Read,
            Direction::Out => Access::Write,
            Direction::InOut => Access::ReadWrite,
        });
        let description = Description { name: self.object.name.clone(), tensors: tensors.collect() };
        (ContentHash::of(&self.object.bytes), description)
    }
}

fn device_of(case: &CaseSpec, settings: &RunSettings) -> Result<DeviceConfig, PlanError> {
    let profile = Profile::load(settings.arch.unwrap_or(case.arch))?
        .with_overrides(&case.profile)?
        .with_overrides(&settings.overrides)?;
    let kernel_costs = match &case.kernel_costs {
        Some(costs) => KernelTable::from_value(&costs.origin, &costs.table, *profile.clock.aicore)?,
        None => KernelTable::default(),
    };
    let defaults = DeviceConfig::new(profile);
    Ok(DeviceConfig {
        engine: settings.engine,
        workers: settings.workers.unwrap_or(defaults.workers),
        fill: settings.fill,
        fast_forward: settings.fast_forward,
        guest_limit: settings.guest_limit.unwrap_or(defaults.guest_limit),
        keep_events: settings.keep_events,
        keep_objects: settings.keep_objects.clone(),
        kernel_costs,
        kernels: BTreeMap::new(),
        ..defaults
    })
}

/// Finds the objects of a case and reads those that are files.
struct Reader<'a> {
    case: &'a CaseSpec,
    arch: Arch,
}

impl Reader<'_> {
    fn runtime(&self) -> Result<RuntimeObjects, PlanError> {
        let name = self.case.runtime.name();
        let bundled = bundled::runtime(self.arch, name);
        let part = |path: Option<&PathBuf>, part: &str, symbol, bytes: fn(&BundledRuntime) -> &'static [u8]| match path
        {
            Some(path) => read_object(path, symbol, "that part of a runtime"),
            None => bundled
                .map(|runtime| bundled_object(&format!("{name}.{part}"), bytes(runtime)))
                .ok_or_else(|| self.not_bundled("runtime", name)),
        };
        let objects = &self.case.objects;
        let aicore = match &objects.aicore {
            Some(ObjectSource::Bundled(variant)) => {
                self.bundled(ObjectKind::Aicore, "AICore object", variant.name())?
            }
            Some(ObjectSource::File(path)) => read_object(path, AICORE_ENTRY, "an AICore object")?,
            None => part(None, "aicore", AICORE_ENTRY, |runtime| runtime.aicore)?,
        };
        Ok(RuntimeObjects {
            host: part(objects.host.as_ref(), "host", HOST_ENTRY, |runtime| runtime.host)?,
            aicpu: part(objects.aicpu.as_ref(), "aicpu", AICPU_ENTRY, |runtime| runtime.aicpu)?,
            aicore,
        })
    }

    fn orchestration(&self) -> Result<CodeObject, PlanError> {
        let spec = &self.case.orchestration;
        match &spec.object {
            ObjectSource::Bundled(known) => self.bundled(ObjectKind::Orchestration, "orchestration", known.name()),
            ObjectSource::File(path) => read_object(path, &spec.entry, "the orchestration of this case"),
        }
    }

    fn kernels(&self) -> Result<Vec<Kernel>, PlanError> {
        let read = |spec: &KernelSpec| {
            let object = match &spec.object {
                ObjectSource::Bundled(known) => self.bundled(ObjectKind::Kernel, "kernel", known.name())?,
                ObjectSource::File(path) => read_object(path, KERNEL_ENTRY, "a kernel")?,
            };
            Ok(Kernel { func_id: spec.func_id, object, signature: spec.signature.clone() })
        };
        self.case.kernels.iter().map(read).collect()
    }

    fn bundled(&self, kind: ObjectKind, what: &'static str, name: &'static str) -> Result<CodeObject, PlanError> {
        let object = bundled::object(kind, name);
        object.map(|object| bundled_object(name, object.bytes)).ok_or_else(|| self.not_bundled(what, name))
    }

    fn not_bundled(&self, kind: &'static str, name: &'static str) -> PlanError {
        PlanError::NotBundled { origin: self.case.origin.clone(), kind, name, arch: self.arch }
    }
}

/// A file that has to be a shared object with this symbol.
fn read_object(path: &Path, symbol: &str, kind: &'static str) -> Result<CodeObject, PlanError> {
    let bytes = std::fs::read(path).map_err(|error| PlanError::Read { path: path.to_owned(), error })?;
    let image = CodeImage::parse(&path.display().to_string(), &bytes)?;
    if image.export(symbol).is_none() {
        return Err(PlanError::MissingSymbol { path: path.to_owned(), symbol: symbol.to_owned(), kind });
    }
    let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
    Ok(CodeObject { name, bytes: Cow::Owned(bytes) })
}

fn bundled_object(name: &str, bytes: &'static [u8]) -> CodeObject {
    CodeObject { name: name.to_owned(), bytes: Cow::Borrowed(bytes) }
}

fn argument(direction: Direction) -> ArgDirection {
    match direction {
        Direction::In => ArgDirection::In,
        Direction::Out => ArgDirection::Out,
        Direction::InOut => ArgDirection::InOut,
    }
}

fn callable_of(case: &CaseSpec, orchestration: &CodeObject, kernels: &[Kernel]) -> Result<Vec<u8>, PlanError> {
    let tensors = case.tensors.iter().map(|tensor| argument(tensor.direction));
    let signature: Vec<ArgDirection> = tensors.chain(case.scalars.iter().map(|_| ArgDirection::Scalar)).collect();
    let signatures: Vec<Vec<ArgDirection>> =
        kernels.iter().map(|kernel| kernel.signature.iter().copied().map(argument).collect()).collect();
    let parts: Vec<KernelPart<'_>> = kernels
        .iter()
        .zip(&signatures)
        .map(|(kernel, signature)| KernelPart {
            func_id: kernel.func_id as i32,
            signature,
            object: &kernel.object.bytes,
        })
        .collect();
    callable::chip_callable(&CallableParts {
        orchestration: &orchestration.bytes,
        entry: &case.orchestration.entry,
        config: &case.orchestration.config,
        signature: &signature,
        kernels: &parts,
    })
    .map_err(|error| PlanError::Callable { origin: case.origin.clone(), error })
}

fn names_of(orchestration: String, kernels: &[Kernel]) -> ProgramNames {
    let mut names: Vec<KernelName> = kernels
        .iter()
        .map(|kernel| KernelName {
            id: kernel.func_id as i32,
            content: ContentHash::of(&kernel.object.bytes),
            name: kernel.object.name.clone(),
        })
        .collect();
    names.sort_by_key(|kernel| kernel.id);
    ProgramNames { orchestrator: Some(orchestration), kernels: names }
}

#[cfg(test)]
mod tests {
    use tempfile::TempDir;

    use super::*;

    /// A case in a directory of its own, whose only kernel is this object.
    struct CaseDirectory(TempDir);

    impl CaseDirectory {
        fn with_kernel(kernel: &[u8]) -> Self {
            let directory = tempfile::tempdir().unwrap();
            std::fs::write(directory.path().join("own.so"), kernel).unwrap();
            let text = r#"{"arch": "a2a3", "runtime": "tensormap_and_ringbuffer", "orchestration": {"bundled": "chain"},
                "kernels": [{"func_id": 0, "path": "own.so", "core": "aiv", "signature": ["inout"]}],
                "tensors": [{"name": "x", "shape": [4], "dtype": "f32", "direction": "inout",
                             "generator": {"kind": "zeros"}}],
                "scalars": [{"name": "length", "type": "u64", "value": 3}]}"#;
            std::fs::write(directory.path().join("case.json"), text).unwrap();
            CaseDirectory(directory)
        }

        fn plan(&self) -> Result<RunPlan, PlanError> {
            RunPlan::new(CaseSpec::load(&self.0.path().join("case.json")).unwrap(), &RunSettings::default())
        }
    }

    fn kernel(name: &str) -> &'static [u8] {
        bundled::object(ObjectKind::Kernel, name).unwrap().bytes
    }

    fn refusal(directory: &CaseDirectory) -> String {
        directory.plan().map(drop).unwrap_err().to_string()
    }

    #[test]
    fn is_a_kernel_known_by_the_name_of_its_file() {
        let directory = CaseDirectory::with_kernel(kernel("increment"));
        let plan = directory.plan().unwrap();
        let content = ContentHash::of(kernel("increment"));
        let known = Description { name: "own".to_owned(), tensors: vec![Access::ReadWrite] };
        assert_eq!(plan.config.kernels, BTreeMap::from([(content, known)]));
        assert_eq!(plan.names.orchestrator.as_deref(), Some("chain"));
    }

    #[test]
    fn does_the_error_for_a_cut_off_object_name_its_file() {
        let whole = kernel("increment");
        let directory = CaseDirectory::with_kernel(&whole[..whole.len() / 2]);
        let message = refusal(&directory);
        assert!(
            message.starts_with(&format!("{}: truncated:", directory.0.path().join("own.so").display())),
            "{message}"
        );
    }

    #[test]
    fn does_the_error_for_an_object_without_its_entry_name_file_and_symbol() {
        let directory = CaseDirectory::with_kernel(bundled::SHIM);
        let path = directory.0.path().join("own.so");
        assert_eq!(refusal(&directory), format!("{path:?} does not export kernel_entry; check that it is a kernel"));
    }

    #[test]
    fn does_a_case_without_a_runtime_for_the_generation_say_so() {
        let settings = RunSettings { arch: Some(Arch::A5), ..RunSettings::default() };
        let error = RunPlan::new(CaseSpec::bundled("chain").unwrap(), &settings).map(drop).unwrap_err();
        assert_eq!(
            error.to_string(),
            "bundled case chain: no runtime `tensormap_and_ringbuffer` is bundled for a5; give it by path or take \
             another generation with --arch"
        );
    }
}
