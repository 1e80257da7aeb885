//! Objects of a runtime, from the bytes that it writes to the code that runs.
//!
//! A sim-shaped runtime has its objects as bytes: it makes a file with a new name, writes the bytes, opens the file with
//! `dlopen` and removes it. Here the file is memory from the start ([`Objects::create_file`]); it is sealed and opened
//! under a link that carries the same name ([`open`]), so that nothing is left behind and nobody can change what runs.
//! Where there is no such memory, the runtime gets the file it asked for.
//!
//! An opened object is recognised by what it exports, its imports are redirected, and its call-free wait loops become
//! traps. What it took from the process goes with it: pthread keys that it never deletes, thunks, traps.

use std::collections::HashMap;
use std::ffi::{CStr, CString, OsStr, c_int, c_void};
use std::fs::File;
use std::io::Read;
use std::ops::Range;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};
use std::time::Instant;

use sim_core::charges::ResolvedCharges;
use sim_core::engine::{HostCost, wait_trap};
use sim_core::loader::hooks::{Blocking, blocking, only_sleeps};
use sim_core::loader::image::CodeImage;
use sim_core::loader::imports::ImportSlots;
use sim_core::loader::ledger::{HostSide, LoadId, LoadOrigin, LoadOutcome, LoadRecord, LoadStrategy};
use sim_core::loader::link;
use sim_core::loader::loaded_object::{CodeSite, CodeSites, address_range, has_code, trap_wait_loops};
use sim_core::loader::staging::{Staged, StagingArea, writable_memory};
use sim_core::loader::symbols::SymbolMap;
use sim_core::loader::thunk::Thunk;
use sim_core::loader::wait_loops::{self, WaitLoop};
use sim_core::profile::Arch;
use sim_core::trace::ContentHash;

use crate::caller::Caller;
use crate::charges::Tariff;
use crate::device::Device;
use crate::hooks::{identity, kernels};
use crate::process::{Process, lock};
use crate::redirections::{self, Kept};
use crate::{fatal, real_dlsym};

