//! `npusim loads`.

use std::fmt::Write as _;

use clap::Args;
use sim_core::profile::{Arch, Profile};

use super::failure::Failure;
use super::{Done, print, print_json};
use crate::loads::LoadComparison;
use crate::run::exit::ExitStatus;

/// Compare the ways in which objects can be loaded.
#[derive(Debug, Args)]
pub(super) struct LoadsCommand {
    /// Load objects of several sizes by each strategy, and put what that takes on this host beside what it takes on the
    /// device.
    #[arg(long, required = true)]
    compare: bool,
    /// The device generation: a2a3 (910B, 910C) or a5 (950).
    #[arg(long, value_name = "ARCH", default_value_t = Arch::A2a3)]
    arch: Arch,
    /// How many loads are behind each median.
    #[arg(long, value_name = "N", default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    repeat: u32,
    /// Print one JSON object.
    #[arg(long)]
    json: bool,
}

impl LoadsCommand {
    pub(super) fn execute(&self) -> Done {
        let profile = Profile::load(self.arch).map_err(Failure::input)?;
        let comparison = LoadComparison::make(&profile, self.repeat).map_err(Failure::input)?;
        if self.json {
            print_json(&comparison)?;
        } else {
            print(format_args!("{}", table(&comparison)))?;
        }
        Ok(ExitStatus::Success)
    }
}

fn table(comparison: &LoadComparison) -> String {
    let mut text = format!(
        "host times: medians of {} loads on this machine; device times: the profile of {}; all in us\n\n\
         {:<14}{:>9}{:>10}{:>10}{:>12}   each invocation: {:>10}{:>10}{:>12}{:>10}\n",
        comparison.repeat,
        comparison.arch,
        "strategy",
        "bytes",
        "load",
        "unload",
        "on device",
        "reload",
        "cached",
        "on device",
        "cached",
    );
    let mut line = |line: std::fmt::Arguments<'_>| {
        // A string takes all text.
        let _ = writeln!(text, "{line}");
    };
    for row in &comparison.strategies {
        line(format_args!(
            "{:<14}{:>9}{:>10.1}{:>10.1}{:>12.1}{:>31.1}{:>10.3}{:>12.1}{:>10.1}",
            row.strategy.name(),
            row.size,
            row.host_load_us,
            row.host_unload_us,
            row.device_load_us,
            row.host_reload_us,
            row.host_cached_us,
            row.device_reload_us,
            row.device_cached_us,
        ));
    }
    line(format_args!("\n{:<16}{:>9}{:>16}{:>14}", "to the device", "bytes", "at registration", "each run"));
    for row in &comparison.transfers {
        let transfer = row.transfer.to_string();
        line(format_args!("{transfer:<16}{:>9}{:>16.2}{:>14.3}", row.size, row.registration_us, row.run_us));
    }
    let overhead = &comparison.overhead;
    line(format_args!(
        "\nloader by memfd, {} bytes: {:.1} us, {:.2} times the bare calls ({:.1} us)",
        overhead.size, overhead.loader_us, overhead.ratio, overhead.bare.load_us
    ));
    let gain = &comparison.memory_gain;
    line(format_args!(
        "\nmemory over files, {} bytes: {:+.1} % on this host, {:+.1} % in the model",
        gain.size, gain.host_percent, gain.device_percent
    ));
    for published in gain.published {
        let (runtime, source) = (published.runtime, published.source);
        line(format_args!("  published: {:+.2} % ({runtime}; {source})", published.gain_percent));
    }
    for explanation in gain.explanation {
        line(format_args!("  {explanation}"));
    }
    text
}
