//! The object that `npusim exec` preloads into a command and its children.
//!
//! # Lifecycle
//!
//! Of the whole process this object sees two things (`interposed`): look-ups of symbols, and, if host runtimes are to
//! be isolated, what is opened. A process that never looks for the functions of a host runtime pays for nothing else.
//!
//! ```text
//!   dlopen(".../libhost_runtime.so")            with --isolate: it gets a namespace of its own: isolation.rs
//!   dlsym(handle, "create_device_context")      the handle is a host runtime: runtime.rs
//!     └─ the runtime's imports are redirected    redirections.rs, hooks/
//!   create_device_context()                     a device is made: device.rs
//!     ├─ objects that the runtime writes and opens are loaded from memory, and redirected in turn: objects.rs
//!     ├─ threads that it starts are actors; when it joins or polls them, the engine runs: hooks/threads.rs
//!     └─ when the last is joined, the run is over and has a report: run.rs, listener.rs
//!   destroy_device_context()                    the device goes
//! ```
//!
//! # Invariants
//!
//! - Only code of the runtime, and of what it loads, is redirected. Every other thread and object of the process runs
//!   as if this object were not there.
//! - A hook that is called by an actor on its fiber begins with the guest's thread control block: it touches no Rust
//!   thread-local and allocates nothing before it is on the host's (`caller::on_actor`).
//! - One thread at a time uses the engine of a device; the device's memory has a lock of its own, so that other host
//!   threads can allocate and copy while the device runs.
//! - After a fork the child forgets its parent's devices: their threads are not in the child.

mod caller;
mod charges;
mod device;
mod hooks;
mod interposed;
mod isolation;
mod listener;
mod objects;
mod patience;
mod process;
mod redirections;
mod run;
mod runtime;

/// Says what makes it impossible to go on, and ends the process as one that was given bad input.
fn fatal(message: &str) -> ! {
    eprintln!("npusim: {message}");
    // SAFETY: ends the process at once; nothing of ours needs to be undone.
    unsafe { libc::_exit(2) }
}
