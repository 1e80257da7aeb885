//! pthread keys of objects: they go with the object that made them.
//!
//! An object that is loaded again for each run, and makes keys each time without ever deleting them, would use up the
//! process's keys within a few hundred runs.

use std::ffi::c_int;
use std::sync::Mutex;

use sim_core::loader::thunk::Arguments;

use crate::process::lock;

/// The keys that an object has made and not deleted. They are deleted when this goes, after the object's threads.
#[derive(Default)]
pub(crate) struct KeyList(Mutex<Vec<libc::pthread_key_t>>);

impl Drop for KeyList {
    fn drop(&mut self) {
        for key in lock(&self.0).drain(..) {
            // SAFETY: the key was made by the object, which is closed: nobody uses it any more.
            unsafe { libc::pthread_key_delete(key) };
        }
    }
}

/// Behind the data of the thunks.
fn key_list<'a>(data: usize) -> &'a KeyList {
    // SAFETY: the thunks were made with the address of the list of an object, and go with it.
    unsafe { &*(data as *const KeyList) }
}

/// `pthread_key_create(key, destructor)`
pub(crate) extern "C" fn create(data: usize, arguments: &Arguments) -> u64 {
    let key = arguments[0] as *mut libc::pthread_key_t;
    // SAFETY: the guest's own arguments.
    let status =
        unsafe { libc::pthread_key_create(key, std::mem::transmute::<usize, Destructor>(arguments[1] as usize)) };
    if status == 0 {
        // SAFETY: the key was just written.
        let key = unsafe { key.read() };
        crate::caller::with_caller(|_| lock(&key_list(data).0).push(key));
    }
    status as u64
}

/// `pthread_key_delete(key)`
pub(crate) extern "C" fn delete(data: usize, arguments: &Arguments) -> u64 {
    let key = arguments[0] as libc::pthread_key_t;
    crate::caller::with_caller(|_| lock(&key_list(data).0).retain(|other| *other != key));
    // SAFETY: the guest's own key.
    let status: c_int = unsafe { libc::pthread_key_delete(key) };
    status as u64
}

type Destructor = Option<unsafe extern "C" fn(*mut std::ffi::c_void)>;
