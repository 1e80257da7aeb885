//! Call-free wait loops: yield points made of traps.
//!
//! Real runtimes contain loops like `while (!flag.load()) {}` that no hook sees. The loader finds them and puts a trap
//! in place of the jump back; the handler decides the jump from the saved flags, lets other actors run if the loop goes
//! round again, and continues where the jump would have gone.

use std::cell::UnsafeCell;

use super::context::{self, Standing};
use super::wait::Poll;
use crate::loader::condition::Condition;
use crate::time::SimDuration;

/// A jump back that was replaced by a trap.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WaitTrap {
    /// Address of the jump.
    pub at: usize,
    /// When it jumps.
    pub condition: Condition,
    /// Where it jumps to.
    pub target: usize,
    /// What follows it.
    pub next: usize,
}

/// The traps of one engine's guests, by address.
#[derive(Default)]
pub(super) struct WaitTraps {
    /// Changed only between guest code, read by the handler on the same thread: never at once.
    traps: UnsafeCell<Vec<WaitTrap>>,
}

impl WaitTraps {
    pub(super) fn add(&self, new: &[WaitTrap]) {
        // SAFETY: called by the host; no handler is running, since handlers run inside guest code on this thread.
        let traps = unsafe { &mut *self.traps.get() };
        traps.extend_from_slice(new);
        traps.sort_unstable_by_key(|trap| trap.at);
    }

    pub(super) fn remove(&self, range: std::ops::Range<usize>) {
        // SAFETY: as in `add`.
        unsafe { &mut *self.traps.get() }.retain(|trap| !range.contains(&trap.at));
    }

    fn find(&self, at: usize) -> Option<WaitTrap> {
        // SAFETY: nobody changes the list while guest code runs.
        let traps = unsafe { &*self.traps.get() };
        traps.binary_search_by_key(&at, |trap| trap.at).ok().map(|index| traps[index])
    }
}

/// Handles a trap signal in guest code. `false`: it is none of ours.
#[cfg(target_arch = "x86_64")]
pub(super) fn handle(ucontext: &mut libc::ucontext_t) -> bool {
    // SAFETY: the context outlives the guest code that runs with its thread control block.
    let Some(context) = (unsafe { context::current().as_ref() }) else { return false };
    // SAFETY: the engine outlives its actors.
    let Some(engine) = (unsafe { context.engine.get().as_ref() }) else { return false };
    let gregs = &mut ucontext.uc_mcontext.gregs;
    let at = gregs[libc::REG_RIP as usize] as usize - 1;
    let Some(trap) = engine.wait_traps.find(at) else { return false };
    let again = trap.condition.holds(gregs[libc::REG_EFL as usize] as u64);
    if again {
        if context.standing() == Standing::Fiber {
            let cost = engine.settings().wait_loop_cost;
            context::on_host(|actor| actor.spin(cost, Poll::WaitLoop, at));
        } else {
            std::hint::spin_loop();
        }
    }
    gregs[libc::REG_RIP as usize] = if again { trap.target } else { trap.next } as i64;
    true
}

/// Traps are only put into x86-64 code.
#[cfg(not(target_arch = "x86_64"))]
pub(super) fn handle(_ucontext: &mut libc::ucontext_t) -> bool {
    false
}

/// The cost of one round of a wait loop, unless the profile says otherwise.
pub(super) const DEFAULT_WAIT_LOOP_COST: SimDuration = SimDuration::from_ns(20);
