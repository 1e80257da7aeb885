//! The engine with guests that are plain functions of this program.

use std::cell::RefCell;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

use super::*;

const fn ns(ns: u64) -> SimDuration {
    SimDuration::from_ns(ns)
}

fn engine(settings: Settings) -> Rc<Engine> {
    Engine::new(settings, ThreadFunctions::of_this_namespace()).expect("the host's lender starts")
}

fn quick() -> Settings {
    Settings { workers: 1, guest_limit: Duration::from_millis(200), ..Settings::default() }
}

fn address(function: extern "C" fn(u64) -> u64) -> usize {
    function as *const () as usize
}

/// Calls `function(argument)` as the host.
fn call(engine: &Engine, function: extern "C" fn(u64) -> u64, argument: u64) -> Result<u64, Fault> {
    // SAFETY: the functions of these tests take one integer.
    unsafe { engine.call(GuestCall::new(address(function), &[argument])) }
}

/// Launches `function(index)` as AICPU thread `index`, for each of `count`, at the host's time.
fn launch(actor: &CurrentActor<'_>, function: extern "C" fn(u64) -> u64, count: u16, policy: PollPolicy) {
    for index in 0..count {
        let new = NewActor {
            kind: ActorKind::Aicpu(index),
            start: actor.now(),
            call: GuestCall::new(address(function), &[u64::from(index)]),
            policy,
            watched: None,
            propagation: SimDuration::ZERO,
            joinable: false,
        };
        // SAFETY: as in `call`.
        unsafe { actor.engine().spawn(&new) }.expect("a lender starts");
    }
}

