//! From the file as written to a case that can be run: what fits together, and which files there are.

use std::path::{Path, PathBuf};

use serde_json::Value;
use sim_core::loader::cache::UnknownCachePolicy;
use sim_core::profile::{Arch, Override};
use sim_hbm::UnknownTransfer;

use super::error::{CaseError, CaseOrigin, FieldProblem, Shape, nearest};
use super::file::{
    self, ArchName, CaseFile, GeneratorFile, GeneratorKind, GoldenFile as GoldenEntry, KernelCostsFile, KernelFile,
    LoadingFile, ObjectsFile, OrchestrationFile, RingsFile, ScalarFile, TensorFile,
};
use super::{
    CALLABLE_IDS, CallableSpec, CaseSpec, DEFAULT_CONFIG, DEFAULT_ENTRY, Dimension, FUNCTION_IDS, GoldenFile,
    GoldenSpec, KernelCosts, KernelSpec, Loading, ObjectSource, Objects, OrchestrationSpec, RINGS, Rings, ScalarSpec,
    TensorContent, TensorSpec, Tolerances,
};
use crate::audit::allow::{Allowance, AllowanceError};
use crate::golden::Plan;
use crate::tensor::{DType, Generator, MAX_DIMS, npy};

/// More than any device has.
const MAX_TENSOR_BYTES: u64 = 1 << 37;

/// The case of that text.
pub(super) fn spec(name: String, origin: CaseOrigin, text: &[u8]) -> Result<CaseSpec, CaseError> {
    let file: CaseFile = file::parse(&origin, text)?;
    let checker = Checker { origin: &origin };
    let scalars = checker.scalars(&file.scalars)?;
    let tensors = checker.tensors(file.tensors)?;
    let golden = checker.golden(file.golden, &tensors)?;
    let mut spec = CaseSpec {
        name,
        description: file.description,
        arch: match file.arch {
            ArchName::A2a3 => Arch::A2a3,
            ArchName::A5 => Arch::A5,
        },
        runtime: file.runtime,
        mode: file.mode,
        objects: checker.objects(file.objects)?,
        callable: checker.callable(file.orchestration, file.kernels, file.callable.as_deref())?,
        tensors,
        scalars,
        golden,
        expected_failure: file.expected_failure,
        tolerances: checker.tolerances(file.tolerances)?,
        callable_id: checker.callable_id(file.callable_id)?,
        runs: checker.runs(file.runs)?,
        profile: checker.profile(&file.profile)?,
        kernel_costs: file.kernel_costs.map(|costs| checker.kernel_costs(costs)).transpose()?,
        rings: checker.rings(&file.rings)?,
        loading: checker.loading(&file.loading)?,
        allow: checker.allow(&file.allow)?,
        origin: origin.clone(),
    };
    arguments(&mut spec)?;
    Ok(spec)
}

/// Settles what depends on the values of scalars: shapes, then what has to fit them.
pub(super) fn arguments(spec: &mut CaseSpec) -> Result<(), CaseError> {
    for index in 0..spec.tensors.len() {
        let at = |key: &str| format!("tensors[{index}].{key}");
        let tensor = &spec.tensors[index];
        let shape = shape(&tensor.dimensions, tensor.dtype, &spec.scalars)
            .map_err(|problem| field_error(&spec.origin, at("shape"), problem))?;
        let tensor = &mut spec.tensors[index];
        tensor.shape = shape;
        let (key, checked) = match &tensor.content {
            TensorContent::Generated(generator) => {
                let count = crate::tensor::element_count(&tensor.shape);
                ("generator", generator.check(tensor.dtype, count).map_err(FieldProblem::from))
            }
            TensorContent::Npy(path) => ("npy", array_file(path, tensor)),
        };
        checked.map_err(|problem| field_error(&spec.origin, at(key), problem))?;
    }
    match &spec.golden {
        GoldenSpec::Nothing => Ok(()),
        GoldenSpec::Reference(reference) => Plan::new(*reference, spec)
            .map(drop)
            .map_err(|error| field_error(&spec.origin, "golden.reference".to_owned(), error.into())),
        GoldenSpec::Files(files) => files.iter().try_for_each(|file| {
            let tensor = &spec.tensors[file.tensor];
            array_file(&file.path, tensor)
                .map_err(|problem| field_error(&spec.origin, format!("golden.npy.{}", tensor.name), problem))
        }),
    }
}

