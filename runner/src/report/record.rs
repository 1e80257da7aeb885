//! The files of `--out`.

use std::path::PathBuf;

use serde::Serialize;
use sim_core::loader::ledger::LoadLedger;
use sim_hbm::Residency;

use super::attribution::{Attribution, shown_steps};
use super::chip::ChipDescription;
use super::dependencies::DependencyGraph;
use super::explained::Explained;
use super::names::{NameMap, ProgramNames};
use super::output::{OutputDirectory, OutputError, Streamed};
use super::perfetto::PerfettoTrace;
use super::statistics::RunStatistics;
use super::summary::{CoreLoad, RunSummary, core_loads};
use super::swimlane::Swimlane;
use super::tasks::TaskNotes;

/// Everything that is known of a run when it is over, also when it ended early.
pub struct RunRecord<'a> {
    /// The summary.
    pub summary: &'a RunSummary,
    /// The totals behind it.
    pub statistics: &'a RunStatistics,
    /// What was loaded.
    pub loads: &'a LoadLedger,
    /// What held device memory.
    pub residency: &'a Residency,
    /// What the program consists of.
    pub names: &'a ProgramNames,
    /// The chip.
    pub chip: &'a ChipDescription,
    /// The events; none if the engine has no trace of them, and then no file that is a view of them.
    pub explained: Option<&'a Explained>,
    /// The tasks' arguments.
    pub notes: &'a TaskNotes,
}

/// The content of `report.json`: the summary and what is too long for it.
#[derive(Serialize)]
struct Report<'a> {
    #[serde(flatten)]
    summary: &'a RunSummary,
    core_loads: Vec<CoreLoad>,
    #[serde(skip_serializing_if = "Option::is_none")]
    attribution: Option<&'a Attribution>,
    hbm: &'a Residency,
}

/// The content of `critical_path.json`: every step.
#[derive(Serialize)]
struct CriticalPathFile<S> {
    steps: S,
}

impl RunRecord<'_> {
    /// Writes every file into `out`; returns their paths. `report.json` comes last, so that whoever finds it finds all.
    pub fn write(&self, out: &OutputDirectory) -> Result<Vec<PathBuf>, OutputError> {
        let mut paths = vec![
            out.write_json("loads.json", self.loads)?,
            out.write_json(&NameMap::file_name(&self.summary.run.case), &NameMap::new(self.names))?,
        ];
        if let Some(Explained { timeline, path, .. }) = self.explained {
            let steps = CriticalPathFile { steps: Streamed(|| shown_steps(path, timeline, self.names)) };
            paths.extend([
                out.write_json("trace.json", &PerfettoTrace::new(timeline, self.names))?,
                out.write_json("chip_swimlane_records.json", &Swimlane::new(timeline, self.chip))?,
                out.write_json("deps.json", &DependencyGraph::new(timeline, self.notes))?,
                out.write_json("critical_path.json", &steps)?,
            ]);
        }
        let core_loads = core_loads(self.statistics);
        let attribution = self.explained.map(|explained| &explained.attribution);
        let report = Report { summary: self.summary, core_loads, attribution, hbm: self.residency };
        paths.push(out.write_json("report.json", &report)?);
        Ok(paths)
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use sim_core::trace::Trace;

    use super::*;
    use crate::report::fixture;

    fn written(trace: Option<&Trace>) -> (Vec<String>, serde_json::Value) {
        let directory = tempfile::tempdir().unwrap();
        let out = OutputDirectory::create(directory.path()).unwrap();
        let residency = Residency { capacity: 1 << 30, device: Default::default(), owners: Default::default() };
        let explained =
            trace.map(|trace| Explained::new(trace, &fixture::statistics(), &fixture::chip(), &fixture::names()));
        let record = RunRecord {
            summary: &fixture::summary(),
            statistics: &fixture::statistics(),
            loads: &LoadLedger::default(),
            residency: &residency,
            names: &fixture::names(),
            chip: &fixture::chip(),
            explained: explained.as_ref(),
            notes: &fixture::notes(),
        };
        let paths = record.write(&out).unwrap();
        for path in &paths {
            serde_json::from_str::<serde_json::Value>(&fs::read_to_string(path).unwrap()).unwrap();
        }
        let report = serde_json::from_str(&fs::read_to_string(directory.path().join("report.json")).unwrap()).unwrap();
        let name = |path: &PathBuf| path.file_name().unwrap().to_str().unwrap().to_owned();
        (paths.iter().map(name).collect(), report)
    }

    #[test]
    fn which_files_does_a_run_leave() {
        let (files, report) = written(Some(&fixture::trace()));
        let expected = [
            "loads.json",
            "name_map_chain3.json",
            "trace.json",
            "chip_swimlane_records.json",
            "deps.json",
            "critical_path.json",
            "report.json",
        ];
        assert_eq!(files, expected);
        assert_eq!((&report["schema"], &report["core_loads"][1]["busy_ns"]), (&1.into(), &3000.into()));
        assert_eq!(report["hbm"]["capacity"], 1 << 30);
        assert_eq!(report["attribution"]["device_time_ps"], 9_000_000);
    }

    #[test]
    fn are_views_of_the_trace_left_out_when_there_is_none() {
        assert_eq!(written(None).0, ["loads.json", "name_map_chain3.json", "report.json"]);
    }
}
