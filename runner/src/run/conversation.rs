//! The host process of a run, from the first to the last call, on any device that has a host runtime.

use std::ops::Range;
use std::time::Duration;

use super::exit::ExitStatus;
use super::input::RunInput;
use crate::client::session::{Program, Session, SessionError};
use crate::client::status::FailureClass;
use crate::device::error::DeviceError;
use crate::device::host_calls::HostCalls;
use crate::device::programs::Mode;
use crate::golden::{self, GoldenError, GoldenReport};
use crate::report::summary::{Golden, RunError, Verdict};
use crate::tensor::HostTensor;

/// Why a run ended before its results were compared.
#[derive(Debug, thiserror::Error, displaydoc::Display)]
pub enum RunFailure {
    /// {0}
    Session(#[from] SessionError),
    /// {0}
    Golden(#[from] GoldenError),
}

impl RunFailure {
    /// What kind of failure this is.
    pub fn class(&self) -> FailureClass {
        match self {
            RunFailure::Session(error) => error.class(),
            RunFailure::Golden(_) => FailureClass::Input,
        }
    }

    /// What the device knows about it.
    pub fn cause(&self) -> Option<&DeviceError> {
        match self {
            RunFailure::Session(error) => error.cause(),
            RunFailure::Golden(_) => None,
        }
    }

    /// As it stands in a summary.
    pub(super) fn summary(&self) -> RunError {
        let device_code = self.cause().and_then(DeviceError::code).map(|code| code as u32);
        RunError { message: self.to_string(), device_code }
    }
}

/// How a conversation ended.
#[derive(Debug)]
pub(super) struct Outcome {
    /// The comparison of the results of the last run.
    pub(super) golden: Golden,
    /// Why there are no results, if there are none.
    pub(super) failure: Option<RunFailure>,
    /// Host time that launching and waiting took, over all runs.
    pub(super) elapsed: Duration,
}

impl Outcome {
    /// How the process that had this conversation ends.
    pub(super) fn status(&self) -> ExitStatus {
        status_of(self.failure.as_ref(), self.golden.verdict)
    }
}

/// How a process ends whose run ended so.
pub(super) fn status_of(failure: Option<&RunFailure>, verdict: Verdict) -> ExitStatus {
    match (failure, verdict) {
        (Some(failure), _) => failure.class().into(),
        (None, Verdict::Fail) => ExitStatus::Mismatch,
        (None, Verdict::Pass | Verdict::Unchecked) => ExitStatus::Success,
    }
}

/// What is between the runs and what the host process does before and after them, which may run device code too.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Milestone {
    /// The callable is registered; the runs follow.
    Registered,
    /// All runs are over and have succeeded.
    Ran,
}

/// The comparison of results that there are none of.
const NO_RESULTS: Golden = Golden { verdict: Verdict::Fail, worst_absolute: f64::NAN, worst_relative: f64::NAN };

/// The comparison of results that nobody computed.
const NOT_COMPUTED: Golden = Golden { verdict: Verdict::Unchecked, worst_absolute: 0.0, worst_relative: 0.0 };

/// Runs the input on a device, with the objects that its host runtime hands on to AICPU and AICores. `reached` is called
/// at each milestone.
pub(super) fn converse(
    device: &dyn HostCalls,
    input: &RunInput,
    aicpu: &[u8],
    aicore: &[u8],
    mut reached: impl FnMut(Milestone),
) -> Outcome {
    let mut elapsed = Duration::ZERO;
    let (golden, failure) = match compared(device, input, aicpu, aicore, &mut reached, &mut elapsed) {
        Ok(golden) => (golden, None),
        Err(failure) => (NO_RESULTS, Some(failure)),
    };
    Outcome { golden, failure, elapsed }
}

fn compared(
    device: &dyn HostCalls,
    input: &RunInput,
    aicpu: &[u8],
    aicore: &[u8],
    reached: &mut impl FnMut(Milestone),
    elapsed: &mut Duration,
) -> Result<Golden, RunFailure> {
    let case = &input.case;
    let program =
        Program { aicpu, aicore, callable: &input.callable, callable_id: case.callable_id, config: &input.call_config };
    let scalars = case.scalar_words();
    let mut session = Session::open(device, &program)?;
    reached(Milestone::Registered);
    let mut tensors: Vec<HostTensor> = input.tensors.iter().map(|before| copy_of(before, input.mode)).collect();
    device.ignore_values(without_values(&tensors, input.mode));
    for run in 0..case.runs {
        let before_this =
            tensors.iter_mut().zip(&input.tensors).filter(|(tensor, _)| run > 0 && matters(tensor, input.mode));
        for (tensor, before) in before_this {
            tensor.bytes_mut().copy_from_slice(before.bytes());
        }
        let ended = session.run(&mut tensors, &scalars);
        *elapsed = session.elapsed();
        ended?;
    }
    reached(Milestone::Ran);
    session.close()?;
    match input.mode {
        Mode::Functional => Ok(summary_of(&golden::check(case, &input.tensors, &tensors)?)),
        Mode::Timing => Ok(NOT_COMPUTED),
    }
}

/// Whether anybody looks at what is in a tensor: where nothing is computed, at whole numbers alone, which may be tables.
fn matters(tensor: &HostTensor, mode: Mode) -> bool {
    mode == Mode::Functional || tensor.dtype().integer_range().is_some()
}

/// A tensor for a run to use; memory that nobody looks at is not touched.
fn copy_of(before: &HostTensor, mode: Mode) -> HostTensor {
    if matters(before, mode) { before.clone() } else { HostTensor::zeros(before.dtype(), before.shape()) }
}

/// Where the tensors lie that nobody looks at.
fn without_values(tensors: &[HostTensor], mode: Mode) -> Vec<Range<usize>> {
    let ignored = tensors.iter().filter(|tensor| !matters(tensor, mode)).map(|tensor| tensor.bytes().as_ptr_range());
    ignored.map(|memory| memory.start.addr()..memory.end.addr()).collect()
}

/// The comparison in a few numbers.
fn summary_of(report: &GoldenReport) -> Golden {
    let verdict = match report.verdict() {
        golden::Verdict::Pass => Verdict::Pass,
        golden::Verdict::Fail => Verdict::Fail,
    };
    let worst = |worst: Option<(_, golden::Deviation)>| worst.map_or(0.0, |(_, deviation)| deviation.error);
    Golden { verdict, worst_absolute: worst(report.worst_absolute()), worst_relative: worst(report.worst_relative()) }
}
