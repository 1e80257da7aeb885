//! What a device knows of kernels that may leave traces.

use std::cell::RefCell;
use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use sim_core::trace::ContentHash;

use crate::pipes::library::ProgramLibrary;

use super::finding::TraceFinding;

/// What is known of the kernels of a device, and the programs of their calls.
#[derive(Debug, Default)]
pub struct TileTraces {
    pub(super) library: RefCell<ProgramLibrary>,
    kernels: RefCell<BTreeMap<ContentHash, KnownKernel>>,
}

/// A kernel as its traces have shown it.
#[derive(Debug)]
struct KnownKernel {
    name: String,
    habit: Habit,
    finding: Option<TraceFinding>,
    /// Calls of this run that cost what their instructions do.
    priced: u64,
    /// Calls of this run that cost what they would without a trace, though there was one.
    fell_back: u64,
}

/// What to expect of a kernel.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Habit {
    /// It was not called yet.
    #[default]
    Unknown,
    /// It could leave a trace, and did not: it was built without.
    Silent,
    /// It leaves a trace.
    Recorded,
    /// It leaves a trace that cannot be priced.
    Useless,
    /// What it leaves cannot be read.
    Malformed,
}

/// A kernel's traces in one run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KernelTraceReport {
    /// The kernel.
    pub kernel: String,
    /// The hash of its bytes.
    pub content: String,
    /// Calls that cost what their instructions do.
    pub priced: u64,
    /// Calls that cost what they would without a trace.
    pub fell_back: u64,
    /// Tile instructions that are not known, with how often they were in the first call that had one.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub unknown_opcodes: BTreeMap<String, u64>,
    /// What is wrong with its traces.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub finding: Option<String>,
}

impl TileTraces {
    /// A run begins.
    pub fn begin_run(&self) {
        for kernel in self.kernels.borrow_mut().values_mut() {
            (kernel.priced, kernel.fell_back) = (0, 0);
        }
    }

    /// The kernels of this run that have left traces.
    pub fn report(&self) -> Vec<KernelTraceReport> {
        let kernels = self.kernels.borrow();
        let was_called = |kernel: &&KnownKernel| kernel.priced + kernel.fell_back > 0;
        let of = |(content, kernel): (&ContentHash, &KnownKernel)| {
            was_called(&kernel).then(|| KernelTraceReport {
                kernel: kernel.name.clone(),
                content: content.to_string(),
                priced: kernel.priced,
                fell_back: kernel.fell_back,
                unknown_opcodes: match &kernel.finding {
                    Some(TraceFinding::UnknownOpcodes(opcodes)) => opcodes.0.clone(),
                    _ => BTreeMap::new(),
                },
                finding: kernel.finding.as_ref().map(ToString::to_string),
            })
        };
        kernels.iter().filter_map(of).collect()
    }

    pub(super) fn habit(&self, kernel: ContentHash) -> Habit {
        self.kernels.borrow().get(&kernel).map(|known| known.habit).unwrap_or_default()
    }

    pub(super) fn set_habit(&self, kernel: ContentHash, name: &str, habit: Habit) {
        self.change(kernel, name, |known| known.habit = habit);
    }

    /// The first finding about a kernel stays.
    pub(super) fn found(&self, kernel: ContentHash, name: &str, habit: Habit, finding: TraceFinding) {
        self.change(kernel, name, |known| {
            known.habit = habit;
            known.finding.get_or_insert(finding);
        });
    }

    pub(super) fn count(&self, kernel: ContentHash, name: &str, priced: bool) {
        self.change(kernel, name, |known| {
            let counter = if priced { &mut known.priced } else { &mut known.fell_back };
            *counter += 1;
        });
    }

    fn change(&self, kernel: ContentHash, name: &str, change: impl FnOnce(&mut KnownKernel)) {
        let mut kernels = self.kernels.borrow_mut();
        let known = kernels.entry(kernel).or_insert_with(|| KnownKernel {
            name: name.to_owned(),
            habit: Habit::Unknown,
            finding: None,
            priced: 0,
            fell_back: 0,
        });
        change(known);
    }
}

impl KernelTraceReport {
    /// Those of several runs as one list, by content.
    pub fn of_runs<'a>(reports: impl Iterator<Item = &'a KernelTraceReport>) -> Vec<KernelTraceReport> {
        let mut all: BTreeMap<&str, KernelTraceReport> = BTreeMap::new();
        for report in reports {
            match all.get_mut(report.content.as_str()) {
                None => drop(all.insert(&report.content, report.clone())),
                Some(known) => {
                    known.priced += report.priced;
                    known.fell_back += report.fell_back;
                    // What is known of a kernel only grows.
                    known.finding.clone_from(&report.finding);
                    known.unknown_opcodes.clone_from(&report.unknown_opcodes);
                }
            }
        }
        all.into_values().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::super::finding::OpcodeCounts;
    use super::*;

    const KERNEL: ContentHash = ContentHash(7);

    #[test]
    fn is_only_a_kernel_that_left_a_trace_in_this_run_in_the_report() {
        let traces = TileTraces::default();
        traces.set_habit(KERNEL, "silent", Habit::Silent);
        assert_eq!(traces.report(), []);
        traces.count(KERNEL, "silent", true);
        assert_eq!(traces.report().len(), 1);
        traces.begin_run();
        assert_eq!((traces.report(), traces.habit(KERNEL)), (Vec::new(), Habit::Silent));
    }

    #[test]
    fn does_the_first_finding_about_a_kernel_stay_and_name_what_is_unknown() {
        let traces = TileTraces::default();
        let unknown = OpcodeCounts([("TQUANT".to_owned(), 3)].into());
        traces.found(KERNEL, "quant", Habit::Useless, TraceFinding::UnknownOpcodes(unknown.clone()));
        traces.found(KERNEL, "quant", Habit::Useless, TraceFinding::AnotherWay);
        traces.count(KERNEL, "quant", false);
        let report = &traces.report()[0];
        assert_eq!((report.priced, report.fell_back, &report.unknown_opcodes), (0, 1, &unknown.0));
        let said = "it uses tile instructions that the model does not know: TQUANT (3)";
        assert_eq!(report.finding.as_deref(), Some(said));
    }

    #[test]
    fn are_the_calls_of_several_runs_added_up() {
        let report = |content: &str, priced| KernelTraceReport {
            kernel: "add".to_owned(),
            content: content.to_owned(),
            priced,
            fell_back: 1,
            unknown_opcodes: BTreeMap::new(),
            finding: None,
        };
        let runs = [report("b", 2), report("a", 5), report("b", 3)];
        let sums: Vec<_> = KernelTraceReport::of_runs(runs.iter())
            .iter()
            .map(|it| (it.content.clone(), it.priced, it.fell_back))
            .collect();
        assert_eq!(sums, [("a".to_owned(), 5, 1), ("b".to_owned(), 5, 2)]);
    }
}
