//! What a host process hands over to a host runtime, whichever device that drives.

use std::borrow::Cow;
use std::path::Path;

use sim_aicore::registry::{Access, Description};
use sim_core::loader::image::CodeImage;
use sim_core::profile::{Arch, ProfileName};
use sim_core::trace::ContentHash;

use super::objects::{Bundle, CodeObject, KERNEL_ENTRY};
use super::plan::PlanError;
use super::settings::RunSettings;
use crate::bundled::ObjectKind;
use crate::case::{CallableSpec, CaseSpec, Direction, KernelSpec, ObjectSource, OrchestrationSpec};
use crate::client::abi::{ArgDirection, CallConfig, RuntimeEnv};
use crate::client::callable::{self, CallableParts, KernelPart};
use crate::client::{args, callable_file};
use crate::device::programs::Mode;
use crate::report::names::{KernelName, ProgramNames};
use crate::tensor::HostTensor;

/// The case with everything that crosses the host interface, read and checked.
#[derive(Clone, Debug)]
pub struct RunInput {
    /// The case, with the parameters of this run.
    pub case: CaseSpec,
    /// The generation.
    pub arch: Arch,
    /// Orchestration and kernels, as they cross the host interface.
    pub callable: Vec<u8>,
    /// The number of bytes of the orchestration.
    pub orchestration_size: u64,
    /// How each run is carried out.
    pub call_config: CallConfig,
    /// The tensors as they are before each run.
    pub tensors: Vec<HostTensor>,
    /// What orchestration and kernels are called.
    pub names: ProgramNames,
    /// What is known of each kernel.
    pub kernels: Vec<(ContentHash, Description)>,
    /// Whether kernels compute.
    pub mode: Mode,
}

impl RunInput {
    /// Reads whatever `case` names.
    pub(super) fn new(case: CaseSpec, settings: &RunSettings) -> Result<RunInput, PlanError> {
        let case = case.with_parameters(&settings.parameters)?;
        let arch = settings.arch.or(settings.profile.map(ProfileName::arch)).unwrap_or(case.arch);
        let mode = settings.mode.unwrap_or(case.mode);
        let bundle = Bundle { origin: &case.origin, arch };
        let program = match &case.callable {
            CallableSpec::Objects { orchestration, kernels } => {
                Program::assemble(&case, bundle, orchestration, kernels)?
            }
            CallableSpec::Serialized(path) => Program::read(path)?,
        };
        Ok(RunInput {
            arch,
            call_config: args::call_config(RuntimeEnv {
                task_window: case.rings.task_window,
                heap: case.rings.heap,
                dep_pool: case.rings.dep_pool,
            }),
            tensors: match mode {
                Mode::Functional => case.make_tensors(settings.seed)?,
                Mode::Timing => case.make_structure(settings.seed)?,
            },
            names: names_of(program.orchestration, &program.kernels),
            kernels: program.kernels.iter().map(Kernel::described).collect(),
            orchestration_size: program.orchestration_size,
            callable: program.callable,
            mode,
            case,
        })
    }
}

/// A callable and what is in it.
struct Program {
    callable: Vec<u8>,
    /// The name of the orchestration.
    orchestration: String,
    orchestration_size: u64,
    kernels: Vec<Kernel>,
}

/// A kernel of the case, with its code.
struct Kernel {
    func_id: u32,
    object: CodeObject,
    signature: Vec<ArgDirection>,
}

impl Program {
    /// Makes a callable from the case's objects.
    fn assemble(
        case: &CaseSpec,
        bundle: Bundle<'_>,
        orchestration: &OrchestrationSpec,
        kernels: &[KernelSpec],
    ) -> Result<Self, PlanError> {
        let object = match &orchestration.object {
            ObjectSource::Bundled(known) => bundle.object(ObjectKind::Orchestration, "orchestration", known.name())?,
            ObjectSource::File(path) => CodeObject::read(path, &orchestration.entry, "the orchestration of this case")?,
        };
        let kernels: Vec<Kernel> =
            kernels.iter().map(|kernel| Kernel::find(kernel, bundle)).collect::<Result<_, _>>()?;
        let tensors = case.tensors.iter().map(|tensor| argument(tensor.direction));
        let signature: Vec<ArgDirection> = tensors.chain(case.scalars.iter().map(|_| ArgDirection::Scalar)).collect();
        let parts: Vec<KernelPart<'_>> = kernels.iter().map(Kernel::part).collect();
        let callable = callable::chip_callable(&CallableParts {
            orchestration: &object.bytes,
            entry: &orchestration.entry,
            config: &orchestration.config,
            signature: &signature,
            kernels: &parts,
        });
        let callable = callable.map_err(|error| PlanError::Callable { origin: case.origin.clone(), error })?;
        let orchestration_size = object.bytes.len() as u64;
        Ok(Program { callable, orchestration: object.name, orchestration_size, kernels })
    }

