//! The case file as it is written: names, types and which keys there are, nothing about what fits together.
//!
//! Every structure refuses unknown keys. Alternatives are keys of one object, of which exactly one is to be given,
//! rather than values of different types: so an error can name its line, and the key that is meant.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;

use serde::Deserialize;
use serde::de::{self, DeserializeOwned, Deserializer, SeqAccess, Visitor};
use serde_json::{Number, Value};

use super::bundled::{AicoreVariant, Kernel, Orchestration, Runtime};
use super::error::{CaseError, CaseOrigin, FieldProblem, Position, nearest};
use super::{CoreKind, Dimension, Direction, ScalarType, Tolerances};
use crate::client::status::FailureClass;
use crate::device::programs::Mode;
use crate::golden::Reference;
use crate::tensor::DType;

/// A whole case file.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct CaseFile {
    #[serde(default)]
    pub(super) description: String,
    pub(super) arch: ArchName,
    #[serde(default)]
    pub(super) runtime: Runtime,
    #[serde(default)]
    pub(super) mode: Mode,
    #[serde(default)]
    pub(super) objects: ObjectsFile,
    pub(super) orchestration: Option<OrchestrationFile>,
    #[serde(default)]
    pub(super) kernels: Vec<KernelFile>,
    pub(super) callable: Option<PathBuf>,
    #[serde(default)]
    pub(super) tensors: Vec<TensorFile>,
    #[serde(default)]
    pub(super) scalars: Vec<ScalarFile>,
    #[serde(default)]
    pub(super) golden: GoldenFile,
    #[serde(default)]
    pub(super) tolerances: Tolerances,
    pub(super) expected_failure: Option<FailureClass>,
    #[serde(default)]
    pub(super) callable_id: i64,
    #[serde(default = "one_run")]
    pub(super) runs: u32,
    #[serde(default)]
    pub(super) profile: BTreeMap<String, String>,
    pub(super) kernel_costs: Option<KernelCostsFile>,
    #[serde(default)]
    pub(super) rings: RingsFile,
    #[serde(default)]
    pub(super) loading: LoadingFile,
    #[serde(default)]
    pub(super) allow: Vec<String>,
}

const fn one_run() -> u32 {
    1
}

/// A device generation by name.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum ArchName {
    A2a3,
    A5,
}

