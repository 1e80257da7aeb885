//! Thunks: small functions made at run time, so that a guest's call of one function is seen or answered by another.
//!
//! A thunk carries a word of data, which says for whom it was made, and hands over that word and the integer arguments
//! of the call. There are two kinds: one lets the call go on to its target afterwards, with every argument as it was;
//! the other answers the call itself. Each has a private page of its own, which is written before it can be executed and
//! never after: a process that forks can go on making thunks on both sides.

use std::ffi::c_void;
use std::io;
use std::ptr;

use rustix::mm::{MapFlags, MprotectFlags, ProtFlags};

/// The first six integer arguments of a call.
pub type Arguments = [u64; 6];

/// Sees a call that then goes on to its target. `caller` is the address that the target returns to.
pub type Before = extern "C" fn(data: usize, arguments: &Arguments, caller: usize);

/// Answers a call.
pub type Instead = extern "C" fn(data: usize, arguments: &Arguments) -> u64;

/// A thunk: it can be called as long as this lives.
#[derive(Debug)]
pub struct Thunk {
    page: *mut c_void,
}

// SAFETY: the page belongs to the thunk alone and is only read and executed.
unsafe impl Send for Thunk {}
// SAFETY: as above.
unsafe impl Sync for Thunk {}

impl Thunk {
    /// A function that calls `hook` with `data` and the arguments, and then goes on to `target`.
    pub fn before(hook: Before, data: usize, target: usize) -> io::Result<Thunk> {
        Thunk::of(&code::before(hook as usize, data, target))
    }

    /// A function that returns what `hook` does.
    pub fn instead(hook: Instead, data: usize) -> io::Result<Thunk> {
        Thunk::of(&code::instead(hook as usize, data))
    }

    fn of(code: &[u8]) -> io::Result<Thunk> {
        let size = page_size();
        let flags = MapFlags::PRIVATE;
        // SAFETY: a new mapping, at a place of the kernel's choice.
        let page =
            unsafe { rustix::mm::mmap_anonymous(ptr::null_mut(), size, ProtFlags::READ | ProtFlags::WRITE, flags)? };
        let thunk = Thunk { page };
        assert!(code.len() <= size, "a thunk of {} bytes", code.len());
        // SAFETY: the page was just mapped for writing, and the code fits.
        unsafe {
            ptr::copy_nonoverlapping(code.as_ptr(), page.cast(), code.len());
            rustix::mm::mprotect(page, size, MprotectFlags::READ | MprotectFlags::EXEC)?;
        }
        Ok(thunk)
    }

    /// What to call.
    pub fn address(&self) -> usize {
        self.page as usize
    }
}

impl Drop for Thunk {
    fn drop(&mut self) {
        // SAFETY: mapped by this thunk; nobody calls a thunk that is gone.
        let _ = unsafe { rustix::mm::munmap(self.page, page_size()) };
    }
}

fn page_size() -> usize {
    rustix::param::page_size()
}

/// The code of thunks on x86-64: it keeps all argument registers, and the stack aligned for the call of the hook.
#[cfg(target_arch = "x86_64")]
mod code {
    /// Pushes r9, r8, rcx, rdx, rsi, rdi: the arguments then lie in memory in their order.
    const PUSH_ARGUMENTS: [u8; 8] = [0x41, 0x51, 0x41, 0x50, 0x51, 0x52, 0x56, 0x57];
    const POP_ARGUMENTS: [u8; 8] = [0x5f, 0x5e, 0x5a, 0x59, 0x41, 0x58, 0x41, 0x59];
    /// Room for eight vector registers, the number of them in use, and the alignment of the stack.
    const FRAME: i32 = 8 * 16 + 8;

