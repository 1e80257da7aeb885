//! `npusim audit`.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::{ArgGroup, Args};
use sim_core::loader::audit::holdings::WatchScope;
use sim_core::profile::Arch;

use super::failure::Failure;
use super::options::DeviceOptions;
use super::{Done, print, print_json};
use crate::audit::Audit;
use crate::audit::allow::Allowance;
use crate::audit::table::AuditTable;
use crate::bundled;
use crate::case::CaseSpec;
use crate::device::{Device, DeviceConfig, EngineKind, NamedObject};
use crate::run::finished::FinishedRun;
use crate::run::plan::RunPlan;
use crate::run::pulse::Pulse;
use crate::run::settings::RunSettings;

/// Show what each object of a case was bound to, and what about it is not as it should be.
///
/// Ends with 1 if something was found that the case does not allow.
#[derive(Debug, Args)]
#[command(group = ArgGroup::new("subject").required(true))]
pub(super) struct AuditCommand {
    /// A bundled case (see `npusim list`) or the path of a case file: it is run, and its device ended.
    #[arg(group = "subject")]
    case: Option<String>,
    /// Load this object alone, and close it again. Its initialisers and finalisers run.
    #[arg(long, value_name = "FILE.so", group = "subject")]
    object: Option<PathBuf>,
    /// What is as it should be, besides what the case says, such as first_wins:a64l. Can be repeated.
    #[arg(long, value_name = "KIND:SYMBOL[@OBJECT]")]
    allow: Vec<Allowance>,
    #[command(flatten)]
    device: DeviceOptions,
    /// Print one JSON object instead of a table.
    #[arg(long)]
    json: bool,
}

impl AuditCommand {
    pub(super) fn execute(&self) -> Done {
        let settings = RunSettings {
            watch_leaks: Some(WatchScope::Process),
            ..self.device.settings(false).map_err(Failure::input)?
        };
        if settings.engine == EngineKind::Threads {
            let reason = "nobody can say what free-running threads open and close; leave out --engine threads";
            return Err(Failure::input(reason));
        }
        match (&self.case, &self.object) {
            (_, Some(file)) => self.audit_object(file, &settings),
            (Some(case), None) => self.audit_case(case, &settings),
            (None, None) => unreachable!("the command line has one of them"),
        }
    }

    fn audit_case(&self, case: &str, settings: &RunSettings) -> Done {
        let case = CaseSpec::find(case).map_err(Failure::input)?;
        let plan = RunPlan::new(case, settings).map_err(Failure::input)?;
        let allow = [plan.input.case.allow.as_slice(), &self.allow].concat();
        let name = plan.input.case.name.clone();
        let run = FinishedRun::of(plan, Arc::new(Pulse::default())).map_err(|error| Failure::of_device(&error))?;
        let failure = Failure::of_run(&run);
        let audit = Audit::of_run(run, &allow);
        let shown = self.show(&name, &audit);
        // A run that ended early says why; what it left behind is then not known.
        failure.map_or(shown, Err)
    }

    fn audit_object(&self, file: &Path, settings: &RunSettings) -> Done {
        let path = file.display();
        let bytes = std::fs::read(file)
            .map_err(|error| Failure::input(format_args!("cannot read {path}: {error}; name a shared object")))?;
        let name = file.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        let profile = settings.profile_of(settings.arch.unwrap_or(Arch::A2a3), &[]).map_err(Failure::input)?;
        let config = DeviceConfig { watch_leaks: Some(WatchScope::Process), ..DeviceConfig::new(profile) };
        let object = NamedObject { name: &name, bytes: &bytes };
        let device = Device::new(config, bundled::SHIM, object).map_err(|error| Failure::of_device(&error))?;
        self.show(&name, &Audit::of_loads(&device.close(), &self.allow))
    }

    fn show(&self, subject: &str, audit: &Audit) -> Done {
        if self.json {
            print_json(audit)?;
        } else {
            print(format_args!("{}", AuditTable { subject, audit }))?;
        }
        Ok(audit.status())
    }
}