/// Objects that replace those of the bundled runtime.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ObjectsFile {
    pub(super) host: Option<PathBuf>,
    pub(super) aicpu: Option<PathBuf>,
    pub(super) aicore: Option<AicoreFile>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct AicoreFile {
    pub(super) bundled: Option<AicoreVariant>,
    pub(super) path: Option<PathBuf>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct OrchestrationFile {
    pub(super) bundled: Option<Orchestration>,
    pub(super) path: Option<PathBuf>,
    pub(super) entry: Option<String>,
    pub(super) config: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct KernelFile {
    pub(super) func_id: i64,
    pub(super) bundled: Option<Kernel>,
    pub(super) path: Option<PathBuf>,
    pub(super) core: CoreKind,
    #[serde(default)]
    pub(super) signature: Vec<Direction>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct TensorFile {
    pub(super) name: String,
    pub(super) shape: Vec<Dimension>,
    pub(super) dtype: DType,
    pub(super) direction: Direction,
    pub(super) generator: Option<GeneratorFile>,
    pub(super) npy: Option<PathBuf>,
}

/// A generator with the parameters of every kind; which belong to which is checked later.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct GeneratorFile {
    pub(super) kind: GeneratorKind,
    pub(super) value: Option<f64>,
    pub(super) start: Option<f64>,
    pub(super) step: Option<f64>,
    pub(super) low: Option<f64>,
    pub(super) high: Option<f64>,
    pub(super) seed: Option<u64>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum GeneratorKind {
    Zeros,
    Constant,
    Ramp,
    Random,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ScalarFile {
    pub(super) name: String,
    #[serde(rename = "type")]
    pub(super) scalar_type: ScalarType,
    pub(super) value: Number,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct GoldenFile {
    pub(super) reference: Option<Reference>,
    pub(super) npy: Option<BTreeMap<String, PathBuf>>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct KernelCostsFile {
    pub(super) table: Option<Value>,
    pub(super) path: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct RingsFile {
    pub(super) task_window: PerRing,
    pub(super) heap: PerRing,
    pub(super) dep_pool: PerRing,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct LoadingFile {
    pub(super) cache: Option<String>,
    pub(super) transfer: Option<String>,
}

/// One value for every ring, or one for each.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct PerRing(pub(super) [u64; super::RINGS]);

impl<'de> Deserialize<'de> for PerRing {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct NumberOrArray;

        impl<'de> Visitor<'de> for NumberOrArray {
            type Value = PerRing;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "a whole number or an array of {} whole numbers", super::RINGS)
            }

            fn visit_u64<E: de::Error>(self, value: u64) -> Result<PerRing, E> {
                Ok(PerRing([value; super::RINGS]))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut values: A) -> Result<PerRing, A::Error> {
                let mut rings = [0; super::RINGS];
                for (index, ring) in rings.iter_mut().enumerate() {
                    *ring = values.next_element()?.ok_or_else(|| de::Error::invalid_length(index, &self))?;
                }
                match values.next_element::<u64>()? {
                    None => Ok(PerRing(rings)),
                    Some(_) => Err(de::Error::invalid_length(super::RINGS + 1, &self)),
                }
            }
        }

        deserializer.deserialize_any(NumberOrArray)
    }
}

impl<'de> Deserialize<'de> for Dimension {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct NumberOrName;

        impl Visitor<'_> for NumberOrName {
            type Value = Dimension;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a whole number below 2^32 or the name of a scalar")
            }

            fn visit_u64<E: de::Error>(self, value: u64) -> Result<Dimension, E> {
                let length = u32::try_from(value);
                length.map(Dimension::Fixed).map_err(|_| E::invalid_value(de::Unexpected::Unsigned(value), &self))
            }

            fn visit_str<E: de::Error>(self, name: &str) -> Result<Dimension, E> {
                Ok(Dimension::Scalar(name.to_owned()))
            }
        }

        deserializer.deserialize_any(NumberOrName)
    }
}

/// Reads JSON text; an error names the line and, unless the text is no JSON at all, the key.
pub(super) fn parse<T: DeserializeOwned>(origin: &CaseOrigin, text: &[u8]) -> Result<T, CaseError> {
    let mut json = serde_json::Deserializer::from_slice(text);
    let value = serde_path_to_error::deserialize(&mut json).map_err(|error| {
        let field = error.path().to_string();
        describe(origin, field, &error.into_inner())
    })?;
    json.end().map_err(|error| describe(origin, String::new(), &error))?;
    Ok(value)
}

/// Turns what the parser says into an error of the case.
fn describe(origin: &CaseOrigin, field: String, error: &serde_json::Error) -> CaseError {
    let position = Position { line: error.line(), column: error.column() };
    let text = error.to_string();
    let reason = text.strip_suffix(&format!(" at {position}")).unwrap_or(&text).to_owned();
    if !error.is_data() {
        return CaseError::Syntax { origin: origin.clone(), position, reason };
    }
    let problem = suggestion(&reason).unwrap_or(FieldProblem::WrongType { reason });
    CaseError::Field { origin: origin.clone(), position: Some(position), field, problem: Box::new(problem) }
}

/// The nearest valid name, where the parser met one that it does not know.
///
/// Serde hands its list of valid names on as text alone: ``unknown field `a`, expected one of `b`, `c` ``.
fn suggestion(reason: &str) -> Option<FieldProblem> {
    let is_key = reason.starts_with("unknown field");
    if !is_key && !reason.starts_with("unknown variant") {
        return None;
    }
    let mut names = reason.split('`').skip(1).step_by(2);
    let name = names.next()?.to_owned();
    let nearest = nearest(&name, names)?.to_owned();
    Some(if is_key {
        FieldProblem::UnknownKey { key: name, nearest }
    } else {
        FieldProblem::UnknownName { name, nearest }
    })
}
