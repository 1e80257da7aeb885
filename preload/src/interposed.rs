//! The functions of the C library that this object replaces for the whole process: `dlsym` and `dlopen`.
//!
//! Both look at who called them, so a call that is not answered here goes on to the C library's with everything as it
//! was: as a jump, with the caller's return address on the stack.

use std::ffi::{CStr, c_char, c_int, c_void};
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::{fatal, isolation, runtime};

/// The C library's `dlsym`, once it is known.
pub(crate) static REAL_DLSYM: AtomicUsize = AtomicUsize::new(0);

/// The C library's `dlopen`, once it is known.
static REAL_DLOPEN: AtomicUsize = AtomicUsize::new(0);

/// Defines a function of two arguments that asks another one for the answer, and jumps on to a third if that is null.
/// The instructions at the end turn an answer into what the function gives.
macro_rules! forward_unless_answered {
    (
        $(#[$attribute:meta])*
        $visibility:vis fn $name:ident($first:ty, $second:ty) -> $result:ty;
        $answer:path, $real:path, $x86:literal, $arm:literal
    ) => {
        $(#[$attribute])*
        #[unsafe(naked)]
        $visibility unsafe extern "C" fn $name(_: $first, _: $second) -> $result {
            #[cfg(target_arch = "x86_64")]
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
                $x86,
                "ret",
                "2:",
                "jmp qword ptr [rip + {real}]",
                answer = sym $answer,
                real = sym $real,
            );
            #[cfg(target_arch = "aarch64")]
            std::arch::naked_asm!(
                "stp x0, x1, [sp, #-32]!",
                "str x30, [sp, #16]",
                "bl {answer}",
                "mov x9, x0",
                "ldr x30, [sp, #16]",
                "ldp x0, x1, [sp], #32",
                "cbz x9, 2f",
                "mov x0, x9",
                $arm,
                "ret",
                "2:",
                "adrp x9, {real}",
                "ldr x9, [x9, :lo12:{real}]",
                "br x9",
                answer = sym $answer,
                real = sym $real,
            );
        }
    };
}
pub(crate) use forward_unless_answered;

forward_unless_answered! {
    /// Looks up a symbol, as the C library does; functions of a host runtime are answered with ones that lead to it.
    ///
    /// # Safety
    ///
    /// As for the C library's.
    #[unsafe(no_mangle)]
    pub(crate) fn dlsym(*mut c_void, *const c_char) -> *mut c_void;
    answer_lookup, REAL_DLSYM, "", ""
}

forward_unless_answered! {
    /// Opens an object, as the C library does; host runtimes are isolated if that was asked for.
    ///
    /// # Safety
    ///
    /// As for the C library's.
    #[unsafe(no_mangle)]
    pub(crate) fn dlopen(*const c_char, c_int) -> *mut c_void;
    // An answer that says that nothing was opened becomes null.
    answer_opening, REAL_DLOPEN, "and rax, -2", "and x0, x0, #-2"
}

/// What a look-up gives instead of what the C library would; null if that shall answer.
extern "C" fn answer_lookup(handle: *mut c_void, name: *const c_char) -> *mut c_void {
    know(&REAL_DLSYM, c"dlsym");
    if handle.is_null() || handle == libc::RTLD_NEXT || name.is_null() {
        return std::ptr::null_mut();
    }
    // SAFETY: whoever looks something up passes a string.
    let name = unsafe { CStr::from_ptr(name) };
    runtime::answer(handle, name) as *mut c_void
}

/// The answer for an object that was not opened: no handle is odd.
const NOTHING: *mut c_void = std::ptr::without_provenance_mut(1);

/// What was opened in place of the C library; null if that shall do it.
extern "C" fn answer_opening(path: *const c_char, flags: c_int) -> *mut c_void {
    know(&REAL_DLOPEN, c"dlopen");
    if path.is_null() || !isolation::is_on() {
        return std::ptr::null_mut();
    }
    // SAFETY: whoever opens something passes a string.
    let path = unsafe { CStr::from_ptr(path) };
    match isolation::open(path, flags) {
        None => std::ptr::null_mut(),
        Some(handle) if handle.is_null() => NOTHING,
        Some(handle) => handle,
    }
}

/// Makes a function of the C library known.
fn know(real: &AtomicUsize, name: &CStr) {
    if real.load(Ordering::Relaxed) == 0 {
        let found = [c"GLIBC_2.34", c"GLIBC_2.2.5", c"GLIBC_2.17"]
            .into_iter()
            // SAFETY: the names are strings.
            .map(|version| unsafe { libc::dlvsym(libc::RTLD_NEXT, name.as_ptr(), version.as_ptr()) } as usize)
            .find(|found| *found != 0);
        let name = name.to_string_lossy();
        let none = || fatal(&format!("this C library has no {name} that is known; npusim needs glibc"));
        real.store(found.unwrap_or_else(none), Ordering::Relaxed);
    }
}

/// Looks up a symbol with the C library itself.
pub(crate) fn real_dlsym(handle: *mut c_void, name: &CStr) -> usize {
    know(&REAL_DLSYM, c"dlsym");
    let real = REAL_DLSYM.load(Ordering::Relaxed);
    // SAFETY: the C library's function of this type.
    let real: unsafe extern "C" fn(*mut c_void, *const c_char) -> *mut c_void = unsafe { std::mem::transmute(real) };
    // SAFETY: the handle is open, and the name a string.
    unsafe { real(handle, name.as_ptr()) as usize }
}
