//! Whether the outputs of a run are right.
//!
//! A case names what its outputs are compared with: arrays in files, a [`Reference`] that computes them from the
//! inputs, or nothing. References compute with the arithmetic of the bundled kernels, rounding by rounding, so that a
//! correct run of those is exact; tolerances are for other kernels. Work is split by output element among threads and
//! no sum ever crosses the split: results are the same on any number of them.

mod compare;
mod products;
mod reference;
mod workloads;

use serde::Serialize;

pub use compare::{Deviation, OutputReport, compare};
pub use reference::{Expected, Plan, Reference, ReferenceError};

use crate::case::{CaseSpec, GoldenSpec};
use crate::tensor::HostTensor;
use crate::tensor::npy::{self, NpyError};

/// What the comparison of one run found.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct GoldenReport {
    /// One entry for each output that was compared.
    pub outputs: Vec<OutputReport>,
}

/// Whether outputs are right.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// Every element is within tolerance, or there was nothing to compare with.
    Pass,
    /// Some element is not.
    Fail,
}

impl GoldenReport {
    /// Whether all outputs are right.
    pub fn verdict(&self) -> Verdict {
        if self.outputs.iter().all(|output| output.mismatches == 0) { Verdict::Pass } else { Verdict::Fail }
    }

    /// The largest absolute error of all, with its output; `None` if every element is exact.
    pub fn worst_absolute(&self) -> Option<(&OutputReport, Deviation)> {
        self.worst(|output| output.worst_absolute)
    }

    /// The largest relative error of all, with its output; `None` if no element has one.
    pub fn worst_relative(&self) -> Option<(&OutputReport, Deviation)> {
        self.worst(|output| output.worst_relative)
    }

    fn worst(&self, of: impl Fn(&OutputReport) -> Option<Deviation>) -> Option<(&OutputReport, Deviation)> {
        let deviations = self.outputs.iter().filter_map(|output| Some((output, of(output)?)));
        deviations.reduce(|worst, other| if other.1.error > worst.1.error { other } else { worst })
    }
}

/// Why outputs cannot be compared.
#[derive(Debug, thiserror::Error, displaydoc::Display)]
pub enum GoldenError {
    /// the run has {have} {what}, the case {need}
    Count {
        /// Inputs or outputs.
        what: &'static str,
        /// How many there are.
        have: usize,
        /// How many there should be.
        need: usize,
    },
    /// tensor `{name}` is {have} among the {what}, the case says {need}
    Layout {
        /// The tensor.
        name: String,
        /// Inputs or outputs.
        what: &'static str,
        /// Its type and shape.
        have: String,
        /// Its type and shape in the case or file.
        need: String,
    },
    /// {0}
    Reference(#[from] ReferenceError),
    /// {0}
    Npy(#[from] NpyError),
}

/// Compares what a run wrote with what it should have written. Both are all tensors of the case, in its order: `inputs`
/// as they were before the run, `outputs` as they are after it.
pub fn check(case: &CaseSpec, inputs: &[HostTensor], outputs: &[HostTensor]) -> Result<GoldenReport, GoldenError> {
    check_layout(case, "inputs", inputs)?;
    check_layout(case, "outputs", outputs)?;
    let report = |index: usize, expected: &HostTensor| {
        let name = &case.tensors[index].name;
        compare(name, expected, &outputs[index], case.tolerances)
            .ok_or_else(|| layout_error(name, "outputs", &outputs[index], &describe(expected)))
    };
    let outputs = match &case.golden {
        GoldenSpec::Nothing => Vec::new(),
        GoldenSpec::Reference(reference) => {
            let expected = Plan::new(*reference, case)?.compute(inputs);
            expected.iter().map(|Expected { tensor, value }| report(*tensor, value)).collect::<Result<_, _>>()?
        }
        GoldenSpec::Files(files) => {
            files.iter().map(|file| report(file.tensor, &npy::read(&file.path)?)).collect::<Result<_, _>>()?
        }
    };
    Ok(GoldenReport { outputs })
}

/// Whether tensors are as the case says.
fn check_layout(case: &CaseSpec, what: &'static str, tensors: &[HostTensor]) -> Result<(), GoldenError> {
    if tensors.len() != case.tensors.len() {
        return Err(GoldenError::Count { what, have: tensors.len(), need: case.tensors.len() });
    }
    for (spec, tensor) in case.tensors.iter().zip(tensors) {
        if (spec.dtype, spec.shape.as_slice()) != (tensor.dtype(), tensor.shape()) {
            return Err(layout_error(&spec.name, what, tensor, &format!("{}{:?}", spec.dtype, spec.shape)));
        }
    }
    Ok(())
}

fn layout_error(name: &str, what: &'static str, have: &HostTensor, need: &str) -> GoldenError {
    GoldenError::Layout { name: name.to_owned(), what, have: describe(have), need: need.to_owned() }
}

fn describe(tensor: &HostTensor) -> String {
    format!("{}{:?}", tensor.dtype(), tensor.shape())
}

#[cfg(test)]
mod tests;
