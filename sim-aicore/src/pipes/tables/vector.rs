//! Costs of vector operations: hardware instructions by repeats, fits of whole tile operations, and the vector functions
//! of a5 from their instructions' latencies.
//!
//! A reduction that is made of instructions for the very shape comes first, then a fit, then the function, then the
//! hardware instruction: the first that knows operation and element.

use serde::Deserialize;
use sim_core::profile::Confidence;

use super::{Banks, Origin, Reduction, ReductionStep};
use crate::pipes::cycles::MicroCycles;
use crate::pipes::instruction::{Extent, UbPlaces, VectorOp, VectorWork};

/// The vector unit of a generation.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct VectorTable {
    /// Bytes that one repeat works on.
    pub repeat_bytes: u64,
    /// Banks of UB, where instructions read and write it themselves.
    #[serde(default)]
    pub banks: Option<Banks>,
    /// Hardware instructions.
    #[serde(default)]
    pub instructions: Vec<Hardware>,
    /// Reductions along rows, where they are several instructions.
    #[serde(default)]
    pub reductions: Vec<Reduction>,
    /// Whole tile operations.
    #[serde(default)]
    pub fits: Vec<Fit>,
    /// What every vector function pays.
    #[serde(default)]
    pub functions: Option<FunctionOverhead>,
    /// Vector functions.
    #[serde(default)]
    pub function_ops: Vec<Function>,
}

/// A hardware instruction: `startup`, and `slope` a repeat. The next one begins when its result is there.
#[derive(Debug, Deserialize)]
pub struct Hardware {
    /// The operations that it serves.
    pub ops: Vec<VectorOp>,
    /// Its name.
    pub instruction: String,
    /// Only of integers.
    #[serde(default)]
    pub integers: bool,
    /// Of every instruction.
    pub startup: MicroCycles,
    /// For each repeat; of operations on two tiles, where all three are in the same banks of UB.
    pub slope: MicroCycles,
    /// For each repeat where nothing is in the way in UB, if that makes a difference.
    #[serde(default)]
    pub free_slope: Option<MicroCycles>,
    /// If rows do not fill repeats: the mask is set by count.
    #[serde(default)]
    pub mask: MicroCycles,
    /// Rows that fill less than one repeat take one each.
    #[serde(default)]
    pub narrow_rows: bool,
    /// Each repeat's width of columns is an instruction of its own, with a repeat for every row.
    #[serde(default)]
    pub by_columns: bool,
    /// Once before all of them.
    #[serde(default)]
    pub before: MicroCycles,
    /// Each row is an instruction of its own, with the mask set by count, that waits for the row before.
    #[serde(default)]
    pub row_after_row: bool,
    /// How many elements one repeat works on, where that is not what its bytes hold.
    #[serde(default)]
    pub elements: Option<u64>,
    /// Who says so.
    #[serde(flatten)]
    pub origin: Origin,
}

/// A formula for a whole tile operation.
#[derive(Debug, Deserialize)]
pub struct Fit {
    /// The operations that it serves.
    pub ops: Vec<VectorOp>,
    /// Of elements of so many bytes; all, if it says nothing.
    #[serde(default)]
    pub element_bytes: Vec<u64>,
    /// And results of so many.
    #[serde(default)]
    pub to_bytes: Vec<u64>,
    /// Columns, slope by element, constant: for tiles of that width.
    #[serde(default)]
    pub columns: Vec<(u32, MicroCycles, MicroCycles)>,
    /// Slope by repeat, constant: for tiles whose rows touch.
    #[serde(default)]
    pub flat: Option<[MicroCycles; 2]>,
    /// The same for a run so long that loads and stores limit it: the larger one counts.
    #[serde(default)]
    pub flat_sustained: Option<[MicroCycles; 2]>,
    /// The same as `flat` for an odd number of repeats.
    #[serde(default)]
    pub flat_odd: Option<[MicroCycles; 2]>,
    /// Slope by a row's repeat, constant of a row, constant.
    #[serde(default)]
    pub rows: Option<[MicroCycles; 3]>,
    /// Elements of a row's repeat, if not what the wider of both elements makes of its bytes.
    #[serde(default)]
    pub row_elements: Option<u64>,
    /// Who says so.
    #[serde(flatten)]
    pub origin: Origin,
}

