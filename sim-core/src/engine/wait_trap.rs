//! Call-free wait loops: yield points made of traps.
//!
//! Real runtimes contain loops like `while (!flag.load()) {}` that no hook sees. The loader finds them and puts a trap
//! in place of the jump back; the handler decides the jump from the saved flags, lets other actors run if the loop goes
//! round again, and continues where the jump would have gone.
//!
//! Any thread of the process may run into a trap, and a signal handler has to know it without a lock. So the traps of a
//! process are in one table of atomic words, as the signal is one for the whole process.

use std::ops::Range;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::sync::atomic::{AtomicUsize, Ordering};

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

/// A place for a trap. It is free when `at` is 0; `at` is written last and cleared first.
struct Slot {
    at: AtomicUsize,
    condition: AtomicUsize,
    target: AtomicUsize,
    next: AtomicUsize,
}

impl Slot {
    const fn free() -> Slot {
        let [at, condition, target, next] = [const { AtomicUsize::new(0) }; 4];
        Slot { at, condition, target, next }
    }

    fn set(&self, trap: &WaitTrap) {
        self.condition.store(trap.condition.code().map_or(ALWAYS, usize::from), Ordering::Relaxed);
        self.target.store(trap.target, Ordering::Relaxed);
        self.next.store(trap.next, Ordering::Relaxed);
        self.at.store(trap.at, Ordering::Release);
    }

    fn get(&self) -> WaitTrap {
        let code = self.condition.load(Ordering::Relaxed);
        WaitTrap {
            at: self.at.load(Ordering::Acquire),
            condition: Condition::BY_CODE.get(code).copied().unwrap_or(Condition::Always),
            target: self.target.load(Ordering::Relaxed),
            next: self.next.load(Ordering::Relaxed),
        }
    }
}

/// The number of the condition that has no code.
const ALWAYS: usize = 16;

/// The most traps that a process can have: an object has about twenty.
const MOST_TRAPS: usize = 4096;

/// The traps of the process. Slots beyond [`IN_USE`] have never been used.
static TRAPS: [Slot; MOST_TRAPS] = [const { Slot::free() }; MOST_TRAPS];
static IN_USE: AtomicUsize = AtomicUsize::new(0);

/// Whoever changes the table. The handler only reads it.
static CHANGING: Mutex<()> = Mutex::new(());

/// Too many wait loops: this process has {0} already, the most that there can be
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error, displaydoc::Display)]
pub struct TooManyTraps(pub usize);

/// Takes in traps that are about to be put into code. Before the first of them, the handler must be known.
pub fn add(traps: &[WaitTrap]) -> Result<(), TooManyTraps> {
    let _changing = CHANGING.lock().unwrap_or_else(PoisonError::into_inner);
    let mut slots = TRAPS.iter().enumerate().filter(|(_, slot)| slot.at.load(Ordering::Relaxed) == 0);
    for trap in traps {
        let (index, slot) = slots.next().ok_or(TooManyTraps(MOST_TRAPS))?;
        IN_USE.fetch_max(index + 1, Ordering::Relaxed);
        slot.set(trap);
    }
    Ok(())
}

/// Forgets the traps in a range of addresses that is about to be unloaded: afterwards, another object may lie there.
pub fn remove(range: Range<usize>) {
    let _changing = CHANGING.lock().unwrap_or_else(PoisonError::into_inner);
    for slot in in_use() {
        if range.contains(&slot.at.load(Ordering::Relaxed)) {
            slot.at.store(0, Ordering::Release);
        }
    }
}

fn in_use() -> impl Iterator<Item = &'static Slot> {
    TRAPS.iter().take(IN_USE.load(Ordering::Relaxed))
}

fn find(at: usize) -> Option<WaitTrap> {
    in_use().find(|slot| slot.at.load(Ordering::Acquire) == at).map(Slot::get)
}

/// Handles a trap signal. `false`: it is none of ours.
#[cfg(target_arch = "x86_64")]
pub(super) fn handle(ucontext: &mut libc::ucontext_t) -> bool {
    let gregs = &mut ucontext.uc_mcontext.gregs;
    let at = gregs[libc::REG_RIP as usize] as usize - 1;
    let Some(trap) = find(at) else { return false };
    let again = trap.condition.holds(gregs[libc::REG_EFL as usize] as u64);
    if again {
        go_round(at);
    }
    gregs[libc::REG_RIP as usize] = if again { trap.target } else { trap.next } as i64;
    true
}

/// A wait loop goes round again: an actor lets others run, anybody else does what the system offers.
#[cfg(target_arch = "x86_64")]
fn go_round(at: usize) {
    // SAFETY: the context outlives the guest code that runs with its thread control block.
    let context = unsafe { context::current().as_ref() };
    if context.is_some_and(|context| context.standing() == Standing::Fiber) {
        context::on_host(|actor| actor.spin(actor.engine().settings().wait_loop_cost, Poll::WaitLoop, at));
    } else {
        // SAFETY: it has no preconditions.
        unsafe { libc::sched_yield() };
    }
}

/// Traps are only put into x86-64 code.
#[cfg(not(target_arch = "x86_64"))]
pub(super) fn handle(_ucontext: &mut libc::ucontext_t) -> bool {
    false
}

/// The cost of one round of a wait loop, unless the profile says otherwise.
pub(super) const DEFAULT_WAIT_LOOP_COST: SimDuration = SimDuration::from_ns(20);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_a_trap_known_from_when_it_is_added_until_its_object_goes() {
        let trap = |at, condition| WaitTrap { at, condition, target: at - 8, next: at + 2 };
        let traps = [trap(0x1000, Condition::NotEqual), trap(0x2000, Condition::Always)];
        add(&traps).unwrap();
        assert_eq!([find(0x1000), find(0x2000), find(0x3000)], [Some(traps[0]), Some(traps[1]), None]);
        remove(0x1000..0x1800);
        assert_eq!([find(0x1000), find(0x2000)], [None, Some(traps[1])]);
        remove(0x2000..0x2001);
    }
}
