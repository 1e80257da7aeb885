//! Options that say on which device a case is run, and how.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use sim_core::loader::cache::CachePolicy;
use sim_core::loader::staging::LadderChoice;
use sim_core::profile::{Arch, Override, ProfileError, ProfileName};
use sim_hbm::{FillPolicy, ObjectTransfer};

use super::quantity::{HostTime, Parameter, Size};
use crate::case::Runtime;
use crate::device::EngineKind;
use crate::device::programs::Mode;
use crate::exec::settings::variables;
use crate::run::settings::{Front, RunSettings};
use crate::sweep::{Axis, AxisKind, SweepError};

/// Those of [`DeviceOptions`] that mean nothing to device code which brings its own runtime.
pub(super) const OF_OWN_DEVICE: [&str; 10] = [
    "clusters",
    "fast_forward",
    "keep_so",
    "front",
    "faithful",
    "load_strategy",
    "load_root",
    "object_cache",
    "object_transfer",
    "mode",
];

/// The device and how it runs.
#[derive(Debug, Args)]
pub(super) struct DeviceOptions {
    /// The device generation: a2a3 (910B, 910C) or a5 (950) [default: what the case says].
    #[arg(long, value_name = "ARCH")]
    arch: Option<Arch>,
    /// The part, such as 910B2 or 950PR_958x (see `npusim profiles list`) [default: the generation as a whole].
    #[arg(long, value_name = "NAME", env = variables::PROFILE)]
    profile: Option<ProfileName>,
    /// The runtime: tensormap_and_ringbuffer, aicpu_build_graph or host_build_graph [default: what the case says, or
    /// the first].
    #[arg(long, value_name = "RUNTIME")]
    runtime: Option<Runtime>,
    /// Clusters of AICores [default: all of the generation].
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    clusters: Option<u32>,
    /// Through which functions a bundled host runtime reaches the device.
    #[arg(long, value_enum, default_value_t = FrontChoice::Platform)]
    front: FrontChoice,
    /// Let the driver have the flaws of the real one: it installs one AICPU object per process.
    #[arg(long)]
    faithful: bool,
    /// How device code is run.
    #[arg(long, value_enum, default_value_t = EngineChoice::Virtual)]
    engine: EngineChoice,
    /// Whether kernels compute; those that do not say what they do always do [default: what the case says].
    #[arg(long, value_enum)]
    mode: Option<ModeChoice>,
    /// Host threads that run kernel bodies [default: one per CPU].
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1024))]
    workers: Option<u32>,
    /// Device memory, such as 8GiB [default: that of the generation].
    #[arg(long, value_name = "SIZE")]
    hbm: Option<Size>,
    /// What memory holds that nobody has written: zero, poison, random:SEED or sparse:SEED [default: poison; zero with
    /// --runtime-dir].
    #[arg(long, value_name = "FILL")]
    hbm_fill: Option<FillPolicy>,
    /// Replace a value of the profile, such as mmio.load=100ns. Can be repeated.
    #[arg(long = "set", value_name = "KEY=VALUE")]
    set: Vec<Override>,
    /// Set a parameter of the case, such as tasks=1000. Can be repeated.
    #[arg(short, long = "param", value_name = "NAME=VALUE")]
    parameters: Vec<Parameter>,
    /// The seed of random input tensors.
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// Stop device code that has not called the device for this long of host time [default: 1s].
    #[arg(long, value_name = "TIME")]
    kernel_limit: Option<HostTime>,
    /// Let AICPU threads skip polls that find nothing new.
    #[arg(long)]
    fast_forward: bool,
    /// Leave every loaded object in this directory, for debuggers and profilers.
    #[arg(long, value_name = "DIR")]
    keep_so: Option<PathBuf>,
    #[command(flatten)]
    loading: LoadingOptions,
}

/// How objects are loaded.
#[derive(Debug, Args)]
pub(super) struct LoadingOptions {
    /// How objects are staged: memfd, proc-fd, unique-file, unnamed-file, fixed-path, view or sandbox. Of several, the
    /// first that works [default: memfd,unique-file]. With OBJECT (shim, host-runtime, aicpu, aicore, orchestration,
    /// kernel) only those. Can be repeated.
    #[arg(long, value_name = "[OBJECT=]NAME[,NAME...]")]
    load_strategy: Vec<LadderChoice>,
    /// Stage objects where AICPU code would, in a file system with this root: in usr/lib64, var/tmp, tmp, dev/shm, as
    /// far as they are there.
    #[arg(long, value_name = "DIR")]
    load_root: Option<PathBuf>,
    /// When the object of a callable is loaded, and how long it stays: reload-per-run, per-callable, by-content (equal
    /// objects are loaded once) or by-fingerprint (and stay); with `,lazy` by the first run [default: what the case
    /// says, or per-callable].
    #[arg(long, value_name = "MODEL[,lazy]")]
    object_cache: Option<CachePolicy>,
    /// How it gets to the device: fixed-buffer or right-sized, each time with the runtime structure, or separate, once
    /// [default: what the case says, or separate].
    #[arg(long, value_name = "WAY")]
    object_transfer: Option<ObjectTransfer>,
}

impl LoadingOptions {
    /// Writes what was chosen into the settings of a run.
    pub(super) fn choose(&self, settings: &mut RunSettings) {
        settings.ladders.clone_from(&self.load_strategy);
        settings.load_root.clone_from(&self.load_root);
        settings.cache = self.object_cache;
        settings.transfer = self.object_transfer;
    }
}

/// Through which functions a bundled host runtime reaches the device.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum FrontChoice {
    /// Those of the simulator's platform layer.
    Platform,
    /// Those of CANN's runtime, as on the board.
    Driver,
}

