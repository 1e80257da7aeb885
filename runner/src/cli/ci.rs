//! `npusim ci`.

use std::path::PathBuf;
use std::time::Instant;

use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};
use sim_core::profile::{Arch, ProfileError, ProfileName};

use super::failure::Failure;
use super::options::{EngineChoice, LoadingOptions};
use super::sweep::shard;
use super::{Done, print, print_json};
use crate::case::Runtime;
use crate::ci::junit;
use crate::ci::matrix::Matrix;
use crate::ci::report::{FootprintChange, MatrixFacts, MatrixReport};
use crate::ci::result::{EntryResult, status_of};
use crate::ci::selection::{Entry, Selection};
use crate::ci::table::MatrixTable;
use crate::device::pool::{MOST_NAMESPACES, NamespacePool};
use crate::exec::settings::variables;
use crate::report::output::OutputDirectory;
use crate::report::summary::RunError;
use crate::run::exit::ExitStatus;
use crate::run::footprint::{Footprint, FootprintError};
use crate::run::settings::RunSettings;
use crate::shard::{PartOf, Shard};

/// The repetition after which the process is as it should stay.
const SETTLED: u32 = 50;

/// Run cases on runtimes on generations, in one process, and check their results.
#[derive(Debug, Args)]
pub(super) struct CiCommand {
    /// The generations, separated by commas [default: both].
    #[arg(long, value_name = "ARCH", value_delimiter = ',')]
    arch: Vec<Arch>,
    /// A part of a generation, such as 910B2 (see `npusim profiles list`): only that generation is run then.
    #[arg(long, value_name = "NAME", env = variables::PROFILE)]
    profile: Option<ProfileName>,
    /// The runtimes, separated by commas [default: all].
    #[arg(long, value_name = "RUNTIME", value_delimiter = ',')]
    runtime: Vec<Runtime>,
    /// Bundled cases by a pattern with * and ?, or the path of a case file. Can be repeated [default: all that are
    /// expected to go well].
    #[arg(long = "case", value_name = "CASE")]
    cases: Vec<String>,
    /// Also run cases that are expected to fail, and check how. Each that stops its device takes one of the 15
    /// namespaces of the process with it.
    #[arg(long)]
    faults: bool,
    /// How many run at once.
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=64))]
    parallel: u32,
    /// How often the whole matrix is run; traces have to be the same each time.
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..))]
    repeat: u32,
    /// Run only part i of n, such as 2/4; `npusim merge` joins the parts [default: the task of a SLURM array, or all].
    #[arg(long, value_name = "I/N")]
    shard: Option<Shard>,
    /// How device code is run.
    #[arg(long, value_enum, default_value_t = EngineChoice::Virtual)]
    engine: EngineChoice,
    #[command(flatten)]
    loading: LoadingOptions,
    /// Write report.json and junit.xml into this directory.
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Print one JSON object instead of a table.
    #[arg(long)]
    json: bool,
}

impl CiCommand {
    pub(super) fn execute(&self) -> Done {
        let selection = Selection {
            archs: self.archs().map_err(Failure::input)?,
            runtimes: self.runtime.clone(),
            cases: self.cases.clone(),
            with_faults: self.faults,
        };
        let entries = selection.entries().map_err(Failure::input)?;
        let shard = shard(self.shard)?;
        let part = shard.map(|shard| self.part(shard, &entries));
        let entries = shard.map_or(entries.clone(), |shard| shard.part_of(entries));
        let out = self.out.clone().map(OutputDirectory::create).transpose().map_err(Failure::input)?;
        let mut settings = RunSettings { engine: self.engine.into(), profile: self.profile, ..RunSettings::default() };
        self.loading.choose(&mut settings);
        let parallel = self.parallel as usize;
        let matrix = Matrix { entries: &entries, settings: &settings, parallel };
        let pool = NamespacePool::new(MOST_NAMESPACES).staged_in(settings.staging());

        let begun = Instant::now();
        let (results, footprint) = self.repeat(&matrix, &pool).map_err(Failure::input)?;
        let facts = MatrixFacts {
            parallel,
            repetitions: self.repeat,
            namespaces: pool.most_lent(),
            host_time: begun.elapsed(),
            footprint,
        };
        if let Some(out) = out {
            let xml = junit::xml(&results, facts.host_time).map_err(Failure::input)?;
            out.write_text("junit.xml", &xml).map_err(Failure::input)?;
            out.write_json("report.json", &MatrixReport::new(&results, facts, part.as_ref()))
                .map_err(Failure::input)?;
        }
        if self.json {
            print_json(&MatrixReport::new(&results, facts, part.as_ref()))?;
        } else {
            let MatrixFacts { namespaces, host_time, .. } = facts;
            print(format_args!("{}", MatrixTable { results: &results, parallel, namespaces, host_time }))?;
        }
        conclude(&results)
    }

