//! Threads that a runtime starts are actors; waiting for one lets the device run.

use std::ffi::{c_int, c_void};
use std::io;

use sim_core::actor::ActorId;
use sim_core::engine::{Engine, GuestCall};
use sim_core::loader::thunk::Arguments;

use super::entry::entry;
use crate::caller::{Caller, with_caller};
use crate::process::Process;

entry!(
    /// `std::thread::join()`
    join_std_thread, 1, join_std_thread_from
);
entry!(
    /// `pthread_join(thread, result)`
    join, 2, join_from
);

/// Starts a thread as an actor of the caller's device. `None`: the caller works for none.
fn start(call: GuestCall) -> Option<io::Result<libc::pthread_t>> {
    with_caller(|caller| {
        let device = caller.device()?;
        let thread = match caller {
            // SAFETY: the guest asked for this call, on a thread of its own.
            Caller::Actor(actor, _) => unsafe { actor.spawn_thread(call) },
            Caller::Other => device.with_engine(|engine, rooms| {
                if engine.is_empty() {
                    device.begin_run(engine, rooms);
                }
                // SAFETY: as above.
                unsafe { engine.spawn_thread(engine.host_time(), call) }
            }),
        };
        if let Ok(thread) = thread {
            Process::get().add_thread(thread, device);
        }
        Some(thread)
    })
}

/// Waits for the end of an actor. `None`: the thread is none.
fn join_actor(thread: libc::pthread_t, called_from: usize) -> Option<u64> {
    with_caller(|caller| {
        let device = Process::get().device_of_thread(thread)?;
        let result = match &caller {
            Caller::Actor(actor, _) => {
                let id = actor.engine().find_thread(thread)?;
                let result = actor.join(id, called_from);
                release(actor.engine(), id, thread);
                result
            }
            Caller::Other => device.with_engine(|engine, _| {
                let id = engine.find_thread(thread)?;
                let result = engine.join(id);
                release(engine, id, thread);
                if engine.is_empty() {
                    device.end_run(engine);
                }
                Some(result)
            })?,
        };
        Some(result)
    })
}

/// Lets a thread go whose actor has ended. Once it is gone, a new one may have its handle, on another device.
fn release(engine: &Engine, id: ActorId, thread: libc::pthread_t) {
    Process::get().remove_thread(thread);
    engine.release_thread(id);
}

/// The head of a `std::thread::_State`: its functions are the two destructors and `_M_run`.
#[repr(C)]
struct StdThreadState {
    functions: *const StdThreadFunctions,
}

#[repr(C)]
struct StdThreadFunctions {
    _destroy: usize,
    delete: extern "C" fn(*mut StdThreadState),
    run: extern "C" fn(*mut StdThreadState),
}

/// What a thread of libstdc++ does. It runs as guest code.
extern "C" fn run_std_thread(state: *mut StdThreadState) -> u64 {
    // SAFETY: the state was handed over by `std::thread`, and is alive until it is deleted here.
    let functions = unsafe { &*(*state).functions };
    (functions.run)(state);
    (functions.delete)(state);
    0
}

/// `std::thread::_M_start_thread(std::unique_ptr<_State>, void (*)())`
pub(crate) extern "C" fn start_std_thread(bound: usize, arguments: &Arguments) -> u64 {
    let [this, owner, _, _, _, _] = *arguments;
    let (this, owner) = (this as *mut libc::pthread_t, owner as *mut *mut StdThreadState);
    // SAFETY: the unique pointer is passed by its address.
    let state = unsafe { owner.read() };
    match start(GuestCall::new(run_std_thread as *const () as usize, &[state as u64])) {
        Some(Ok(thread)) => {
            // SAFETY: the thread object, and the pointer whose state has a new owner.
            unsafe {
                this.write(thread);
                owner.write(std::ptr::null_mut());
            }
        }
        // The library's own function starts a plain thread, or reports that there can be none.
        Some(Err(_)) | None => {
            // SAFETY: the library's function, with the arguments that its caller gave.
            let own: extern "C" fn(u64, u64, u64) = unsafe { std::mem::transmute(bound) };
            own(arguments[0], arguments[1], arguments[2]);
        }
    }
    0
}

extern "C" fn join_std_thread_from(this: *mut libc::pthread_t, called_from: usize) {
    // SAFETY: the thread object.
    let thread = unsafe { this.read() };
    if join_actor(thread, called_from).is_none() {
        // SAFETY: a thread that somebody started and that is joined once.
        unsafe { libc::pthread_join(thread, std::ptr::null_mut()) };
    }
    // SAFETY: the thread object: there is no thread any more.
    unsafe { this.write(0) };
}

/// `pthread_create(thread, attributes, start, argument)`
pub(crate) extern "C" fn create(
    thread: *mut libc::pthread_t,
    attributes: *const libc::pthread_attr_t,
    routine: extern "C" fn(*mut c_void) -> *mut c_void,
    argument: *mut c_void,
) -> c_int {
    match start(GuestCall::new(routine as *const () as usize, &[argument as u64])) {
        Some(Ok(started)) => {
            // SAFETY: the guest passes a place for the handle.
            unsafe { thread.write(started) };
            0
        }
        Some(Err(error)) => error.raw_os_error().unwrap_or(libc::EAGAIN),
        // SAFETY: as the guest asks.
        None => unsafe { libc::pthread_create(thread, attributes, routine, argument) },
    }
}

extern "C" fn join_from(thread: libc::pthread_t, result: *mut *mut c_void, called_from: usize) -> c_int {
    match join_actor(thread, called_from) {
        Some(value) => {
            if !result.is_null() {
                // SAFETY: the guest passes a place for the result.
                unsafe { result.write(value as *mut c_void) };
            }
            0
        }
        // SAFETY: as the guest asks.
        None => unsafe { libc::pthread_join(thread, result) },
    }
}
