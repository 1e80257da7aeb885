//! The start of a command with the object preloaded: everything is checked first, then the process becomes the command.

use std::convert::Infallible;
use std::env;
use std::ffi::{OsStr, OsString};
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::process::CommandExt;
use std::path::{self, PathBuf};
use std::process::Command;

use sim_core::charges::{ChargeError, Charges};
use sim_core::loader::tunables;
use sim_core::profile::{Arch, ProfileError};

use super::command::{self, CommandError};
use super::preload_object::{self, NoPreloadObject};
use super::settings::ExecSettings;
use crate::device::EngineKind;
use crate::report::output::{OutputDirectory, OutputError};

/// Why a command was not started.
#[derive(Debug, thiserror::Error, displaydoc::Display)]
pub enum LaunchError {
    /// {0}
    Command(#[from] CommandError),
    /// {0}
    Preload(#[from] NoPreloadObject),
    /// {path:?} cannot be preloaded: LD_PRELOAD takes no blank and no colon in a path; move npusim elsewhere
    PreloadPath {
        /// The object.
        path: PathBuf,
    },
    /// {0}
    Profile(#[from] ProfileError),
    /// {0}
    Charges(#[from] ChargeError),
    /// --isolate: the engine `threads` leaves runtimes where the stock simulator puts them; leave one of the two out
    IsolatedThreads,
    /// {0}
    Out(#[from] OutputError),
    /// the current directory cannot be told: {0}
    CurrentDirectory(io::Error),
    /// {path:?} cannot be started: {reason}
    Start {
        /// The command.
        path: PathBuf,
        /// What the system said.
        reason: io::Error,
    },
}

/// The variable in which the dynamic linker finds objects to preload.
const PRELOAD: &str = "LD_PRELOAD";

/// A command that is ready to be started.
#[derive(Debug)]
pub struct Launch {
    path: PathBuf,
    name: OsString,
    arguments: Vec<OsString>,
    variables: Vec<(&'static str, OsString)>,
}

impl Launch {
    /// Checks everything that can be checked before the command runs; `--out` is there afterwards.
    pub fn new(settings: ExecSettings, name: OsString, arguments: Vec<OsString>) -> Result<Launch, LaunchError> {
        let path = command::find(&name, env::var_os("PATH").as_deref())?;
        let object = preload_object::find()?;
        let settings = checked(settings)?;
        let mut variables = settings.to_variables();
        variables.push((PRELOAD, preload_value(object, env::var_os(PRELOAD).as_deref())?));
        let fibers = tunables::for_fibers(env::var_os(tunables::VARIABLE).as_deref());
        variables.extend(fibers.map(|value| (tunables::VARIABLE, value)));
        Ok(Launch { path, name, arguments, variables })
    }

    /// Becomes the command. Returns only if that failed.
    pub fn become_command(self) -> Result<Infallible, LaunchError> {
        let mut command = Command::new(&self.path);
        command.arg0(&self.name).args(self.arguments).envs(self.variables);
        Err(LaunchError::Start { path: self.path, reason: command.exec() })
    }
}

/// The settings, if a device can have them, with paths that mean the same in every directory.
fn checked(mut settings: ExecSettings) -> Result<ExecSettings, LaunchError> {
    if settings.isolate && settings.engine == EngineKind::Threads {
        return Err(LaunchError::IsolatedThreads);
    }
    if let Some(profile) = settings.profile {
        settings.arch = Some(profile.arch_as_asked(settings.arch)?);
    }
    // Which generation it will be is known when a runtime is there.
    for arch in settings.arch.map_or(Arch::ALL.to_vec(), |arch| vec![arch]) {
        settings.profile_of(arch)?;
    }
    if let Some(file) = &mut settings.charges {
        Charges::read(&*file)?;
        *file = path::absolute(&*file).map_err(LaunchError::CurrentDirectory)?;
    }
    if let Some(directory) = &mut settings.out {
        OutputDirectory::create(&*directory)?;
        *directory = path::absolute(&*directory).map_err(LaunchError::CurrentDirectory)?;
    }
    Ok(settings)
}

/// The object first, then what is preloaded already.
fn preload_value(object: PathBuf, current: Option<&OsStr>) -> Result<OsString, LaunchError> {
    let is_separator = |byte: &u8| matches!(byte, b':' | b' ' | b'\t' | b'\n');
    if object.as_os_str().as_bytes().iter().any(is_separator) {
        return Err(LaunchError::PreloadPath { path: object });
    }
    let mut value = object.into_os_string();
    let ours = value.clone();
    let others = current.unwrap_or_default().as_bytes().split(is_separator).map(OsStr::from_bytes);
    for other in others.filter(|other| !other.is_empty() && *other != ours) {
        value.push(":");
        value.push(other);
    }
    Ok(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn value(current: Option<&str>) -> String {
        let value = preload_value("/x/ours.so".into(), current.map(OsStr::new)).unwrap();
        value.into_string().unwrap()
    }

    #[test]
    fn is_what_is_preloaded_already_kept_behind_ours() {
        assert_eq!(value(None), "/x/ours.so");
        assert_eq!(value(Some("")), "/x/ours.so");
        assert_eq!(value(Some("libjemalloc.so:/y/z.so asan.so")), "/x/ours.so:libjemalloc.so:/y/z.so:asan.so");
        assert_eq!(value(Some("/y/z.so:/x/ours.so")), "/x/ours.so:/y/z.so");
    }

    #[test]
    fn is_an_object_refused_whose_path_cannot_be_said() {
        let error = preload_value("/my files/ours.so".into(), None).unwrap_err();
        assert!(matches!(error, LaunchError::PreloadPath { .. }), "{error}");
    }

    #[test]
    fn are_values_refused_that_one_generation_cannot_have_unless_the_other_is_named() {
        let with =
            |arch, set: &str| checked(ExecSettings { arch, set: vec![set.to_owned()], ..ExecSettings::default() });
        assert!(with(None, "mmio.load=100ns").is_ok());
        assert!(matches!(with(None, "mmio.laod=100ns"), Err(LaunchError::Profile(_))));
        assert!(matches!(with(Some(Arch::A5), "mmio.load=100GiB"), Err(LaunchError::Profile(_))));
    }
}
