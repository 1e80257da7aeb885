//! `npusim scenario`.

use clap::Args;
use serde::Serialize;
use sim_core::profile::{Arch, Override};

use super::failure::Failure;
use super::options::EngineChoice;
use super::{Done, print, print_json};
use crate::run::exit::ExitStatus;
use crate::scenario::{Scenario, ScenarioSettings};

/// Play what hosts on the board run into with the driver, call by call; without a name, list the scenarios.
#[derive(Debug, Args)]
pub(super) struct ScenarioCommand {
    /// The scenario.
    #[arg(value_name = "NAME")]
    scenario: Option<Scenario>,
    /// The device generation: a2a3 or a5.
    #[arg(long, value_name = "ARCH", default_value = "a2a3")]
    arch: Arch,
    /// How device code is run: virtual or naive.
    #[arg(long, value_enum, default_value_t = EngineChoice::Virtual)]
    engine: EngineChoice,
    /// Let the driver have the flaws of the real one: it installs one AICPU object per process.
    #[arg(long)]
    faithful: bool,
    /// Replace a value of the profile, such as driver.op_timeout=3s. Can be repeated.
    #[arg(long = "set", value_name = "KEY=VALUE")]
    set: Vec<Override>,
    /// Print one JSON object.
    #[arg(long)]
    json: bool,
}

impl ScenarioCommand {
    pub(super) fn execute(&self) -> Done {
        let Some(scenario) = self.scenario else { return self.list() };
        if self.engine == EngineChoice::Threads {
            return Err(Failure::input("scenarios need virtual time: take --engine virtual or naive"));
        }
        let settings = ScenarioSettings {
            arch: self.arch,
            engine: self.engine.into(),
            faithful: self.faithful,
            overrides: self.set.clone(),
        };
        let report = scenario.play(&settings).map_err(|error| Failure::of_device(&error))?;
        if self.json {
            print_json(&report)?;
        } else {
            print(format_args!("{report}"))?;
        }
        Ok(if report.as_expected { ExitStatus::Success } else { ExitStatus::Mismatch })
    }

    fn list(&self) -> Done {
        if self.json {
            let scenarios =
                Scenario::ALL.map(|scenario| Listed { name: scenario.name(), description: scenario.description() });
            print_json(&Listing { scenarios: scenarios.into() })?;
            return Ok(ExitStatus::Success);
        }
        let width = Scenario::ALL.iter().map(|scenario| scenario.name().len()).max().unwrap_or_default();
        for scenario in Scenario::ALL {
            print(format_args!("{:<width$}  {}\n", scenario.name(), scenario.description()))?;
        }
        Ok(ExitStatus::Success)
    }
}

/// What `--json` prints without a name.
#[derive(Serialize)]
struct Listing {
    scenarios: Vec<Listed>,
}

/// A scenario in the list.
#[derive(Serialize)]
struct Listed {
    name: &'static str,
    description: &'static str,
}