    pub(super) fn before(hook: usize, data: usize, target: usize) -> Vec<u8> {
        let mut code = Vec::new();
        code.extend(PUSH_ARGUMENTS);
        // lea rsi, [rsp]: before the frame, where the arguments are
        code.extend([0x48, 0x89, 0xe6]);
        // mov rdx, [rsi + 48]: the return address
        code.extend([0x48, 0x8b, 0x56, 0x30]);
        frame(&mut code, 0xec);
        // mov [rsp + 128], rax: calls of functions with `...` say there how many vector registers they use
        code.extend([0x48, 0x89, 0x84, 0x24]);
        code.extend(128_i32.to_le_bytes());
        vectors(&mut code, 0x11);
        call(&mut code, hook, data);
        vectors(&mut code, 0x10);
        code.extend([0x48, 0x8b, 0x84, 0x24]);
        code.extend(128_i32.to_le_bytes());
        frame(&mut code, 0xc4);
        code.extend(POP_ARGUMENTS);
        // mov r11, target; jmp r11
        code.extend([0x49, 0xbb]);
        code.extend(target.to_le_bytes());
        code.extend([0x41, 0xff, 0xe3]);
        code
    }

    pub(super) fn instead(hook: usize, data: usize) -> Vec<u8> {
        let mut code = Vec::new();
        code.extend(PUSH_ARGUMENTS);
        code.extend([0x48, 0x89, 0xe6]);
        // sub rsp, 8 aligns the stack; afterwards add rsp, 56 and ret
        code.extend([0x48, 0x83, 0xec, 0x08]);
        call(&mut code, hook, data);
        code.extend([0x48, 0x83, 0xc4, 0x38, 0xc3]);
        code
    }

    /// `sub rsp, FRAME` or `add rsp, FRAME`
    fn frame(code: &mut Vec<u8>, operation: u8) {
        code.extend([0x48, 0x81, operation]);
        code.extend(FRAME.to_le_bytes());
    }

    /// `movups [rsp + 16 * n], xmm<n>` or back
    fn vectors(code: &mut Vec<u8>, operation: u8) {
        for register in 0..8_u8 {
            code.extend([0x0f, operation, 0x44 | register << 3, 0x24, register * 16]);
        }
    }

    /// `mov rdi, data; mov rax, hook; call rax`
    fn call(code: &mut Vec<u8>, hook: usize, data: usize) {
        code.extend([0x48, 0xbf]);
        code.extend(data.to_le_bytes());
        code.extend([0x48, 0xb8]);
        code.extend(hook.to_le_bytes());
        code.extend([0xff, 0xd0]);
    }
}

/// The code of thunks on aarch64: it keeps all argument registers.
#[cfg(target_arch = "aarch64")]
mod code {
    /// `stp x6, x7, [sp, #-16]!` and so on down to x0, x1: the arguments then lie in memory in their order.
    const PUSH: [u32; 4] = [0xa9bf_1fe6, 0xa9bf_17e4, 0xa9bf_0fe2, 0xa9bf_07e0];
    const POP: [u32; 4] = [0xa8c1_07e0, 0xa8c1_0fe2, 0xa8c1_17e4, 0xa8c1_1fe6];
    /// `stp q6, q7, [sp, #-32]!` and so on.
    const PUSH_VECTORS: [u32; 4] = [0xadbf_1fe6, 0xadbf_17e4, 0xadbf_0fe2, 0xadbf_07e0];
    const POP_VECTORS: [u32; 4] = [0xacc1_07e0, 0xacc1_0fe2, 0xacc1_17e4, 0xacc1_1fe6];
    /// `stp x8, x30, [sp, #-16]!`
    const PUSH_LINK: u32 = 0xa9bf_7be8;
    const POP_LINK: u32 = 0xa8c1_7be8;
    /// `mov x1, sp`
    const ARGUMENTS: u32 = 0x9100_03e1;

    pub(super) fn before(hook: usize, data: usize, target: usize) -> Vec<u8> {
        let mut code = vec![PUSH_LINK];
        code.extend(PUSH);
        code.push(ARGUMENTS);
        // mov x2, x30: the return address
        code.push(0xaa1e_03e2);
        code.extend(PUSH_VECTORS);
        call(&mut code, hook, data);
        code.extend(POP_VECTORS);
        code.extend(POP);
        code.push(POP_LINK);
        load(&mut code, 16, target);
        // br x16
        code.push(0xd61f_0200);
        bytes(&code)
    }

