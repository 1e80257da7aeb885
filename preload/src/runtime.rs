//! Host runtimes: shared objects that drive a device through a C interface.
//!
//! One is recognised when somebody looks up `create_device_context` in it. Its imports are redirected then, once; the
//! functions that are looked up in it are answered with thunks, which note for whom the calling thread works, and in a
//! few cases do more: making a context makes a device, and waiting for a run lets the device run.

use std::collections::HashMap;
use std::ffi::{CStr, CString, c_void};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, Weak};

use npusim::device::EngineKind;
use sim_core::charges::ResolvedCharges;
use sim_core::loader::link;
use sim_core::loader::thunk::{Arguments, Thunk};
use sim_core::profile::Arch;

use crate::caller;
use crate::charges::DeviceCharges;
use crate::device::Device;
use crate::fatal;
use crate::hooks::runs;
use crate::interposed::real_dlsym;
use crate::objects::Attached;
use crate::process::{Process, lock};

/// By this function a host runtime is recognised.
pub(crate) const CREATE: &CStr = c"create_device_context";

/// A host runtime of this process.
pub(crate) struct HostRuntime {
    /// As `dlopen` gave it.
    pub(crate) handle: usize,
    path: PathBuf,
    arch: Arch,
    /// What its imports cost, if anything costs something.
    charges: Option<Arc<ResolvedCharges>>,
    /// The functions that were looked up, and what they were answered with.
    functions: Mutex<HashMap<CString, Answer>>,
}

/// What a look-up was answered with. It stays until the runtime is closed and another one is in its place.
struct Answer {
    /// None: with the function itself.
    thunk: Option<Thunk>,
    function: Box<Function>,
}

impl Answer {
    fn address(&self) -> usize {
        self.thunk.as_ref().map_or(self.function.real, Thunk::address)
    }
}

/// A function of a host runtime.
pub(crate) struct Function {
    runtime: Weak<HostRuntime>,
    /// Its address.
    pub(crate) real: usize,
}

impl Function {
    /// Calls the function itself.
    pub(crate) fn call(&self, arguments: &Arguments) -> u64 {
        type Callable = extern "C" fn(u64, u64, u64, u64, u64, u64) -> u64;
        // SAFETY: the runtime's function is called with what its caller gave; what it does not take is ignored.
        let function: Callable = unsafe { std::mem::transmute(self.real) };
        let [a, b, c, d, e, f] = *arguments;
        function(a, b, c, d, e, f)
    }

    fn runtime(&self) -> Arc<HostRuntime> {
        self.runtime
            .upgrade()
            .unwrap_or_else(|| unreachable!("the process knows the runtime for as long as it is open"))
    }
}

/// What a look-up in `handle` is answered with; 0 if that is no host runtime.
pub(crate) fn answer(handle: *mut c_void, name: &CStr) -> usize {
    if name == CREATE && Process::get().settings.engine != EngineKind::Threads {
        HostRuntime::attach(handle);
    }
    let runtime = Process::existing().and_then(|process| process.runtime(handle as usize));
    runtime.map_or(0, |runtime| runtime.function(name))
}

impl HostRuntime {
    /// Redirects the imports of a host runtime, unless that has been done.
    fn attach(handle: *mut c_void) {
        if real_dlsym(handle, CREATE) == 0 {
            return;
        }
        let process = Process::get();
        // Other namespaces are npusim's own way to run runtimes, on devices that are no business of this object.
        let Some(scope) = scope_of(process, handle) else { return };
        let arch_of = |path: &Path| process.settings.arch.unwrap_or_else(|| arch_of(path));
        let tariff = |path: &Path| process.tariff(arch_of(path)).map(Arc::as_ref);
        let attached = lock(&process.objects).attach_host_runtime(handle, scope, tariff);
        let Attached { path, charges } = match attached {
            Ok(Some(attached)) => attached,
            Ok(None) => return,
            Err(error) => fatal(&error.to_string()),
        };
        let arch = arch_of(&path);
        let functions = Mutex::default();
        process.add_runtime(Arc::new(HostRuntime { handle: handle as usize, path, arch, charges, functions }));
    }

