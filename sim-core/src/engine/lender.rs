//! Lenders: parked OS threads whose thread control blocks fibers borrow.
//!
//! A lender is started by the `pthread_create` of the guests' namespace, says where its thread control block is, and
//! sleeps until it is told to end; it then returns natively, so that the guests' `thread_local` destructors run on it.
//! Lenders are started without waiting for each (a handshake costs a time slice on a busy machine); the first use waits.

use std::ffi::c_void;
use std::ptr;
use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering};

use super::context::{self, ActorContext};
use super::tcb::Tcb;

/// `pthread_create` and `pthread_join` of the guests' namespace.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct ThreadFunctions {
    /// `pthread_create`
    pub create: unsafe extern "C" fn(
        *mut libc::pthread_t,
        *const libc::pthread_attr_t,
        extern "C" fn(*mut c_void) -> *mut c_void,
        *mut c_void,
    ) -> i32,
    /// `pthread_join`
    pub join: unsafe extern "C" fn(libc::pthread_t, *mut *mut c_void) -> i32,
}

impl ThreadFunctions {
    /// Those of the namespace this code is in: for tests and for guests that are linked in.
    pub fn of_this_namespace() -> Self {
        unsafe extern "C" {
            safe fn pthread_create(
                thread: *mut libc::pthread_t,
                attributes: *const libc::pthread_attr_t,
                start: extern "C" fn(*mut c_void) -> *mut c_void,
                argument: *mut c_void,
            ) -> i32;
        }
        ThreadFunctions { create: pthread_create, join: libc::pthread_join }
    }
}

/// The lender only sleeps, and ld.so's and libc's own needs are small; guests run on fibers.
const STACK_BYTES: usize = 256 * 1024;

/// What the lender's thread and its owner share.
struct Shared {
    context: ActorContext,
    tcb: AtomicUsize,
    /// 0 until the thread control block is known.
    ready: AtomicU32,
    /// 1 when the thread shall end.
    quit: AtomicU32,
}

/// A parked thread and the context of the actor that borrows it.
pub(super) struct Lender {
    shared: Box<Shared>,
    thread: libc::pthread_t,
    functions: ThreadFunctions,
    joined: bool,
}

impl Lender {
    /// Starts a lender. It may not be ready yet when this returns.
    pub(super) fn start(functions: ThreadFunctions) -> std::io::Result<Lender> {
        let shared = Box::new(Shared {
            context: ActorContext::new(),
            tcb: AtomicUsize::new(0),
            ready: AtomicU32::new(0),
            quit: AtomicU32::new(0),
        });
        let argument = ptr::from_ref::<Shared>(&shared).cast_mut().cast();
        // SAFETY: `lender_main` reads `Shared` until it has been joined, which Drop does before freeing it.
        let thread = unsafe { start_thread(functions, STACK_BYTES, lender_main, argument) }?;
        Ok(Lender { shared, thread, functions, joined: false })
    }

    /// The context of the actor on this lender, once its thread control block is known.
    pub(super) fn context(&self) -> &ActorContext {
        let context = &self.shared.context;
        if context.guest_tcb.get() == Tcb::NONE {
            wait_while(&self.shared.ready, 0);
            context.guest_tcb.set(Tcb::from_usize(self.shared.tcb.load(Ordering::Acquire)));
        }
        context
    }

    /// The thread's handle in its namespace.
    pub(super) fn thread(&self) -> libc::pthread_t {
        self.thread
    }

    /// Tells the thread to end, without waiting.
    pub(super) fn dismiss(&self) {
        self.shared.quit.store(1, Ordering::Release);
        wake(&self.shared.quit);
    }
}

impl Drop for Lender {
    fn drop(&mut self) {
        if !self.joined {
            self.dismiss();
            self.joined = true;
            // SAFETY: the thread was created by `create` of the same namespace and is joined once.
            unsafe { (self.functions.join)(self.thread, ptr::null_mut()) };
        }
    }
}

/// Starts a thread of the guests' namespace with `bytes` of stack.
///
/// # Safety
///
/// `argument` must be what `start` expects, for as long as it runs.
pub(super) unsafe fn start_thread(
    functions: ThreadFunctions,
    bytes: usize,
    start: extern "C" fn(*mut c_void) -> *mut c_void,
    argument: *mut c_void,
) -> std::io::Result<libc::pthread_t> {
    // SAFETY: plain initialisation of a plain C structure; pthread_attr_t has the same layout in every namespace.
    let (mut attributes, mut thread) = unsafe { (std::mem::zeroed(), std::mem::zeroed()) };
    // SAFETY: the attributes are initialised here, used, and destroyed; the caller vouches for start and argument.
    let status = unsafe {
        libc::pthread_attr_init(&raw mut attributes);
        libc::pthread_attr_setstacksize(&raw mut attributes, bytes);
        let status = (functions.create)(&raw mut thread, &raw const attributes, start, argument);
        libc::pthread_attr_destroy(&raw mut attributes);
        status
    };
    if status == 0 { Ok(thread) } else { Err(std::io::Error::from_raw_os_error(status)) }
}

/// The lender's thread. It runs on a thread control block that std knows nothing of: no allocation, no panic, no lock.
extern "C" fn lender_main(argument: *mut c_void) -> *mut c_void {
    // SAFETY: `Lender::start` passes a `Shared` that lives until this thread has been joined.
    let shared = unsafe { &*argument.cast::<Shared>() };
    block_all_signals();
    context::set_current(&raw const shared.context);
    shared.tcb.store(Tcb::current().as_usize(), Ordering::Release);
    shared.ready.store(1, Ordering::Release);
    wake(&shared.ready);
    wait_while(&shared.quit, 0);
    context::set_current(ptr::null());
    ptr::null_mut()
}

/// A signal for the process shall not be handled on a guest's thread.
pub(super) fn block_all_signals() {
    // SAFETY: plain calls on a local set.
    unsafe {
        let mut all = std::mem::zeroed();
        libc::sigfillset(&raw mut all);
        libc::pthread_sigmask(libc::SIG_BLOCK, &raw const all, ptr::null_mut());
    }
}

/// Sleeps in the kernel while `word` holds `value`.
pub(super) fn wait_while(word: &AtomicU32, value: u32) {
    while word.load(Ordering::Acquire) == value {
        // SAFETY: a futex wait on a live word; a spurious return is handled by the loop.
        unsafe {
            libc::syscall(
                libc::SYS_futex,
                word.as_ptr(),
                libc::FUTEX_WAIT | libc::FUTEX_PRIVATE_FLAG,
                value,
                ptr::null::<libc::timespec>(),
            );
        }
    }
}

/// Wakes every sleeper of `word`.
pub(super) fn wake(word: &AtomicU32) {
    // SAFETY: a futex wake on a live word.
    unsafe { libc::syscall(libc::SYS_futex, word.as_ptr(), libc::FUTEX_WAKE | libc::FUTEX_PRIVATE_FLAG, i32::MAX) };
}