impl From<FrontChoice> for Front {
    fn from(choice: FrontChoice) -> Self {
        match choice {
            FrontChoice::Platform => Front::Platform,
            FrontChoice::Driver => Front::Driver,
        }
    }
}

/// How device code is run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum EngineChoice {
    /// Virtual time; idle cores are parked.
    Virtual,
    /// Virtual time; every poll is executed.
    Naive,
    /// Free-running OS threads; no virtual time.
    Threads,
}

impl From<EngineChoice> for EngineKind {
    fn from(choice: EngineChoice) -> Self {
        match choice {
            EngineChoice::Virtual => EngineKind::Virtual,
            EngineChoice::Naive => EngineKind::Naive,
            EngineChoice::Threads => EngineKind::Threads,
        }
    }
}

/// Whether kernels compute.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum ModeChoice {
    /// They do, in the time that the model says.
    #[value(name = "functional+timing")]
    FunctionalAndTiming,
    /// They only say what they would do: results mean nothing, times are the same.
    Timing,
}

impl From<ModeChoice> for Mode {
    fn from(choice: ModeChoice) -> Self {
        match choice {
            ModeChoice::FunctionalAndTiming => Mode::Functional,
            ModeChoice::Timing => Mode::Timing,
        }
    }
}

impl DeviceOptions {
    /// The settings of a sweep without what `--set` and `--param` say: there, these are axes.
    pub(super) fn settings_of_sweep(&self, keep_events: bool) -> Result<(RunSettings, Vec<Axis>), SweepError> {
        let settings = self.settings(keep_events)?;
        let named = settings.overrides.len() - self.set.len();
        let overrides = settings.overrides[..named].to_vec();
        let axis_of = |set: &Override| {
            let text = set.to_string();
            let (key, values) = text.split_once('=').unwrap_or((&text, ""));
            Axis::parse(AxisKind::Profile, key, values)
        };
        let of_profile = self.set.iter().map(axis_of);
        let of_case = self.parameters.iter().map(|set| Axis::parse(AxisKind::Parameter, &set.name, &set.value));
        let axes = of_profile.chain(of_case).collect::<Result<_, _>>()?;
        Ok((RunSettings { overrides, parameters: Vec::new(), ..settings }, axes))
    }

    /// The settings of a run. `--set` counts more than the options that have a name of their own.
    pub(super) fn settings(&self, keep_events: bool) -> Result<RunSettings, ProfileError> {
        let clusters = self.clusters.map(|count| format!("topology.clusters={count}").parse());
        let capacity = self.hbm.map(|Size(bytes)| format!("hbm.capacity={bytes}B").parse());
        let named: Vec<Override> = clusters.into_iter().chain(capacity).collect::<Result<_, _>>()?;
        let mut settings = RunSettings {
            arch: arch_of(self.arch, self.profile)?,
            profile: self.profile,
            runtime: self.runtime,
            front: self.front.into(),
            faithful: self.faithful,
            engine: self.engine.into(),
            mode: self.mode.map(Mode::from),
            workers: self.workers.map(|count| count as usize),
            fill: self.hbm_fill,
            overrides: named.into_iter().chain(self.set.iter().cloned()).collect(),
            parameters: self.parameters.iter().map(|set| (set.name.clone(), set.value.clone())).collect(),
            seed: self.seed,
            guest_limit: self.kernel_limit.map(|HostTime(limit)| limit),
            fast_forward: self.fast_forward,
            keep_events,
            keep_objects: self.keep_so.clone(),
            ..RunSettings::default()
        };
        self.loading.choose(&mut settings);
        Ok(settings)
    }
}

/// The generation that was asked for, by itself or by one of its parts.
pub(super) fn arch_of(arch: Option<Arch>, profile: Option<ProfileName>) -> Result<Option<Arch>, ProfileError> {
    profile.map_or(Ok(arch), |profile| profile.arch_as_asked(arch).map(Some))
}

#[cfg(test)]
mod tests {
    use clap::Parser;
    use sim_core::profile::Profile;

    use super::*;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        device: DeviceOptions,
    }

    #[test]
    fn do_options_with_names_reach_the_profile() {
        let line = Line::parse_from(["x", "--clusters", "3", "--hbm", "8GiB", "--set", "mmio.load=7ns"]);
        let settings = line.device.settings(false).unwrap();
        let profile = Profile::load(Arch::A2a3).unwrap().with_overrides(&settings.overrides).unwrap();
        assert_eq!((*profile.topology.clusters, *profile.hbm.capacity, profile.mmio.load.as_ns()), (3, 8 << 30, 7));
    }

    #[test]
    fn does_set_count_more_than_an_option_with_a_name() {
        let line = Line::parse_from(["x", "--set", "topology.clusters=5", "--clusters", "3"]);
        let settings = line.device.settings(false).unwrap();
        let profile = Profile::load(Arch::A2a3).unwrap().with_overrides(&settings.overrides).unwrap();
        assert_eq!(*profile.topology.clusters, 5);
    }

    #[test]
    fn does_a_profile_choose_the_generation_and_refuse_another() {
        let settings = |words: &[&str]| Line::parse_from([&["x"] as &[_], words].concat()).device.settings(false);
        let chosen = settings(&["--profile", "950PR_958x"]).unwrap();
        assert_eq!((chosen.arch, chosen.profile), (Some(Arch::A5), Some(ProfileName::Ascend950Pr958x)));
        assert_eq!(
            settings(&["--profile", "910B2", "--arch", "a5"]).unwrap_err().to_string(),
            "the profile `910B2` is one of a2a3, not of a5: leave out one of the two"
        );
    }
}
