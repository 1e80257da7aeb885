//! A case: everything one run needs, from the objects that are loaded to the values its outputs are compared with.
//!
//! ```text
//!   JSON text ──▶ file (names and types) ──▶ check (what fits together, which files there are) ──▶ CaseSpec
//!   CaseSpec ── with_parameters ──▶ CaseSpec ── make_tensors ──▶ what the run reads and writes
//! ```
//!
//! A [`CaseSpec`] has been checked: its files exist, its arrays have the shapes it says, its generators fit their
//! types, its reference fits its arguments. Whatever is wrong is one [`CaseError`] that names file, field and, where
//! the parser met it, line. Paths in a case file are relative to the file.
//!
//! A dimension of a shape may be the name of a scalar instead of a number: `-p width=8` then changes both, and
//! orchestration and shape cannot disagree.

mod bundled;
mod check;
mod error;
mod file;

use std::fmt;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use serde_json::Value;
use sim_core::loader::cache::CachePolicy;
use sim_core::profile::{Arch, Override};
use sim_hbm::ObjectTransfer;

pub use bundled::{AicoreVariant, BundledCase, Kernel, Orchestration, Runtime, UnknownRuntime};
pub use error::{CaseError, CaseOrigin, FieldProblem, Position, Shape};

use crate::audit::allow::Allowance;
use crate::client::status::FailureClass;
use crate::device::programs::Mode;
use crate::golden::Reference;
use crate::tensor::{DType, Generator, HostTensor, npy, tensor_seed};
pub(crate) use error::nearest;

/// Callable ids are below this.
pub const CALLABLE_IDS: u32 = 64;
/// Function ids are below this.
pub const FUNCTION_IDS: u32 = 1024;
/// Rings of each kind.
pub const RINGS: usize = 4;
/// The entry of an orchestration that names no other.
pub const DEFAULT_ENTRY: &str = "aicpu_orchestration_entry";
/// The configuration function of an orchestration that names no other.
pub const DEFAULT_CONFIG: &str = "aicpu_orchestration_config";

/// A checked case.
#[derive(Clone, Debug)]
pub struct CaseSpec {
    /// Its name: that of the bundled case, or of the file without its extension.
    pub name: String,
    /// Where it comes from.
    pub origin: CaseOrigin,
    /// What it is, in a line.
    pub description: String,
    /// The device generation.
    pub arch: Arch,
    /// The runtime.
    pub runtime: Runtime,
    /// Whether kernels compute, unless a run asks for something else: some cases are too large for it.
    pub mode: Mode,
    /// Objects that replace those of the bundled runtime.
    pub objects: Objects,
    /// What is run.
    pub callable: CallableSpec,
    /// The tensor arguments.
    pub tensors: Vec<TensorSpec>,
    /// The scalar arguments, which follow the tensors.
    pub scalars: Vec<ScalarSpec>,
    /// What the outputs are compared with.
    pub golden: GoldenSpec,
    /// How it ends, if it is a case of something that goes wrong.
    pub expected_failure: Option<FailureClass>,
    /// How far outputs may be off.
    pub tolerances: Tolerances,
    /// The id under which the callable is registered.
    pub callable_id: u32,
    /// How often it is run; each run starts from the same tensors.
    pub runs: u32,
    /// Values that replace those of the profile.
    pub profile: Vec<Override>,
    /// Costs of kernels.
    pub kernel_costs: Option<KernelCosts>,
    /// Sizes of the runtime's rings.
    pub rings: Rings,
    /// How its orchestration is loaded.
    pub loading: Loading,
    /// What the audit may find.
    pub allow: Vec<Allowance>,
}

/// Objects that replace those of the bundled runtime.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Objects {
    /// The host runtime.
    pub host: Option<PathBuf>,
    /// The AICPU object.
    pub aicpu: Option<PathBuf>,
    /// The AICore object.
    pub aicore: Option<ObjectSource<AicoreVariant>>,
}

/// Where a shared object comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ObjectSource<B> {
    /// It is part of the program.
    Bundled(B),
    /// A file.
    File(PathBuf),
}

/// What is registered with the runtime and run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CallableSpec {
    /// Shared objects, from which a callable is made.
    Objects {
        /// What submits the tasks.
        orchestration: OrchestrationSpec,
        /// What the tasks call.
        kernels: Vec<KernelSpec>,
    },
    /// A file with the bytes of a callable.
    Serialized(PathBuf),
}

/// What submits the tasks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OrchestrationSpec {
    /// The shared object.
    pub object: ObjectSource<Orchestration>,
    /// Its entry.
    pub entry: String,
    /// Its configuration function.
    pub config: String,
}

/// A kernel that tasks can call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KernelSpec {
    /// The id by which the orchestration names it.
    pub func_id: u32,
    /// The shared object.
    pub object: ObjectSource<Kernel>,
    /// The cores it is for.
    pub core: CoreKind,
    /// What it does with its tensors.
    pub signature: Vec<Direction>,
}

