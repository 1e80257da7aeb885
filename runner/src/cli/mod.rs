//! The command `npusim`: arguments in, one run or one inspection, a report out.
//!
//! Standard output carries results alone: a table, or with `--json` exactly one JSON object. Standard error carries one
//! line per failure, `npusim: …`, with what the device knows below it. How the process ends is an
//! [`ExitStatus`], whatever the command.

mod audit;
mod bench;
mod ci;
mod diff;
mod exec;
mod failure;
mod inspect;
mod lifecycle;
mod list;
mod loads;
mod merge;
mod options;
mod profiles;
mod progress;
mod quantity;
mod run;
mod scenario;
mod snapshot;
mod sweep;
mod validate;

use std::fmt;
use std::io::{self, Write};
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use sim_core::loader::tunables;

use crate::report::output;
use crate::run::exit::ExitStatus;
use failure::Failure;

/// A deterministic software device for Ascend a2a3 and a5.
#[derive(Debug, Parser)]
#[command(name = "npusim", version, about, propagate_version = true, max_term_width = 100)]
struct Command {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Run a case on a device and check its results.
    Run(Box<run::RunCommand>),
    /// Run cases on runtimes on generations, in one process.
    Ci(Box<ci::CiCommand>),
    Sweep(Box<sweep::SweepCommand>),
    Merge(merge::MergeCommand),
    Diff(diff::DiffCommand),
    Snapshot(Box<snapshot::SnapshotCommand>),
    Exec(Box<exec::ExecCommand>),
    /// Show the facts about a shared object that matter for loading and running it.
    Inspect(inspect::InspectCommand),
    Audit(Box<audit::AuditCommand>),
    /// List the bundled cases.
    List(list::ListCommand),
    /// Show the constants of the model, part by part, with where each comes from.
    Profiles(profiles::ProfilesCommand),
    Scenario(scenario::ScenarioCommand),
    Validate(validate::ValidateCommand),
    /// Compare the ways in which objects can be loaded.
    Loads(loads::LoadsCommand),
    /// Measure the simulator itself.
    Bench(bench::BenchCommand),
}

impl Action {
    /// Whether it makes devices in this process, which has to be started with other settings then.
    fn needs_namespaces(&self) -> bool {
        match self {
            Action::Run(_)
            | Action::Ci(_)
            | Action::Sweep(_)
            | Action::Snapshot(_)
            | Action::Audit(_)
            | Action::Scenario(_)
            | Action::Validate(_)
            | Action::Bench(_) => true,
            Action::Merge(_)
            | Action::Diff(_)
            | Action::Exec(_)
            | Action::Inspect(_)
            | Action::List(_)
            | Action::Loads(_)
            | Action::Profiles(_) => false,
        }
    }
}

/// Does what the command line says. To be called while there is one thread.
pub fn main() -> ExitCode {
    let command = match Command::try_parse() {
        Ok(command) => command,
        Err(error) => return refuse_usage(&error),
    };
    if command.action.needs_namespaces()
        && let Err(error) = tunables::apply_by_restart()
    {
        eprintln!("npusim: cannot start again with the settings that namespaces need: {error}");
        return ExitStatus::DeviceFault.into();
    }
    let done = match command.action {
        Action::Run(command) => command.execute(),
        Action::Ci(command) => command.execute(),
        Action::Sweep(command) => command.execute(),
        Action::Merge(command) => command.execute(),
        Action::Diff(command) => command.execute(),
        Action::Snapshot(command) => command.execute(),
        Action::Exec(command) => command.execute(),
        Action::Inspect(command) => command.execute(),
        Action::Audit(command) => command.execute(),
        Action::List(command) => command.execute(),
        Action::Profiles(command) => command.execute(),
        Action::Scenario(command) => command.execute(),
        Action::Validate(command) => command.execute(),
        Action::Loads(command) => command.execute(),
        Action::Bench(command) => command.execute(),
    };
    match done {
        Ok(status) => status.into(),
        Err(failure) => {
            eprintln!("{failure}");
            failure.status.into()
        }
    }
}

/// Shows what is wrong with the command line; or the help that it asked for, which is nothing wrong.
fn refuse_usage(error: &clap::Error) -> ExitCode {
    if !error.use_stderr() {
        // Nobody is left to be told if the terminal is gone.
        let _ = error.print();
        return ExitCode::SUCCESS;
    }
    let text = error.render().to_string();
    eprint!("npusim: {}", text.strip_prefix("error: ").unwrap_or(&text));
    ExitStatus::BadInput.into()
}

