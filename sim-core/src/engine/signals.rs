//! Signals that guest code raises: each one becomes the end of that guest code, with the place it happened.
//!
//! The handlers are process-wide, but act only on a thread that runs guest code of an actor at that moment; everything
//! else goes to whoever handled the signal before. A handler runs with the guest's thread control block: it uses no
//! thread-local but the pointer to the actor, allocates nothing, and leaves the rest to the coroutine's parent.

use std::ffi::c_void;
use std::mem::MaybeUninit;
use std::sync::OnceLock;

use super::context::{self, Standing};
use super::fiber::{Exit, Trap};
use super::watchdog::hang_signal;

/// How Linux marks a fault of which the processor does not tell the address.
const SI_KERNEL: i32 = 0x80;
/// Signals that guest code can raise by what it does.
const FAULTS: [i32; 5] = [libc::SIGSEGV, libc::SIGBUS, libc::SIGFPE, libc::SIGILL, libc::SIGABRT];

/// Who handled the signals before.
struct Before {
    faults: [libc::sigaction; FAULTS.len()],
    trap: libc::sigaction,
}

static BEFORE: OnceLock<Before> = OnceLock::new();

/// Installs the handlers, once a process.
pub(super) fn install() {
    BEFORE.get_or_init(|| {
        let before = Before {
            faults: FAULTS.map(|signal| set_handler(signal, on_fault, libc::SA_ONSTACK)),
            // On the stack of the guest, so that the guest can be suspended inside, and not masked meanwhile.
            trap: set_handler(libc::SIGTRAP, on_wait_loop, libc::SA_NODEFER),
        };
        set_handler(hang_signal(), on_fault, libc::SA_ONSTACK | libc::SA_RESTART);
        before
    });
}

/// The signals that are handled here: they are about the code that runs.
pub(super) fn raised_by_code() -> impl Iterator<Item = i32> {
    FAULTS.into_iter().chain([libc::SIGTRAP, hang_signal()])
}

type Handler = extern "C" fn(i32, *mut libc::siginfo_t, *mut c_void);

fn set_handler(signal: i32, handler: Handler, flags: i32) -> libc::sigaction {
    let mut before = MaybeUninit::<libc::sigaction>::zeroed();
    // SAFETY: a fully initialised action with a handler of the SA_SIGINFO shape.
    unsafe {
        let mut action: libc::sigaction = std::mem::zeroed();
        action.sa_sigaction = handler as *const () as usize;
        action.sa_flags = flags | libc::SA_SIGINFO;
        libc::sigaction(signal, &raw const action, before.as_mut_ptr());
        before.assume_init()
    }
}

/// Gives the signal back to its former handler; a fault happens again on return and reaches it.
fn restore(signal: i32) {
    let Some(before) = BEFORE.get() else { return };
    let index = FAULTS.iter().position(|fault| *fault == signal);
    let action = index.map_or(&before.trap, |index| &before.faults[index]);
    // SAFETY: the action was given to us by the kernel.
    unsafe { libc::sigaction(signal, action, std::ptr::null_mut()) };
}

/// The registers that a handler reads and writes.
struct Registers<'a>(&'a mut libc::ucontext_t);

#[cfg(target_arch = "x86_64")]
impl Registers<'_> {
    fn instruction(&self) -> usize {
        self.0.uc_mcontext.gregs[libc::REG_RIP as usize] as usize
    }

    fn stack_pointer(&self) -> usize {
        self.0.uc_mcontext.gregs[libc::REG_RSP as usize] as usize
    }

    fn continue_at(&mut self, regs: corosensei::trap::TrapHandlerRegs) {
        let gregs = &mut self.0.uc_mcontext.gregs;
        gregs[libc::REG_RIP as usize] = regs.rip as i64;
        gregs[libc::REG_RSP as usize] = regs.rsp as i64;
        gregs[libc::REG_RBP as usize] = regs.rbp as i64;
        gregs[libc::REG_RDI as usize] = regs.rdi as i64;
        gregs[libc::REG_RSI as usize] = regs.rsi as i64;
        // The code at the new place expects the direction flag clear and no trap flag.
        gregs[libc::REG_EFL as usize] &= !0x500;
    }
}

#[cfg(target_arch = "aarch64")]
impl Registers<'_> {
    fn instruction(&self) -> usize {
        self.0.uc_mcontext.pc as usize
    }

    fn stack_pointer(&self) -> usize {
        self.0.uc_mcontext.sp as usize
    }

    fn continue_at(&mut self, regs: corosensei::trap::TrapHandlerRegs) {
        let machine = &mut self.0.uc_mcontext;
        machine.pc = regs.pc;
        machine.sp = regs.sp;
        machine.regs[0] = regs.x0;
        machine.regs[1] = regs.x1;
        machine.regs[29] = regs.x29;
        machine.regs[30] = regs.lr;
    }
}

/// Ends the guest code that raised the signal, or that hangs.
extern "C" fn on_fault(signal: i32, info: *mut libc::siginfo_t, ucontext: *mut c_void) {
    // SAFETY: the kernel passes a valid ucontext to an SA_SIGINFO handler.
    let mut registers = Registers(unsafe { &mut *ucontext.cast::<libc::ucontext_t>() });
    // SAFETY: the context outlives the guest code that is running with its thread control block.
    let context = unsafe { context::current().as_ref() };
    let handler = context
        .filter(|context| matches!(context.standing(), Standing::Fiber | Standing::Native))
        .and_then(|context| context.trap.get().map(|handler| (context, handler)))
        .filter(|(_, handler)| handler.stack_ptr_in_bounds(registers.stack_pointer()));
    let Some((context, handler)) = handler else {
        if signal != hang_signal() {
            restore(signal);
        }
        return;
    };
    // SAFETY: the kernel passes a valid siginfo; si_addr is meaningful for memory faults only and else ignored.
    let (address, code) = unsafe { ((*info).si_addr() as usize, (*info).si_code) };
    let memory = matches!(signal, libc::SIGSEGV | libc::SIGBUS);
    let trap = Trap {
        signal,
        instruction: registers.instruction(),
        address: (memory && code != SI_KERNEL).then_some(address),
        stack_overflow: memory && handler.stack_ptr_in_bounds(address) && address < registers.stack_pointer(),
    };
    let context = std::ptr::from_ref(context);
    // SAFETY: the stack pointer is on this coroutine's stack (checked above), the coroutine is the one running, and
    // its abandoned frames are guest code. The closure runs first of all in the host's thread control block.
    let regs = unsafe {
        handler.setup_trap_handler(move || {
            let context = &*context;
            context.running_tcb().enter();
            context.standing.set(Standing::Idle);
            Exit::Trapped(trap)
        })
    };
    registers.continue_at(regs);
}

/// Yields in a call-free wait loop, at the trap that the loader put there.
extern "C" fn on_wait_loop(signal: i32, _info: *mut libc::siginfo_t, ucontext: *mut c_void) {
    // SAFETY: the kernel passes a valid ucontext to an SA_SIGINFO handler.
    let ucontext = unsafe { &mut *ucontext.cast::<libc::ucontext_t>() };
    if !super::wait_trap::handle(ucontext) {
        restore(signal);
    }
}
