//! Opening and closing objects for a runtime, as `dlopen` and `dlclose` do.

use std::ffi::{CStr, CString, OsStr, c_int, c_void};
use std::fmt::Display;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use sim_core::engine::wait_trap;
use sim_core::loader::ledger::{HostSide, LoadOutcome, LoadRecord, LoadStrategy};
use sim_core::loader::link::{self, NamespaceId};
use sim_core::loader::loaded_object::{has_code, trap_wait_loops};
use sim_core::loader::staging::{Staged, stage_memory};

use super::Loaded;
use super::error::ObjectError;
use super::facts::Facts;
use super::written::last_part;
use crate::caller::Caller;
use crate::fatal;
use crate::process::{Process, lock};

/// Opens an object for a runtime in its namespace, as `dlopen` does. `None`: the runtime has not written such an object.
///
/// Its initialisers run as code of the caller.
pub(crate) fn open(caller: &Caller<'_>, namespace: NamespaceId, path: &CStr, flags: c_int) -> Option<*mut c_void> {
    let process = Process::get();
    let written = lock(&process.objects).written.take(path.to_bytes())?;
    let begun = Instant::now();
    let name = String::from_utf8_lossy(last_part(path.to_bytes())).into_owned();
    // The dynamic linker trusts what it opens, so the bytes are checked before.
    let facts = match written.read().and_then(|bytes| lock(&process.objects).facts(&name, bytes)) {
        Ok(facts) => facts,
        Err(error) => return Some(refuse(caller, &error)),
    };
    let staged = written.memory.map(|memory| stage_memory(&name, memory)).transpose();
    let staged = match staged {
        Ok(staged) => staged,
        Err(error) => return Some(refuse(caller, &ObjectError::Stage { name, error })),
    };
    let opened_as = staged.as_ref().map_or(path, Staged::path);
    let handle = open_now(caller, namespace, opened_as, flags);
    if handle.is_null() {
        return Some(staged.map_or(handle, |staged| caller.as_guest(|| fail_in_words(&staged))));
    }
    let opened_as = staged.as_ref().map_or(path, Staged::name);
    if let Some(staged) = &staged {
        staged.give_name(handle);
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
    caller.as_guest(|| fail(error))
}

/// Opens nothing, and leaves the reason in `dlerror`.
pub(crate) fn fail(reason: &impl Display) -> *mut c_void {
    // Only the dynamic linker can give `dlerror` a text; it names the file that it did not find.
    let reason = CString::new(format!("/npusim: {reason}")).unwrap_or_default();
    link::open_in(link::BASE, &reason, libc::RTLD_NOW)
}

/// What the dynamic linker has just said of a staged object, with the object's name in it.
fn fail_in_words(staged: &Staged) -> *mut c_void {
    // SAFETY: dlerror gives null or a string that stays until the next call on this thread.
    let message = unsafe { libc::dlerror() };
    if message.is_null() {
        return message.cast();
    }
    // SAFETY: as above.
    let message = unsafe { CStr::from_ptr(message) }.to_string_lossy().into_owned();
    fail(&staged.in_words(&message))
}

/// Everything is bound at once where that is possible: what an import leads to is known then.
fn open_now(caller: &Caller<'_>, namespace: NamespaceId, path: &CStr, flags: c_int) -> *mut c_void {
    let now = flags & !libc::RTLD_LAZY | libc::RTLD_NOW;
    let open = |flags| caller.as_guest(|| link::open_in(namespace, path, flags));
    let handle = open(now);
    if handle.is_null() && now != flags { open(flags) } else { handle }
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
    if let Some(loaded) = objects.loaded.last_mut() {
        loaded.namespace = link::namespace_of(handle);
    }
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

/// Closes what a runtime has left open in a namespace that it had to itself, once it is closed.
pub(crate) fn close_left(namespace: NamespaceId) {
    let left = lock(&Process::get().objects).take_left(namespace);
    for (handle, range) in left.into_iter().rev() {
        wait_trap::remove(range);
        // SAFETY: the runtime opened it, and nobody else can close it.
        unsafe { libc::dlclose(handle as *mut c_void) };
    }
}

/// Closes an object for a runtime, as `dlclose` does. Its finalisers run as code of the caller.
pub(crate) fn close(caller: &Caller<'_>, handle: *mut c_void) -> c_int {
    let known = {
        let mut objects = lock(&Process::get().objects);
        let index = objects.loaded.iter().position(|loaded| loaded.handle == handle as usize);
        index.map(|index| objects.loaded.remove(index))
    };
    if let Some(loaded) = &known {
        // First, while the addresses are the object's: as soon as it is closed, another thread's object may lie there.
        wait_trap::remove(loaded.range.clone());
    }
    // SAFETY: the runtime closes what it has opened.
    let status = caller.as_guest(|| unsafe { libc::dlclose(handle) });
    let Some(Loaded { device, load, .. }) = known else { return status };
    if let (Some(device), Some(load)) = (device, load) {
        let mut ledger = lock(&device.ledger);
        // The record exists and has one user, so the ledger takes both.
        let _ = ledger.release(load).and_then(|_| ledger.close(load, status == 0));
        drop(ledger);
    }
    status
}
