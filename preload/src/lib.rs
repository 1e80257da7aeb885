//! The object that `npusim exec` preloads into a command and its children.
//!
//! # Lifecycle
//!
//! Of the whole process this object sees one thing: look-ups of symbols ([`dlsym`]). A process that never looks for the
//! functions of a host runtime pays for nothing else.
//!
//! ```text
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
mod listener;
mod objects;
mod patience;
mod process;
mod redirections;
mod run;
mod runtime;

use std::ffi::{CStr, c_char, c_void};
use std::sync::atomic::{AtomicUsize, Ordering};

/// The C library's `dlsym`, once it is known.
static REAL_DLSYM: AtomicUsize = AtomicUsize::new(0);

/// Looks up a symbol, as the C library does; functions of a host runtime are answered with ones that lead to it.
///
/// It jumps on to the C library's with everything as it was, since that looks at who called.
///
/// # Safety
///
/// As for the C library's.
#[cfg(target_arch = "x86_64")]
#[unsafe(naked)]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn dlsym(_handle: *mut c_void, _name: *const c_char) -> *mut c_void {
    std::arch::naked_asm!(
        "push rdi",
        "push rsi",
        "sub rsp, 8",
        "call {answer}",
        "add rsp, 8",
        "pop rsi",
        "pop rdi",
        "test rax, rax",
        "jz 2f",
        "ret",
        "2:",
        "jmp qword ptr [rip + {real}]",
        answer = sym answer,
        real = sym REAL_DLSYM,
    )
}

/// As on x86-64.
///
/// # Safety
///
/// As for the C library's.
#[cfg(target_arch = "aarch64")]
#[unsafe(naked)]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn dlsym(_handle: *mut c_void, _name: *const c_char) -> *mut c_void {
    std::arch::naked_asm!(
        "stp x0, x1, [sp, #-32]!",
        "str x30, [sp, #16]",
        "bl {answer}",
        "mov x9, x0",
        "ldr x30, [sp, #16]",
        "ldp x0, x1, [sp], #32",
        "cbz x9, 2f",
        "mov x0, x9",
        "ret",
        "2:",
        "adrp x9, {real}",
        "ldr x9, [x9, :lo12:{real}]",
        "br x9",
        answer = sym answer,
        real = sym REAL_DLSYM,
    )
}

/// What a look-up gives instead of what the C library would; null if that shall answer.
extern "C" fn answer(handle: *mut c_void, name: *const c_char) -> *mut c_void {
    if REAL_DLSYM.load(Ordering::Relaxed) == 0 {
        REAL_DLSYM.store(find_real_dlsym(), Ordering::Relaxed);
    }
    if handle.is_null() || handle == libc::RTLD_NEXT || name.is_null() {
        return std::ptr::null_mut();
    }
    // SAFETY: whoever looks something up passes a string.
    let name = unsafe { CStr::from_ptr(name) };
    runtime::answer(handle, name) as *mut c_void
}

fn find_real_dlsym() -> usize {
    [c"GLIBC_2.34", c"GLIBC_2.2.5", c"GLIBC_2.17"]
        .into_iter()
        // SAFETY: the names are strings.
        .map(|version| unsafe { libc::dlvsym(libc::RTLD_NEXT, c"dlsym".as_ptr(), version.as_ptr()) } as usize)
        .find(|found| *found != 0)
        .unwrap_or_else(|| fatal("this C library has no dlsym that is known; npusim needs glibc"))
}

/// Looks up a symbol with the C library itself.
fn real_dlsym(handle: *mut c_void, name: &CStr) -> usize {
    let real = REAL_DLSYM.load(Ordering::Relaxed);
    // SAFETY: the C library's function of this type, known since the first look-up.
    let real: unsafe extern "C" fn(*mut c_void, *const c_char) -> *mut c_void = unsafe { std::mem::transmute(real) };
    // SAFETY: the handle is open, and the name a string.
    unsafe { real(handle, name.as_ptr()) as usize }
}

/// Says what makes it impossible to go on, and ends the process as one that was given bad input.
fn fatal(message: &str) -> ! {
    eprintln!("npusim: {message}");
    // SAFETY: ends the process at once; nothing of ours needs to be undone.
    unsafe { libc::_exit(2) }
}