fn on_actor<R>(function: impl FnOnce(&CurrentActor<'_>) -> R) -> R {
    on_host(function).expect("an actor calls")
}

thread_local! {
    /// Who did what when; on the host's storage, which hooks see.
    static LOG: RefCell<Vec<(u64, u32)>> = const { RefCell::new(Vec::new()) };
}

fn log(actor: &CurrentActor<'_>) {
    let entry = (actor.now().as_ns(), actor.id().0);
    LOG.with(|log| log.borrow_mut().push(entry));
}

#[test]
fn do_actors_run_in_order_of_time_and_number() {
    extern "C" fn worker(index: u64) -> u64 {
        for _ in 0..3 {
            on_actor(|actor| {
                actor.charge(ns(10 * (index + 1)), 0);
                log(actor);
            });
        }
        0
    }
    extern "C" fn host(_: u64) -> u64 {
        on_actor(|actor| {
            launch(actor, worker, 2, PollPolicy::Execute);
            actor.wait_for_completion();
            log(actor);
        });
        7
    }
    let engine = engine(quick());
    assert_eq!(call(&engine, host, 0), Ok(7));
    let log = LOG.with(RefCell::take);
    assert_eq!(log, [(10, 1), (20, 1), (20, 2), (30, 1), (40, 2), (60, 2), (60, 0)]);
    assert_eq!(engine.host_time(), SimTime::from_ns(60));
}

#[test]
fn does_each_actor_have_thread_locals_of_its_own() {
    thread_local! {
        static MINE: Cell<u64> = const { Cell::new(0) };
    }
    static SUM: AtomicU64 = AtomicU64::new(0);
    extern "C" fn worker(index: u64) -> u64 {
        for _ in 0..5 {
            MINE.with(|mine| mine.set(mine.get() + index));
            on_actor(|actor| actor.charge(ns(10), 0));
        }
        SUM.fetch_add(MINE.with(Cell::get), Ordering::Relaxed);
        0
    }
    extern "C" fn host(_: u64) -> u64 {
        on_actor(|actor| {
            launch(actor, worker, 8, PollPolicy::Execute);
            actor.wait_for_completion();
        });
        0
    }
    assert_eq!(call(&engine(quick()), host, 0), Ok(0));
    assert_eq!(SUM.load(Ordering::Relaxed), 5 * (1..8).sum::<u64>());
    assert_eq!(MINE.with(Cell::get), 0);
}

/// A core that waits for two stores, and an AICPU thread that makes them.
mod stores {
    use super::*;

    static WORD: AtomicU32 = AtomicU32::new(0);
    const READ: SimDuration = ns(30);
    const SPIN: SimDuration = ns(20);

    extern "C" fn core(_: u64) -> u64 {
        for expected in [1, 2] {
            loop {
                on_actor(|actor| actor.access_registers(READ, Poll::Spin, 0));
                if WORD.load(Ordering::Acquire) == expected {
                    break;
                }
                on_actor(|actor| actor.spin(SPIN, Poll::Spin, 0));
            }
            on_actor(log);
        }
        0
    }

    extern "C" fn writer(_: u64) -> u64 {
        for (value, after) in [(1, 1_000), (2, 777)] {
            on_actor(|actor| {
                actor.charge(ns(after), 0);
                // SAFETY: the word is static.
                unsafe { actor.store_at(actor.now() + ns(140), &raw const WORD, value, ActorId(1)) };
            });
        }
        0
    }

    extern "C" fn host(_: u64) -> u64 {
        on_actor(|actor| {
            launch(actor, core, 1, PollPolicy::Park);
            launch(actor, writer, 1, PollPolicy::Execute);
            actor.wait_for_completion();
        });
        0
    }

    #[test]
    fn does_a_parked_core_see_a_store_when_a_polling_one_does() {
        let outcomes = [Polling::Naive, Polling::Parked].map(|polling| {
            WORD.store(0, Ordering::Relaxed);
            let engine = engine(Settings { polling, ..quick() });
            assert_eq!(call(&engine, host, 0), Ok(0));
            let counters = engine.counters();
            (LOG.with(RefCell::take), engine.trace().hash(), counters)
        });
        // Reads fall on 30, 80, 130, ... until the first store, which arrives at 1140; then, since a hit is not followed by
        // a spin, on 1210, 1260, ... until the second, at 1917.
        assert_eq!(outcomes[0].0, [(1180, 1), (1960, 1)]);
        assert_eq!(outcomes[1].0, outcomes[0].0);
        assert_eq!(outcomes[1].1, outcomes[0].1);
        assert!(outcomes[1].2.skipped_polls > 30 && outcomes[1].2.hooks < outcomes[0].2.hooks);
    }
}

#[test]
fn is_a_deadlock_reported_with_every_actor_and_its_wait() {
    extern "C" fn worker(index: u64) -> u64 {
        on_actor(|actor| {
            actor.charge(ns(10 * index), 0);
            actor.block(Wait::Mutex, 0x1000, 0xabc);
        });
        0
    }
    extern "C" fn host(_: u64) -> u64 {
        on_actor(|actor| {
            launch(actor, worker, 2, PollPolicy::Execute);
            u64::from(matches!(actor.wait_for_completion(), Some(Fault::Deadlock(_))))
        })
    }
    let engine = engine(quick());
    assert_eq!(call(&engine, host, 0), Ok(1));
    let fault = engine.fault().expect("the device is dead").clone();
    let Fault::Deadlock(deadlock) = fault else { panic!("{fault:?}") };
    let lines: Vec<_> = deadlock.actors.iter().map(|a| (a.kind, a.since.as_ns(), a.stall, a.caller)).collect();
    assert_eq!(
        lines,
        [
            (ActorKind::Host, 0, Stall::Blocked(Wait::Completion), 0),
            (ActorKind::Aicpu(0), 0, Stall::Blocked(Wait::Mutex), 0xabc),
            (ActorKind::Aicpu(1), 10, Stall::Blocked(Wait::Mutex), 0xabc),
        ]
    );
}

#[test]
fn does_a_pure_poller_that_never_sees_its_word_count_as_a_deadlock() {
    extern "C" fn worker(_: u64) -> u64 {
        loop {
            on_actor(|actor| actor.spin(ns(100), Poll::Spin, 0));
        }
    }
    extern "C" fn host(_: u64) -> u64 {
        on_actor(|actor| {
            launch(actor, worker, 2, PollPolicy::Execute);
            u64::from(actor.wait_for_completion().is_some())
        })
    }
    let engine = engine(quick());
    assert_eq!(call(&engine, host, 0), Ok(1));
    let fault = engine.fault().expect("the device is dead").clone();
    assert!(matches!(fault, Fault::Deadlock(_)), "{fault:?}");
    assert_eq!(fault.at(), SimTime::ZERO + Settings::default().stall_window);
}

/// How two workers end, and when the host has waited for them.
fn end_of_two(worker: extern "C" fn(u64) -> u64) -> (Option<Fault>, SimTime) {
    extern "C" fn host(worker: u64) -> u64 {
        // SAFETY: the address of such a function.
        let worker: extern "C" fn(u64) -> u64 = unsafe { std::mem::transmute(worker) };
        on_actor(|actor| {
            launch(actor, worker, 2, PollPolicy::Execute);
            actor.wait_for_completion();
        });
        0
    }
    let engine = engine(quick());
    assert_eq!(call(&engine, host, address(worker) as u64), Ok(0));
    (engine.fault().as_deref().cloned(), engine.host_time())
}

#[test]
fn does_a_poller_whose_polls_take_time_count_as_a_deadlock() {
    extern "C" fn worker(_: u64) -> u64 {
        loop {
            on_actor(|actor| actor.elapse(ns(50), 0xabc));
            on_actor(|actor| actor.spin(ns(100), Poll::Spin, 0));
        }
    }
    let (fault, _) = end_of_two(worker);
    let Some(Fault::Deadlock(deadlock)) = fault else { panic!("{fault:?}") };
    assert_eq!(deadlock.actors[1].caller, 0xabc);
}

#[test]
fn does_code_that_takes_time_without_spin_hints_count_as_work() {
    /// Takes twenty milliseconds, many times the stall window: in small steps, and in one.
    extern "C" fn worker(index: u64) -> u64 {
        on_actor(|actor| actor.spin(ns(100), Poll::Spin, 0));
        let (steps, step) = if index == 0 { (20_000, ns(1_000)) } else { (1, ns(20_000_000)) };
        for _ in 0..steps {
            on_actor(|actor| actor.elapse(step, 0));
        }
        on_actor(|actor| actor.spin(ns(100), Poll::Spin, 0));
        0
    }
    assert_eq!(end_of_two(worker), (None, SimTime::from_ns(20_000_200)));
}

#[test]
fn does_a_guest_timeout_expire_in_virtual_time_by_leaps() {
    const TIMEOUT: SimDuration = SimDuration::from_ms(10_000);
    extern "C" fn worker(_: u64) -> u64 {
        let begun = on_actor(|actor| actor.read_clock(ns(10)));
        while on_actor(|actor| actor.read_clock(ns(10))).since(begun) < TIMEOUT {
            on_actor(|actor| actor.spin(ns(100), Poll::Spin, 0));
        }
        0
    }
    extern "C" fn host(_: u64) -> u64 {
        on_actor(|actor| {
            launch(actor, worker, 2, PollPolicy::Execute);
            u64::from(actor.wait_for_completion().is_some())
        })
    }
    let engine = engine(quick());
    assert_eq!(call(&engine, host, 0), Ok(0));
    let stalled = engine.stalled().expect("it was noticed");
    assert!(stalled.leapt >= SimDuration::from_ms(9_000), "{stalled:?}");
    assert_eq!(stalled.snapshot.actors.len(), 3);
}

#[test]
fn is_a_write_through_null_the_end_of_that_actor_and_not_of_the_process() {
    extern "C" fn worker(_: u64) -> u64 {
        on_actor(|actor| actor.charge(ns(50), 0));
        let nowhere = std::hint::black_box(std::ptr::null_mut::<u32>());
        // SAFETY: none; this is the fault under test.
        unsafe { nowhere.write_volatile(1) };
        0
    }
    extern "C" fn host(_: u64) -> u64 {
        on_actor(|actor| {
            launch(actor, worker, 1, PollPolicy::Execute);
            u64::from(actor.wait_for_completion().is_some())
        })
    }
    for _ in 0..3 {
        let engine = engine(quick());
        assert_eq!(call(&engine, host, 0), Ok(1));
        let fault = engine.fault().expect("the device is dead").clone();
        let Fault::Crash(crash) = fault else { panic!("{fault:?}") };
        assert_eq!((crash.kind, crash.at.as_ns(), crash.in_kernel), (ActorKind::Aicpu(0), 50, false));
        assert_eq!((crash.trap.signal, crash.trap.address), (libc::SIGSEGV, Some(0)));
    }
}

#[test]
fn is_guest_code_that_never_calls_a_hook_stopped_where_it_spins() {
    extern "C" fn worker(_: u64) -> u64 {
        loop {
            std::hint::spin_loop();
        }
    }
    extern "C" fn host(_: u64) -> u64 {
        on_actor(|actor| {
            launch(actor, worker, 1, PollPolicy::Execute);
            u64::from(actor.wait_for_completion().is_some())
        })
    }
    let engine = engine(Settings { guest_limit: Duration::from_millis(50), ..quick() });
    assert_eq!(call(&engine, host, 0), Ok(1));
    let fault = engine.fault().expect("the device is dead").clone();
    assert!(matches!(fault, Fault::Hang(Hang { kind: ActorKind::Aicpu(0), .. })), "{fault:?}");
}

/// Kernel bodies of 10 us of virtual time on four cores, whatever they take here.
mod bodies {
    use super::*;

    static DONE: AtomicU32 = AtomicU32::new(0);

    extern "C" fn body(rounds: u64) -> u64 {
        (0..rounds).for_each(|_| std::hint::spin_loop());
        DONE.fetch_add(1, Ordering::Relaxed);
        0
    }

    extern "C" fn core(index: u64) -> u64 {
        let host_cost = Arc::new(HostCost::default());
        for _ in 0..50 {
            let call = GuestCall::new(address(body), &[1_000 * (index + 1)]);
            let body = NativeBody { call, place: BodyPlace::Worker, host_cost: Arc::clone(&host_cost) };
            // SAFETY: `body` takes one integer.
            on_actor(|actor| unsafe { actor.run_body(&body, SimDuration::from_us(10), 0) });
        }
        0
    }

    extern "C" fn host(_: u64) -> u64 {
        on_actor(|actor| {
            launch(actor, core, 4, PollPolicy::Execute);
            u64::from(actor.wait_for_completion().is_some())
        })
    }

    #[test]
    fn does_the_number_of_workers_leave_the_trace_alone() {
        let hashes = [1, 2, 8].map(|workers| {
            DONE.store(0, Ordering::Relaxed);
            let engine = engine(Settings { workers, ..quick() });
            assert_eq!(call(&engine, host, 0), Ok(0));
            assert_eq!(DONE.load(Ordering::Relaxed), 200);
            assert_eq!(engine.host_time(), SimTime::from_ns(500_000));
            engine.trace().hash()
        });
        assert_eq!(hashes[1..], [hashes[0]; 2]);
    }

    /// A rule by which intervals end: each that begins makes those under way end a microsecond later, and each that
    /// ends makes the others end a microsecond earlier.
    mod moved {
        use super::*;

        thread_local! {
            /// Who is under way, and when each ends; on the host's storage, which hooks see.
            static UNDER_WAY: RefCell<Vec<(ActorId, SimTime)>> = const { RefCell::new(Vec::new()) };
        }

        extern "C" fn idle(_: u64) -> u64 {
            0
        }

        fn shift(by_ns: i64) -> Vec<(ActorId, SimTime)> {
            UNDER_WAY.with_borrow_mut(|under_way| {
                for (_, end) in under_way.iter_mut() {
                    *end = SimTime::from_ns(end.as_ns().saturating_add_signed(by_ns));
                }
                under_way.clone()
            })
        }

        fn run(place: BodyPlace, begin_ns: u64) {
            on_actor(|actor| {
                actor.charge(ns(begin_ns), 0);
                let call = GuestCall::new(address(idle), &[0]);
                let body = NativeBody { call, place, host_cost: Arc::default() };
                let begin = |now: SimTime| {
                    actor.move_ends(&shift(1_000));
                    let end = now + ns(10_000);
                    UNDER_WAY.with_borrow_mut(|under_way| under_way.push((actor.id(), end)));
                    end
                };
                // SAFETY: `idle` takes one integer.
                unsafe { actor.run_body_until(&body, 0, begin) };
                UNDER_WAY.with_borrow_mut(|under_way| under_way.retain(|(id, _)| *id != actor.id()));
                actor.move_ends(&shift(-1_000));
                log(actor);
            });
        }

        extern "C" fn natively(index: u64) -> u64 {
            run(BodyPlace::Worker, 3_000 * index);
            0
        }

        extern "C" fn on_its_fiber(index: u64) -> u64 {
            run(BodyPlace::Fiber, 3_000 * index);
            0
        }

        extern "C" fn poller(_: u64) -> u64 {
            on_actor(|actor| (0..400).for_each(|_| actor.spin(ns(100), Poll::Spin, 0)));
            0
        }

        /// Launches `function` on three actors, with a poller beside them.
        extern "C" fn host(on_fibers: u64) -> u64 {
            on_actor(|actor| {
                launch(actor, if on_fibers == 0 { natively } else { on_its_fiber }, 3, PollPolicy::Execute);
                launch(actor, poller, 1, PollPolicy::Execute);
                u64::from(actor.wait_for_completion().is_some())
            })
        }

        #[test]
        fn do_intervals_end_where_others_have_moved_their_ends() {
            let mut hashes = Vec::new();
            for polling in [Polling::Parked, Polling::Naive] {
                for workers in [1, 4] {
                    for on_fibers in [0, 1] {
                        let engine = engine(Settings { polling, workers, ..quick() });
                        assert_eq!(call(&engine, host, on_fibers), Ok(0));
                        // They begin at 0, 3 and 6 us. The first is moved from 10 to 12; its end moves the others from
                        // 14 and 16 to 13 and 15, and the second's end the third to 14.
                        let log = LOG.with(RefCell::take);
                        assert_eq!(log, [(12_000, 1), (13_000, 2), (14_000, 3)]);
                        hashes.push(engine.trace().hash());
                    }
                }
            }
            assert_eq!(hashes[1..], vec![hashes[0]; hashes.len() - 1]);
        }
    }

    #[test]
    fn is_a_crash_in_a_kernel_body_attributed_to_its_core() {
        extern "C" fn crash(_: u64) -> u64 {
            // SAFETY: none; this is the fault under test.
            unsafe { std::hint::black_box(std::ptr::null_mut::<u32>()).write_volatile(1) };
            0
        }
        extern "C" fn core(_: u64) -> u64 {
            let call = GuestCall::new(address(crash), &[0]);
            let body = NativeBody { call, place: BodyPlace::Worker, host_cost: Arc::default() };
            // SAFETY: `crash` takes one integer.
            on_actor(|actor| unsafe { actor.run_body(&body, SimDuration::from_us(10), 0) });
            0
        }
        extern "C" fn host(_: u64) -> u64 {
            on_actor(|actor| {
                launch(actor, core, 3, PollPolicy::Execute);
                u64::from(actor.wait_for_completion().is_some())
            })
        }
        let engine = engine(Settings { workers: 2, ..quick() });
        assert_eq!(call(&engine, host, 0), Ok(1));
        let fault = engine.fault().expect("the device is dead").clone();
        assert!(matches!(fault, Fault::Crash(Crash { kind: ActorKind::Aicpu(0), in_kernel: true, .. })), "{fault:?}");
    }
}

#[test]
fn do_a_condition_and_a_deadline_wake_at_their_times() {
    extern "C" fn worker(index: u64) -> u64 {
        on_actor(|actor| {
            if index == 0 {
                let timed_out = actor.block_until(Wait::Condition, 0x10, Some(SimTime::from_ns(500)), 0);
                assert!(timed_out);
                log(actor);
                assert!(!actor.block_until(Wait::Condition, 0x10, Some(SimTime::from_ns(5_000)), 0));
                log(actor);
            } else {
                actor.sleep(ns(900));
                actor.wake(0x10, 1);
                actor.charge(ns(1), 0);
            }
        });
        0
    }
    extern "C" fn host(_: u64) -> u64 {
        on_actor(|actor| {
            launch(actor, worker, 2, PollPolicy::Execute);
            u64::from(actor.wait_for_completion().is_some())
        })
    }
    assert_eq!(call(&engine(quick()), host, 0), Ok(0));
    assert_eq!(LOG.with(RefCell::take), [(500, 1), (900, 1)]);
}

#[test]
fn does_a_thread_that_a_guest_makes_become_an_actor_and_can_it_be_joined() {
    extern "C" fn child(_: u64) -> u64 {
        on_actor(|actor| actor.charge(ns(100), 0));
        42
    }
    extern "C" fn host(_: u64) -> u64 {
        on_actor(|actor| {
            // SAFETY: `child` takes one integer.
            let thread = unsafe { actor.spawn_thread(GuestCall::new(address(child), &[0])) }.expect("it starts");
            let id = actor.engine().find_thread(thread).expect("it is known");
            let result = actor.join(id, 0);
            actor.engine().release_thread(id);
            assert_eq!(actor.now(), SimTime::from_ns(100));
            result
        })
    }
    let engine = engine(quick());
    assert_eq!(call(&engine, host, 0), Ok(42));
    assert_eq!(engine.trace().actors(), [ActorKind::Host, ActorKind::Thread(0)]);
}

/// The host launches two pollers that nobody will ever stop, and waits for them until `deadline_ms`.
fn wait_in_vain(polling: Polling, deadline_ms: u64) -> (u64, u64, Rc<Engine>) {
    extern "C" fn poller(_: u64) -> u64 {
        loop {
            on_actor(|actor| actor.spin(ns(115), Poll::Spin, 0));
        }
    }
    extern "C" fn host(deadline_ms: u64) -> u64 {
        on_actor(|actor| {
            launch(actor, poller, 2, PollPolicy::Execute);
            let timed_out = actor.wait_for_an_end(SimTime::from_ns(deadline_ms * 1_000_000));
            assert!(!actor.has_ended(ActorId(1)));
            u64::from(timed_out)
        })
    }
    let engine = engine(Settings { polling, ..quick() });
    let timed_out = call(&engine, host, deadline_ms).expect("the host returns");
    (timed_out, engine.host_time().as_ns(), engine)
}

#[test]
fn does_a_wait_of_the_host_end_at_its_deadline_without_every_poll_being_made() {
    for polling in [Polling::Parked, Polling::Naive] {
        let (timed_out, at, engine) = wait_in_vain(polling, 50_000);
        assert_eq!((timed_out, at), (1, 50_000_000_000), "{polling:?}");
        assert!(engine.counters().hooks < 200_000, "{polling:?}: {} hooks", engine.counters().hooks);
        assert!(engine.fault().is_none(), "{polling:?}");
    }
}

#[test]
fn does_a_host_that_waits_for_nobody_count_as_a_stall() {
    extern "C" fn host(_: u64) -> u64 {
        on_actor(|actor| u64::from(actor.wait_for_an_end(SimTime::from_ns(45_000_000_000))))
    }
    let engine = engine(quick());
    assert_eq!(call(&engine, host, 0), Ok(1));
    assert_eq!(engine.host_time().as_ns(), 45_000_000_000);
    assert!(engine.stalled().is_none());
}

#[test]
fn is_a_task_that_takes_too_long_ended_by_name() {
    extern "C" fn poller(_: u64) -> u64 {
        loop {
            on_actor(|actor| actor.spin(ns(115), Poll::Spin, 0));
        }
    }
    extern "C" fn host(_: u64) -> u64 {
        on_actor(|actor| {
            launch(actor, poller, 2, PollPolicy::Execute);
            assert!(actor.wait_for_an_end(SimTime::from_ns(3_000_000_000)));
            actor.end_task(ActorId(2), SimDuration::from_ns(3_000_000_000), EndedBy::TimeOut);
            u64::from(actor.has_ended(ActorId(1)) && actor.has_ended(ActorId(2)) && actor.is_complete())
        })
    }
    let engine = engine(quick());
    assert_eq!(call(&engine, host, 0), Ok(1));
    let fault = engine.fault().map(|fault| fault.clone());
    let Some(Fault::Overdue(overdue)) = fault else { panic!("{fault:?}") };
    assert_eq!((overdue.actor, overdue.kind), (ActorId(2), ActorKind::Aicpu(1)));
    assert_eq!((overdue.at.as_ns(), overdue.taken.as_ns()), (3_000_000_000, 3_000_000_000));
}

#[test]
fn does_a_thread_of_the_host_that_ends_a_task_end_with_it_and_the_host_go_on() {
    extern "C" fn poller(_: u64) -> u64 {
        loop {
            on_actor(|actor| actor.spin(ns(115), Poll::Spin, 0));
        }
    }
    extern "C" fn thread(_: u64) -> u64 {
        on_actor(|actor| {
            assert!(actor.wait_for_an_end(SimTime::from_ns(3_000_000)));
            actor.end_task(ActorId(1), SimDuration::from_ns(3_000_000), EndedBy::TimeOut);
        });
        unreachable!("it has ended")
    }
    extern "C" fn host(_: u64) -> u64 {
        on_actor(|actor| {
            launch(actor, poller, 1, PollPolicy::Execute);
            let call = GuestCall::new(address(thread), &[]);
            // SAFETY: as in `call`.
            let handle = unsafe { actor.spawn_thread(call) }.expect("a lender starts");
            let other = actor.engine().find_thread(handle).expect("it was just made");
            actor.join(other, 0);
            u64::from(actor.is_complete())
        })
    }
    let engine = engine(quick());
    assert_eq!(call(&engine, host, 0), Ok(1));
    assert_eq!(engine.fault().map(|fault| fault.at().as_ns()), Some(3_000_000));
}

#[test]
fn does_the_end_of_an_actor_end_the_hosts_wait_before_its_deadline() {
    extern "C" fn worker(index: u64) -> u64 {
        on_actor(|actor| actor.charge(ns(1_000 * (index + 1)), 0));
        0
    }
    extern "C" fn host(_: u64) -> u64 {
        on_actor(|actor| {
            launch(actor, worker, 2, PollPolicy::Execute);
            let mut wakes = 0;
            while !(actor.has_ended(ActorId(1)) && actor.has_ended(ActorId(2))) {
                assert!(!actor.wait_for_an_end(SimTime::from_ns(50_000_000_000)));
                wakes += 1;
            }
            wakes
        })
    }
    let engine = engine(quick());
    assert_eq!(call(&engine, host, 0), Ok(2));
    assert_eq!(engine.host_time().as_ns(), 2_000);
}
