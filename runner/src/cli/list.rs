//! `npusim list`.

use clap::Args;
use serde::Serialize;

use super::failure::Failure;
use super::{Done, print, print_json};
use crate::case::{BundledCase, CaseSpec};
use crate::run::exit::ExitStatus;

/// List the bundled cases.
#[derive(Debug, Args)]
pub(super) struct ListCommand {
    /// Print one JSON object.
    #[arg(long)]
    json: bool,
}

/// What `--json` prints.
#[derive(Serialize)]
struct Listing {
    cases: Vec<ListedCase>,
}

/// A case in the list.
#[derive(Serialize)]
struct ListedCase {
    name: String,
    arch: &'static str,
    runtime: &'static str,
    description: String,
    parameters: Vec<String>,
}

impl ListCommand {
    pub(super) fn execute(&self) -> Done {
        let listed = |case: &BundledCase| CaseSpec::bundled(case.name).map(ListedCase::from);
        let cases: Vec<ListedCase> =
            BundledCase::ALL.iter().map(listed).collect::<Result<_, _>>().map_err(Failure::input)?;
        if self.json {
            print_json(&Listing { cases })?;
        } else {
            let width = cases.iter().map(|case| case.name.len()).max().unwrap_or_default();
            for ListedCase { name, description, .. } in &cases {
                print(format_args!("{name:<width$}  {description}\n"))?;
            }
        }
        Ok(ExitStatus::Success)
    }
}

impl From<CaseSpec> for ListedCase {
    fn from(case: CaseSpec) -> Self {
        ListedCase {
            name: case.name,
            arch: case.arch.as_str(),
            runtime: case.runtime.name(),
            description: case.description,
            parameters: case.scalars.into_iter().map(|scalar| scalar.name).collect(),
        }
    }
}
