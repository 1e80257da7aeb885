//! Host times of loads, medians over loads in turns.

use std::ffi::CString;
use std::fs::File;
use std::io::Write;
use std::os::fd::AsRawFd;
use std::path::PathBuf;
use std::time::Instant;

use rustix::fs::{MemfdFlags, SealFlags};
use serde::Serialize;
use sim_core::loader::cache::{CachePolicy, Callable, ObjectCache, UnknownCallable};
use sim_core::loader::ledger::LoadOrigin;
use sim_core::loader::load_error::LoadError;
use sim_core::loader::namespace::Namespace;
use sim_core::loader::staging::sandbox::Sandbox;
use sim_core::loader::staging::{StagingArea, Strategy};

use super::CompareError;
use crate::bundled::{self, ObjectKind};

/// The object that is loaded, padded to its size.
const OBJECT: &str = "harmless";
/// Its function.
const ENTRY: &str = "answer";
/// A look into a cache is too short to be measured by itself.
const LOOKS: u32 = 1_000;

/// Why the bare calls did not work.
#[derive(Debug, thiserror::Error, displaydoc::Display)]
pub enum MeasureError {
    /// {what} failed: {error}
    System {
        /// The call.
        what: &'static str,
        /// What the system said.
        error: std::io::Error,
    },
    /// the object `harmless` is not part of this program
    NotBundled,
    /// {0}
    Callable(#[from] UnknownCallable),
}

impl From<UnknownCallable> for CompareError {
    fn from(error: UnknownCallable) -> Self {
        CompareError::Bare(error.into())
    }
}

/// Host times of one strategy.
#[derive(Clone, Copy, Debug)]
pub(super) struct HostTimes {
    pub(super) load_us: f64,
    pub(super) unload_us: f64,
}

/// Host times of the calls that no loader can do without: a memory file, sealed, and `dlmopen`; `dlclose`.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Bare {
    /// From bytes to a handle.
    pub load_us: f64,
    /// Closing it.
    pub unload_us: f64,
}

/// The object with zeros behind it. It is loaded for as long as the guard lives, so that what it needs is there.
fn padded(size: u64) -> Result<Vec<u8>, MeasureError> {
    let mut bytes = bundled::object(ObjectKind::Trait, OBJECT).ok_or(MeasureError::NotBundled)?.bytes.to_vec();
    bytes.resize(bytes.len().max(size as usize), 0);
    Ok(bytes)
}

/// A namespace that stages in this way. Files go to a disk where there is one.
fn namespace(strategy: Strategy) -> Namespace {
    let mut area = StagingArea {
        ladder: strategy.into(),
        sandbox: Some(Sandbox { program: bundled::SANDBOX, before: Some(bundled::SHIM) }),
        ..StagingArea::default()
    };
    if [Strategy::UniqueFile, Strategy::UnnamedFile, Strategy::FixedPath].contains(&strategy) {
        area.directories = ["/var/tmp", "/tmp", "/dev/shm"].map(PathBuf::from).into();
    }
    Namespace::of_process(area)
}

/// Keeps what the object needs loaded, so that it is not loaded with each.
fn keeper() -> Result<Namespace, CompareError> {
    let mut keeper = namespace(Strategy::Memfd);
    keeper.load(LoadOrigin::Orchestration, OBJECT, &padded(0)?)?;
    Ok(keeper)
}

fn us(since: Instant) -> f64 {
    since.elapsed().as_nanos() as f64 / 1e3
}

fn median(times: &mut [f64]) -> f64 {
    times.sort_by(f64::total_cmp);
    times.get(times.len() / 2).copied().unwrap_or(f64::NAN)
}

/// One load and unload by the loader.
fn by_loader(namespace: &mut Namespace, bytes: &[u8]) -> Result<[f64; 2], LoadError> {
    let begun = Instant::now();
    let object = namespace.load(LoadOrigin::Orchestration, OBJECT, bytes)?;
    let loaded = us(begun);
    let begun = Instant::now();
    namespace.unload(object);
    Ok([loaded, us(begun)])
}

