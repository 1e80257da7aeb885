//! `npusim exec`.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::Args;
use sim_core::profile::{Arch, Override, ProfileName};
use sim_hbm::FillPolicy;

use super::Done;
use super::failure::Failure;
use super::options::EngineChoice;
use super::quantity::{HostTime, Size};
use crate::exec::launch::Launch;
use crate::exec::settings::{BadVariable, ExecSettings};

/// Run a command with the device code in it, and in its children, on npusim.
///
/// Each option can also be given in the environment, as NPUSIM_ and its name: NPUSIM_HBM_FILL=poison. The command line
/// counts more. The exit code is the command's, or 2 if it was not started.
#[derive(Debug, Args)]
#[command(override_usage = "npusim exec [OPTIONS] -- COMMAND [ARGUMENTS]...")]
pub(super) struct ExecCommand {
    /// The device generation: a2a3 (910B, 910C) or a5 (950) [default: what the path of the host runtime says].
    #[arg(long, value_name = "ARCH")]
    arch: Option<Arch>,
    /// The part, such as 910B2 or 950PR_958x (see `npusim profiles list`) [default: the generation as a whole].
    #[arg(long, value_name = "NAME")]
    profile: Option<ProfileName>,
    /// How device code is run [default: virtual].
    #[arg(long, value_enum)]
    engine: Option<EngineChoice>,
    /// Host threads that run kernel bodies [default: one per CPU].
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1024))]
    workers: Option<u32>,
    /// Device memory, such as 8GiB [default: that of the generation].
    #[arg(long, value_name = "SIZE")]
    hbm: Option<Size>,
    /// What memory holds that nobody has written: zero, poison, random:SEED or sparse:SEED [default: zero].
    #[arg(long, value_name = "FILL")]
    hbm_fill: Option<FillPolicy>,
    /// Replace a value of the profile, such as mmio.load=100ns. Can be repeated.
    #[arg(long = "set", value_name = "KEY=VALUE", value_parser = replacement)]
    set: Vec<String>,
    /// Write reports into this directory, a directory for each run of each process.
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// With --out, write every event of each run as well.
    #[arg(long)]
    events: bool,
    /// Give each host runtime that a process opens a namespace of its own, so that several fit into one process.
    #[arg(long)]
    isolate: bool,
    /// What calls of functions cost (docs/charges.md).
    #[arg(long, value_name = "FILE")]
    charges: Option<PathBuf>,
    /// How long of host time a device waits for somebody outside it [default: 10s].
    #[arg(long, value_name = "TIME")]
    external_wait: Option<HostTime>,
    /// Stop device code that has not called the device for this long of host time [default: 1s].
    #[arg(long, value_name = "TIME")]
    kernel_limit: Option<HostTime>,
    /// The command.
    #[arg(value_name = "COMMAND", required = true, trailing_var_arg = true)]
    command: Vec<OsString>,
}

/// A replacement stays text, since it travels as text.
fn replacement(text: &str) -> Result<String, String> {
    text.parse::<Override>().map(|_| text.to_owned()).map_err(|error| error.to_string())
}

impl ExecCommand {
    /// Returns only if the command was not started.
    pub(super) fn execute(self) -> Done {
        let settings = self.settings(|name| std::env::var_os(name)).map_err(Failure::input)?;
        let mut words = self.command.into_iter();
        let name = words.next().unwrap_or_default();
        let launch = Launch::new(settings, name, words.collect()).map_err(Failure::input)?;
        match launch.become_command().map_err(Failure::input)? {}
    }

    /// What the environment says, and what the command line says instead.
    fn settings(&self, read: impl Fn(&str) -> Option<OsString>) -> Result<ExecSettings, BadVariable> {
        let environment = ExecSettings::from_variables(read)?;
        Ok(ExecSettings {
            arch: self.arch.or(environment.arch),
            profile: self.profile.or(environment.profile),
            engine: self.engine.map_or(environment.engine, Into::into),
            workers: self.workers.map(|count| count as usize).or(environment.workers),
            hbm: self.hbm.map(|Size(bytes)| bytes).or(environment.hbm),
            fill: self.hbm_fill.unwrap_or(environment.fill),
            // Of two for the same key, the later one counts.
            set: environment.set.into_iter().chain(self.set.iter().cloned()).collect(),
            out: self.out.clone().or(environment.out),
            events: self.events || environment.events,
            isolate: self.isolate || environment.isolate,
            charges: self.charges.clone().or(environment.charges),
            external_wait: self.external_wait.map_or(environment.external_wait, |HostTime(time)| time),
            guest_limit: self.kernel_limit.map(|HostTime(limit)| limit).or(environment.guest_limit),
        })
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::device::EngineKind;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        exec: ExecCommand,
    }

    fn settings(options: &[&str], variables: &[(&str, &str)]) -> ExecSettings {
        let line = Line::parse_from([&["exec"], options, &["--", "true"]].concat());
        let read = |name: &str| variables.iter().find(|(known, _)| *known == name).map(|(_, value)| value.into());
        line.exec.settings(read).unwrap()
    }

    #[test]
    fn does_the_command_line_count_more_than_the_environment() {
        let variables = [("NPUSIM_ENGINE", "naive"), ("NPUSIM_WORKERS", "3"), ("NPUSIM_SET", "mmio.load=1ns")];
        let settings = settings(&["--engine", "virtual", "--set", "mmio.load=2ns"], &variables);
        assert_eq!((settings.engine, settings.workers), (EngineKind::Virtual, Some(3)));
        assert_eq!(settings.set, ["mmio.load=1ns", "mmio.load=2ns"]);
    }

    #[test]
    fn are_words_of_the_command_left_alone() {
        let words = ["--engine", "naive", "--", "python3", "--workers", "-c", "pass", "--", "--hbm"];
        let line = Line::parse_from([&["exec"], &words as &[_]].concat());
        assert_eq!(line.exec.command, ["python3", "--workers", "-c", "pass", "--", "--hbm"]);
    }
}
