//! Loading code: what a runtime writes and opens goes through the loader.

use std::ffi::{CStr, c_char, c_int, c_void};

use crate::caller::with_caller;
use crate::objects;
use crate::process::{Process, lock};
use crate::real_dlsym;

/// `dlopen(path, flags)`
pub(crate) extern "C" fn dlopen(path: *const c_char, flags: c_int) -> *mut c_void {
    if path.is_null() {
        // SAFETY: as the guest asks.
        return unsafe { libc::dlopen(path, flags) };
    }
    // SAFETY: the guest passes a string.
    let name = unsafe { CStr::from_ptr(path) };
    let opened = with_caller(|caller| objects::open::open(&caller, name, flags));
    // SAFETY: as the guest asks.
    opened.unwrap_or_else(|| unsafe { libc::dlopen(path, flags) })
}

/// `dlsym(handle, name)`
pub(crate) extern "C" fn dlsym(handle: *mut c_void, name: *const c_char) -> *mut c_void {
    // SAFETY: the guest passes a string.
    let name = unsafe { CStr::from_ptr(name) };
    let answer = with_caller(|_| lock(&Process::get().objects).answer(handle as usize, name));
    answer.unwrap_or_else(|| real_dlsym(handle, name)) as *mut c_void
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
