//! Everything that a run needs, read and checked before there is a device.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use sim_aicore::cost::KernelTable;
use sim_aicore::registry::{Access, Description};
use sim_core::loader::image::CodeImage;
use sim_core::loader::image_error::ImageError;
use sim_core::profile::{Profile, ProfileError};
use sim_core::trace::ContentHash;

use super::settings::RunSettings;
use crate::bundled;
use crate::case::{CaseError, CaseOrigin, CaseSpec, Direction, ObjectSource};
use crate::client::abi::{ArgDirection, CallConfig, RuntimeEnv};
use crate::client::args;
use crate::client::callable::{self, CallableError, CallableParts, KernelPart};
use crate::device::DeviceConfig;
use crate::golden::Expectation;
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
    Case(#[from] CaseError),
    /// {0}
    Profile(#[from] ProfileError),
    /// {origin}: {error}
    CaseProfile {
        /// The case.
        origin: CaseOrigin,
        /// What is wrong with its values of the profile.
        error: ProfileError,
    },
    /// {path:?} cannot be read: {error}
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        error: std::io::Error,
    },
    /// {0}
    Image(#[from] ImageError),
    /// {path:?} does not export {symbol}; check that it is {kind}
    MissingSymbol {
        /// The file.
        path: PathBuf,
        /// What was looked for.
        symbol: String,
        /// What the file is to be.
        kind: &'static str,
    },
    /// {origin}: {error}
    Callable {
        /// The case.
        origin: CaseOrigin,
        /// What does not fit.
        error: CallableError,
    },
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
    /// The name of the case.
    pub case: String,
    /// The name of the runtime.
    pub runtime: String,
    /// The device.
    pub config: DeviceConfig,
    /// The shim of its namespace.
    pub shim: &'static [u8],
    /// The runtime.
    pub objects: RuntimeObjects,
    /// Orchestration and kernels, as they cross the host interface.
    pub callable: Vec<u8>,
    /// The id under which they are registered.
    pub callable_id: u32,
    /// How each run is carried out.
    pub call_config: CallConfig,
    /// The tensors as they are before each run.
    pub tensors: Vec<HostTensor>,
    /// The scalars.
    pub scalars: Vec<u64>,
    /// How many runs.
    pub runs: u32,
    /// What the results are compared with.
    pub golden: Expectation,
    /// What orchestration and kernels are called.
    pub names: ProgramNames,
}

impl RunPlan {
    /// Reads and checks whatever a run of `case` needs.
    pub fn new(case: CaseSpec, settings: &RunSettings) -> Result<RunPlan, PlanError> {
        let case = case.with_parameters(&settings.parameters)?;
        let kernels = read_kernels(&case)?;
        let tensors = case.make_tensors(settings.seed)?;
        let golden = Expectation::of(&case, &tensors)?;
        let mut config = device_of(&case, settings)?;
        config.kernels = kernels.iter().map(Kernel::described).collect();
        Ok(RunPlan {
            runtime: case.runtime.name().to_owned(),
            shim: bundled::SHIM,
            objects: read_runtime(&case)?,
            callable: callable_of(&case, &kernels)?,
            callable_id: case.callable_id,
            call_config: args::call_config(RuntimeEnv {
                task_window: case.rings.task_window,
                heap: case.rings.heap,
                dep_pool: case.rings.dep_pool,
            }),
            scalars: case.scalar_words(),
            runs: case.runs,
            names: names_of(&case, &kernels),
            case: case.name,
            config,
            tensors,
            golden,
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
        .with_overrides(&case.profile)
        .map_err(|error| PlanError::CaseProfile { origin: case.origin.clone(), error })?
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

fn read_kernels(case: &CaseSpec) -> Result<Vec<Kernel>, PlanError> {
    let read = |spec: &crate::case::KernelSpec| {
        let object = match &spec.object {
            ObjectSource::Bundled(kernel) => bundled_object(kernel.name(), bundled::kernel(*kernel)),
            ObjectSource::File(path) => read_object(path, KERNEL_ENTRY, "a kernel")?,
        };
        Ok(Kernel { func_id: spec.func_id, object, signature: spec.signature.clone() })
    };
    case.kernels.iter().map(read).collect()
}

fn argument(direction: Direction) -> ArgDirection {
    match direction {
        Direction::In => ArgDirection::In,
        Direction::Out => ArgDirection::Out,
        Direction::InOut => ArgDirection::InOut,
    }
}

fn callable_of(case: &CaseSpec, kernels: &[Kernel]) -> Result<Vec<u8>, PlanError> {
    let orchestration = match &case.orchestration.object {
        ObjectSource::Bundled(orchestration) => {
            bundled_object(orchestration.name(), bundled::orchestration(*orchestration))
        }
        ObjectSource::File(path) => read_object(path, &case.orchestration.entry, "the orchestration of this case")?,
    };
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

fn names_of(case: &CaseSpec, kernels: &[Kernel]) -> ProgramNames {
    let orchestrator = match &case.orchestration.object {
        ObjectSource::Bundled(orchestration) => orchestration.name().to_owned(),
        ObjectSource::File(path) => path.file_stem().unwrap_or_default().to_string_lossy().into_owned(),
    };
    let mut names: Vec<KernelName> = kernels
        .iter()
        .map(|kernel| KernelName {
            id: kernel.func_id as i32,
            content: ContentHash::of(&kernel.object.bytes),
            name: kernel.object.name.clone(),
        })
        .collect();
    names.sort_by_key(|kernel| kernel.id);
    ProgramNames { orchestrator: Some(orchestrator), kernels: names }
}

fn read_runtime(case: &CaseSpec) -> Result<RuntimeObjects, PlanError> {
    todo!("bundled runtimes")
}