/// Whether a file holds an array as the tensor needs it.
fn array_file(path: &Path, tensor: &TensorSpec) -> Result<(), FieldProblem> {
    let header = npy::read_header(path)?;
    array(path, header.dtype, &header.shape, tensor)
}

/// Whether an array is as the tensor needs it.
pub(super) fn array(path: &Path, dtype: DType, shape: &[u32], tensor: &TensorSpec) -> Result<(), FieldProblem> {
    let path = path.to_owned();
    if shape != tensor.shape {
        let (found, declared) = (Shape(shape.to_vec()), Shape(tensor.shape.clone()));
        return Err(FieldProblem::ShapeMismatch { path, found, declared });
    }
    if dtype != tensor.dtype {
        return Err(FieldProblem::TypeMismatch { path, found: dtype, declared: tensor.dtype });
    }
    Ok(())
}

/// A problem at a field, as an error.
pub(super) fn field_error(origin: &CaseOrigin, field: String, problem: FieldProblem) -> CaseError {
    CaseError::Field { origin: origin.clone(), position: None, field, problem: Box::new(problem) }
}

/// A shape with the values of scalars in place.
fn shape(dimensions: &[Dimension], dtype: DType, scalars: &[ScalarSpec]) -> Result<Vec<u32>, FieldProblem> {
    if !(1..=MAX_DIMS).contains(&dimensions.len()) {
        return Err(FieldProblem::DimensionCount { count: dimensions.len() });
    }
    let length = |(index, dimension): (usize, &Dimension)| {
        let value = match dimension {
            Dimension::Fixed(length) => i128::from(*length),
            Dimension::Scalar(name) => scalars
                .iter()
                .find(|scalar| scalar.name == *name)
                .and_then(|scalar| scalar.value.as_integer())
                .ok_or_else(|| FieldProblem::DimensionName { index, name: name.clone() })?,
        };
        let length = u32::try_from(value).ok().filter(|&length| length > 0);
        length.ok_or(FieldProblem::Dimension { index, value })
    };
    let shape: Vec<u32> = dimensions.iter().enumerate().map(length).collect::<Result<_, _>>()?;
    let bytes = shape.iter().try_fold(dtype.size() as u64, |bytes, &length| bytes.checked_mul(length.into()));
    match bytes {
        Some(bytes) if bytes <= MAX_TENSOR_BYTES => Ok(shape),
        _ => Err(FieldProblem::TooLarge(Shape(shape))),
    }
}

/// Checks the sections of one file.
struct Checker<'a> {
    origin: &'a CaseOrigin,
}

