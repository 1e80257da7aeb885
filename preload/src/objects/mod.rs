//! Objects of a runtime, from the bytes that it writes to the code that runs.
//!
//! A sim-shaped runtime has its objects as bytes: it makes a file with a new name, writes the bytes, opens the file with
//! `dlopen` and removes it. Here the file is memory from the start ([`written`]); it is sealed and opened under a link
//! that carries the same name ([`open`]), so that nothing is left behind and nobody can change what runs.
//! Where there is no such memory, the runtime gets the file it asked for.
//!
//! An opened object is recognised by what it exports, its imports are redirected, and its call-free wait loops become
//! traps. What it took from the process goes with it: pthread keys that it never deletes, thunks, traps.

pub(crate) mod error;
mod facts;
pub(crate) mod open;
pub(crate) mod written;

use std::collections::HashMap;
use std::ffi::{CStr, c_void};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use sim_aicore::tile_trace::may_leave_traces;
use sim_core::charges::ResolvedCharges;
use sim_core::engine::HostCost;
use sim_core::loader::hooks::{Blocking, blocking, blocking_but_for_mutexes, only_sleeps};
use sim_core::loader::ledger::{LoadId, LoadOrigin};
use sim_core::loader::link::{self, NamespaceId};
use sim_core::loader::loaded_object::{CodeSite, CodeSites, address_range};
use sim_core::loader::symbols::SymbolMap;
use sim_core::loader::thunk::Thunk;
use sim_core::trace::ContentHash;

use crate::charges::Tariff;
use crate::device::Device;
use crate::hooks::{identity, kernels};
use crate::interposed::real_dlsym;
use crate::redirections::{self, Kept};
use error::ObjectError;
use facts::Facts;
use written::WrittenFiles;

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
    /// Its handle, if calls of it may leave traces of what they do.
    pub(crate) traced: Option<usize>,
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
    /// Where it was opened for a runtime; none if the process has opened it.
    namespace: Option<NamespaceId>,
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

/// The objects of this process, those that are being written, and what is known of bytes that were loaded before.
#[derive(Default)]
pub(crate) struct Objects {
    pub(crate) written: WrittenFiles,
    loaded: Vec<Loaded>,
    known: Vec<Arc<Facts>>,
}

/// How many objects' facts are remembered after they are gone: a runtime's own are loaded again and again.
const MOST_KNOWN: usize = 16;

