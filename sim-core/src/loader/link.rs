//! Linking: the calls into the dynamic linker.
//!
//! `dlmopen` and `dlclose` run initialisers and finalisers of libraries that guests need; those of guests are called
//! here (`preparation.rs` says why). Once a namespace has threads of its own, these calls are therefore made as guest code
//! (`LinkStep::as_guest_call`), so that initialisers find their own thread control block, and one that crashes ends that
//! guest and not the process.

use std::ffi::{CStr, CString, OsStr, c_char, c_int, c_void};
use std::mem::MaybeUninit;
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;

use super::preparation::Functions;
use crate::engine::GuestCall;

/// Room for what the dynamic linker has to say.
const MESSAGE_BYTES: usize = 1024;

/// A namespace of the dynamic linker.
pub type NamespaceId = libc::Lmid_t;

/// One call of the dynamic linker, with everything it needs and gives.
pub(super) struct LinkStep {
    operation: Operation,
    handle: *mut c_void,
    message: [u8; MESSAGE_BYTES],
    mishap: Option<Mishap>,
}

enum Operation {
    Open {
        namespace: NamespaceId,
        path: CString,
    },
    /// Calls initialisers of an object that is open.
    Initialise(Located),
    /// Calls finalisers, and closes.
    Close(Option<Located>),
    /// Nothing: the result is there already.
    Nothing,
}

/// Functions of an object where they are in memory.
#[derive(Clone, Copy, Debug)]
pub(super) struct Located {
    load_address: usize,
    functions: Functions,
}

impl Located {
    /// Those of an object at `load_address`.
    pub(super) fn new(load_address: usize, functions: Functions) -> Self {
        Located { load_address, functions }
    }

    /// Calls one of them.
    ///
    /// # Safety
    ///
    /// The object must be mapped there, and the time for its function have come.
    unsafe fn call(self, index: usize) {
        type Function = extern "C" fn(c_int, *const *const c_char, *const *const c_char);
        unsafe extern "C" {
            static environ: *const *const c_char;
        }
        let at = self.load_address + self.functions.address as usize + index * size_of::<usize>();
        // SAFETY: the caller vouches for the object; its array was checked to lie in it.
        let address = unsafe { (at as *const usize).read() };
        // The dynamic linker skips these, too.
        if address == 0 || address == usize::MAX {
            return;
        }
        let arguments = [c"npusim".as_ptr(), std::ptr::null()];
        // SAFETY: that is what such an array holds.
        unsafe { std::mem::transmute::<usize, Function>(address)(1, arguments.as_ptr(), environ) };
    }
}

/// Something that the code of an object does in a step, if that is planned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mishap {
    /// It throws, nobody catches, and the program aborts.
    Throws,
    /// It never comes back.
    Hangs,
}

impl LinkStep {
    /// Opens `path` in a namespace, `LM_ID_NEWLM` for a new one.
    pub(super) fn open(namespace: NamespaceId, path: &CStr) -> LinkStep {
        let operation = Operation::Open { namespace, path: path.to_owned() };
        LinkStep { operation, handle: std::ptr::null_mut(), message: [0; MESSAGE_BYTES], mishap: None }
    }

    /// Opens nothing, because the dynamic linker would say this.
    pub(super) fn refused(reason: &str) -> LinkStep {
        let mut message = [0; MESSAGE_BYTES];
        copy_message(&mut message, reason.as_bytes());
        LinkStep { operation: Operation::Nothing, handle: std::ptr::null_mut(), message, mishap: None }
    }

    /// Initialises an object that was opened.
    pub(super) fn initialise(handle: *mut c_void, initialisers: Located) -> LinkStep {
        LinkStep { operation: Operation::Initialise(initialisers), ..LinkStep::close(handle, None) }
    }

    /// Closes an object.
    pub(super) fn close(handle: *mut c_void, finalisers: Option<Located>) -> LinkStep {
        LinkStep { operation: Operation::Close(finalisers), handle, message: [0; MESSAGE_BYTES], mishap: None }
    }

    /// The same, with something that goes wrong in it.
    pub(super) fn with(self, mishap: Option<Mishap>) -> LinkStep {
        LinkStep { mishap, ..self }
    }

    /// Makes the call on this thread.
    pub(super) fn run(&mut self) {
        perform(std::ptr::from_mut(self).cast());
    }

    /// The call as guest code. The step must stay where it is until the call has returned.
    pub(super) fn as_guest_call(&mut self) -> GuestCall {
        let function = perform as extern "C" fn(*mut c_void) -> u64 as *const () as usize;
        GuestCall::new(function, &[std::ptr::from_mut(self) as u64])
    }

    /// What was opened, or what the dynamic linker said.
    pub(super) fn opened(&self) -> Result<*mut c_void, String> {
        if !self.handle.is_null() {
            return Ok(self.handle);
        }
        let text = CStr::from_bytes_until_nul(&self.message).unwrap_or_default();
        Err(text.to_string_lossy().into_owned())
    }
}