/// Every strategy at one size.
pub(super) fn strategies(size: u64, repeat: u32) -> Result<Vec<(Strategy, HostTimes)>, CompareError> {
    let _keeper = keeper()?;
    let bytes = padded(size)?;
    let mut namespaces = Strategy::ALL.map(|strategy| (strategy, namespace(strategy), Vec::new(), Vec::new()));
    // In turns, so that whatever else the machine does meets all.
    for _ in 0..repeat {
        for (_, namespace, loads, unloads) in &mut namespaces {
            let [load, unload] = by_loader(namespace, &bytes)?;
            loads.push(load);
            unloads.push(unload);
        }
    }
    let rows = namespaces.iter_mut().map(|(strategy, _, loads, unloads)| {
        (*strategy, HostTimes { load_us: median(loads), unload_us: median(unloads) })
    });
    Ok(rows.collect())
}

/// One invocation that finds its object in a cache.
pub(super) fn cached(size: u64, repeat: u32) -> Result<f64, CompareError> {
    let mut cache = ObjectCache::new(CachePolicy::default(), ENTRY, namespace(Strategy::Memfd));
    let callable = Callable::new(0, 0)?;
    cache.register(callable, OBJECT, &padded(size)?)?;
    let mut times = Vec::new();
    for _ in 0..repeat {
        let begun = Instant::now();
        for _ in 0..LOOKS {
            let entry = cache.begin_run(callable)?;
            std::hint::black_box(cache.address(entry).map_err(sim_core::loader::cache::CacheError::from)?);
            cache.end_run(callable)?;
        }
        times.push(us(begun) / f64::from(LOOKS));
    }
    Ok(median(&mut times))
}

/// The bare calls and the loader by memfd, in turns.
pub(super) fn against_bare(size: u64, repeat: u32) -> Result<(Bare, f64), CompareError> {
    let _keeper = keeper()?;
    let (bytes, mut namespace) = (padded(size)?, namespace(Strategy::Memfd));
    let (mut bare, mut closing, mut loader) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..repeat {
        let [load, unload] = by_bare_calls(&bytes)?;
        bare.push(load);
        closing.push(unload);
        loader.push(by_loader(&mut namespace, &bytes)?[0]);
    }
    Ok((Bare { load_us: median(&mut bare), unload_us: median(&mut closing) }, median(&mut loader)))
}

/// One load and unload without a loader.
fn by_bare_calls(bytes: &[u8]) -> Result<[f64; 2], MeasureError> {
    let system = |what| move |error: rustix::io::Errno| MeasureError::System { what, error: error.into() };
    let begun = Instant::now();
    let memory = rustix::fs::memfd_create("bare", MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING);
    let mut file = File::from(memory.map_err(system("memfd_create"))?);
    file.write_all(bytes).map_err(|error| MeasureError::System { what: "write", error })?;
    let seals = SealFlags::WRITE | SealFlags::SHRINK | SealFlags::GROW | SealFlags::SEAL;
    rustix::fs::fcntl_add_seals(&file, seals).map_err(system("F_ADD_SEALS"))?;
    let path = CString::new(format!("/proc/self/fd/{}", file.as_raw_fd())).unwrap_or_default();
    // SAFETY: the bytes are those of a bundled object.
    let handle = unsafe { libc::dlmopen(libc::LM_ID_BASE as libc::Lmid_t, path.as_ptr(), libc::RTLD_NOW) };
    drop(file);
    let loaded = us(begun);
    if handle.is_null() {
        return Err(MeasureError::System { what: "dlmopen", error: std::io::Error::other("it gave no handle") });
    }
    let begun = Instant::now();
    // SAFETY: the handle was just opened.
    unsafe { libc::dlclose(handle) };
    Ok([loaded, us(begun)])
}