/// Why an object cannot be used.
#[derive(Debug, thiserror::Error, displaydoc::Display)]
pub(crate) enum ObjectError {
    /// {path:?} cannot be read: {error}
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        error: std::io::Error,
    },
    /// {0}
    Image(#[from] sim_core::loader::image_error::ImageError),
    /// {0}
    Load(#[from] sim_core::loader::load_error::LoadError),
    /// {name} cannot be loaded from memory: {error}
    Stage {
        /// The object.
        name: String,
        /// What the system said.
        error: std::io::Error,
    },
    /// {name}: its imports cannot be redirected: {error}
    Redirect {
        /// The object.
        name: String,
        /// What the system said.
        error: std::io::Error,
    },
    /// {name}: the dynamic linker gave an object with other code than the bytes that were handed in
    OtherCode {
        /// The object.
        name: String,
    },
}

/// Everything about an object that follows from its bytes.
pub(crate) struct Facts {
    image: CodeImage,
    bytes: Vec<u8>,
    role: LoadOrigin,
    slots: ImportSlots,
    waits: Vec<WaitLoop>,
    /// What calls of its imports cost, on devices of each generation.
    charges: [OnceLock<Option<Arc<ResolvedCharges>>>; Arch::ALL.len()],
}

impl Facts {
    fn of(name: &str, bytes: Vec<u8>) -> Result<Facts, ObjectError> {
        let image = CodeImage::parse(name, &bytes)?;
        let role = role_of(&image);
        let waits = if role == LoadOrigin::Aicpu || role == LoadOrigin::Aicore {
            wait_loops::find(name, &bytes)?.waits
        } else {
            Vec::new()
        };
        Ok(Facts { role, slots: ImportSlots::parse(name, &bytes)?, waits, charges: Default::default(), image, bytes })
    }

    /// What calls of its imports cost.
    fn charges(&self, tariff: &Tariff) -> Option<Arc<ResolvedCharges>> {
        let resolve = || tariff.resolve(self.role, self.slots.calls()).map(Arc::new);
        self.charges[tariff.arch as usize].get_or_init(resolve).clone()
    }
}

/// What an object is, by the function that others look up in it.
fn role_of(image: &CodeImage) -> LoadOrigin {
    let roles = [
        ("create_device_context", LoadOrigin::HostRuntime),
        ("aicpu_execute", LoadOrigin::Aicpu),
        ("aicore_execute_wrapper", LoadOrigin::Aicore),
        ("kernel_entry", LoadOrigin::Kernel),
    ];
    let found = roles.into_iter().find(|(symbol, _)| image.export(symbol).is_some());
    found.map_or(LoadOrigin::Orchestration, |(_, role)| role)
}

/// A kernel, as the thunk of its entry knows it.
pub(crate) struct Kernel {
    /// The address of `kernel_entry`.
    pub(crate) entry: usize,
    pub(crate) content: ContentHash,
    pub(crate) name: String,
    /// It waits for others by itself.
    pub(crate) blocking: bool,
    /// It does so only by sleeping and looking again.
    pub(crate) only_sleeps: bool,
    pub(crate) host_cost: Arc<HostCost>,
}

/// An object that is loaded.
struct Loaded {
    handle: usize,
    facts: Arc<Facts>,
    load_address: usize,
    range: Range<usize>,
    /// What redirected imports need.
    kept: Kept,
    /// What look-ups in it were answered with, by symbol.
    answers: HashMap<&'static CStr, Thunk>,
    kernel: Option<Box<Kernel>>,
    device: Option<Arc<Device>>,
    load: Option<LoadId>,
}

impl Loaded {
    /// Whether this object is still the one at `load_address`: its imports lead where they were redirected.
    fn is_in_place(&self, load_address: usize) -> bool {
        self.load_address == load_address && self.kept.is_in_place(load_address)
    }
}

/// A host runtime whose imports were redirected.
pub(crate) struct Attached {
    pub(crate) path: PathBuf,
    /// What they cost, if anything costs something.
    pub(crate) charges: Option<Arc<ResolvedCharges>>,
}

/// A file that a runtime has made and not opened yet.
struct Written {
    path: Vec<u8>,
    /// Where its bytes are, unless it is a file indeed.
    memory: Option<OwnedFd>,
}

/// The objects of this process, those that are being written, and what is known of bytes that were loaded before.
#[derive(Default)]
pub(crate) struct Objects {
    written: Vec<Written>,
    loaded: Vec<Loaded>,
    known: Vec<Arc<Facts>>,
    files: u64,
}

/// How many objects' facts are remembered after they are gone: a runtime's own are loaded again and again.
const MOST_KNOWN: usize = 16;

/// What stands for the unique part in the template of a file name.
const PLACEHOLDER: &[u8] = b"XXXXXX";

impl Objects {
    /// Redirects the imports of a host runtime that the process has opened, unless that was done before. What they cost
    /// depends on where it is.
    pub(crate) fn attach_host_runtime<'t>(
        &mut self,
        handle: *mut c_void,
        tariff: impl FnOnce(&Path) -> Option<&'t Tariff>,
    ) -> Result<Option<Attached>, ObjectError> {
        let Some((load_address, path)) = link::location(handle) else { return Ok(None) };
        // The process may have closed it and opened it again, perhaps at the same place.
        if self.loaded.iter().any(|loaded| loaded.handle == handle as usize && loaded.is_in_place(load_address)) {
            return Ok(None);
        }
        self.loaded.retain(|loaded| loaded.handle != handle as usize);
        let charges = self.adopt(handle, load_address, &path, tariff(&path))?;
        if let Some((context, load_address, path)) = simulation_context()
            && !self.loaded.iter().any(|loaded| loaded.load_address == load_address)
        {
            self.adopt(context, load_address, &path, None)?;
        }
        Ok(Some(Attached { path, charges }))
    }

    /// Takes in an object that the process has opened by itself.
    fn adopt(
        &mut self,
        handle: *mut c_void,
        load_address: usize,
        path: &Path,
        tariff: Option<&Tariff>,
    ) -> Result<Option<Arc<ResolvedCharges>>, ObjectError> {
        let bytes = std::fs::read(path).map_err(|error| ObjectError::Read { path: path.to_owned(), error })?;
        let facts = self.facts(&file_name(path), bytes)?;
        let charges = tariff.and_then(|tariff| facts.charges(tariff));
        self.take_in(handle, load_address, facts, None, charges.as_deref())?;
        Ok(charges)
    }

    /// What is known of these bytes.
    fn facts(&mut self, name: &str, bytes: Vec<u8>) -> Result<Arc<Facts>, ObjectError> {
        let remembered = self.known.iter().position(|facts| facts.bytes == bytes);
        let facts = match remembered {
            Some(index) => self.known.remove(index),
            None => Arc::new(Facts::of(name, bytes)?),
        };
        self.known.push(Arc::clone(&facts));
        if self.known.len() > MOST_KNOWN {
            self.known.remove(0);
        }
        Ok(facts)
    }

    /// Redirects the imports of a loaded object, and remembers it.
    fn take_in(
        &mut self,
        handle: *mut c_void,
        load_address: usize,
        facts: Arc<Facts>,
        device: Option<Arc<Device>>,
        charges: Option<&ResolvedCharges>,
    ) -> Result<(), ObjectError> {
        let range = address_range(load_address, &facts.bytes);
        let name = &facts.image.name;
        let redirect = |error| ObjectError::Redirect { name: name.clone(), error };
        // SAFETY: the object is loaded there, and whoever opens it does not run its code yet.
        let kept = unsafe { redirections::apply(facts.role, &facts.slots, load_address, charges) }.map_err(redirect)?;
        self.loaded.push(Loaded {
            handle: handle as usize,
            facts,
            load_address,
            range,
            kept,
            answers: HashMap::new(),
            kernel: None,
            device,
            load: None,
        });
        Ok(())
    }

    /// Makes a file with a name that was never used, for a runtime to write an object into. `template` gets the name;
    /// the last `suffix` bytes of it stay. `None`: that takes a real file.
    pub(crate) fn create_file(&mut self, template: &mut [u8], suffix: usize) -> Option<c_int> {
        let end = template.len().checked_sub(suffix)?;
        let begin = end.checked_sub(PLACEHOLDER.len()).filter(|begin| &template[*begin..end] == PLACEHOLDER)?;
        let memory = writable_memory(&String::from_utf8_lossy(last_part(template))).ok()?;
        let descriptor = memory.as_fd().try_clone_to_owned().ok()?;
        self.files += 1;
        template[begin..end].copy_from_slice(format!("{:06}", self.files % 1_000_000).as_bytes());
        self.written.push(Written { path: template.to_vec(), memory: Some(memory) });
        Some(std::os::fd::IntoRawFd::into_raw_fd(descriptor))
    }

    /// A runtime has made a real file for an object.
    pub(crate) fn note_file(&mut self, path: &[u8]) {
        self.written.push(Written { path: path.to_vec(), memory: None });
    }

    /// A runtime removes a file that it has made: whether that was memory.
    pub(crate) fn remove_file(&mut self, path: &[u8]) -> bool {
        let index = self.written.iter().position(|written| written.path == path);
        index.is_some_and(|index| self.written.remove(index).memory.is_some())
    }

    fn take_written(&mut self, path: &[u8]) -> Option<Written> {
        let index = self.written.iter().position(|written| written.path == path)?;
        Some(self.written.remove(index))
    }

    /// The function that stands for one of a loaded object, if it is not the function itself.
    pub(crate) fn answer(&mut self, handle: usize, name: &CStr) -> Option<usize> {
        let loaded = self.loaded.iter_mut().find(|loaded| loaded.handle == handle)?;
        if let Some(thunk) = loaded.answers.get(name) {
            return Some(thunk.address());
        }
        let real = || real_dlsym(handle as *mut c_void, name);
        let (name, thunk) = match (loaded.facts.role, name.to_bytes()) {
            (LoadOrigin::Aicore, b"aicore_execute_wrapper") => {
                (c"aicore_execute_wrapper", Thunk::before(identity::become_core, 0, real()))
            }
            (LoadOrigin::Aicpu, b"aicpu_execute") => {
                (c"aicpu_execute", Thunk::before(identity::become_aicpu, 0, real()))
            }
            (LoadOrigin::Kernel, b"kernel_entry") => {
                let image = &loaded.facts.image;
                let kernel = loaded.kernel.insert(Box::new(Kernel {
                    entry: real(),
                    content: image.content,
                    name: image.name.clone(),
                    blocking: matches!(blocking(image), Blocking::OnFiber { .. }),
                    only_sleeps: only_sleeps(image),
                    host_cost: Arc::default(),
                }));
                let data = std::ptr::from_ref::<Kernel>(kernel) as usize;
                (c"kernel_entry", Thunk::instead(kernels::run, data))
            }
            _ => return None,
        };
        let thunk = thunk.ok()?;
        let address = thunk.address();
        loaded.answers.insert(name, thunk);
        Some(address)
    }
}