/// What every vector function of a5 pays.
#[derive(Debug, Deserialize)]
pub struct FunctionOverhead {
    /// Startup, drain, load and store.
    pub overhead: MicroCycles,
    /// From one iteration of an outer loop to the next.
    pub row_gap: MicroCycles,
    /// Load ports; as many issue.
    pub ports: u64,
    /// Who says so.
    #[serde(flatten)]
    pub origin: Origin,
}

/// A vector function of a5, by what it is made of.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Function {
    /// The operations that it serves.
    pub ops: Vec<VectorOp>,
    /// Of elements of so many bytes; all, if it says nothing.
    #[serde(default)]
    pub element_bytes: Vec<u64>,
    /// Cycles until a result can be used.
    pub latency: MicroCycles,
    /// Cycles that a repeat holds an issue port.
    pub throughput: MicroCycles,
    /// Registers that a repeat loads.
    pub inputs: u64,
    /// It loops over rows.
    #[serde(default)]
    pub rows: bool,
    /// How that follows from instructions.
    #[serde(default)]
    pub note: String,
    /// How far it can be trusted, if not as far as what all functions pay.
    #[serde(default, deserialize_with = "super::own_confidence")]
    pub confidence: Option<Confidence>,
}

/// What a vector operation costs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct VectorCost {
    /// Until the result is there and the pipe can begin something else.
    pub cycles: MicroCycles,
    /// How far that can be trusted.
    pub confidence: Confidence,
}

/// A tile in repeats.
#[derive(Clone, Copy)]
struct Shape {
    rows: u64,
    cols: u64,
    touch: bool,
    per_repeat: u64,
}

impl Shape {
    fn elements(self) -> u64 {
        self.rows * self.cols
    }
    fn row_repeats(self) -> u64 {
        self.cols.div_ceil(self.per_repeat)
    }
    fn one_row(self) -> Shape {
        Shape { rows: 1, touch: true, ..self }
    }
    fn flat_repeats(self) -> u64 {
        self.elements().div_ceil(self.per_repeat)
    }
}

impl VectorTable {
    /// What `work` costs; `None` if nothing is known of it.
    pub fn cost(&self, work: &VectorWork) -> Option<VectorCost> {
        let (bytes, to_bytes) = (work.element.bytes(), work.to.bytes());
        let (rows, cols, width) = match work.extent {
            Extent::Tile { rows, cols, width } => (rows, cols, width),
            Extent::Repeats(repeats) => {
                let known = self.hardware(work)?;
                return Some(known.repeats(u64::from(repeats), self.slope(known, work.places.as_ref())));
            }
        };
        let shape = Shape {
            rows: u64::from(rows),
            cols: u64::from(cols),
            touch: cols == width || rows <= 1,
            per_repeat: (self.repeat_bytes / bytes.max(to_bytes)).max(1),
        };
        if let Some(copy) = self.copy_of_one_row(work, shape) {
            return Some(copy);
        }
        if let Some(reduced) = self.reduction(work, shape) {
            return Some(reduced);
        }
        if let Some(fit) = self.fit(work.op, bytes, to_bytes) {
            return Some(fit.cost(shape));
        }
        if let (Some(function), Some(overhead)) = (self.function(work.op, bytes), &self.functions) {
            return Some(function.cost(shape, overhead));
        }
        let known = self.hardware(work)?;
        let cost = known.cost(shape, self.slope(known, work.places.as_ref()));
        if !known.row_after_row {
            return Some(cost);
        }
        let first_row = self.hardware(&VectorWork { op: VectorOp::Copy, ..*work })?.cost(shape.one_row(), None);
        Some(VectorCost { cycles: first_row.cycles + cost.cycles, ..cost })
    }

    /// Of one row, a reduction of columns is a copy.
    fn copy_of_one_row(&self, work: &VectorWork, shape: Shape) -> Option<VectorCost> {
        let copy = self.hardware(&VectorWork { op: VectorOp::Copy, ..*work })?;
        (work.op.reduces_columns() && shape.rows <= 1).then(|| copy.cost(shape, None))
    }

