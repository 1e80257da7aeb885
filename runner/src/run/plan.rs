//! Everything that a run needs, read and checked before there is a device.

use std::collections::BTreeMap;
use std::path::PathBuf;

use sim_aicore::cost::KernelTable;
use sim_core::loader::image_error::ImageError;
use sim_core::profile::{Arch, ProfileError};
use sim_hbm::{ObjectTransfer, TooLarge};

use super::input::RunInput;
use super::objects::{Bundle, CodeObject};
use super::settings::{Front, RunSettings};
use crate::bundled::{self, BundledRuntime};
use crate::case::{CaseError, CaseOrigin, CaseSpec, ObjectSource, Runtime};
use crate::client::callable::CallableError;
use crate::client::callable_file::CallableFileError;
use crate::device::programs::Mode;
use crate::device::{DeviceConfig, EngineKind};

/// What an AICPU object exports.
pub(crate) const AICPU_ENTRY: &str = "aicpu_execute";
/// What an AICore object exports.
pub(crate) const AICORE_ENTRY: &str = "aicore_execute_wrapper";
/// What a host runtime exports, among others.
const HOST_ENTRY: &str = "create_device_context";

/// Why a case cannot be run as asked.
#[derive(Debug, thiserror::Error, displaydoc::Display)]
pub enum PlanError {
    /// {0}
    Case(Box<CaseError>),
    /// {0}
    Profile(Box<ProfileError>),
    /// {path:?} cannot be read: {error}
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        error: std::io::Error,
    },
    /// {0}
    Image(Box<ImageError>),
    /// {path:?} does not export {symbol}; check that it is {kind}
    MissingSymbol {
        /// The file.
        path: PathBuf,
        /// What was looked for.
        symbol: String,
        /// What the file is to be.
        kind: &'static str,
    },
    /// {origin}: no {kind} `{name}` is bundled for {arch}; give it by path or take another generation with --arch
    NotBundled {
        /// The case.
        origin: CaseOrigin,
        /// What it is.
        kind: &'static str,
        /// Its name.
        name: &'static str,
        /// The generation.
        arch: Arch,
    },
    /// {path:?} {error}
    CallableFile {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        error: CallableFileError,
    },
    /// {origin}: {error}
    Transfer {
        /// The case.
        origin: CaseOrigin,
        /// Why the orchestration cannot get to the device so.
        error: TooLarge,
    },
    /// --front driver needs virtual time: take --engine virtual or naive
    DriverOnThreads,
    /// --mode timing needs virtual time: take --engine virtual or naive
    TimingOnThreads,
    /// {origin}: {error}
    Callable {
        /// The case.
        origin: CaseOrigin,
        /// What does not fit.
        error: CallableError,
    },
}

impl From<CaseError> for PlanError {
    fn from(error: CaseError) -> Self {
        PlanError::Case(Box::new(error))
    }
}

impl From<ProfileError> for PlanError {
    fn from(error: ProfileError) -> Self {
        PlanError::Profile(Box::new(error))
    }
}

impl From<ImageError> for PlanError {
    fn from(error: ImageError) -> Self {
        PlanError::Image(Box::new(error))
    }
}

/// The objects of a runtime.
#[derive(Clone, Debug)]
pub struct RuntimeObjects {
    /// Runs in the host process.
    pub host: CodeObject,
    /// Runs on the AICPU.
    pub aicpu: CodeObject,
    /// Runs on the AICores.
    pub aicore: CodeObject,
}

/// A case that is ready to run on a device of npusim's own.
pub struct RunPlan {
    /// What the host process hands over.
    pub input: RunInput,
    /// The device.
    pub config: DeviceConfig,
    /// The runtime.
    pub objects: RuntimeObjects,
}

impl RunPlan {
    /// Reads and checks whatever a run of `case` needs.
    pub fn new(case: CaseSpec, settings: &RunSettings) -> Result<RunPlan, PlanError> {
        let input = RunInput::new(case.on_runtime(settings.runtime), settings)?;
        let mut config = device_of(&input, settings)?;
        config.kernels = input.kernels.iter().cloned().collect();
        if settings.front == Front::Driver && settings.engine == EngineKind::Threads {
            return Err(PlanError::DriverOnThreads);
        }
        if input.mode == Mode::Timing && settings.engine == EngineKind::Threads {
            return Err(PlanError::TimingOnThreads);
        }
        Ok(RunPlan { objects: runtime_of(&input, settings.front)?, input, config })
    }

