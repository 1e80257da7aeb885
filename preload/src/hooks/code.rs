//! Loading code: what a runtime writes and opens goes through the loader.

use std::ffi::{CStr, c_char, c_int, c_void};

use sim_core::loader::link;

use super::entry::entry;
use crate::caller::with_caller;
use crate::interposed::{REAL_DLSYM, forward_unless_answered};
use crate::objects;
use crate::process::{Process, lock};

entry!(
    /// `dlopen(path, flags)`
    dlopen, 2, dlopen_from
);

extern "C" fn dlopen_from(path: *const c_char, flags: c_int, called_from: usize) -> *mut c_void {
    if path.is_null() {
        // SAFETY: as the guest asks.
        return unsafe { libc::dlopen(path, flags) };
    }
    // SAFETY: the guest passes a string.
    let name = unsafe { CStr::from_ptr(path) };
    // What code opens is where that code is.
    let namespace = with_caller(|_| link::namespace_at(called_from)).unwrap_or(link::BASE);
    let opened = with_caller(|caller| objects::open::open(&caller, namespace, name, flags));
    opened.unwrap_or_else(|| link::open_in(namespace, name, flags))
}

forward_unless_answered! {
    /// `dlsym(handle, name)`
    pub(crate) fn dlsym(*mut c_void, *const c_char) -> *mut c_void;
    answer, REAL_DLSYM, "", ""
}

/// What a look-up gives instead of what the C library would; null if that shall answer.
extern "C" fn answer(handle: *mut c_void, name: *const c_char) -> *mut c_void {
    // SAFETY: the guest passes a string.
    let name = unsafe { CStr::from_ptr(name) };
    let answer = with_caller(|_| lock(&Process::get().objects).answer(handle as usize, name));
    answer.unwrap_or(0) as *mut c_void
}

/// `dlclose(handle)`
pub(crate) extern "C" fn dlclose(handle: *mut c_void) -> c_int {
    with_caller(|caller| objects::open::close(&caller, handle))
}

/// `mkstemp(template)`
pub(crate) extern "C" fn mkstemp(template: *mut c_char) -> c_int {
    mkstemps(template, 0)
}

/// `mkstemps(template, suffix)`
pub(crate) extern "C" fn mkstemps(template: *mut c_char, suffix: c_int) -> c_int {
    // SAFETY: the guest passes a string that may be changed.
    let bytes = unsafe { std::slice::from_raw_parts_mut(template.cast::<u8>(), libc::strlen(template)) };
    with_caller(|_| {
        let mut objects = lock(&Process::get().objects);
        if let Some(descriptor) = usize::try_from(suffix).ok().and_then(|suffix| objects.written.create(bytes, suffix))
        {
            return descriptor;
        }
        // SAFETY: as the guest asks.
        let descriptor = unsafe { libc::mkstemps(template, suffix) };
        if descriptor >= 0 {
            objects.written.note(bytes);
        }
        descriptor
    })
}

/// `unlink(path)`
pub(crate) extern "C" fn unlink(path: *const c_char) -> c_int {
    // SAFETY: as the guest asks.
    if is_memory(path) { 0 } else { unsafe { libc::unlink(path) } }
}

/// `remove(path)`
pub(crate) extern "C" fn remove(path: *const c_char) -> c_int {
    // SAFETY: as the guest asks.
    if is_memory(path) { 0 } else { unsafe { libc::remove(path) } }
}

/// A file that a runtime removes may never have been one.
fn is_memory(path: *const c_char) -> bool {
    // SAFETY: the guest passes a string.
    let path = unsafe { CStr::from_ptr(path) };
    with_caller(|_| lock(&Process::get().objects).written.remove(path.to_bytes()))
}
