//! `npusim profiles`.

use clap::{Args, Subcommand};
use serde::Serialize;
use sim_aicore::pipes::tables::load_profile;
use sim_core::profile::{Arch, Confidence, Entry, Profile, ProfileError, ProfileName};

use super::failure::Failure;
use super::{Done, print, print_json};
use crate::run::exit::ExitStatus;

/// Show the constants of the model, part by part, with where each comes from.
#[derive(Debug, Args)]
pub(super) struct ProfilesCommand {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// List the profiles: each generation, then its parts.
    List(List),
    /// Show every value of a profile.
    Show(Show),
}

#[derive(Debug, Args)]
struct List {
    /// Print one JSON object.
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Args)]
struct Show {
    /// The profile, such as a2a3 or 910B2.
    #[arg(value_name = "NAME")]
    name: ProfileName,
    /// Only values whose key begins like this; those of instructions are only shown so: `instructions`.
    #[arg(value_name = "KEY")]
    prefix: Option<String>,
    /// Also show who says so, what range the sources allow, and how a value was derived.
    #[arg(long)]
    sources: bool,
    /// Print one JSON object, sources included.
    #[arg(long)]
    json: bool,
}

/// What `list --json` prints.
#[derive(Serialize)]
struct Listing {
    profiles: Vec<Listed>,
}

/// A profile in the list.
#[derive(Serialize)]
struct Listed {
    name: ProfileName,
    arch: Arch,
    parent: Option<ProfileName>,
    aic: u32,
    aiv: u32,
    aicore_hz: u64,
    hbm_bytes: u64,
    hbm_read_bytes_per_s: u64,
    l2_bytes: u64,
}

/// What `show --json` prints.
#[derive(Serialize)]
struct Shown<'a> {
    name: ProfileName,
    arch: Arch,
    parent: Option<ProfileName>,
    values: Vec<ShownValue<'a>>,
}

/// A value with where it comes from.
#[derive(Serialize)]
struct ShownValue<'a> {
    key: &'a str,
    value: String,
    range: Option<(String, String)>,
    confidence: Confidence,
    source: &'a str,
    note: Option<&'a str>,
}

impl ProfilesCommand {
    pub(super) fn execute(&self) -> Done {
        match &self.action {
            Action::List(list) => list.execute(),
            Action::Show(show) => show.execute(),
        }
    }
}

impl List {
    fn execute(&self) -> Done {
        let profiles = ProfileName::ALL.into_iter().map(Listed::new).collect::<Result<Vec<_>, _>>();
        let profiles = profiles.map_err(Failure::input)?;
        if self.json {
            print_json(&Listing { profiles })?;
            return Ok(ExitStatus::Success);
        }
        print(format_args!(
            "{:<12}{:<8}{:<8}{:>5}{:>5}{:>10}{:>10}{:>12}{:>9}\n",
            "profile", "arch", "parent", "AIC", "AIV", "AICore", "HBM", "HBM reads", "L2"
        ))?;
        for listed in &profiles {
            listed.print()?;
        }
        Ok(ExitStatus::Success)
    }
}

impl Listed {
    fn new(name: ProfileName) -> Result<Self, ProfileError> {
        let profile = Profile::load(name)?;
        let clusters = *profile.topology.clusters;
        Ok(Listed {
            name,
            arch: profile.arch,
            parent: profile.parent(),
            aic: clusters * *profile.topology.aic_per_cluster,
            aiv: clusters * *profile.topology.aiv_per_cluster,
            aicore_hz: profile.clock.aicore.as_hz(),
            hbm_bytes: *profile.hbm.capacity,
            hbm_read_bytes_per_s: profile.hbm.read_bandwidth.as_bytes_per_s(),
            l2_bytes: *profile.l2.capacity,
        })
    }

    fn print(&self) -> Result<(), Failure> {
        let parent = self.parent.map_or("", ProfileName::as_str);
        print(format_args!(
            "{:<12}{:<8}{parent:<8}{:>5}{:>5}{:>6} MHz{:>6} GiB{:>7} GB/s{:>5} MiB\n",
            self.name,
            self.arch.as_str(),
            self.aic,
            self.aiv,
            self.aicore_hz / 1_000_000,
            self.hbm_bytes >> 30,
            self.hbm_read_bytes_per_s / 1_000_000_000,
            self.l2_bytes >> 20,
        ))
    }
}

impl Show {
    fn execute(&self) -> Done {
        let profile = load_profile(self.name).map_err(Failure::input)?;
        let entries: Vec<&Entry> = match &self.prefix {
            None => profile.entries().collect(),
            Some(prefix) => {
                let all = profile.entries().chain(profile.extended());
                all.filter(|entry| entry.path().starts_with(prefix.as_str())).collect()
            }
        };
        if let (Some(prefix), true) = (&self.prefix, entries.is_empty()) {
            return Err(Failure::input(profile.unknown_key(prefix)));
        }
        // Keys are aligned, however long they are.
        let width = entries.iter().map(|entry| entry.path().len() + 2).max().unwrap_or_default().max(36);
        if self.json {
            let values = entries.into_iter().map(ShownValue::from).collect();
            print_json(&Shown { name: self.name, arch: profile.arch, parent: profile.parent(), values })?;
            return Ok(ExitStatus::Success);
        }
        for entry in entries {
            print(format_args!("{:<width$}{:<16}{}\n", entry.path(), entry.value(), entry.confidence()))?;
            if self.sources {
                print_source(entry)?;
            }
        }
        Ok(ExitStatus::Success)
    }
}

/// Who says so, below a value.
fn print_source(entry: &Entry) -> Result<(), Failure> {
    print(format_args!("    {}\n", entry.source()))?;
    if let Some((low, high)) = entry.range() {
        print(format_args!("    from {low} to {high}\n"))?;
    }
    entry.note().map_or(Ok(()), |note| print(format_args!("    {note}\n")))
}

impl<'a> From<&'a Entry> for ShownValue<'a> {
    fn from(entry: &'a Entry) -> Self {
        ShownValue {
            key: entry.path(),
            value: entry.value(),
            range: entry.range(),
            confidence: entry.confidence(),
            source: entry.source(),
            note: entry.note(),
        }
    }
}