/// Performs a step. It may run with a guest's thread control block: it neither allocates nor panics.
extern "C" fn perform(step: *mut c_void) -> u64 {
    // SAFETY: both callers pass a live step that nobody else uses meanwhile.
    let step = unsafe { &mut *step.cast::<LinkStep>() };
    match step.mishap {
        // What the C++ library does with an exception that nobody catches.
        // SAFETY: it takes nothing.
        Some(Mishap::Throws) => unsafe { libc::abort() },
        Some(Mishap::Hangs) => loop {
            std::hint::spin_loop();
        },
        None => {}
    }
    match &step.operation {
        Operation::Nothing => {}
        Operation::Open { namespace, path } => {
            // SAFETY: the bytes behind the path have been checked as far as that is possible; RTLD_GLOBAL is refused
            // in namespaces.
            step.handle = unsafe { libc::dlmopen(*namespace, path.as_ptr(), libc::RTLD_NOW | libc::RTLD_LOCAL) };
            if step.handle.is_null() {
                keep_message(&mut step.message);
            }
        }
        Operation::Initialise(initialisers) => {
            for index in 0..initialisers.functions.count {
                // SAFETY: the object was just opened.
                unsafe { initialisers.call(index) };
            }
        }
        Operation::Close(finalisers) => {
            if let Some(finalisers) = finalisers {
                for index in (0..finalisers.functions.count).rev() {
                    // SAFETY: the object is open, and nobody uses it any more.
                    unsafe { finalisers.call(index) };
                }
            }
            // SAFETY: the handle came from `dlmopen` and is closed once.
            unsafe { libc::dlclose(step.handle) };
        }
    }
    0
}

/// Copies the dynamic linker's message; it is kept per thread control block and has to be fetched at once.
fn keep_message(message: &mut [u8; MESSAGE_BYTES]) {
    // SAFETY: dlerror gives null or a string that stays until the next call on this thread.
    let text = unsafe { libc::dlerror() };
    if text.is_null() {
        return;
    }
    // SAFETY: as above.
    let bytes = unsafe { CStr::from_ptr(text) }.to_bytes();
    copy_message(message, bytes);
}

fn copy_message(message: &mut [u8; MESSAGE_BYTES], bytes: &[u8]) {
    let length = bytes.len().min(MESSAGE_BYTES - 1);
    message[..length].copy_from_slice(&bytes[..length]);
}

/// Opens an object in a namespace, as `dlopen` does: null if that fails, and `dlerror` says why.
pub fn open_in(namespace: NamespaceId, path: &CStr, flags: c_int) -> *mut c_void {
    // The dynamic linker has no global scope to add to in other namespaces.
    let global = if namespace == BASE { libc::RTLD_GLOBAL } else { 0 };
    // SAFETY: initialisers run, as those of any object that somebody opens.
    unsafe { libc::dlmopen(namespace, path.as_ptr(), flags & (!libc::RTLD_GLOBAL | global)) }
}

/// The namespace that the process began with.
pub const BASE: NamespaceId = libc::LM_ID_BASE as NamespaceId;

/// The namespace that an object is in.
#[expect(clippy::not_unsafe_ptr_arg_deref, reason = "a handle means something to the dynamic linker alone")]
pub fn namespace_of(handle: *mut c_void) -> Option<NamespaceId> {
    let mut namespace: NamespaceId = 0;
    // SAFETY: the handle is open, and RTLD_DI_LMID writes one Lmid_t.
    let status = unsafe { libc::dlinfo(handle, libc::RTLD_DI_LMID, (&raw mut namespace).cast()) };
    (status == 0).then_some(namespace)
}

/// The namespace in which an address is.
pub fn namespace_at(address: usize) -> Option<NamespaceId> {
    // glibc's handles are its link maps.
    find(address).and_then(|(_, map)| namespace_of(map.cast_mut().cast()))
}

/// The path of an object, if the base namespace has it open under this name.
pub(super) fn path_of_open(name: &CStr) -> Option<PathBuf> {
    // SAFETY: nothing is loaded by this.
    let handle = unsafe { libc::dlopen(name.as_ptr(), libc::RTLD_LAZY | libc::RTLD_NOLOAD) };
    if handle.is_null() {
        return None;
    }
    let found = location(handle).map(|(_, path)| path);
    // SAFETY: gives back what the look-up has taken.
    unsafe { libc::dlclose(handle) };
    found
}

/// The public head of glibc's `struct link_map`.
#[repr(C)]
struct LinkMap {
    load_address: usize,
    name: *const c_char,
    dynamic: *const c_void,
    next: *const LinkMap,
    previous: *const LinkMap,
}

/// An object that the dynamic linker knows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct LinkedObject {
    /// The difference between its addresses in memory and in its file.
    pub(super) load_address: usize,
    /// The name it was opened with or found under.
    pub(super) path: PathBuf,
    /// An address in it.
    pub(super) inside: usize,
}

