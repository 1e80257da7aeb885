//! `npusim inspect`.

use std::path::PathBuf;

use clap::Args;
use sim_core::loader::inspect::Inspection;

use super::failure::Failure;
use super::{Done, print_json};
use crate::run::exit::ExitStatus;

/// Show the facts about a shared object.
#[derive(Debug, Args)]
pub(super) struct InspectCommand {
    /// The shared object.
    #[arg(value_name = "FILE.so")]
    file: PathBuf,
    /// Print one JSON object.
    #[arg(long)]
    json: bool,
}

impl InspectCommand {
    pub(super) fn execute(&self) -> Done {
        let name = self.file.display().to_string();
        let bytes = std::fs::read(&self.file)
            .map_err(|error| Failure::input(format_args!("cannot read {name}: {error}; name a shared object")))?;
        let inspection = Inspection::of(&name, &bytes).map_err(Failure::input)?;
        if self.json {
            print_json(&inspection)?;
        } else {
            super::print(format_args!("{inspection}"))?;
        }
        Ok(ExitStatus::Success)
    }
}
