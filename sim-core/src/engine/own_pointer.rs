//! One pointer per thread control block: a thread-local word, read relative to the thread pointer as it is right now.
//!
//! Fibers change the thread pointer in the middle of compiled code, and signal handlers have to read this word too. So
//! it is neither a `thread_local!`, whose address the compiler may keep, nor found through the dynamic linker, which may
//! allocate: its offset is fixed when the object is loaded (the initial-exec model), and reading it is two instructions.

use std::ffi::c_void;

std::arch::global_asm!(
    ".section .tbss,\"awT\",@nobits",
    ".hidden npusim_own_pointer",
    ".globl npusim_own_pointer",
    ".type npusim_own_pointer, @object",
    ".size npusim_own_pointer, 8",
    ".p2align 3",
    "npusim_own_pointer:",
    ".zero 8",
    ".text"
);

/// The pointer of the thread control block in use; null until it is set.
#[inline(always)]
pub(super) fn get() -> *const c_void {
    let pointer: *const c_void;
    #[cfg(target_arch = "x86_64")]
    // SAFETY: reads the word above, in the static thread-local storage that every thread has. Not `pure`: the thread
    // pointer may be another one the next time.
    unsafe {
        std::arch::asm!(
            "mov {0}, qword ptr [rip + npusim_own_pointer@gottpoff]",
            "mov {0}, qword ptr fs:[{0}]",
            out(reg) pointer,
            options(nostack, preserves_flags, readonly)
        );
    }
    #[cfg(target_arch = "aarch64")]
    // SAFETY: as above.
    unsafe {
        std::arch::asm!(
            "adrp {0}, :gottprel:npusim_own_pointer",
            "ldr {0}, [{0}, :gottprel_lo12:npusim_own_pointer]",
            "mrs {1}, tpidr_el0",
            "ldr {0}, [{1}, {0}]",
            out(reg) pointer,
            out(reg) _,
            options(nostack, preserves_flags, readonly)
        );
    }
    pointer
}

/// Sets the pointer of the thread control block in use.
#[inline(always)]
pub(super) fn set(pointer: *const c_void) {
    #[cfg(target_arch = "x86_64")]
    // SAFETY: writes the word above.
    unsafe {
        std::arch::asm!(
            "mov {0}, qword ptr [rip + npusim_own_pointer@gottpoff]",
            "mov qword ptr fs:[{0}], {1}",
            out(reg) _,
            in(reg) pointer,
            options(nostack, preserves_flags)
        );
    }
    #[cfg(target_arch = "aarch64")]
    // SAFETY: as above.
    unsafe {
        std::arch::asm!(
            "adrp {0}, :gottprel:npusim_own_pointer",
            "ldr {0}, [{0}, :gottprel_lo12:npusim_own_pointer]",
            "mrs {1}, tpidr_el0",
            "str {2}, [{1}, {0}]",
            out(reg) _,
            out(reg) _,
            in(reg) pointer,
            options(nostack, preserves_flags)
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn has_each_thread_a_pointer_of_its_own() {
        let place = 7_u8;
        set((&raw const place).cast());
        let elsewhere = std::thread::spawn(|| get() as usize).join().expect("it only reads");
        assert_eq!((get(), elsewhere), ((&raw const place).cast(), 0));
        set(std::ptr::null());
    }
}