impl Checker<'_> {
    fn error(&self, field: impl Into<String>, problem: FieldProblem) -> CaseError {
        field_error(self.origin, field.into(), problem)
    }

    /// A path in the case, as seen from here.
    fn resolve(&self, path: &Path) -> PathBuf {
        match self.origin {
            CaseOrigin::Bundled(_) => path.to_owned(),
            CaseOrigin::File(file) => file.parent().unwrap_or(Path::new("")).join(path),
        }
    }

    /// The path of a file that has to be there.
    fn existing(&self, field: &str, path: &Path) -> Result<PathBuf, CaseError> {
        let path = self.resolve(path);
        match std::fs::File::open(&path) {
            Ok(_) => Ok(path),
            Err(source) => Err(self.error(field, FieldProblem::File { path, source })),
        }
    }

    fn source<B>(&self, field: &str, bundled: Option<B>, path: Option<&Path>) -> Result<ObjectSource<B>, CaseError> {
        match (bundled, path) {
            (Some(bundled), None) => Ok(ObjectSource::Bundled(bundled)),
            (None, Some(path)) => Ok(ObjectSource::File(self.existing(&format!("{field}.path"), path)?)),
            _ => Err(self.error(field, FieldProblem::NotExactlyOne { first: "bundled", second: "path" })),
        }
    }

    fn objects(&self, file: ObjectsFile) -> Result<Objects, CaseError> {
        let object = |field: &str, path: Option<PathBuf>| path.map(|path| self.existing(field, &path)).transpose();
        Ok(Objects {
            host: object("objects.host", file.host)?,
            aicpu: object("objects.aicpu", file.aicpu)?,
            aicore: file
                .aicore
                .map(|aicore| self.source("objects.aicore", aicore.bundled, aicore.path.as_deref()))
                .transpose()?,
        })
    }

    fn callable(
        &self,
        orchestration: Option<OrchestrationFile>,
        kernels: Vec<KernelFile>,
        serialized: Option<&Path>,
    ) -> Result<CallableSpec, CaseError> {
        match (orchestration, serialized) {
            (Some(orchestration), None) => Ok(CallableSpec::Objects {
                orchestration: self.orchestration(orchestration)?,
                kernels: self.kernels(kernels)?,
            }),
            (None, Some(_)) if !kernels.is_empty() => Err(self.error("kernels", FieldProblem::KernelsOfCallable)),
            (None, Some(path)) => Ok(CallableSpec::Serialized(self.existing("callable", path)?)),
            _ => Err(self.error(".", FieldProblem::NotExactlyOne { first: "orchestration", second: "callable" })),
        }
    }

    fn orchestration(&self, file: OrchestrationFile) -> Result<OrchestrationSpec, CaseError> {
        Ok(OrchestrationSpec {
            object: self.source("orchestration", file.bundled, file.path.as_deref())?,
            entry: file.entry.unwrap_or_else(|| DEFAULT_ENTRY.to_owned()),
            config: file.config.unwrap_or_else(|| DEFAULT_CONFIG.to_owned()),
        })
    }

    fn kernels(&self, files: Vec<KernelFile>) -> Result<Vec<KernelSpec>, CaseError> {
        let mut kernels: Vec<KernelSpec> = Vec::with_capacity(files.len());
        for (index, file) in files.into_iter().enumerate() {
            let field = format!("kernels[{index}]");
            let id = file.func_id;
            let func_id = u32::try_from(id).ok().filter(|&id| id < FUNCTION_IDS);
            let Some(func_id) = func_id else {
                return Err(self.error(format!("{field}.func_id"), FieldProblem::function_id(id)));
            };
            if let Some(first) = kernels.iter().position(|kernel| kernel.func_id == func_id) {
                return Err(self.error(format!("{field}.func_id"), FieldProblem::DuplicateFunctionId { id, first }));
            }
            kernels.push(KernelSpec {
                func_id,
                object: self.source(&field, file.bundled, file.path.as_deref())?,
                core: file.core,
                signature: file.signature,
            });
        }
        Ok(kernels)
    }

    fn tensors(&self, files: Vec<TensorFile>) -> Result<Vec<TensorSpec>, CaseError> {
        let names: Vec<_> = files.iter().map(|file| file.name.clone()).collect();
        self.distinct("tensors", &names)?;
        let tensor = |(index, file): (usize, TensorFile)| {
            let field = format!("tensors[{index}]");
            let content = match (file.generator, file.npy) {
                (None, None) if file.direction == super::Direction::Out => TensorContent::Generated(Generator::Zeros),
                (Some(rule), None) => TensorContent::Generated(
                    generator(&rule).map_err(|problem| self.error(format!("{field}.generator"), problem))?,
                ),
                (None, Some(path)) => TensorContent::Npy(self.resolve(&path)),
                _ => {
                    return Err(self.error(field, FieldProblem::NotExactlyOne { first: "generator", second: "npy" }));
                }
            };
            let TensorFile { name, shape: dimensions, dtype, direction, .. } = file;
            Ok(TensorSpec { name, dimensions, shape: Vec::new(), dtype, direction, content })
        };
        files.into_iter().enumerate().map(tensor).collect()
    }

    fn scalars(&self, files: &[ScalarFile]) -> Result<Vec<ScalarSpec>, CaseError> {
        let names: Vec<_> = files.iter().map(|file| file.name.clone()).collect();
        self.distinct("scalars", &names)?;
        let scalar = |(index, file): (usize, &ScalarFile)| {
            let (text, scalar_type) = (file.value.to_string(), file.scalar_type);
            match scalar_type.parse(&text) {
                Some(value) => Ok(ScalarSpec { name: file.name.clone(), value }),
                None => {
                    Err(self.error(format!("scalars[{index}].value"), FieldProblem::ScalarValue { text, scalar_type }))
                }
            }
        };
        files.iter().enumerate().map(scalar).collect()
    }

    /// Whether no name occurs twice.
    fn distinct(&self, section: &str, names: &[String]) -> Result<(), CaseError> {
        for (index, name) in names.iter().enumerate() {
            if let Some(first) = names[..index].iter().position(|other| other == name) {
                let first = format!("{section}[{first}]");
                let problem = FieldProblem::DuplicateName { name: name.clone(), first };
                return Err(self.error(format!("{section}[{index}].name"), problem));
            }
        }
        Ok(())
    }

    fn golden(&self, file: GoldenEntry, tensors: &[TensorSpec]) -> Result<GoldenSpec, CaseError> {
        let files = match (file.reference, file.npy) {
            (None, None) => return Ok(GoldenSpec::Nothing),
            (Some(reference), None) => return Ok(GoldenSpec::Reference(reference)),
            (None, Some(files)) => files,
            (Some(_), Some(_)) => {
                return Err(self.error("golden", FieldProblem::NotExactlyOne { first: "reference", second: "npy" }));
            }
        };
        let golden = |(name, path): (String, PathBuf)| {
            let field = format!("golden.npy.{name}");
            let Some(tensor) = tensors.iter().position(|tensor| tensor.name == name) else {
                let outputs = tensors.iter().filter(|tensor| tensor.direction.is_written());
                let nearest = nearest(&name, outputs.map(|tensor| tensor.name.as_str())).unwrap_or("").to_owned();
                return Err(self.error("golden.npy", FieldProblem::UnknownKey { key: name, nearest }));
            };
            if !tensors[tensor].direction.is_written() {
                return Err(self.error(field, FieldProblem::GoldenOfInput { name }));
            }
            Ok(GoldenFile { tensor, path: self.resolve(&path) })
        };
        files.into_iter().map(golden).collect::<Result<_, _>>().map(GoldenSpec::Files)
    }

    fn tolerances(&self, tolerances: Tolerances) -> Result<Tolerances, CaseError> {
        for (key, value) in [("absolute", tolerances.absolute), ("relative", tolerances.relative)] {
            if value < 0.0 {
                return Err(self.error(format!("tolerances.{key}"), FieldProblem::Tolerance { value }));
            }
        }
        Ok(tolerances)
    }

    fn callable_id(&self, id: i64) -> Result<u32, CaseError> {
        let known = u32::try_from(id).ok().filter(|&id| id < CALLABLE_IDS);
        known.ok_or_else(|| self.error("callable_id", FieldProblem::callable_id(id)))
    }

    fn runs(&self, runs: u32) -> Result<u32, CaseError> {
        match runs {
            0 => Err(self.error("runs", FieldProblem::OutOfRange { value: 0, low: 1, high: u32::MAX.into() })),
            runs => Ok(runs),
        }
    }

    fn profile<'p>(
        &self,
        overrides: impl IntoIterator<Item = (&'p String, &'p String)>,
    ) -> Result<Vec<Override>, CaseError> {
        let parse = |(key, value): (&String, &String)| {
            format!("{key}={value}")
                .parse::<Override>()
                .map(|change| change.asked_by(format!("{}: `profile`", self.origin)))
                .map_err(|error| self.error(format!("profile.{key}"), FieldProblem::Profile(error)))
        };
        overrides.into_iter().map(parse).collect()
    }

    fn kernel_costs(&self, file: KernelCostsFile) -> Result<KernelCosts, CaseError> {
        match (file.table, file.path) {
            (Some(table), None) => Ok(KernelCosts { origin: format!("{}: `kernel_costs.table`", self.origin), table }),
            (None, Some(path)) => {
                let path = self.resolve(&path);
                let table = json_file(&path).map_err(|problem| self.error("kernel_costs.path", problem))?;
                Ok(KernelCosts { origin: path.display().to_string(), table })
            }
            _ => Err(self.error("kernel_costs", FieldProblem::NotExactlyOne { first: "table", second: "path" })),
        }
    }

    fn loading(&self, file: &LoadingFile) -> Result<Loading, CaseError> {
        let read = |key: &str, problem| self.error(format!("loading.{key}"), problem);
        let cache = file.cache.as_deref().map(str::parse).transpose();
        let transfer = file.transfer.as_deref().map(str::parse).transpose();
        Ok(Loading {
            cache: cache.map_err(|error: UnknownCachePolicy| read("cache", error.into()))?.unwrap_or_default(),
            transfer: transfer.map_err(|error: UnknownTransfer| read("transfer", error.into()))?.unwrap_or_default(),
        })
    }

    fn allow(&self, keys: &[String]) -> Result<Vec<Allowance>, CaseError> {
        let allowance = |(index, key): (usize, &String)| {
            key.parse().map_err(|error: AllowanceError| self.error(format!("allow[{index}]"), error.into()))
        };
        keys.iter().enumerate().map(allowance).collect()
    }

    fn rings(&self, file: &RingsFile) -> Result<Rings, CaseError> {
        let check = |key: &str, sizes: [u64; RINGS], fits: fn(u64) -> bool, allowed: &'static str| match sizes
            .iter()
            .position(|&size| size != 0 && !fits(size))
        {
            None => Ok(sizes),
            Some(ring) => {
                let problem = FieldProblem::Ring { ring, value: sizes[ring], allowed };
                Err(self.error(format!("rings.{key}"), problem))
            }
        };
        Ok(Rings {
            task_window: check(
                "task_window",
                file.task_window.0,
                |tasks| tasks >= 4 && tasks.is_power_of_two(),
                "possible are powers of two from 4",
            )?,
            heap: check("heap", file.heap.0, |bytes| bytes >= 1024, "possible are sizes from 1024")?,
            dep_pool: check("dep_pool", file.dep_pool.0, |entries| entries >= 4, "possible are sizes from 4")?,
        })
    }
}