impl CodeSites for Objects {
    fn site(&self, address: usize) -> Option<CodeSite> {
        let loaded = self.loaded.iter().find(|loaded| loaded.range.contains(&address))?;
        let offset = (address - loaded.load_address) as u64;
        let name = &loaded.facts.image.name;
        let symbols = SymbolMap::parse(name, &loaded.facts.bytes).ok();
        let symbol = symbols.and_then(|symbols| symbols.function_at(offset));
        Some(CodeSite { object: name.clone(), symbol, offset })
    }
}

/// The object with the state that kernels of a process share, if the process has opened it.
fn simulation_context() -> Option<(*mut c_void, usize, PathBuf)> {
    let address = real_dlsym(libc::RTLD_DEFAULT, c"pto_cpu_sim_bind_device");
    let (load_address, path) = link::location_of(address)?;
    Some((std::ptr::null_mut(), load_address, path))
}

fn last_part(path: &[u8]) -> &[u8] {
    path.rsplit(|byte| *byte == b'/').next().unwrap_or(path)
}

fn file_name(path: &Path) -> String {
    path.file_name().unwrap_or(path.as_os_str()).to_string_lossy().into_owned()
}

/// Opens an object for a runtime, as `dlopen` does. `None`: the runtime has not written such an object.
///
/// Its initialisers run as code of the caller.
pub(crate) fn open(caller: &Caller<'_>, path: &CStr, flags: c_int) -> Option<*mut c_void> {
    let process = Process::get();
    let written = lock(&process.objects).take_written(path.to_bytes())?;
    let begun = Instant::now();
    let name = String::from_utf8_lossy(last_part(path.to_bytes())).into_owned();
    // The dynamic linker trusts what it opens, so the bytes are checked before.
    let facts = match read_written(&written).and_then(|bytes| lock(&process.objects).facts(&name, bytes)) {
        Ok(facts) => facts,
        Err(error) => return Some(refuse(caller, &error)),
    };
    let staged = written.memory.map(|memory| StagingArea::default().stage_memory(&name, memory)).transpose();
    let staged = match staged {
        Ok(staged) => staged,
        Err(error) => return Some(refuse(caller, &ObjectError::Stage { name, error })),
    };
    let opened_as = staged.as_ref().map_or(path, Staged::path);
    let handle = open_now(caller, opened_as, flags);
    if handle.is_null() {
        return Some(handle);
    }
    let strategy = staged.as_ref().map_or_else(|| file_strategy(path), |staged| staged.strategy().clone());
    let host =
        HostSide { opened_as: opened_as.to_string_lossy().into_owned(), bind_us: begun.elapsed().as_micros() as u64 };
    drop(staged);
    if let Err(error) = take_in(caller, handle, &name, facts, strategy, host) {
        // SAFETY: the handle was just opened.
        caller.as_guest(|| unsafe { libc::dlclose(handle) });
        return Some(refuse(caller, &error));
    }
    Some(handle)
}