    /// Takes a callable from a file. Its kernels have no names of their own: they are called by the file's and their id.
    fn read(path: &Path) -> Result<Self, PlanError> {
        let bytes = std::fs::read(path).map_err(|error| PlanError::Read { path: path.to_owned(), error })?;
        let content =
            callable_file::read(&bytes).map_err(|error| PlanError::CallableFile { path: path.to_owned(), error })?;
        let stem = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        let part = |name: &str, object: &[u8], symbol: &str, kind: &'static str| {
            let image = CodeImage::parse(&format!("{}, {name}", path.display()), object)?;
            match image.export(symbol) {
                Some(_) => Ok(()),
                None => Err(PlanError::MissingSymbol { path: path.to_owned(), symbol: symbol.to_owned(), kind }),
            }
        };
        part("the orchestration", content.orchestration, &content.entry, "a callable with its orchestration")?;
        let kernel = |kernel: callable_file::KernelContent<'_>| {
            part(&format!("kernel {}", kernel.func_id), kernel.object, KERNEL_ENTRY, "a callable with its kernels")?;
            let name = format!("{stem}_{}", kernel.func_id);
            let object = CodeObject { name, bytes: Cow::Owned(kernel.object.to_vec()) };
            Ok(Kernel { func_id: kernel.func_id, object, signature: kernel.signature })
        };
        let orchestration_size = content.orchestration.len() as u64;
        let kernels = content.kernels.into_iter().map(kernel).collect::<Result<_, PlanError>>()?;
        Ok(Program { callable: bytes, orchestration: stem, orchestration_size, kernels })
    }
}

impl Kernel {
    fn find(spec: &KernelSpec, bundle: Bundle<'_>) -> Result<Self, PlanError> {
        let object = match &spec.object {
            ObjectSource::Bundled(known) => bundle.object(ObjectKind::Kernel, "kernel", known.name())?,
            ObjectSource::File(path) => CodeObject::read(path, KERNEL_ENTRY, "a kernel")?,
        };
        let signature = spec.signature.iter().copied().map(argument).collect();
        Ok(Kernel { func_id: spec.func_id, object, signature })
    }

    fn part(&self) -> KernelPart<'_> {
        KernelPart { func_id: self.func_id as i32, signature: &self.signature, object: &self.object.bytes }
    }

    /// What the device is told of it.
    fn described(&self) -> (ContentHash, Description) {
        let access = |direction: &ArgDirection| match direction {
            ArgDirection::Scalar => None,
            ArgDirection::In => Some(Access::Read),
            ArgDirection::Out => Some(Access::Write),
            ArgDirection::InOut => Some(Access::ReadWrite),
        };
        let tensors = self.signature.iter().filter_map(access).collect();
        (ContentHash::of(&self.object.bytes), Description { name: self.object.name.clone(), tensors })
    }
}

fn argument(direction: Direction) -> ArgDirection {
    match direction {
        Direction::In => ArgDirection::In,
        Direction::Out => ArgDirection::Out,
        Direction::InOut => ArgDirection::InOut,
    }
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
    use crate::bundled;

    /// A directory with a case that takes its callable from `all.bin`.
    fn with_callable(callable: &[u8]) -> TempDir {
        let directory = tempfile::tempdir().unwrap();
        std::fs::write(directory.path().join("all.bin"), callable).unwrap();
        let text = r#"{"arch": "a2a3", "runtime": "tensormap_and_ringbuffer", "callable": "all.bin",
            "tensors": [{"name": "x", "shape": [4], "dtype": "f32", "direction": "inout",
                         "generator": {"kind": "zeros"}}],
            "scalars": [{"name": "length", "type": "u64", "value": 3}]}"#;
        std::fs::write(directory.path().join("case.json"), text).unwrap();
        directory
    }

    fn input(directory: &TempDir) -> Result<RunInput, PlanError> {
        let case = CaseSpec::load(&directory.path().join("case.json")).unwrap();
        RunInput::new(case, &RunSettings::default())
    }

    #[test]
    fn is_a_serialised_callable_handed_over_as_it_is() {
        let whole = RunInput::new(CaseSpec::bundled("chain").unwrap(), &RunSettings::default()).unwrap();
        let input = input(&with_callable(&whole.callable)).unwrap();
        assert_eq!(input.callable, whole.callable);
        assert_eq!(input.names.orchestrator.as_deref(), Some("all"));
        let (content, description) = &input.kernels[0];
        assert_eq!((*content, description.name.as_str()), (whole.kernels[0].0, "all_0"));
        assert_eq!(description.tensors, whole.kernels[0].1.tensors);
    }

    #[test]
    fn does_a_file_that_is_no_callable_say_so() {
        let directory = with_callable(b"{}");
        let path = directory.path().join("all.bin");
        let expected = format!("{path:?} is no callable: the header takes bytes 0x0..0x24a0 and the file ends at 0x2");
        assert_eq!(input(&directory).unwrap_err().to_string(), expected);
    }

    #[test]
    fn does_an_object_in_a_callable_that_is_no_kernel_say_so() {
        let kernels = [KernelPart { func_id: 0, signature: &[], object: bundled::SHIM }];
        let orchestration = bundled::object(ObjectKind::Orchestration, "chain").unwrap().bytes;
        let (entry, config) = (crate::case::DEFAULT_ENTRY, crate::case::DEFAULT_CONFIG);
        let parts = CallableParts { orchestration, entry, config, signature: &[], kernels: &kernels };
        let directory = with_callable(&callable::chip_callable(&parts).unwrap());
        let path = directory.path().join("all.bin");
        assert_eq!(
            input(&directory).unwrap_err().to_string(),
            format!("{path:?} does not export kernel_entry; check that it is a callable with its kernels")
        );
    }
}