/// The JSON in a file.
fn json_file(path: &Path) -> Result<Value, FieldProblem> {
    let text = std::fs::read(path).map_err(|source| FieldProblem::File { path: path.to_owned(), source })?;
    serde_json::from_slice(&text)
        .map_err(|error| FieldProblem::FileSyntax { path: path.to_owned(), reason: error.to_string() })
}

/// The rule that a generator's keys state.
fn generator(file: &GeneratorFile) -> Result<Generator, FieldProblem> {
    let given = [
        ("value", file.value.is_some()),
        ("start", file.start.is_some()),
        ("step", file.step.is_some()),
        ("low", file.low.is_some()),
        ("high", file.high.is_some()),
        ("seed", file.seed.is_some()),
    ];
    let (kind, own): (_, &[&str]) = match file.kind {
        GeneratorKind::Zeros => ("zeros", &[]),
        GeneratorKind::Constant => ("constant", &["value"]),
        GeneratorKind::Ramp => ("ramp", &["start", "step"]),
        GeneratorKind::Random => ("random", &["low", "high", "seed"]),
    };
    if let Some((parameter, _)) = given.into_iter().find(|(key, is_given)| *is_given && !own.contains(key)) {
        return Err(FieldProblem::GeneratorForeign { kind, parameter });
    }
    let needed = |parameter, value: Option<f64>| value.ok_or(FieldProblem::GeneratorLacks { kind, parameter });
    Ok(match file.kind {
        GeneratorKind::Zeros => Generator::Zeros,
        GeneratorKind::Constant => Generator::Constant(needed("value", file.value)?),
        GeneratorKind::Ramp => {
            Generator::Ramp { start: needed("start", file.start)?, step: needed("step", file.step)? }
        }
        GeneratorKind::Random => {
            Generator::Random { low: needed("low", file.low)?, high: needed("high", file.high)?, seed: file.seed }
        }
    })
}