/// The kind of core that a kernel is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum CoreKind {
    /// A cube core.
    Aic,
    /// A vector core.
    Aiv,
}

/// What code does with a tensor.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Direction {
    /// Reads it.
    In,
    /// Writes it.
    Out,
    /// Reads and writes it.
    InOut,
}

impl Direction {
    /// Whether it holds a result afterwards.
    pub fn is_written(self) -> bool {
        self != Direction::In
    }
}

/// A tensor argument.
#[derive(Clone, Debug, PartialEq)]
pub struct TensorSpec {
    /// Its name.
    pub name: String,
    /// Its shape as the case says it.
    dimensions: Vec<Dimension>,
    /// Its shape with the current scalars.
    pub shape: Vec<u32>,
    /// The type of its elements.
    pub dtype: DType,
    /// What the orchestration does with it.
    pub direction: Direction,
    /// What it holds before the run.
    pub content: TensorContent,
}

/// A dimension of a shape.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Dimension {
    /// Always the same.
    Fixed(u32),
    /// The value of this scalar.
    Scalar(String),
}

/// What a tensor holds before the run.
#[derive(Clone, Debug, PartialEq)]
pub enum TensorContent {
    /// Values made from a rule.
    Generated(Generator),
    /// The values of an array.
    Npy(PathBuf),
}

/// A scalar argument.
#[derive(Clone, Debug, PartialEq)]
pub struct ScalarSpec {
    /// Its name, which `-p name=value` uses too.
    pub name: String,
    /// Its value.
    pub value: ScalarValue,
}

/// The type of a scalar.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum ScalarType {
    /// Signed, 64 bits.
    I64,
    /// Unsigned, 64 bits.
    U64,
    /// Signed, 32 bits.
    I32,
    /// 32-bit float.
    F32,
}

impl ScalarType {
    /// Reads a value; `None` if the text is none of this type.
    pub fn parse(self, text: &str) -> Option<ScalarValue> {
        match self {
            ScalarType::I64 => text.parse().ok().map(ScalarValue::I64),
            ScalarType::U64 => text.parse().ok().map(ScalarValue::U64),
            ScalarType::I32 => text.parse().ok().map(ScalarValue::I32),
            ScalarType::F32 => text.parse().ok().filter(|value: &f32| value.is_finite()).map(ScalarValue::F32),
        }
    }
}

impl fmt::Display for ScalarType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            ScalarType::I64 => "i64",
            ScalarType::U64 => "u64",
            ScalarType::I32 => "i32",
            ScalarType::F32 => "f32",
        })
    }
}

/// The value of a scalar.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum ScalarValue {
    /// Signed, 64 bits.
    I64(i64),
    /// Unsigned, 64 bits.
    U64(u64),
    /// Signed, 32 bits.
    I32(i32),
    /// 32-bit float.
    F32(f32),
}

impl ScalarValue {
    /// The 64-bit word that crosses the runtime's interface: shorter values are its lower half.
    pub fn word(self) -> u64 {
        match self {
            ScalarValue::I64(value) => value as u64,
            ScalarValue::U64(value) => value,
            ScalarValue::I32(value) => u64::from(value as u32),
            ScalarValue::F32(value) => u64::from(value.to_bits()),
        }
    }

    /// The type.
    pub fn scalar_type(self) -> ScalarType {
        match self {
            ScalarValue::I64(_) => ScalarType::I64,
            ScalarValue::U64(_) => ScalarType::U64,
            ScalarValue::I32(_) => ScalarType::I32,
            ScalarValue::F32(_) => ScalarType::F32,
        }
    }

    /// The value, unless it is a float.
    pub fn as_integer(self) -> Option<i128> {
        match self {
            ScalarValue::I64(value) => Some(value.into()),
            ScalarValue::U64(value) => Some(value.into()),
            ScalarValue::I32(value) => Some(value.into()),
            ScalarValue::F32(_) => None,
        }
    }
}

/// What outputs are compared with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum GoldenSpec {
    /// Nothing: every result passes.
    Nothing,
    /// Values computed from the inputs.
    Reference(Reference),
    /// Arrays.
    Files(Vec<GoldenFile>),
}

/// The array that one output is compared with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GoldenFile {
    /// Position of the output among the tensors.
    pub tensor: usize,
    /// The array.
    pub path: PathBuf,
}

/// How far a result may be off: by `absolute + relative * |expected|`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Tolerances {
    /// The part that does not depend on the value.
    pub absolute: f64,
    /// The part in proportion to the expected value.
    pub relative: f64,
}

/// Costs of kernels, not looked into.
#[derive(Clone, Debug, PartialEq)]
pub struct KernelCosts {
    /// What errors about it should call it.
    pub origin: String,
    /// The table.
    pub table: Value,
}

/// How an orchestration is loaded.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Loading {
    /// When, and how long it stays.
    pub cache: CachePolicy,
    /// How it gets to the device.
    pub transfer: ObjectTransfer,
}

