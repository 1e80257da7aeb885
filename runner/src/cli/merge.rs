//! `npusim merge`.

use std::path::PathBuf;

use clap::Args;

use super::failure::Failure;
use super::{Done, ci, print, print_json, sweep};
use crate::ci::junit;
use crate::ci::report::{MatrixDocument, MatrixReport};
use crate::ci::table::MatrixTable;
use crate::merge::{Merged, Part, join};
use crate::report::output::OutputDirectory;

/// Join the parts of a sweep or a matrix that were run with --shard. The exit code is that of the whole.
#[derive(Debug, Args)]
pub(super) struct MergeCommand {
    /// The directory that each shard wrote with --out, or the sweep.json or report.json in it.
    #[arg(required = true, value_name = "PART")]
    parts: Vec<PathBuf>,
    /// Write the whole into this directory: sweep.json and sweep.csv, or report.json and junit.xml.
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Print a sweep as comma-separated values instead of a table.
    #[arg(long, conflicts_with = "json")]
    csv: bool,
    /// Print one JSON object instead of a table.
    #[arg(long)]
    json: bool,
}

impl MergeCommand {
    pub(super) fn execute(&self) -> Done {
        let parts =
            self.parts.iter().map(|path| Part::read(path)).collect::<Result<Vec<_>, _>>().map_err(Failure::input)?;
        let merged = join(parts).map_err(Failure::input)?;
        let out = || self.out.clone().map(OutputDirectory::create).transpose().map_err(Failure::input);
        match merged {
            Merged::Sweep(report) => sweep::show(&report, out()?.as_ref(), self.csv, self.json),
            Merged::Matrix(_) if self.csv => {
                Err(Failure::input("--csv is for sweeps, and these are parts of a matrix"))
            }
            Merged::Matrix(document) => self.show_matrix(&document, out()?.as_ref()),
        }
    }

    fn show_matrix(&self, document: &MatrixDocument, out: Option<&OutputDirectory>) -> Done {
        let (results, facts) = (document.results().map_err(Failure::input)?, document.facts());
        let report = MatrixReport::new(&results, facts, None);
        if let Some(out) = out {
            let xml = junit::xml(&results, facts.host_time).map_err(Failure::input)?;
            out.write_text("junit.xml", &xml).map_err(Failure::input)?;
            out.write_json("report.json", &report).map_err(Failure::input)?;
        }
        if self.json {
            print_json(&report)?;
        } else {
            let (parallel, namespaces, host_time) = (facts.parallel, facts.namespaces, facts.host_time);
            print(format_args!("{}", MatrixTable { results: &results, parallel, namespaces, host_time }))?;
        }
        ci::conclude(&results)
    }
}
