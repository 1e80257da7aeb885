//! Why a case cannot be used: which file, which field, which line.

use std::fmt;
use std::path::PathBuf;

use sim_core::loader::cache::UnknownCachePolicy;
use sim_core::profile::ProfileError;
use sim_hbm::UnknownTransfer;

use super::{CALLABLE_IDS, FUNCTION_IDS, ScalarType};
use crate::audit::allow::AllowanceError;
use crate::golden::ReferenceError;
use crate::tensor::npy::NpyError;
use crate::tensor::{DType, GeneratorError};

/// Where a case comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CaseOrigin {
    /// It is part of the program.
    Bundled(&'static str),
    /// A file.
    File(PathBuf),
}

impl fmt::Display for CaseOrigin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            CaseOrigin::Bundled(name) => write!(f, "bundled case {name}"),
            CaseOrigin::File(path) => write!(f, "{}", path.display()),
        }
    }
}

/// A place in a file, both counted from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Position {
    /// Line.
    pub line: usize,
    /// Column.
    pub column: usize,
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {} column {}", self.line, self.column)
    }
}

/// Why a case cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum CaseError {
    /// There is no such case.
    #[error("no case is bundled as `{name}`; the nearest is `{nearest}` (a case file is given by its path)")]
    UnknownCase {
        /// The name asked for.
        name: String,
        /// The bundled case with the fewest differing letters.
        nearest: String,
    },
    /// The case file cannot be read.
    #[error("{}: cannot be read: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The text is no JSON.
    #[error("{origin}: not JSON at {position}: {reason}")]
    Syntax {
        /// The case.
        origin: CaseOrigin,
        /// Where in its text.
        position: Position,
        /// What the parser said.
        reason: String,
    },
    /// A field has a wrong value.
    #[error("{origin}: `{field}`{}: {problem}", position.map_or(String::new(), |position| format!(" at {position}")))]
    Field {
        /// The case.
        origin: CaseOrigin,
        /// Where in its text, if the parser found it.
        position: Option<Position>,
        /// Path of the field, `.` for the whole.
        field: String,
        /// What is wrong with it.
        problem: Box<FieldProblem>,
    },
    /// A parameter names no scalar of the case.
    #[error("{origin}: no parameter `{name}`; {}", match nearest {
        Some(nearest) => format!("the nearest is `{nearest}`"),
        None => "the case has none".to_owned(),
    })]
    UnknownParameter {
        /// The case.
        origin: CaseOrigin,
        /// The name given.
        name: String,
        /// The scalar with the fewest differing letters.
        nearest: Option<String>,
    },
    /// A parameter's text is no value of its type.
    #[error("{origin}: parameter `{name}`: `{text}` is no {scalar_type}")]
    ParameterValue {
        /// The case.
        origin: CaseOrigin,
        /// The parameter.
        name: String,
        /// The text given.
        text: String,
        /// The scalar's type.
        scalar_type: ScalarType,
    },
}