/// Refuses to open an object, as `dlopen` does: with null, and the reason in `dlerror`. One for another machine is a
/// mistake of whoever set this up, and ends the process.
fn refuse(caller: &Caller<'_>, error: &ObjectError) -> *mut c_void {
    if let ObjectError::Image(error) = error
        && error.is_for_another_machine()
    {
        fatal(&error.to_string());
    }
    eprintln!("npusim: {error}");
    // Only the dynamic linker can give `dlerror` a text; it names the file that it did not find.
    let reason = CString::new(format!("/npusim: {error}")).unwrap_or_default();
    // SAFETY: there is no such file.
    caller.as_guest(|| unsafe { libc::dlopen(reason.as_ptr(), libc::RTLD_NOW) })
}

/// Everything is bound at once where that is possible: what an import leads to is known then.
fn open_now(caller: &Caller<'_>, path: &CStr, flags: c_int) -> *mut c_void {
    let now = flags & !libc::RTLD_LAZY | libc::RTLD_NOW;
    // SAFETY: the runtime wants this object opened.
    let open = |flags| caller.as_guest(|| unsafe { libc::dlopen(path.as_ptr(), flags) });
    let handle = open(now);
    if handle.is_null() && now != flags { open(flags) } else { handle }
}

fn read_written(written: &Written) -> Result<Vec<u8>, ObjectError> {
    let path = PathBuf::from(OsStr::from_bytes(&written.path));
    let read = |mut file: File| {
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes).map(|_| bytes)
    };
    let bytes = match &written.memory {
        // A descriptor of its own begins at the beginning.
        Some(memory) => File::open(format!("/proc/self/fd/{}", memory.as_raw_fd())).and_then(read),
        None => std::fs::read(&path),
    };
    bytes.map_err(|error| ObjectError::Read { path, error })
}