/// Every object of the namespace that an open object is in, in the order in which the dynamic linker searches. Nobody
/// may open or close an object of that namespace meanwhile.
pub(super) fn objects_beside(handle: *mut c_void) -> Vec<LinkedObject> {
    let mut objects = Vec::new();
    let Some(mut map) = link_map(handle) else { return objects };
    // SAFETY: the maps of a namespace are a list, all of them of objects that are open.
    unsafe {
        while !(*map).previous.is_null() {
            map = (*map).previous;
        }
        while !map.is_null() {
            let (load_address, path) = (*map).location();
            objects.push(LinkedObject { load_address, path, inside: (*map).dynamic as usize });
            map = (*map).next;
        }
    }
    objects
}

/// Every object of the namespace that the process began with, under the same condition.
pub(super) fn objects_of_process() -> Vec<LinkedObject> {
    // SAFETY: without a name this opens the program, which is there and stays.
    let program = unsafe { libc::dlopen(std::ptr::null(), libc::RTLD_LAZY) };
    if program.is_null() {
        return Vec::new();
    }
    let objects = objects_beside(program);
    // SAFETY: it was just opened.
    unsafe { libc::dlclose(program) };
    objects
}

/// The number by which relocations call the thread-local block of an open object; 0 if it has none.
pub(super) fn thread_local_module(handle: *mut c_void) -> usize {
    const RTLD_DI_TLS_MODID: c_int = 9;
    let mut module = 0_usize;
    // SAFETY: the handle is open, and RTLD_DI_TLS_MODID writes one size_t.
    let status = unsafe { libc::dlinfo(handle, RTLD_DI_TLS_MODID, (&raw mut module).cast()) };
    if status == 0 { module } else { 0 }
}

fn link_map(handle: *mut c_void) -> Option<*const LinkMap> {
    let mut map: *const LinkMap = std::ptr::null();
    // SAFETY: the handle is open, and RTLD_DI_LINKMAP writes one pointer.
    let status = unsafe { libc::dlinfo(handle, libc::RTLD_DI_LINKMAP, (&raw mut map).cast()) };
    (status == 0).then_some(map)
}

/// Gives an open object another name: what `dladdr`, debuggers and backtraces show from now on. The dynamic linker goes on
/// recognising it by the name it was opened with as well.
pub fn rename(handle: *mut c_void, name: &CStr) {
    let Some(map) = link_map(handle) else { return };
    // SAFETY: a plain copy of a string.
    let copy = unsafe { libc::strdup(name.as_ptr()) };
    if copy.is_null() {
        return;
    }
    // SAFETY: the map belongs to the open object, which nobody else knows of yet. The dynamic linker has allocated its name
    // by the process's `malloc`, as `strdup` does, and frees what stands there when the object is closed.
    unsafe {
        let name = &raw mut (*map.cast_mut()).name;
        libc::free(name.read().cast_mut().cast());
        name.write(copy);
    }
}

/// The difference between an object's addresses in memory and in its file.
pub(super) fn load_address(handle: *mut c_void) -> Option<usize> {
    location(handle).map(|(load_address, _)| load_address)
}

/// Where an open object is: the difference between its addresses in memory and in its file, and its path.
pub fn location(handle: *mut c_void) -> Option<(usize, PathBuf)> {
    // SAFETY: the map belongs to the open object.
    link_map(handle).map(|map| unsafe { &*map }.location())
}

/// As [`location`], of the object in which an address is.
pub fn location_of(address: usize) -> Option<(usize, PathBuf)> {
    // SAFETY: a map that was found belongs to a loaded object.
    find(address).map(|(_, map)| unsafe { &*map }.location())
}

/// Where the object in which an address is begins, and its load address, which need not be the same.
pub(super) fn start_of(address: usize) -> Option<(usize, usize)> {
    // SAFETY: a map that was found belongs to a loaded object.
    find(address).map(|(info, map)| (info.dli_fbase as usize, unsafe { &*map }.load_address))
}

fn find(address: usize) -> Option<(libc::Dl_info, *const LinkMap)> {
    const RTLD_DL_LINKMAP: c_int = 2;
    unsafe extern "C" {
        fn dladdr1(address: *const c_void, info: *mut libc::Dl_info, extra: *mut *mut c_void, flags: c_int) -> c_int;
    }
    let mut info = MaybeUninit::uninit();
    let mut map: *mut c_void = std::ptr::null_mut();
    // SAFETY: any address may be asked for; both results have the types that the flag asks for.
    let found = unsafe { dladdr1(address as *const c_void, info.as_mut_ptr(), &raw mut map, RTLD_DL_LINKMAP) };
    // SAFETY: what was found has been written.
    (found != 0 && !map.is_null()).then(|| (unsafe { info.assume_init() }, map.cast_const().cast()))
}

impl LinkMap {
    fn location(&self) -> (usize, PathBuf) {
        // SAFETY: the dynamic linker gives every object a name, if only an empty one.
        let name = unsafe { CStr::from_ptr(self.name) };
        (self.load_address, PathBuf::from(OsStr::from_bytes(name.to_bytes())))
    }
}