/// What is wrong with one field.
#[derive(Debug, thiserror::Error, displaydoc::Display)]
pub enum FieldProblem {
    /// {reason}
    WrongType {
        /// What the parser said.
        reason: String,
    },
    /// no key `{key}`; the nearest is `{nearest}`
    UnknownKey {
        /// The key given.
        key: String,
        /// The valid key with the fewest differing letters.
        nearest: String,
    },
    /// `{name}` is not known; the nearest is `{nearest}`
    UnknownName {
        /// The name given.
        name: String,
        /// The valid name with the fewest differing letters.
        nearest: String,
    },
    /// exactly one of `{first}` and `{second}` has to be given
    NotExactlyOne {
        /// One key.
        first: &'static str,
        /// The other.
        second: &'static str,
    },
    /// {path} cannot be read: {source}
    File {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// {path} is not JSON: {reason}
    FileSyntax {
        /// The file.
        path: PathBuf,
        /// What the parser said, with line and column.
        reason: String,
    },
    /// the file of `callable` has its own kernels
    KernelsOfCallable,
    /// the value {value} is outside {low} to {high}
    OutOfRange {
        /// The value given.
        value: i64,
        /// The smallest that is possible.
        low: i64,
        /// The largest that is possible.
        high: i64,
    },
    /// the id {id} is that of `kernels[{first}]` too
    DuplicateFunctionId {
        /// The id.
        id: i64,
        /// The kernel that had it first.
        first: usize,
    },
    /// the name `{name}` is that of `{first}` too
    DuplicateName {
        /// The name.
        name: String,
        /// Path of the entry that had it first.
        first: String,
    },
    /// there are {count} dimensions, 1 to 5 are possible
    DimensionCount {
        /// How many there are.
        count: usize,
    },
    /// dimension {index} is {value}, 1 to 4294967295 are possible
    Dimension {
        /// Which.
        index: usize,
        /// Its length.
        value: i128,
    },
    /// dimension {index} is to be the scalar `{name}`, and there is no such whole number
    DimensionName {
        /// Which.
        index: usize,
        /// The name given.
        name: String,
    },
    /// a tensor of shape {0} is beyond the memory of any device
    TooLarge(Shape),
    /// {path} holds shape {found}, the case says {declared}
    ShapeMismatch {
        /// The array.
        path: PathBuf,
        /// Its shape.
        found: Shape,
        /// What the case says.
        declared: Shape,
    },
    /// {path} holds {found}, the case says {declared}
    TypeMismatch {
        /// The array.
        path: PathBuf,
        /// Its element type.
        found: DType,
        /// What the case says.
        declared: DType,
    },
    /// {0}
    Npy(#[from] NpyError),
    /// {0}
    Generator(#[from] GeneratorError),
    /// `{parameter}` is missing, which the kind `{kind}` needs
    GeneratorLacks {
        /// The kind of generator.
        kind: &'static str,
        /// The key.
        parameter: &'static str,
    },
    /// `{parameter}` does not belong to the kind `{kind}`
    GeneratorForeign {
        /// The kind of generator.
        kind: &'static str,
        /// The key.
        parameter: &'static str,
    },
    /// `{text}` is no {scalar_type}
    ScalarValue {
        /// The value given.
        text: String,
        /// The scalar's type.
        scalar_type: ScalarType,
    },
    /// `{name}` is an input and has no result to compare
    GoldenOfInput {
        /// The tensor.
        name: String,
    },
    /// {0}
    Reference(#[from] ReferenceError),
    /// {value} is no tolerance: it has to be zero or more
    Tolerance {
        /// The value given.
        value: f64,
    },
    /// ring {ring} has {value}; {allowed}, or 0 for the runtime's own choice
    Ring {
        /// Which ring.
        ring: usize,
        /// The value given.
        value: u64,
        /// What is possible.
        allowed: &'static str,
    },
    /// {0}
    Profile(#[from] ProfileError),
    /// {0}
    Allowance(#[from] AllowanceError),
    /// {0}
    Cache(#[from] UnknownCachePolicy),
    /// {0}
    Transfer(#[from] UnknownTransfer),
}

impl FieldProblem {
    /// The callable id is not one of a runtime.
    pub(super) fn callable_id(value: i64) -> Self {
        FieldProblem::OutOfRange { value, low: 0, high: i64::from(CALLABLE_IDS) - 1 }
    }

    /// The function id is not one of a runtime.
    pub(super) fn function_id(value: i64) -> Self {
        FieldProblem::OutOfRange { value, low: 0, high: i64::from(FUNCTION_IDS) - 1 }
    }
}

/// A shape, shown as `[2, 3]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shape(pub Vec<u32>);

impl fmt::Display for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.0)
    }
}

/// The candidate with the fewest differing letters, the first of equals; `None` if there are none.
pub(crate) fn nearest<'c>(name: &str, candidates: impl IntoIterator<Item = &'c str>) -> Option<&'c str> {
    candidates.into_iter().min_by_key(|candidate| strsim::damerau_levenshtein(name, candidate))
}
