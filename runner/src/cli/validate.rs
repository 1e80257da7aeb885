//! `npusim validate`.

use clap::Args;
use sim_core::profile::{Arch, Override};

use super::failure::Failure;
use super::{Done, print, print_json};
use crate::run::exit::ExitStatus;
use crate::validate::{Group, ReportTable, Selection, validate};

/// Compare the model with published figures.
#[derive(Debug, Args)]
pub(super) struct ValidateCommand {
    /// Only this group of figures. Can be repeated.
    #[arg(long, value_enum, value_name = "GROUP", value_delimiter = ',')]
    group: Vec<Group>,
    /// Only figures of this generation: a2a3 or a5.
    #[arg(long, value_name = "ARCH")]
    arch: Option<Arch>,
    /// Replace a value of the profiles, such as mmio.load=100ns; without --arch it must suit both generations. Can be
    /// repeated.
    #[arg(long = "set", value_name = "KEY=VALUE")]
    set: Vec<Override>,
    /// Print one JSON object.
    #[arg(long)]
    json: bool,
}

impl ValidateCommand {
    pub(super) fn execute(self) -> Done {
        let selection = Selection { groups: self.group, arch: self.arch, overrides: self.set };
        let report = validate(&selection).map_err(Failure::input)?;
        if self.json {
            print_json(&report)?;
        } else {
            print(format_args!("{}", ReportTable(&report)))?;
        }
        Ok(ExitStatus::Success)
    }
}