    /// What a reduction along rows costs that is several instructions for this shape.
    fn reduction(&self, work: &VectorWork, shape: Shape) -> Option<VectorCost> {
        let serves = |known: &&Reduction| {
            known.ops.contains(&work.op) && known.element_bytes.contains(&work.element.bytes()) && shape.touch
        };
        let (known, steps) =
            self.reductions.iter().filter(serves).find_map(|it| Some((it, it.steps(shape.rows, shape.cols)?)))?;
        let combine = self.hardware(&VectorWork { op: known.combine, ..*work })?;
        let cost = |step: &ReductionStep| match *step {
            ReductionStep::Group(repeats) => known.group(repeats),
            ReductionStep::Combine(repeats) => combine.repeats(repeats, None).cycles,
        };
        let cycles = steps.iter().fold(MicroCycles::ZERO, |sum, step| sum + cost(step));
        Some(VectorCost { cycles, confidence: known.origin.confidence.max(combine.origin.confidence) })
    }

    /// Cycles of a repeat where the places of the operands are known; none if they make no difference.
    fn slope(&self, known: &Hardware, places: Option<&UbPlaces>) -> Option<MicroCycles> {
        let conflicts = self.banks.as_ref()?.of(places?);
        if conflicts.is_worst {
            return None;
        }
        Some(known.free_slope.unwrap_or(known.slope).max(conflicts.cycles))
    }

    /// Whether anything is known of the operation on elements of so many bytes.
    pub fn knows(&self, op: VectorOp, bytes: u64, to_bytes: u64) -> bool {
        let is_hardware = || self.instructions.iter().any(|known| known.ops.contains(&op));
        self.fit(op, bytes, to_bytes).is_some() || self.function(op, bytes).is_some() || is_hardware()
    }

    /// Who says so, entry by entry.
    pub fn origins(&self) -> impl Iterator<Item = &Origin> {
        let fits = self.fits.iter().map(|fit| &fit.origin);
        fits.chain(self.instructions.iter().map(|known| &known.origin))
            .chain(self.reductions.iter().map(|it| &it.origin))
            .chain(self.functions.iter().map(|it| &it.origin))
            .chain(self.banks.iter().map(|it| &it.origin))
    }

    fn fit(&self, op: VectorOp, bytes: u64, to_bytes: u64) -> Option<&Fit> {
        let fits = |list: &[u64], bytes| list.is_empty() || list.contains(&bytes);
        self.fits
            .iter()
            .find(|fit| fit.ops.contains(&op) && fits(&fit.element_bytes, bytes) && fits(&fit.to_bytes, to_bytes))
    }

    fn function(&self, op: VectorOp, bytes: u64) -> Option<&Function> {
        let fits = |list: &[u64]| list.is_empty() || list.contains(&bytes);
        self.function_ops.iter().find(|known| known.ops.contains(&op) && fits(&known.element_bytes)).or_else(|| {
            // Elements of other sizes are taken to cost what the first that is known does.
            self.function_ops.iter().find(|known| known.ops.contains(&op))
        })
    }

    fn hardware(&self, work: &VectorWork) -> Option<&Hardware> {
        let serves = |known: &&Hardware| known.ops.contains(&work.op) && (!known.integers || work.element.is_integer());
        self.instructions.iter().find(serves)
    }
}

impl Hardware {
    fn repeats(&self, repeats: u64, slope: Option<MicroCycles>) -> VectorCost {
        let cycles = self.startup + slope.unwrap_or(self.slope) * repeats;
        VectorCost { cycles, confidence: self.origin.confidence }
    }

    fn cost(&self, shape: Shape, slope: Option<MicroCycles>) -> VectorCost {
        if let Some(elements) = self.elements {
            return self.repeats(shape.elements().div_ceil(elements.max(1)), slope);
        }
        if self.row_after_row {
            let row = self.repeats(shape.row_repeats(), slope);
            return VectorCost { cycles: (row.cycles + self.mask) * shape.rows.saturating_sub(1), ..row };
        }
        if self.by_columns {
            // Of fewer rows than that, a row is an instruction.
            let instructions = shape.row_repeats().min(shape.rows);
            let all = self.repeats(shape.rows * shape.row_repeats(), slope);
            return VectorCost {
                cycles: self.before + self.startup * instructions.saturating_sub(1) + all.cycles,
                ..all
            };
        }
        let narrow = shape.cols < shape.per_repeat;
        let by_row = !shape.touch || (narrow && self.narrow_rows && shape.rows > 1);
        let repeats = if by_row { shape.rows * shape.row_repeats() } else { shape.flat_repeats() };
        // Narrow rows that touch are one run of elements to instructions that do not care for rows.
        let run = if by_row || !narrow { shape.cols } else { shape.elements() };
        let mut cost = self.repeats(repeats, slope);
        if !run.is_multiple_of(shape.per_repeat) {
            cost.cycles = cost.cycles + self.mask;
        }
        cost
    }
}

