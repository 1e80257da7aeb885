//! `npusim diff`.

use std::path::PathBuf;

use clap::Args;
use serde::Serialize;

use super::failure::Failure;
use super::{Done, print, print_json};
use crate::diff::{Change, Difference, DifferenceTable, RunDocument};
use crate::run::exit::ExitStatus;

/// How many lines each part of the table has, unless all are asked for.
const MOST_LINES: usize = 8;

/// Compare two reports: what got slower, by phase, actor, kernel and cause. The exit code is 1 if the device time has
/// risen by more than the threshold.
#[derive(Debug, Args)]
pub(super) struct DiffCommand {
    /// A report.json of `npusim run --out DIR`, or that directory: how it was.
    before: PathBuf,
    /// The same: how it is now.
    after: PathBuf,
    /// How much slower it may get, in percent.
    #[arg(long, value_name = "PCT", default_value = "0", value_parser = parse_percent)]
    threshold: f64,
    /// Every phase, actor, kernel and cause has to stay below the threshold, and not the device time alone.
    #[arg(long)]
    each: bool,
    /// Show everything that has changed, and not the largest changes alone.
    #[arg(long)]
    all: bool,
    /// Print one JSON object instead of a table.
    #[arg(long)]
    json: bool,
}

/// What `--json` prints.
#[derive(Serialize)]
struct Shown<'a> {
    schema: u32,
    before: String,
    after: String,
    threshold_percent: f64,
    /// Whether the threshold is exceeded.
    slower: bool,
    exit: u8,
    /// What is beyond it.
    beyond_threshold: Vec<&'a str>,
    changes: &'a [Change],
}

fn parse_percent(text: &str) -> Result<f64, String> {
    let number = text.trim().trim_end_matches('%').trim_end().parse::<f64>().ok();
    let percent = number.filter(|percent| percent.is_finite() && *percent >= 0.0);
    percent.ok_or_else(|| "expected a number of percent that is not negative, such as 2.5".to_owned())
}

impl DiffCommand {
    pub(super) fn execute(&self) -> Done {
        let before = RunDocument::read(&self.before).map_err(Failure::input)?;
        let after = RunDocument::read(&self.after).map_err(Failure::input)?;
        let difference = Difference::new(&before, &after);
        let slower = difference.is_slower_by(self.threshold, self.each);
        let status = if slower { ExitStatus::Mismatch } else { ExitStatus::Success };
        let beyond = difference.changes.iter().filter(|change| change.is_slower_by(self.threshold));
        let beyond: Vec<&str> = beyond.map(|change| change.name.as_str()).collect();
        if self.json {
            print_json(&Shown {
                schema: 1,
                before: self.before.display().to_string(),
                after: self.after.display().to_string(),
                threshold_percent: self.threshold,
                slower,
                exit: status.code(),
                beyond_threshold: beyond.clone(),
                changes: &difference.changes,
            })?;
        } else {
            let titles = [before.title(), after.title()];
            let most = if self.all { usize::MAX } else { MOST_LINES };
            let table = DifferenceTable { difference: &difference, titles: [&titles[0], &titles[1]], most };
            print(format_args!("{table}"))?;
        }
        if !slower {
            return Ok(status);
        }
        let first = if self.each { beyond.join(", ") } else { "the device time".to_owned() };
        let message =
            format!("slower than before by more than {} %: {first}, in {}", self.threshold, self.after.display());
        Err(Failure { status, message, device_code: None, details: Vec::new() })
    }
}