/// Sizes of the runtime's rings; 0 leaves one to the runtime.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Rings {
    /// Tasks in flight.
    pub task_window: [u64; RINGS],
    /// Bytes of the heap.
    pub heap: [u64; RINGS],
    /// Entries of the dependency pool.
    pub dep_pool: [u64; RINGS],
}

/// The bundled case whose name is most like this one.
pub fn nearest_case(name: &str) -> &'static str {
    nearest(name, BundledCase::ALL.iter().map(|case| case.name)).unwrap_or_default()
}

impl CaseSpec {
    /// The case that a command line names: a bundled one, or a file if there is a path separator or an extension.
    pub fn find(case: &str) -> Result<Self, CaseError> {
        if CaseSpec::is_file(case) { CaseSpec::load(Path::new(case)) } else { CaseSpec::bundled(case) }
    }

    /// Whether a command line names a file so, and no bundled case.
    pub fn is_file(case: &str) -> bool {
        case.contains(std::path::MAIN_SEPARATOR) || Path::new(case).extension().is_some()
    }

    /// The bundled case of that name.
    pub fn bundled(name: &str) -> Result<Self, CaseError> {
        let Some(case) = BundledCase::ALL.iter().find(|case| case.name == name) else {
            return Err(CaseError::UnknownCase { name: name.to_owned(), nearest: nearest_case(name).to_owned() });
        };
        check::spec(case.name.to_owned(), CaseOrigin::Bundled(case.name), case.text.as_bytes())
    }

    /// The case in a file.
    pub fn load(path: &Path) -> Result<Self, CaseError> {
        let text = std::fs::read(path).map_err(|source| CaseError::Read { path: path.to_owned(), source })?;
        let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        check::spec(name, CaseOrigin::File(path.to_owned()), &text)
    }

    /// This case on another runtime, if one is given.
    pub fn on_runtime(self, runtime: Option<Runtime>) -> Self {
        CaseSpec { runtime: runtime.unwrap_or(self.runtime), ..self }
    }

    /// This case with other values for some of its scalars; of two for the same one, the later counts.
    pub fn with_parameters<N: AsRef<str>, V: AsRef<str>>(mut self, parameters: &[(N, V)]) -> Result<Self, CaseError> {
        for (name, text) in parameters {
            let (name, text) = (name.as_ref(), text.as_ref());
            let Some(scalar) = self.scalars.iter_mut().find(|scalar| scalar.name == name) else {
                let nearest = nearest(name, self.scalars.iter().map(|scalar| scalar.name.as_str()));
                let (name, nearest) = (name.to_owned(), nearest.map(str::to_owned));
                return Err(CaseError::UnknownParameter { origin: self.origin, name, nearest });
            };
            let scalar_type = scalar.value.scalar_type();
            let Some(value) = scalar_type.parse(text) else {
                let (name, text) = (name.to_owned(), text.to_owned());
                return Err(CaseError::ParameterValue { origin: self.origin, name, text, scalar_type });
            };
            scalar.value = value;
        }
        check::arguments(&mut self)?;
        Ok(self)
    }

    /// The tensors as they are before a run, in the order of the arguments. `seed` serves random tensors that have no
    /// seed of their own.
    pub fn make_tensors(&self, seed: u64) -> Result<Vec<HostTensor>, CaseError> {
        let make = |(index, tensor): (usize, &TensorSpec)| {
            let made = match &tensor.content {
                TensorContent::Generated(generator) => generator
                    .generate(tensor.dtype, &tensor.shape, tensor_seed(seed, index))
                    .map_err(FieldProblem::from),
                TensorContent::Npy(path) => npy::read(path).map_err(FieldProblem::from).and_then(|array| {
                    // The file may have changed since the case was checked.
                    check::array(path, array.dtype(), array.shape(), tensor)?;
                    Ok(array)
                }),
            };
            made.map_err(|problem| check::field_error(&self.origin, format!("tensors[{index}]"), problem))
        };
        self.tensors.iter().enumerate().map(make).collect()
    }

    /// The same where nothing is computed: values do not matter then, only what leads to others. Tensors of floats and of
    /// single bytes are zero, those of wider integers may be tables.
    pub fn make_structure(&self, seed: u64) -> Result<Vec<HostTensor>, CaseError> {
        let structure = |tensor: &TensorSpec| match tensor.content {
            TensorContent::Generated(_) if tensor.dtype.integer_range().is_none() || tensor.dtype.size() == 1 => {
                TensorSpec { content: TensorContent::Generated(Generator::Zeros), ..tensor.clone() }
            }
            _ => tensor.clone(),
        };
        let tensors = self.tensors.iter().map(structure).collect();
        CaseSpec { tensors, ..self.clone() }.make_tensors(seed)
    }

    /// The 64-bit words of the scalars, in the order of the arguments.
    pub fn scalar_words(&self) -> Vec<u64> {
        self.scalars.iter().map(|scalar| scalar.value.word()).collect()
    }
}

#[cfg(test)]
mod tests;
