//! What was asked of `npusim exec`, and the environment variables in which it reaches every process of the command.

use std::ffi::OsString;
use std::fmt::Display;
use std::num::NonZero;
use std::path::PathBuf;
use std::time::Duration;

use sim_aicore::pipes::tables::load_profile;
use sim_core::profile::{Arch, Override, Profile, ProfileError, ProfileName};
use sim_hbm::FillPolicy;

use crate::device::EngineKind;

/// How device code inside a command is run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExecSettings {
    /// The generation; by default what the runtime's directory says.
    pub arch: Option<Arch>,
    /// The part of the generation; by default the generation as a whole.
    pub profile: Option<ProfileName>,
    /// How device code is run.
    pub engine: EngineKind,
    /// Threads that run kernel bodies; by default one per CPU.
    pub workers: Option<usize>,
    /// Device memory in bytes, unless the generation's own.
    pub hbm: Option<u64>,
    /// What memory holds that nobody has written.
    pub fill: FillPolicy,
    /// Values of the profile, as `key=value`.
    pub set: Vec<String>,
    /// Where reports go.
    pub out: Option<PathBuf>,
    /// Write every event of a run beside its report.
    pub events: bool,
    /// Give each host runtime a namespace of its own.
    pub isolate: bool,
    /// Costs of functions.
    pub charges: Option<PathBuf>,
    /// Host time that a device waits for somebody outside it.
    pub external_wait: Duration,
    /// Host time after which device code that calls nothing is stopped.
    pub guest_limit: Option<Duration>,
}

impl Default for ExecSettings {
    fn default() -> Self {
        ExecSettings {
            arch: None,
            profile: None,
            engine: EngineKind::Virtual,
            workers: None,
            hbm: None,
            // What recycled memory of the stock simulator mostly holds: nothing that was built for it fails by this.
            fill: FillPolicy::Zero,
            set: Vec::new(),
            out: None,
            events: false,
            isolate: false,
            charges: None,
            external_wait: Duration::from_secs(10),
            guest_limit: None,
        }
    }
}

/// The variables.
pub mod variables {
    /// The generation: a2a3 or a5.
    pub const ARCH: &str = "NPUSIM_ARCH";
    /// The part of the generation.
    pub const PROFILE: &str = "NPUSIM_PROFILE";
    /// How device code is run: virtual, naive or threads.
    pub const ENGINE: &str = "NPUSIM_ENGINE";
    /// Host threads that run kernel bodies.
    pub const WORKERS: &str = "NPUSIM_WORKERS";
    /// Bytes of device memory.
    pub const HBM: &str = "NPUSIM_HBM";
    /// What memory holds that nobody has written.
    pub const HBM_FILL: &str = "NPUSIM_HBM_FILL";
    /// Values of the profile, separated by commas.
    pub const SET: &str = "NPUSIM_SET";
    /// The directory of reports.
    pub const OUT: &str = "NPUSIM_OUT";
    /// `1`: write every event of a run beside its report.
    pub const EVENTS: &str = "NPUSIM_EVENTS";
    /// `1`: give each host runtime a namespace of its own.
    pub const ISOLATE: &str = "NPUSIM_ISOLATE";
    /// The charge file.
    pub const CHARGES: &str = "NPUSIM_CHARGES";
    /// Host time that a device waits for somebody outside it.
    pub const EXTERNAL_WAIT: &str = "NPUSIM_EXTERNAL_WAIT";
    /// Host time after which device code that calls nothing is stopped.
    pub const KERNEL_LIMIT: &str = "NPUSIM_KERNEL_LIMIT";

    /// All of them.
    pub const ALL: [&str; 13] = [
        ARCH,
        PROFILE,
        ENGINE,
        WORKERS,
        HBM,
        HBM_FILL,
        SET,
        OUT,
        EVENTS,
        ISOLATE,
        CHARGES,
        EXTERNAL_WAIT,
        KERNEL_LIMIT,
    ];
}
use variables as var;

/// {variable}={value}: {problem}
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error, displaydoc::Display)]
pub struct BadVariable {
    /// The variable.
    pub variable: &'static str,
    /// What it holds.
    pub value: String,
    /// What is wrong with that.
    pub problem: String,
}

/// Between values of the profile in one variable.
const SEPARATOR: char = ',';

impl ExecSettings {
    /// The variables that say the same; what is left to the device is left out.
    pub fn to_variables(&self) -> Vec<(&'static str, OsString)> {
        let mut variables: Vec<(&'static str, OsString)> = vec![
            (var::ENGINE, self.engine.name().into()),
            (var::HBM_FILL, self.fill.to_string().into()),
            (var::EXTERNAL_WAIT, microseconds(self.external_wait)),
        ];
        let mut add = |name, value: Option<OsString>| variables.extend(value.map(|value| (name, value)));
        add(var::ARCH, self.arch.map(|arch| arch.as_str().into()));
        add(var::PROFILE, self.profile.map(|profile| profile.as_str().into()));
        add(var::WORKERS, self.workers.map(|count| count.to_string().into()));
        add(var::HBM, self.hbm.map(|bytes| bytes.to_string().into()));
        add(var::SET, (!self.set.is_empty()).then(|| self.set.join(&SEPARATOR.to_string()).into()));
        add(var::OUT, self.out.clone().map(PathBuf::into_os_string));
        add(var::EVENTS, self.events.then(|| "1".into()));
        add(var::ISOLATE, self.isolate.then(|| "1".into()));
        add(var::CHARGES, self.charges.clone().map(PathBuf::into_os_string));
        add(var::KERNEL_LIMIT, self.guest_limit.map(microseconds));
        variables
    }