impl Fit {
    fn cost(&self, shape: Shape) -> VectorCost {
        // A fit is of an operation by itself, until its result is there.
        VectorCost { cycles: self.cycles(shape), confidence: self.origin.confidence }
    }

    fn cycles(&self, shape: Shape) -> MicroCycles {
        if !self.columns.is_empty() {
            return self.by_columns(shape);
        }
        let flat = match self.flat_odd {
            Some(odd) if shape.flat_repeats() % 2 == 1 => Some(odd),
            _ => self.flat,
        };
        match (flat, self.rows) {
            (Some([slope, constant]), Some(_)) if shape.touch => {
                let fitted = slope * shape.flat_repeats() + constant;
                let sustained = |[slope, constant]: [MicroCycles; 2]| slope * shape.flat_repeats() + constant;
                self.flat_sustained.map_or(fitted, |limit| fitted.max(sustained(limit)))
            }
            (_, Some([slope, row, constant])) => {
                // Without a flat formula, rows that touch are one row where rows mean nothing to the operation.
                let joined = shape.touch && flat.is_none() && self.ops == [VectorOp::Convert];
                let row_repeats =
                    self.row_elements.map_or(shape.row_repeats(), |each| shape.cols.div_ceil(each.max(1)));
                let (rows, repeats) = if joined { (1, shape.flat_repeats()) } else { (shape.rows, row_repeats) };
                (slope * repeats + row) * rows + constant
            }
            (Some([slope, constant]), None) => slope * shape.flat_repeats() + constant,
            (None, None) => MicroCycles::ZERO,
        }
    }

    /// Between two widths that are known, a row's cost and the constant follow a straight line; beyond the last, a row
    /// costs as much an element; narrower than the first, as much as the first.
    fn by_columns(&self, shape: Shape) -> MicroCycles {
        let row_cost = |&(cols, slope, constant): &(u32, MicroCycles, MicroCycles)| (slope * u64::from(cols), constant);
        let above = self.columns.iter().position(|(cols, ..)| u64::from(*cols) >= shape.cols);
        let (row, constant) = match above {
            Some(0) => row_cost(&self.columns[0]),
            Some(index) => {
                let (low, high) = (&self.columns[index - 1], &self.columns[index]);
                let ((row_low, constant_low), (row_high, constant_high)) = (row_cost(low), row_cost(high));
                let (part, whole) = (shape.cols - u64::from(low.0), u64::from(high.0 - low.0));
                let between = |low: MicroCycles, high: MicroCycles| {
                    low.scaled(i128::from(whole - part), i128::from(whole))
                        + high.scaled(i128::from(part), i128::from(whole))
                };
                (between(row_low, row_high), between(constant_low, constant_high))
            }
            None => {
                let &(_, slope, constant) = &self.columns[self.columns.len() - 1];
                (slope * shape.cols, constant)
            }
        };
        row * shape.rows + constant
    }
}

impl Function {
    fn cost(&self, shape: Shape, overhead: &FunctionOverhead) -> VectorCost {
        let ports = i128::from(overhead.ports);
        let loads = MicroCycles::whole(u32::try_from(self.inputs).unwrap_or(u32::MAX)).scaled(1, ports);
        let interval = loads.max(self.throughput.scaled(1, ports)).max(MicroCycles::whole(1));
        let iterations = if self.rows || !shape.touch {
            (interval * shape.row_repeats() + overhead.row_gap) * shape.rows
        } else {
            interval * shape.flat_repeats()
        };
        let cycles = iterations + overhead.overhead + self.latency;
        let confidence = self.confidence.unwrap_or(overhead.origin.confidence);
        VectorCost { cycles, confidence }
    }
}
