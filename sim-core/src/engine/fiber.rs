//! Fibers: guest code on a stack of its own, resumed and suspended by the engine.

use std::cell::Cell;

use corosensei::stack::DefaultStack;
use corosensei::{Coroutine, CoroutineResult, Yielder};

use super::context::{ActorContext, Standing};

/// Why a fiber stopped running.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Suspension {
    /// The actor is queued, parked or blocked: the engine's state says which.
    Waiting,
    /// The host actor has nothing to do.
    HostIdle,
}

/// How guest code ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Exit {
    /// It returned this value.
    Returned(u64),
    /// It was stopped by a signal.
    Trapped(Trap),
}

/// A signal that stopped guest code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Trap {
    /// Its number.
    pub signal: i32,
    /// The instruction.
    pub instruction: usize,
    /// The address that was accessed, for memory faults. `None`: the processor did not say, since it is none that a
    /// process can have, or not aligned as the instruction needs.
    pub address: Option<usize>,
    /// The access hit the end of the stack.
    pub stack_overflow: bool,
}

/// A call into guest code: a C function and up to ten integer arguments.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GuestCall {
    /// Address of the function.
    pub function: usize,
    /// Arguments; those the function does not take are ignored by the calling convention.
    pub arguments: [u64; GuestCall::MAX_ARGUMENTS],
}

impl GuestCall {
    /// The most arguments a call can have.
    pub const MAX_ARGUMENTS: usize = 10;

    /// A call of `function` with `arguments`, of which there are at most [`GuestCall::MAX_ARGUMENTS`].
    pub fn new(function: usize, arguments: &[u64]) -> Self {
        let mut call = GuestCall { function, arguments: [0; GuestCall::MAX_ARGUMENTS] };
        call.arguments[..arguments.len()].copy_from_slice(arguments);
        call
    }

    /// Calls the function.
    ///
    /// # Safety
    ///
    /// `function` must be a C function that takes these arguments, and the thread control block must be the guest's.
    pub unsafe fn invoke(&self) -> u64 {
        type Function = unsafe extern "C" fn(u64, u64, u64, u64, u64, u64, u64, u64, u64, u64) -> u64;
        let [a, b, c, d, e, f, g, h, i, j] = self.arguments;
        // SAFETY: the caller vouches for the function; integer arguments beyond those it takes are ignored.
        unsafe { std::mem::transmute::<usize, Function>(self.function)(a, b, c, d, e, f, g, h, i, j) }
    }
}

/// The mailbox of the host actor: the call to make next and the result of the last.
#[derive(Default)]
pub(super) struct HostPort {
    pub(super) call: Cell<Option<GuestCall>>,
    pub(super) result: Cell<u64>,
}

/// Guest code that can be suspended.
pub(super) struct Fiber {
    coroutine: Coroutine<(), Suspension, Exit>,
}

impl Fiber {
    /// A fiber that makes one call as the actor of `context`.
    ///
    /// # Safety
    ///
    /// `context` must outlive the fiber, and `call` must be sound to make with its thread control block.
    pub(super) unsafe fn of_call(stack: DefaultStack, context: *const ActorContext, call: GuestCall) -> Fiber {
        Fiber::new(stack, context, move |context, _| Exit::Returned(run_guest(context, call)))
    }

    /// A fiber that makes the calls that are put into `port`, one after the other.
    ///
    /// # Safety
    ///
    /// As [`Fiber::of_call`], for every call; `port` must outlive the fiber.
    pub(super) unsafe fn of_host(stack: DefaultStack, context: *const ActorContext, port: *const HostPort) -> Fiber {
        Fiber::new(stack, context, move |context, yielder| {
            // SAFETY: the caller keeps the port alive. The fiber never ends by itself, so it must not own anything.
            let port = unsafe { &*port };
            loop {
                if let Some(call) = port.call.take() {
                    port.result.set(run_guest(context, call));
                }
                yielder.suspend(Suspension::HostIdle);
            }
        })
    }

    fn new(
        stack: DefaultStack,
        context: *const ActorContext,
        body: impl FnOnce(&ActorContext, &Yielder<(), Suspension>) -> Exit + 'static,
    ) -> Fiber {
        let coroutine = Coroutine::with_stack(stack, move |yielder, ()| {
            // SAFETY: the constructors' callers keep the context alive for as long as the fiber.
            let context = unsafe { &*context };
            context.yielder.set(yielder);
            body(context, yielder)
        });
        // SAFETY: as above.
        unsafe { &*context }.trap.set(Some(coroutine.trap_handler()));
        Fiber { coroutine }
    }

    /// Runs the guest until it suspends or ends.
    #[inline(always)]
    pub(super) fn resume(&mut self) -> Result<Suspension, Exit> {
        match self.coroutine.resume(()) {
            CoroutineResult::Yield(suspension) => Ok(suspension),
            CoroutineResult::Return(exit) => Err(exit),
        }
    }

    /// Gives the stack back; a guest that has not ended is abandoned where it stands.
    pub(super) fn into_stack(mut self) -> DefaultStack {
        if !self.coroutine.done() {
            // SAFETY: the frames are guest code and hooks; hooks hold nothing that needs dropping while suspended.
            unsafe { self.coroutine.force_reset() };
        }
        self.coroutine.into_stack()
    }
}

/// Makes one call with the guest's thread control block, as an actor on its fiber.
fn run_guest(context: &ActorContext, call: GuestCall) -> u64 {
    context.standing.set(Standing::Fiber);
    // SAFETY: whoever made the fiber vouched for its calls.
    let result = context.as_guest(|| unsafe { call.invoke() });
    context.standing.set(Standing::Idle);
    result
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn does_a_call_pass_all_ten_arguments() {
        extern "C" fn weigh(a: u64, b: u64, c: u64, d: u64, e: u64, f: u64, g: u64, h: u64, i: u64, j: u64) -> u64 {
            [a, b, c, d, e, f, g, h, i, j].iter().fold(0, |sum, digit| sum * 10 + digit)
        }
        let call = GuestCall::new(weigh as extern "C" fn(_, _, _, _, _, _, _, _, _, _) -> _ as usize, &[1, 2, 3]);
        // SAFETY: `weigh` takes ten integers and needs no thread control block of its own.
        assert_eq!(unsafe { call.invoke() }, 1_230_000_000);
    }
}