    /// What the shard is a part of.
    fn part(&self, shard: Shard, entries: &[Entry]) -> PartOf {
        let name = |entry: &Entry| format!("{} {} {}", entry.arch, entry.runtime.name(), entry.case.name);
        let names: Vec<String> = entries.iter().map(name).collect();
        let description = format!("ci {:?} {:?} {} {names:?}", self.engine, self.profile, self.repeat);
        PartOf::new(shard, entries.len(), &description)
    }

    /// The generations; a profile has one.
    fn archs(&self) -> Result<Vec<Arch>, ProfileError> {
        let Some(profile) = self.profile else { return Ok(self.arch.clone()) };
        self.arch.iter().try_for_each(|arch| profile.arch_as_asked(Some(*arch)).map(drop))?;
        Ok(vec![profile.arch()])
    }

    /// Runs the matrix as often as asked. Results are those of the first time, with what was different later.
    fn repeat(
        &self,
        matrix: &Matrix<'_>,
        pool: &NamespacePool,
    ) -> Result<(Vec<EntryResult>, Option<FootprintChange>), FootprintError> {
        let bar = bar_of(matrix.entries.len() as u64 * u64::from(self.repeat));
        let run = || matrix.run(pool, |_| bar.inc(1));
        let mut results = run();
        let mut settled = None;
        for repetition in 2..=self.repeat {
            for (first, now) in results.iter_mut().zip(run()) {
                note_difference(first, &now, repetition);
            }
            if repetition == SETTLED {
                settled = Some(Footprint::now()?);
            }
        }
        bar.finish_and_clear();
        let last =
            settled.map(|settled| Ok(FootprintChange { settled_after: SETTLED, settled, last: Footprint::now()? }));
        Ok((results, last.transpose()?))
    }
}

/// A run that has another trace than the first time is a mismatch.
fn note_difference(first: &mut EntryResult, now: &EntryResult, repetition: u32) {
    let said =
        |result: &EntryResult| (result.outcome.status, result.outcome.trace_hash, result.outcome.findings.clone());
    if said(first) == said(now) || first.outcome.status == ExitStatus::Mismatch {
        return;
    }
    let text = |result: &EntryResult| {
        let exit = format!("exit {}", result.outcome.status.code());
        let trace = result.outcome.trace_hash.map(|hash| format!(", trace {hash:016x}")).unwrap_or_default();
        let findings: String = result.outcome.findings.iter().map(|finding| format!(", finding {finding}")).collect();
        exit + &trace + &findings
    };
    let why = now.complaint().map(|complaint| format!(" ({complaint})")).unwrap_or_default();
    let message = format!("repetition {repetition} gave {}{why}; the first gave {}", text(now), text(first));
    first.outcome.status = ExitStatus::Mismatch;
    first.outcome.error = Some(RunError { message, device_code: None });
}

/// Says the first thing that is wrong in one line.
pub(super) fn conclude(results: &[EntryResult]) -> Done {
    let status = status_of(results);
    let wrong: Vec<_> = results.iter().filter(|result| !result.passed()).collect();
    let Some(first) = wrong.first() else { return Ok(status) };
    let more = match wrong.len() - 1 {
        0 => String::new(),
        more => format!(" (and {more} more)"),
    };
    let complaint = first.complaint().unwrap_or_default();
    Err(Failure {
        status,
        message: format!("{}: {complaint}{more}", first.name()),
        device_code: first.outcome.error.as_ref().and_then(|error| error.device_code),
        details: Vec::new(),
    })
}

/// It draws only if standard error is a terminal.
fn bar_of(runs: u64) -> ProgressBar {
    let style = ProgressStyle::with_template("{spinner} {elapsed} [{bar:24}] {pos} of {len} runs");
    let style = style.unwrap_or_else(|_| ProgressStyle::default_bar());
    ProgressBar::new(runs).with_style(style.progress_chars("=> "))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ci::result::EntryOutcome;

    fn result(trace_hash: u64) -> EntryResult {
        let outcome = EntryOutcome {
            trace_hash: Some(trace_hash),
            ..EntryOutcome::not_begun(ExitStatus::Success, String::new())
        };
        EntryResult {
            arch: Arch::A5,
            runtime: Runtime::HostBuildGraph,
            case: "chain".to_owned(),
            expected: None,
            outcome: EntryOutcome { error: None, ..outcome },
            host_time: std::time::Duration::ZERO,
        }
    }

    #[test]
    fn is_another_trace_in_a_repetition_a_mismatch() {
        let (mut same, mut other) = (result(1), result(1));
        note_difference(&mut same, &result(1), 2);
        note_difference(&mut other, &result(2), 7);
        assert!(same.passed());
        assert_eq!(other.status(), ExitStatus::Mismatch);
        assert_eq!(
            other.complaint().unwrap(),
            "repetition 7 gave exit 0, trace 0000000000000002; the first gave exit 0, trace 0000000000000001"
        );
    }
}