fn file_strategy(path: &CStr) -> LoadStrategy {
    let path = Path::new(OsStr::from_bytes(path.to_bytes()));
    LoadStrategy::TemporaryFile { directory: path.parent().unwrap_or(path).display().to_string() }
}

fn take_in(
    caller: &Caller<'_>,
    handle: *mut c_void,
    name: &str,
    facts: Arc<Facts>,
    strategy: LoadStrategy,
    host: HostSide,
) -> Result<(), ObjectError> {
    let Some((load_address, _)) = link::location(handle) else { return Ok(()) };
    let device = caller.device();
    let mut objects = lock(&Process::get().objects);
    if !has_code(name, &facts.bytes, load_address)? {
        return Err(ObjectError::OtherCode { name: name.to_owned() });
    }
    trap_wait_loops(name, &facts.waits, load_address)?;
    let charged = device.as_ref().and_then(|device| device.charges.as_deref());
    let charges = charged.and_then(|device| facts.charges(device.tariff()));
    if let (Some(device), Some(object)) = (charged, &charges) {
        device.loaded(object);
    }
    objects.take_in(handle, load_address, Arc::clone(&facts), device.clone(), charges.as_deref())?;
    let Some(device) = device else { return Ok(()) };
    let record = LoadRecord {
        host: Some(host),
        name: name.to_owned(),
        ..LoadRecord::new(facts.role, &facts.image, LoadOutcome::Miss { strategy })
    };
    let load = lock(&device.ledger).add(record);
    if let Some(loaded) = objects.loaded.last_mut() {
        loaded.load = Some(load);
    }
    Ok(())
}

/// Closes an object for a runtime, as `dlclose` does. Its finalisers run as code of the caller.
pub(crate) fn close(caller: &Caller<'_>, handle: *mut c_void) -> c_int {
    // SAFETY: the runtime closes what it has opened.
    let status = caller.as_guest(|| unsafe { libc::dlclose(handle) });
    let mut objects = lock(&Process::get().objects);
    let Some(index) = objects.loaded.iter().position(|loaded| loaded.handle == handle as usize) else { return status };
    let Loaded { device, load, range, .. } = objects.loaded.remove(index);
    drop(objects);
    wait_trap::remove(range);
    if let (Some(device), Some(load)) = (device, load) {
        let mut ledger = lock(&device.ledger);
        // The record exists and has one user, so the ledger takes both.
        let _ = ledger.release(load).and_then(|_| ledger.close(load, status == 0));
        drop(ledger);
    }
    status
}