    /// What to tell somebody who chose a way to the device that no object will take.
    pub fn transfer_without_effect(&self) -> Option<TransferWithoutEffect> {
        let (runtime, transfer) = (self.input.case.runtime, self.config.transfer);
        let is_idle = transfer != ObjectTransfer::default() && !runtime.orchestrates_on_device();
        is_idle.then_some(TransferWithoutEffect { transfer, runtime })
    }
}

/// `{transfer}` as the way to the device has no effect on {runtime}: the host calls its orchestration, no copy of it goes
/// to the device
#[derive(Clone, Copy, Debug, PartialEq, Eq, displaydoc::Display)]
pub struct TransferWithoutEffect {
    /// The way that was chosen.
    pub transfer: ObjectTransfer,
    /// The runtime.
    pub runtime: Runtime,
}

fn device_of(input: &RunInput, settings: &RunSettings) -> Result<DeviceConfig, PlanError> {
    let profile = settings.profile_of(input.arch, &input.case.profile)?;
    let kernel_costs = match &input.case.kernel_costs {
        Some(costs) => KernelTable::from_value(&costs.origin, &costs.table, *profile.clock.aicore)?,
        None => KernelTable::default(),
    };
    let mut defaults = DeviceConfig::new(profile);
    settings.choose_staging(&mut defaults.staging);
    Ok(DeviceConfig {
        engine: settings.engine,
        workers: settings.workers.unwrap_or(defaults.workers),
        fill: settings.fill.unwrap_or(defaults.fill),
        fast_forward: settings.fast_forward,
        faithful: settings.faithful,
        mode: input.mode,
        guest_limit: settings.guest_limit.unwrap_or(defaults.guest_limit),
        keep_events: settings.keep_events,
        cache: settings.cache.unwrap_or(input.case.loading.cache),
        transfer: transfer_of(input, settings)?,
        watch_leaks: settings.watch_leaks,
        kernel_costs,
        kernels: BTreeMap::new(),
        ..defaults
    })
}

/// How the orchestration gets to the device; refuses one that cannot get there so.
fn transfer_of(input: &RunInput, settings: &RunSettings) -> Result<ObjectTransfer, PlanError> {
    let transfer = settings.transfer.unwrap_or(input.case.loading.transfer);
    if input.case.runtime.orchestrates_on_device() {
        transfer
            .check(input.orchestration_size)
            .map_err(|error| PlanError::Transfer { origin: input.case.origin.clone(), error })?;
    }
    Ok(transfer)
}

/// The runtime: its own objects, with those of the case in their place.
fn runtime_of(input: &RunInput, front: Front) -> Result<RuntimeObjects, PlanError> {
    let bundle = Bundle { origin: &input.case.origin, arch: input.arch };
    let (runtime, objects) = (input.case.runtime, &input.case.objects);
    let name = runtime.name();
    let bundled = match front {
        Front::Platform => bundled::runtime(input.arch, name).copied(),
        Front::Driver => bundled::onboard(input.arch, name),
    };
    let part = |path: Option<&PathBuf>, part: &str, symbol, bytes: fn(&BundledRuntime) -> &'static [u8]| match path {
        Some(path) => CodeObject::read(path, symbol, "that part of a runtime"),
        None => bundled
            .as_ref()
            .map(|runtime| CodeObject::bundled(&format!("{name}.{part}"), bytes(runtime)))
            .ok_or_else(|| bundle.lacks("runtime", name)),
    };
    let aicore = match &objects.aicore {
        Some(ObjectSource::Bundled(variant)) => bundled
            .and_then(|runtime| runtime.faulty_aicore(variant.name()))
            .map(|bytes| CodeObject::bundled(variant.name(), bytes))
            .ok_or_else(|| bundle.lacks("AICore object", variant.name()))?,
        Some(ObjectSource::File(path)) => CodeObject::read(path, AICORE_ENTRY, "an AICore object")?,
        None => part(None, "aicore", AICORE_ENTRY, |runtime| runtime.aicore)?,
    };
    Ok(RuntimeObjects {
        host: part(objects.host.as_ref(), "host", HOST_ENTRY, |runtime| runtime.host)?,
        aicpu: part(objects.aicpu.as_ref(), "aicpu", AICPU_ENTRY, |runtime| runtime.aicpu)?,
        aicore,
    })
}

