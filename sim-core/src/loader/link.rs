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
pub(super) type NamespaceId = libc::Lmid_t;

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

/// The namespace that an object is in.
pub(super) fn namespace_of(handle: *mut c_void) -> Option<NamespaceId> {
    let mut namespace: NamespaceId = 0;
    // SAFETY: the handle is open, and RTLD_DI_LMID writes one Lmid_t.
    let status = unsafe { libc::dlinfo(handle, libc::RTLD_DI_LMID, (&raw mut namespace).cast()) };
    (status == 0).then_some(namespace)
}

/// Whether an open object is in the namespace that the process began with.
pub fn is_in_base_namespace(handle: *mut c_void) -> bool {
    namespace_of(handle) == Some(libc::LM_ID_BASE as NamespaceId)
}

/// The public head of glibc's `struct link_map`.
#[repr(C)]
struct LinkMap {
    load_address: usize,
    name: *const c_char,
}

/// The difference between an object's addresses in memory and in its file.
pub(super) fn load_address(handle: *mut c_void) -> Option<usize> {
    location(handle).map(|(load_address, _)| load_address)
}

/// Where an open object is: the difference between its addresses in memory and in its file, and its path.
#[expect(clippy::not_unsafe_ptr_arg_deref, reason = "a handle means something to the dynamic linker alone")]
pub fn location(handle: *mut c_void) -> Option<(usize, PathBuf)> {
    let mut map: *const LinkMap = std::ptr::null();
    // SAFETY: the handle is open, and RTLD_DI_LINKMAP writes one pointer.
    let status = unsafe { libc::dlinfo(handle, libc::RTLD_DI_LINKMAP, (&raw mut map).cast()) };
    // SAFETY: the map belongs to the open object.
    (status == 0).then(|| unsafe { &*map }.location())
}

/// As [`location`], of the object in which an address is.
pub fn location_of(address: usize) -> Option<(usize, PathBuf)> {
    const RTLD_DL_LINKMAP: c_int = 2;
    unsafe extern "C" {
        fn dladdr1(address: *const c_void, info: *mut libc::Dl_info, extra: *mut *mut c_void, flags: c_int) -> c_int;
    }
    let mut info = MaybeUninit::uninit();
    let mut map: *mut c_void = std::ptr::null_mut();
    // SAFETY: any address may be asked for; both results have the types that the flag asks for.
    let found = unsafe { dladdr1(address as *const c_void, info.as_mut_ptr(), &raw mut map, RTLD_DL_LINKMAP) };
    // SAFETY: a map that was found belongs to a loaded object.
    (found != 0 && !map.is_null()).then(|| unsafe { &*map.cast::<LinkMap>() }.location())
}

impl LinkMap {
    fn location(&self) -> (usize, PathBuf) {
        // SAFETY: the dynamic linker gives every object a name, if only an empty one.
        let name = unsafe { CStr::from_ptr(self.name) };
        (self.load_address, PathBuf::from(OsStr::from_bytes(name.to_bytes())))
    }
}
