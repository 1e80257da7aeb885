//! Entries: functions that hand over who called them, so that reports can name the place.

/// Defines a function with the given number of integer arguments that goes on to another one, with the address it was
/// called from as one argument more. It keeps the stack as it is, so that the other one returns to the caller.
macro_rules! entry {
    ($(#[$doc:meta])* $name:ident, 0, $to:path) => {
        entry!(@define $(#[$doc])* $name, $to, "mov rdi, [rsp]", "mov x0, x30");
    };
    ($(#[$doc:meta])* $name:ident, 1, $to:path) => {
        entry!(@define $(#[$doc])* $name, $to, "mov rsi, [rsp]", "mov x1, x30");
    };
    ($(#[$doc:meta])* $name:ident, 2, $to:path) => {
        entry!(@define $(#[$doc])* $name, $to, "mov rdx, [rsp]", "mov x2, x30");
    };
    ($(#[$doc:meta])* $name:ident, 3, $to:path) => {
        entry!(@define $(#[$doc])* $name, $to, "mov rcx, [rsp]", "mov x3, x30");
    };
    ($(#[$doc:meta])* $name:ident, 4, $to:path) => {
        entry!(@define $(#[$doc])* $name, $to, "mov r8, [rsp]", "mov x4, x30");
    };
    (@define $(#[$doc:meta])* $name:ident, $to:path, $x86:literal, $arm:literal) => {
        $(#[$doc])*
        #[unsafe(naked)]
        pub(crate) extern "C" fn $name() {
            #[cfg(target_arch = "x86_64")]
            std::arch::naked_asm!($x86, "jmp {to}", to = sym $to);
            #[cfg(target_arch = "aarch64")]
            std::arch::naked_asm!($arm, "b {to}", to = sym $to);
        }
    };
}
pub(super) use entry;
