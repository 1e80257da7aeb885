//! How a case is to be run, beyond what its file says.

use std::path::PathBuf;
use std::time::Duration;

use sim_aicore::pipes::tables::load_profile;
use sim_core::loader::audit::holdings::WatchScope;
use sim_core::loader::cache::CachePolicy;
use sim_core::loader::staging::{LadderChoice, StagingArea, device_directories};
use sim_core::profile::{Arch, Override, Profile, ProfileError, ProfileName};
use sim_hbm::{FillPolicy, ObjectTransfer};

use crate::case::Runtime;
use crate::device::programs::Mode;
use crate::device::{EngineKind, staging_area};

/// Through which functions a bundled host runtime reaches the device.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Front {
    /// Those of the simulator's platform layer.
    Platform,
    /// Those of CANN's runtime, as on the board.
    Driver,
}

/// Choices of whoever runs a case. What is none is left to the case or to the device.
#[derive(Clone, Debug)]
pub struct RunSettings {
    /// The generation.
    pub arch: Option<Arch>,
    /// The part of the generation; by default the generation as a whole.
    pub profile: Option<ProfileName>,
    /// The runtime.
    pub runtime: Option<Runtime>,
    /// Through which functions the host reaches the device.
    pub front: Front,
    /// The driver has the flaws of the real one.
    pub faithful: bool,
    /// How guests are run.
    pub engine: EngineKind,
    /// Whether kernels compute, if not as the case says.
    pub mode: Option<Mode>,
    /// Threads that run kernel bodies.
    pub workers: Option<usize>,
    /// What memory holds that nobody has written.
    pub fill: Option<FillPolicy>,
    /// Values of the profile, on top of the case's own.
    pub overrides: Vec<Override>,
    /// Values of the case's scalars, by name.
    pub parameters: Vec<(String, String)>,
    /// The seed of generated tensors.
    pub seed: u64,
    /// Host time after which device code that calls nothing is stopped.
    pub guest_limit: Option<Duration>,
    /// AICPU threads may skip iterations that are equal to the last.
    pub fast_forward: bool,
    /// Keep every event, for the files of a report.
    pub keep_events: bool,
    /// Put real files for loaded objects here.
    pub keep_objects: Option<PathBuf>,
    /// Where to look for what objects leave behind when they go, if at all.
    pub watch_leaks: Option<WatchScope>,
    /// How objects are staged; later choices count more.
    pub ladders: Vec<LadderChoice>,
    /// When objects of callables are loaded, and how long they stay; else as the case says.
    pub cache: Option<CachePolicy>,
    /// How they get to the device; else as the case says.
    pub transfer: Option<ObjectTransfer>,
    /// The root of the file system in which AICPU code would look for a place for objects.
    pub load_root: Option<PathBuf>,
}

impl RunSettings {
    /// How and where objects are staged that are there before a device is.
    pub(crate) fn staging(&self) -> StagingArea {
        let mut staging = staging_area();
        self.choose_staging(&mut staging);
        staging
    }

    /// Changes what is left to the device into what was chosen.
    pub(crate) fn choose_staging(&self, staging: &mut StagingArea) {
        staging.keep.clone_from(&self.keep_objects);
        for LadderChoice { origin, ladder } in &self.ladders {
            match origin {
                None => staging.ladder.clone_from(ladder),
                Some(origin) => drop(staging.ladder_of.insert(*origin, ladder.clone())),
            }
        }
        if let Some(root) = &self.load_root {
            staging.directories = device_directories(root);
        }
    }
}

impl Default for RunSettings {
    fn default() -> Self {
        RunSettings {
            arch: None,
            profile: None,
            runtime: None,
            front: Front::Platform,
            faithful: false,
            engine: EngineKind::Virtual,
            mode: None,
            workers: None,
            fill: None,
            overrides: Vec::new(),
            parameters: Vec::new(),
            seed: 0,
            guest_limit: None,
            fast_forward: false,
            keep_events: false,
            keep_objects: None,
            watch_leaks: None,
            ladders: Vec::new(),
            cache: None,
            transfer: None,
            load_root: None,
        }
    }
}

impl RunSettings {
    /// The profile of a device of `arch` with these settings, for a case with `own` values.
    pub fn profile_of(&self, arch: Arch, own: &[Override]) -> Result<Profile, ProfileError> {
        let name = self.profile.unwrap_or(arch.into());
        name.arch_as_asked(Some(arch))?;
        load_profile(name)?.with_overrides(own)?.with_overrides(&self.overrides)
    }
}