    /// The function that stands for the runtime's of this name; 0 if that is to be found as it is.
    fn function(self: &Arc<Self>, name: &CStr) -> usize {
        if let Some(known) = lock(&self.functions).get(name) {
            return known.address();
        }
        let real = real_dlsym(self.handle as *mut c_void, name);
        if real == 0 {
            return 0;
        }
        let function = Box::new(Function { runtime: Arc::downgrade(self), real });
        let data = std::ptr::from_ref::<Function>(&function) as usize;
        let made = match name.to_bytes() {
            b"create_device_context" => Thunk::instead(create, data),
            b"destroy_device_context" => Thunk::instead(destroy, data),
            b"simpler_poll_run" => Thunk::instead(runs::poll, data),
            b"simpler_wait_run" | b"simpler_run" => Thunk::instead(runs::wait, data),
            b"simpler_host_log_bind_state" => Thunk::instead(bind_log, data),
            _ => Thunk::before(seen, data, real),
        };
        let answer = Answer { thunk: made.ok(), function };
        let mut functions = lock(&self.functions);
        // Another thread may have been faster.
        functions.entry(name.to_owned()).or_insert(answer).address()
    }
}

/// In what the objects of a runtime's namespace look first; `None` if that is none of the process's own.
fn scope_of(process: &Process, handle: *mut c_void) -> Option<*mut c_void> {
    let namespace = link::namespace_of(handle)?;
    if namespace == link::BASE { Some(libc::RTLD_DEFAULT) } else { lock(&process.isolated).scope(namespace) }
}

/// The generation that a runtime is built for: its directory says so, as in `lib/a5/sim/<runtime>`.
fn arch_of(path: &Path) -> Arch {
    let named = path.iter().rev().find_map(|part| part.to_str()?.parse::<Arch>().ok());
    named.unwrap_or(Arch::A2a3)
}

/// The function behind the data of a thunk.
pub(crate) fn function(data: usize) -> &'static Function {
    // SAFETY: the thunks of this module are made with the address of a function that stays as long as they do.
    unsafe { &*(data as *const Function) }
}

/// `create_device_context()`
extern "C" fn create(data: usize, arguments: &Arguments) -> u64 {
    let function = function(data);
    let runtime = function.runtime();
    let process = Process::get();
    let charges = process.tariff(runtime.arch).cloned().map(DeviceCharges::new);
    if let (Some(device), Some(runtime)) = (&charges, &runtime.charges) {
        device.loaded(runtime);
    }
    let device = match Device::new(&process.settings, runtime.arch, &runtime.path, charges) {
        Ok(device) => device,
        Err(error) => {
            process.complain((&error).into());
            return 0;
        }
    };
    let context = function.call(arguments);
    if context != 0 {
        process.add_device(context as usize, device);
        caller::enter_context(context as usize);
    }
    context
}

/// `destroy_device_context(context)`
extern "C" fn destroy(data: usize, arguments: &Arguments) -> u64 {
    enter(arguments);
    let result = function(data).call(arguments);
    let process = Process::get();
    if let Some(device) = process.remove_device(arguments[0] as usize) {
        process.tell_loads(&lock(&device.ledger));
        lock(&process.objects).release(&device);
    }
    result
}

/// `simpler_host_log_bind_state(state)`: the process says where the state of its log is, to each object that it opens.
/// What an isolated runtime shares with others it has opened in the base namespace only.
extern "C" fn bind_log(data: usize, arguments: &Arguments) -> u64 {
    enter(arguments);
    let function = function(data);
    let result = function.call(arguments);
    let handle = function.runtime().handle as *mut c_void;
    let scope = scope_of(Process::get(), handle).filter(|scope| *scope != libc::RTLD_DEFAULT);
    let shared = scope.map_or(0, |scope| real_dlsym(scope, c"simpler_host_log_bind_state"));
    if shared != 0 {
        Function { runtime: Weak::clone(&function.runtime), real: shared }.call(arguments);
    }
    result
}

/// Any other function.
extern "C" fn seen(_data: usize, arguments: &Arguments, _caller: usize) {
    enter(arguments);
}

/// The calling thread works for the context that a function was given, as most of them are in the first place.
pub(crate) fn enter(arguments: &Arguments) {
    if Process::get().device(arguments[0] as usize).is_some() {
        caller::enter_context(arguments[0] as usize);
    }
}