/// A span of host time as people write it on a command line: `500ms`.
pub(crate) fn parse_host_time(text: &str) -> Result<std::time::Duration, String> {
    text.parse().map(|quantity::HostTime(time)| time).map_err(|error: quantity::NotATime| error.to_string())
}

/// A number of bytes as people write it on a command line: `8GiB`.
pub(crate) fn parse_size(text: &str) -> Result<u64, String> {
    text.parse().map(|quantity::Size(bytes)| bytes).map_err(|error: quantity::NotASize| error.to_string())
}

/// What every command returns.
type Done = Result<ExitStatus, Failure>;

/// Puts text on standard output.
fn print(text: fmt::Arguments<'_>) -> Result<(), Failure> {
    let mut out = io::stdout().lock();
    written(out.write_fmt(text).and_then(|()| out.flush()))
}

/// Puts one JSON object on standard output.
fn print_json(content: &impl serde::Serialize) -> Result<(), Failure> {
    let mut out = io::BufWriter::new(io::stdout().lock());
    written(output::write_json(&mut out, content).and_then(|()| out.flush()))
}

/// A reader that has seen enough and closed the pipe is no failure.
fn written(result: io::Result<()>) -> Result<(), Failure> {
    match result {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            Err(Failure::input(format_args!("cannot write to standard output: {error}")))
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn is_the_command_line_well_formed() {
        Command::command().debug_assert();
    }

    #[test]
    fn does_a_bad_option_end_as_bad_usage() {
        for arguments in [
            &["npusim"] as &[_],
            &["npusim", "run"],
            &["npusim", "run", "chain", "--workers", "0"],
            &["npusim", "run", "chain", "--engine", "real"],
            &["npusim", "run", "chain", "--arch", "a3"],
            &["npusim", "run", "chain", "--profile", "910B7"],
            &["npusim", "run", "chain", "--hbm", "8 apples"],
            &["npusim", "run", "chain", "--hbm-fill", "ones"],
            &["npusim", "run", "chain", "--set", "mmio.load"],
            &["npusim", "run", "chain", "-p", "tasks"],
            &["npusim", "run", "chain", "--kernel-limit", "soon"],
            &["npusim", "run", "chain", "--runtime-dir", ".", "--clusters", "2"],
            &["npusim", "run", "chain", "--runtime-dir", ".", "--fast-forward"],
            &["npusim", "ci", "--parallel", "0"],
            &["npusim", "ci", "--arch", "a2a3,a6"],
            &["npusim", "ci", "--runtime", "host_build_grap"],
            &["npusim", "ci", "--shard", "0/4"],
            &["npusim", "sweep"],
            &["npusim", "sweep", "chain", "--shard", "5/4"],
            &["npusim", "sweep", "chain", "--csv", "--json"],
            &["npusim", "merge"],
            &["npusim", "diff", "a"],
            &["npusim", "diff", "a", "b", "--threshold", "-1"],
            &["npusim", "diff", "a", "b", "--threshold", "much"],
            &["npusim", "snapshot", "chain"],
            &["npusim", "run", "chain", "--runtime-dir", ".", "--explain"],
            &["npusim", "exec"],
            &["npusim", "exec", "--"],
            &["npusim", "exec", "--out", "dir"],
            &["npusim", "exec", "--clusters", "3", "--", "true"],
            &["npusim", "exec", "--set", "mmio.load", "--", "true"],
            &["npusim", "audit"],
            &["npusim", "audit", "chain", "--object", "chain.so"],
            &["npusim", "audit", "chain", "--allow", "vdso"],
            &["npusim", "validate", "--group", "micros"],
            &["npusim", "validate", "--group", "micro,memories"],
            &["npusim", "validate", "--arch", "a6"],
            &["npusim", "loads"],
            &["npusim", "loads", "--compare", "--repeat", "0"],
            &["npusim", "run", "chain", "--load-strategy", "memdf"],
            &["npusim", "bench", "control-plane", "--tasks", "0"],
            &["npusim", "profiles"],
            &["npusim", "profiles", "show"],
            &["npusim", "profiles", "show", "910B"],
        ] {
            let error = Command::try_parse_from(arguments).expect_err(&arguments.join(" "));
            assert_eq!(refuse_usage(&error), ExitCode::from(2), "{arguments:?}");
        }
    }
}