    pub(super) fn instead(hook: usize, data: usize) -> Vec<u8> {
        let mut code = vec![PUSH_LINK];
        code.extend(PUSH);
        code.push(ARGUMENTS);
        call(&mut code, hook, data);
        // add sp, sp, #64
        code.push(0x9101_03ff);
        code.push(POP_LINK);
        // ret
        code.push(0xd65f_03c0);
        bytes(&code)
    }

    fn call(code: &mut Vec<u32>, hook: usize, data: usize) {
        load(code, 0, data);
        load(code, 16, hook);
        // blr x16
        code.push(0xd63f_0200);
    }

    /// `movz`, then `movk` three times.
    fn load(code: &mut Vec<u32>, register: u32, value: usize) {
        for part in 0..4_u32 {
            let operation = if part == 0 { 0xd280_0000 } else { 0xf280_0000 };
            code.push(operation | part << 21 | ((value >> (16 * part)) as u32 & 0xffff) << 5 | register);
        }
    }

    fn bytes(code: &[u32]) -> Vec<u8> {
        code.iter().flat_map(|instruction| instruction.to_le_bytes()).collect()
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    thread_local! {
        static SEEN: Cell<(usize, Arguments)> = const { Cell::new((0, [0; 6])) };
        static CALLER: Cell<usize> = const { Cell::new(0) };
    }

    extern "C" fn see(data: usize, arguments: &Arguments, caller: usize) {
        // Uses vector registers, which the call's target still needs.
        let noise: f64 = arguments.iter().map(|argument| *argument as f64).sum();
        SEEN.set((data + (noise < 0.0) as usize, *arguments));
        CALLER.set(caller);
    }

    extern "C" fn weigh(a: u64, b: u64, c: u64, d: u64, e: u64, f: u64, g: u64, x: f64, y: f64) -> f64 {
        [a, b, c, d, e, f, g].iter().fold(0, |sum, digit| sum * 10 + digit) as f64 * x + y
    }

    type Weigh = extern "C" fn(u64, u64, u64, u64, u64, u64, u64, f64, f64) -> f64;

    #[test]
    fn does_a_call_go_on_with_every_argument_after_it_was_seen() {
        let thunk = Thunk::before(see, 77, weigh as Weigh as usize).unwrap();
        // SAFETY: the thunk takes what its target does.
        let through: Weigh = unsafe { std::mem::transmute(thunk.address()) };
        assert_eq!(through(1, 2, 3, 4, 5, 6, 7, 2.0, 0.5), 2_469_134.5);
        assert_eq!(SEEN.get(), (77, [1, 2, 3, 4, 5, 6]));
    }

    #[test]
    fn does_who_sees_a_call_know_where_it_comes_from() {
        extern "C" fn target() -> u64 {
            7
        }
        #[inline(never)]
        extern "C" fn calls(function: extern "C" fn() -> u64) -> u64 {
            function() + 1
        }
        type Calls = extern "C" fn(extern "C" fn() -> u64) -> u64;
        let thunk = Thunk::before(see, 0, target as *const () as usize).unwrap();
        // SAFETY: the thunk takes what its target does.
        let through: extern "C" fn() -> u64 = unsafe { std::mem::transmute(thunk.address()) };
        assert_eq!(std::hint::black_box(calls as Calls)(through), 8);
        let begin = calls as Calls as usize;
        assert!((begin..begin + 64).contains(&CALLER.get()), "{:#x} is not in {begin:#x}", CALLER.get());
    }

    #[test]
    fn is_a_call_answered_by_the_hook_that_was_put_in_its_place() {
        extern "C" fn answer(data: usize, arguments: &Arguments) -> u64 {
            data as u64 * 100 + arguments[1]
        }
        let thunk = Thunk::instead(answer, 7).unwrap();
        // SAFETY: integer arguments beyond those the hook looks at are ignored.
        let call: extern "C" fn(u64, u64) -> u64 = unsafe { std::mem::transmute(thunk.address()) };
        assert_eq!(call(1, 2), 702);
    }
}