#[cfg(test)]
mod tests {
    use tempfile::TempDir;

    use sim_aicore::registry::{Access, Description};
    use sim_core::trace::ContentHash;

    use super::*;
    use crate::bundled::ObjectKind;
    use crate::case::Runtime;

    /// A case in a directory of its own, whose only kernel is this object.
    struct CaseDirectory(TempDir);

    impl CaseDirectory {
        fn with_kernel(kernel: &[u8]) -> Self {
            let directory = tempfile::tempdir().unwrap();
            std::fs::write(directory.path().join("own.so"), kernel).unwrap();
            let text = r#"{"arch": "a2a3", "runtime": "tensormap_and_ringbuffer", "orchestration": {"bundled": "chain"},
                "kernels": [{"func_id": 0, "path": "own.so", "core": "aiv", "signature": ["inout"]}],
                "tensors": [{"name": "x", "shape": [4], "dtype": "f32", "direction": "inout",
                             "generator": {"kind": "zeros"}}],
                "scalars": [{"name": "length", "type": "u64", "value": 3}]}"#;
            std::fs::write(directory.path().join("case.json"), text).unwrap();
            CaseDirectory(directory)
        }

        fn plan(&self) -> Result<RunPlan, PlanError> {
            RunPlan::new(CaseSpec::load(&self.0.path().join("case.json")).unwrap(), &RunSettings::default())
        }
    }

    fn kernel(name: &str) -> &'static [u8] {
        bundled::object(ObjectKind::Kernel, name).unwrap().bytes
    }

    fn refusal(directory: &CaseDirectory) -> String {
        directory.plan().map(drop).unwrap_err().to_string()
    }

    #[test]
    fn is_a_kernel_known_by_the_name_of_its_file() {
        let directory = CaseDirectory::with_kernel(kernel("increment"));
        let plan = directory.plan().unwrap();
        let content = ContentHash::of(kernel("increment"));
        let known = Description { name: "own".to_owned(), tensors: vec![Access::ReadWrite] };
        assert_eq!(plan.config.kernels, BTreeMap::from([(content, known)]));
        assert_eq!(plan.input.names.orchestrator.as_deref(), Some("chain"));
    }

    #[test]
    fn does_the_error_for_a_cut_off_object_name_its_file() {
        let whole = kernel("increment");
        let directory = CaseDirectory::with_kernel(&whole[..whole.len() / 2]);
        let message = refusal(&directory);
        assert!(
            message.starts_with(&format!("{}: truncated:", directory.0.path().join("own.so").display())),
            "{message}"
        );
    }

    #[test]
    fn does_the_error_for_an_object_without_its_entry_name_file_and_symbol() {
        let directory = CaseDirectory::with_kernel(bundled::SHIM);
        let path = directory.0.path().join("own.so");
        assert_eq!(refusal(&directory), format!("{path:?} does not export kernel_entry; check that it is a kernel"));
    }

    #[test]
    fn do_settings_choose_another_runtime_and_generation() {
        let settings =
            RunSettings { arch: Some(Arch::A5), runtime: Some(Runtime::AicpuBuildGraph), ..RunSettings::default() };
        let plan = RunPlan::new(CaseSpec::bundled("lost_completion").unwrap(), &settings).unwrap();
        let runtime = bundled::runtime(Arch::A5, "aicpu_build_graph").unwrap();
        assert_eq!((&*plan.objects.host.bytes, &*plan.objects.aicpu.bytes), (runtime.host, runtime.aicpu));
        assert_eq!(&*plan.objects.aicore.bytes, runtime.faulty_aicore("lossy").unwrap());
        assert_eq!(*plan.config.profile.topology.clusters, 36);
    }
}