impl Objects {
    /// Redirects the imports of a host runtime that the process has opened, unless that was done before. What they cost
    /// depends on where it is. In `scope` it finds what is there for everybody.
    pub(crate) fn attach_host_runtime<'t>(
        &mut self,
        handle: *mut c_void,
        scope: *mut c_void,
        tariff: impl FnOnce(&Path) -> Option<&'t Tariff>,
    ) -> Result<Option<Attached>, ObjectError> {
        let Some((load_address, path)) = link::location(handle) else { return Ok(None) };
        // The process may have closed it and opened it again, perhaps at the same place.
        if self.loaded.iter().any(|loaded| loaded.handle == handle as usize && loaded.is_in_place(load_address)) {
            return Ok(None);
        }
        let charges = self.adopt(handle, load_address, &path, tariff(&path))?;
        if let Some((context, load_address, path)) = simulation_context(scope)
            && !self.loaded.iter().any(|loaded| loaded.load_address == load_address)
        {
            self.adopt(context, load_address, &path, None)?;
        }
        Ok(Some(Attached { path, charges }))
    }

    /// A device is gone. Objects that were loaded for it may stay: runtimes do not close all that they have opened.
    pub(crate) fn release(&mut self, device: &Arc<Device>) {
        let of_device = |loaded: &&mut Loaded| loaded.device.as_ref().is_some_and(|owner| Arc::ptr_eq(owner, device));
        for loaded in self.loaded.iter_mut().filter(of_device) {
            (loaded.device, loaded.load) = (None, None);
        }
    }

    /// A runtime that had this namespace to itself is closed: gives what it has opened there and not closed, by
    /// handle, and where that is.
    pub(crate) fn take_left(&mut self, namespace: NamespaceId) -> Vec<(usize, Range<usize>)> {
        let left = self.loaded.extract_if(.., |loaded| loaded.namespace == Some(namespace));
        left.map(|loaded| (loaded.handle, loaded.range)).collect()
    }

    /// The object with the state that kernels share in this scope is about to go.
    pub(crate) fn forget_context(&mut self, scope: *mut c_void) {
        if let Some((_, load_address, _)) = simulation_context(scope) {
            self.loaded.retain(|loaded| loaded.load_address != load_address);
        }
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
        self.forget_replaced(handle as usize, &range);
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
            namespace: None,
        });
        Ok(())
    }

    /// Forgets what the process has closed by itself, which nobody saw: its handle or its addresses are given to another
    /// object now. Handles are reused as memory is, and look-ups in the new object would be answered for the old one.
    fn forget_replaced(&mut self, handle: usize, range: &Range<usize>) {
        // Objects that nobody has opened by a handle have none.
        let has_handle = |loaded: &Loaded| handle != 0 && loaded.handle == handle;
        let has_addresses = |loaded: &Loaded| loaded.range.start < range.end && range.start < loaded.range.end;
        self.loaded.retain(|loaded| !has_handle(loaded) && !has_addresses(loaded));
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
                let may_leave_traces = may_leave_traces(image);
                // A trace has a mutex, and a thread its own trace.
                let blocking = if may_leave_traces { blocking_but_for_mutexes(image) } else { blocking(image) };
                let kernel = loaded.kernel.insert(Box::new(Kernel {
                    entry: real(),
                    content: image.content,
                    name: image.name.clone(),
                    blocking: blocking != Blocking::Natively,
                    only_sleeps: only_sleeps(image),
                    traced: may_leave_traces.then_some(handle),
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
fn simulation_context(scope: *mut c_void) -> Option<(*mut c_void, usize, PathBuf)> {
    let address = real_dlsym(scope, c"pto_cpu_sim_bind_device");
    let (load_address, path) = link::location_of(address)?;
    Some((std::ptr::null_mut(), load_address, path))
}

fn file_name(path: &Path) -> String {
    path.file_name().unwrap_or(path.as_os_str()).to_string_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use std::ffi::CString;
    use std::os::unix::ffi::OsStrExt;

    use npusim::bundled::{self, ObjectKind};

    use super::*;

    /// Opens a bundled object as the process would: nobody sees it.
    fn opened(kind: ObjectKind, name: &str) -> (*mut c_void, usize, Arc<Facts>) {
        let bytes = bundled::object(kind, name).unwrap().bytes;
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), bytes).unwrap();
        let path = CString::new(file.path().as_os_str().as_bytes()).unwrap();
        let handle = link::open_in(link::BASE, &path, libc::RTLD_LAZY | libc::RTLD_LOCAL);
        let (load_address, _) = link::location(handle).unwrap();
        (handle, load_address, Arc::new(Facts::of(name, bytes.to_vec()).unwrap()))
    }

    #[test]
    fn is_a_kernel_known_whose_handle_was_that_of_an_object_closed_unseen() {
        let (_, load_address, facts) = opened(ObjectKind::Orchestration, "chain");
        let (handle, at, kernel) = opened(ObjectKind::Kernel, "add");
        let mut objects = Objects::default();
        objects.take_in(handle, load_address, facts, None, None).unwrap();
        assert_eq!(objects.answer(handle as usize, c"kernel_entry"), None, "it is no kernel");
        objects.take_in(handle, at, kernel, None, None).unwrap();
        let answer = objects.answer(handle as usize, c"kernel_entry").expect("a kernel's entry is answered for");
        assert_ne!(answer, real_dlsym(handle, c"kernel_entry"));
        assert_eq!(objects.loaded.len(), 1);
    }
}
