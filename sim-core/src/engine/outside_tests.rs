//! The engine with a host outside it: this thread starts actors and waits for them.

use std::cell::Cell;
use std::rc::Rc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use super::*;

const fn ns(ns: u64) -> SimDuration {
    SimDuration::from_ns(ns)
}

fn outside(settings: Settings) -> Rc<Engine> {
    Engine::for_outside_host(settings, ThreadFunctions::of_this_namespace())
}

fn quick() -> Settings {
    Settings { workers: 1, guest_limit: Duration::from_millis(200), ..Settings::default() }
}

/// Starts `function(argument)` as a thread at the host's time: its actor.
fn start(engine: &Engine, function: extern "C" fn(u64) -> u64, argument: u64) -> ActorId {
    let call = GuestCall::new(function as *const () as usize, &[argument]);
    // SAFETY: the functions of these tests take one integer.
    let thread = unsafe { engine.spawn_thread(engine.host_time(), call) }.expect("a lender starts");
    engine.find_thread(thread).expect("it was just started")
}

/// Joins and releases: what the thread returned.
fn join(engine: &Engine, actor: ActorId) -> u64 {
    let result = engine.join(actor);
    engine.release_thread(actor);
    result
}

fn on_actor<R>(function: impl FnOnce(&CurrentActor<'_>) -> R) -> R {
    on_host(function).expect("an actor calls")
}

extern "C" fn works(times: u64) -> u64 {
    for _ in 0..times {
        on_actor(|actor| actor.charge(ns(10), 0));
    }
    times
}

#[test]
fn does_time_pass_only_while_the_host_waits() {
    let engine = outside(quick());
    let (first, second) = (start(&engine, works, 3), start(&engine, works, 5));
    assert_eq!(engine.host_time(), SimTime::ZERO);
    assert_eq!((join(&engine, first), engine.host_time().as_ns()), (3, 30));
    assert_eq!((join(&engine, second), engine.host_time().as_ns()), (5, 50));
    assert!(engine.is_empty());
}

#[test]
fn does_the_device_go_on_while_the_host_spends_time() {
    let engine = outside(quick());
    let actor = start(&engine, works, 4);
    engine.spend(ns(25));
    assert_eq!((engine.host_time().as_ns(), engine.is_running()), (25, true));
    engine.spend(ns(25));
    assert_eq!((engine.host_time().as_ns(), engine.is_running()), (50, false));
    assert_eq!(join(&engine, actor), 4);
}

#[test]
fn has_each_run_the_same_hash_and_the_same_numbers() {
    let engine = outside(quick());
    let run = || {
        engine.restart_trace();
        let actors = [1, 2, 3].map(|times| start(&engine, works, times));
        assert_eq!(actors, [1, 2, 3].map(ActorId));
        for actor in actors {
            join(&engine, actor);
        }
        engine.spend(ns(7));
        engine.trace().hash()
    };
    assert_eq!(run(), run());
}

#[test]
fn does_a_store_that_is_on_its_way_arrive_before_the_last_actor_counts_as_ended() {
    static WORD: AtomicU32 = AtomicU32::new(0);
    extern "C" fn stores(_: u64) -> u64 {
        on_actor(|actor| {
            let arrival = actor.now() + ns(140);
            // SAFETY: the word is static.
            unsafe { actor.store_at(arrival, &raw const WORD, 7, actor.id()) };
        });
        0
    }
    let engine = outside(quick());
    let actor = start(&engine, stores, 0);
    join(&engine, actor);
    assert_eq!(WORD.load(Ordering::Relaxed), 7);
}

#[test]
fn does_the_host_get_on_when_the_actor_that_it_waits_for_crashes() {
    extern "C" fn crashes(_: u64) -> u64 {
        // SAFETY: none; that is the point.
        unsafe { std::ptr::without_provenance_mut::<u32>(64).write_volatile(1) };
        0
    }
    let engine = outside(quick());
    let actor = start(&engine, crashes, 0);
    join(&engine, actor);
    assert!(matches!(engine.fault().as_deref(), Some(Fault::Crash(crash)) if crash.actor == actor));
}

const KEY: usize = 42;

extern "C" fn waits_for_key(_: u64) -> u64 {
    on_actor(|actor| actor.block(Wait::Condition, KEY, 0));
    on_actor(|actor| actor.now().as_ns())
}

/// Somebody who does something at a certain look, or never.
struct Somebody {
    acts_at: u32,
    gives_up_at: u32,
    looks: Rc<Cell<u32>>,
}

impl Outsiders for Somebody {
    fn wait(&self, looks: u32) -> Waited {
        self.looks.set(looks);
        match looks {
            _ if looks == self.acts_at => Waited::Signalled(vec![(KEY, 1)]),
            _ if looks == self.gives_up_at => Waited::GivenUp,
            _ => Waited::Look,
        }
    }
}

fn wait_for_somebody(acts_at: u32, gives_up_at: u32) -> (Rc<Engine>, ActorId, Rc<Cell<u32>>) {
    let (engine, looks) = (outside(quick()), Rc::new(Cell::new(0)));
    engine.hope_for(Box::new(Somebody { acts_at, gives_up_at, looks: Rc::clone(&looks) }));
    let actor = start(&engine, waits_for_key, 0);
    join(&engine, actor);
    (engine, actor, looks)
}

#[test]
fn is_somebody_outside_waited_for_before_nothing_can_go_on() {
    let (engine, _, looks) = wait_for_somebody(3, 9);
    assert_eq!((looks.get(), engine.fault().is_none(), engine.outside_influence().0), (3, true, true));
}

#[test]
fn is_a_deadlock_reported_once_somebody_outside_was_waited_for_in_vain() {
    let (engine, actor, looks) = wait_for_somebody(u32::MAX, 9);
    assert_eq!((looks.get(), engine.outside_influence().0), (9, false));
    assert!(matches!(engine.fault().as_deref(), Some(Fault::Deadlock(deadlock))
        if deadlock.actors.iter().any(|stalled| stalled.actor == actor)));
}

#[test]
fn does_a_host_thread_wake_an_actor_that_waits_for_it() {
    let engine = outside(quick());
    let (waiting, working) = (start(&engine, waits_for_key, 0), start(&engine, works, 2));
    join(&engine, working);
    engine.wake(KEY, 1);
    assert_eq!(join(&engine, waiting), 20);
}

#[test]
fn does_the_host_wait_for_a_key_until_its_deadline() {
    extern "C" fn wakes(_: u64) -> u64 {
        on_actor(|actor| actor.charge(ns(30), 0));
        on_actor(|actor| actor.wake(KEY, 1));
        works(10)
    }
    let engine = outside(quick());
    let actor = start(&engine, wakes, 0);
    let deadline = |ns: u64| Some(SimTime::from_ns(ns));
    assert_eq!((engine.wait_for(Wait::Condition, KEY, deadline(20)), engine.host_time().as_ns()), (true, 20));
    assert_eq!((engine.wait_for(Wait::Condition, KEY, deadline(90)), engine.host_time().as_ns()), (false, 30));
    join(&engine, actor);
}