    /// What the variables say that `read` finds.
    pub fn from_variables(read: impl Fn(&str) -> Option<OsString>) -> Result<Self, BadVariable> {
        let path = |name| read(name).filter(|value| !value.is_empty()).map(PathBuf::from);
        let default = ExecSettings::default();
        let time = |name| parse(&read, name, parse_microseconds);
        Ok(ExecSettings {
            arch: parse(&read, var::ARCH, |text| text.parse::<Arch>())?,
            profile: parse(&read, var::PROFILE, |text| text.parse::<ProfileName>())?,
            engine: parse(&read, var::ENGINE, EngineKind::from_name)?.unwrap_or(default.engine),
            workers: parse(&read, var::WORKERS, count)?.map(NonZero::get),
            hbm: parse(&read, var::HBM, crate::cli::parse_size)?,
            fill: parse(&read, var::HBM_FILL, |text| text.parse::<FillPolicy>())?.unwrap_or(default.fill),
            set: parse(&read, var::SET, replacements)?.unwrap_or_default(),
            out: path(var::OUT),
            events: parse(&read, var::EVENTS, flag)?.unwrap_or(default.events),
            isolate: parse(&read, var::ISOLATE, flag)?.unwrap_or(default.isolate),
            charges: path(var::CHARGES),
            external_wait: time(var::EXTERNAL_WAIT)?.unwrap_or(default.external_wait),
            guest_limit: time(var::KERNEL_LIMIT)?,
        })
    }

    /// The profile of a device of `arch` with these settings.
    pub fn profile_of(&self, arch: Arch) -> Result<Profile, ProfileError> {
        let name = self.profile.unwrap_or(arch.into());
        name.arch_as_asked(Some(arch))?;
        load_profile(name)?.with_overrides(&self.overrides()?)
    }

    /// The values of the profile that are replaced.
    pub fn overrides(&self) -> Result<Vec<Override>, ProfileError> {
        let capacity = self.hbm.map(|bytes| format!("hbm.capacity={bytes}B"));
        capacity.iter().chain(&self.set).map(|text| text.parse()).collect()
    }
}

fn count(text: &str) -> Result<NonZero<usize>, &'static str> {
    text.parse().map_err(|_| "write a whole number above zero")
}

/// They stay text, since that is how they travel.
fn replacements(text: &str) -> Result<Vec<String>, ProfileError> {
    let checked = |one: &str| one.parse::<Override>().map(|_| one.to_owned());
    text.split(SEPARATOR).map(checked).collect()
}

fn parse<T, E: Display>(
    read: &impl Fn(&str) -> Option<OsString>,
    variable: &'static str,
    parse: impl FnOnce(&str) -> Result<T, E>,
) -> Result<Option<T>, BadVariable> {
    let Some(value) = read(variable).filter(|value| !value.is_empty()) else { return Ok(None) };
    let value = value.to_string_lossy().into_owned();
    match parse(&value) {
        Ok(parsed) => Ok(Some(parsed)),
        Err(problem) => Err(BadVariable { variable, value, problem: problem.to_string() }),
    }
}

fn flag(text: &str) -> Result<bool, &'static str> {
    match text {
        "0" => Ok(false),
        "1" => Ok(true),
        _ => Err("write 0 or 1"),
    }
}

/// Times travel as whole microseconds.
fn microseconds(time: Duration) -> OsString {
    format!("{}us", time.as_micros()).into()
}

fn parse_microseconds(text: &str) -> Result<Duration, String> {
    crate::cli::parse_host_time(text)
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;

    #[test]
    fn do_settings_come_back_from_the_environment_as_they_were() {
        let settings = ExecSettings {
            arch: Some(Arch::A5),
            profile: Some(ProfileName::Ascend950Dt958x),
            engine: EngineKind::Naive,
            workers: Some(3),
            hbm: Some(8 << 30),
            fill: FillPolicy::Random { seed: 7 },
            set: vec!["mmio.load=100ns".to_owned(), "topology.clusters=3".to_owned()],
            out: Some("out".into()),
            events: true,
            isolate: true,
            charges: Some("charges.json".into()),
            external_wait: Duration::from_millis(1500),
            guest_limit: Some(Duration::from_secs(2)),
        };
        for settings in [settings, ExecSettings::default()] {
            let variables: HashMap<_, _> = settings.to_variables().into_iter().collect();
            assert!(variables.keys().all(|name| variables::ALL.contains(name)));
            assert_eq!(ExecSettings::from_variables(|name| variables.get(name).cloned()), Ok(settings));
        }
    }

    #[test]
    fn does_a_bad_variable_get_an_error_that_names_it_and_what_it_holds() {
        let read = |name: &str| (name == "NPUSIM_HBM_FILL").then(|| "ones".into());
        let error = ExecSettings::from_variables(read).unwrap_err().to_string();
        assert_eq!(
            error,
            "NPUSIM_HBM_FILL=ones: `ones` is not a fill policy: write `zero`, `poison`, `random:SEED` or \
             `sparse:SEED`, with a whole number below 2^64 for SEED"
        );
    }
}
