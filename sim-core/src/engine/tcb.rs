//! The thread control block: what the thread-pointer register holds.
//!
//! A fiber runs guest code with the thread control block of its lender, so that the guest's `thread_local`s, pthread
//! keys, `errno` and exception state are its own. Rust code runs with the host thread's.

#[cfg(not(all(target_os = "linux", any(target_arch = "x86_64", target_arch = "aarch64"))))]
compile_error!("npusim runs guests natively: it needs Linux on x86-64 or aarch64");

/// A thread control block, by address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Tcb(usize);

impl Tcb {
    /// No thread control block yet.
    pub(crate) const NONE: Tcb = Tcb(0);

    /// The one in use now.
    #[inline(always)]
    pub(crate) fn current() -> Tcb {
        let tcb: usize;
        #[cfg(target_arch = "x86_64")]
        // SAFETY: on x86-64 Linux the first word of the thread control block is its own address.
        unsafe {
            std::arch::asm!("mov {}, qword ptr fs:[0]", out(reg) tcb, options(nostack, preserves_flags, readonly));
        }
        #[cfg(target_arch = "aarch64")]
        // SAFETY: reading the thread pointer has no effect.
        unsafe {
            std::arch::asm!("mrs {}, tpidr_el0", out(reg) tcb, options(nostack, preserves_flags));
        }
        Tcb(tcb)
    }

    /// As a plain number, to be kept in an atomic.
    pub(crate) fn as_usize(self) -> usize {
        self.0
    }

    /// From [`Tcb::as_usize`].
    pub(crate) fn from_usize(tcb: usize) -> Tcb {
        Tcb(tcb)
    }

    /// Uses this thread control block from now on.
    ///
    /// # Safety
    ///
    /// It must be the block of a live thread that does not run meanwhile, and no code that was compiled to keep a
    /// thread-local address across this call may be running: call it only between guest code and a function that is
    /// never inlined.
    #[inline(always)]
    pub(crate) unsafe fn enter(self) {
        #[cfg(target_arch = "x86_64")]
        if fsgsbase::AVAILABLE.load(std::sync::atomic::Ordering::Relaxed) {
            // SAFETY: the caller vouches for the block; the instruction is enabled on this machine.
            unsafe { std::arch::asm!("wrfsbase {}", in(reg) self.0, options(nostack, preserves_flags)) }
        } else {
            // SAFETY: as above; arch_prctl sets the same register.
            unsafe { fsgsbase::set_by_system_call(self.0) }
        }
        #[cfg(target_arch = "aarch64")]
        // SAFETY: the caller vouches for the block.
        unsafe {
            std::arch::asm!("msr tpidr_el0, {}", in(reg) self.0, options(nostack, preserves_flags));
        }
    }
}

/// Whether user code may write the FS base itself.
#[cfg(target_arch = "x86_64")]
mod fsgsbase {
    use std::sync::atomic::{AtomicBool, Ordering};

    /// Set once before the first fiber runs.
    pub(super) static AVAILABLE: AtomicBool = AtomicBool::new(false);

    /// Bit of AT_HWCAP2 that says the kernel enabled FSGSBASE.
    const HWCAP2_FSGSBASE: u64 = 1 << 1;

    pub(super) fn detect() {
        // SAFETY: getauxval only reads the auxiliary vector.
        let capabilities = unsafe { libc::getauxval(libc::AT_HWCAP2) };
        AVAILABLE.store(capabilities & HWCAP2_FSGSBASE != 0, Ordering::Relaxed);
    }

    /// # Safety
    ///
    /// As [`super::Tcb::enter`].
    pub(super) unsafe fn set_by_system_call(tcb: usize) {
        const ARCH_SET_FS: usize = 0x1002;
        // SAFETY: a raw system call, since libc's wrapper would touch errno in a block that is being left.
        unsafe {
            std::arch::asm!("syscall", inlateout("rax") libc::SYS_arch_prctl => _, in("rdi") ARCH_SET_FS,
                in("rsi") tcb, out("rcx") _, out("r11") _, options(nostack));
        }
    }
}

/// Finds out how the thread pointer can be switched on this machine. Called before the first fiber is made.
pub(crate) fn prepare() {
    #[cfg(target_arch = "x86_64")]
    fsgsbase::detect();
}
