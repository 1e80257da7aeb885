//! The functions by which code reaches the device or the host, and on which front they are met.
//!
//! All are defined by the shim, which comes first in every namespace. The table serves readers of an object's imports:
//! it says which hooks the object will call, and whether it may wait for others, which decides where a kernel runs.

use std::fmt;

use serde::Serialize;

use super::image::CodeImage;
use super::symbols::readable;

/// Through which of the shim's fronts a function is met.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Front {
    /// The device: registers, memory, launches, and the reference's own names for them.
    Platform,
    /// Time, processes, files and code loading.
    Libc,
    /// Threads and what they wait on.
    Pthread,
    /// The C++ runtime and library.
    CxxRuntime,
}

impl fmt::Display for Front {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Front::Platform => "platform",
            Front::Libc => "libc",
            Front::Pthread => "pthread",
            Front::CxxRuntime => "c++",
        })
    }
}

/// A function that the shim defines.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Hook {
    /// Its symbol.
    pub symbol: &'static str,
    /// The front it is on.
    pub front: Front,
    /// Who calls it waits for others, gives way to them or wakes them.
    pub waits: bool,
}

/// Functions of the project's own platform all begin with this.
const PLATFORM_PREFIX: &str = "npusim_";

const fn hook(symbol: &'static str, front: Front) -> Hook {
    Hook { symbol, front, waits: false }
}

const fn waiting(symbol: &'static str, front: Front) -> Hook {
    Hook { symbol, front, waits: true }
}

/// By symbol, in the order of bytes.
const HOOKS: &[Hook] = &[
    hook("_Z16reg_load_acquirePVKj", Front::Platform),
    hook("_Z16sim_get_reg_basev", Front::Platform),
    hook("_Z17reg_store_releasePVjj", Front::Platform),
    hook("_ZN15MemoryAllocator4freeEPv", Front::Platform),
    hook("_ZN15MemoryAllocator5allocEm", Front::Platform),
    hook("_ZN23aicpu_cache_maintenance16flush_range_implEPKvm", Front::Platform),
    hook("_ZN23aicpu_cache_maintenance21invalidate_range_implEPKvm", Front::Platform),
    waiting(
        "_ZNSt11this_thread11__sleep_forENSt6chrono8durationIlSt5ratioILl1ELl1EEEENS1_IlS2_ILl1ELl1000000000EEEE",
        Front::CxxRuntime,
    ),
    waiting("_ZNSt18condition_variable10notify_allEv", Front::CxxRuntime),
    waiting("_ZNSt18condition_variable10notify_oneEv", Front::CxxRuntime),
    waiting("_ZNSt18condition_variable4waitERSt11unique_lockISt5mutexE", Front::CxxRuntime),
    waiting("_ZNSt18condition_variableC1Ev", Front::CxxRuntime),
    waiting("_ZNSt28__atomic_futex_unsigned_base19_M_futex_notify_allEPj", Front::CxxRuntime),
    waiting(
        "_ZNSt28__atomic_futex_unsigned_base19_M_futex_wait_untilEPjjbNSt6chrono8durationIlSt5ratioILl1ELl1EEEENS2_IlS3_ILl1ELl1000000000EEEE",
        Front::CxxRuntime,
    ),
    waiting(
        "_ZNSt28__atomic_futex_unsigned_base26_M_futex_wait_until_steadyEPjjbNSt6chrono8durationIlSt5ratioILl1ELl1EEEENS2_IlS3_ILl1ELl1000000000EEEE",
        Front::CxxRuntime,
    ),
    hook("_ZNSt6chrono3_V212steady_clock3nowEv", Front::CxxRuntime),
    hook("_ZNSt6chrono3_V212system_clock3nowEv", Front::CxxRuntime),
    hook("_ZNSt6thread15_M_start_threadESt10unique_ptrINS_6_StateESt14default_deleteIS1_EEPFvvE", Front::CxxRuntime),
    hook("_ZNSt6thread20hardware_concurrencyEv", Front::CxxRuntime),
    waiting("_ZNSt6thread4joinEv", Front::CxxRuntime),
    hook("__cxa_guard_abort", Front::CxxRuntime),
    hook("__cxa_guard_acquire", Front::CxxRuntime),
    hook("__cxa_guard_release", Front::CxxRuntime),
    hook("__cxa_thread_atexit", Front::CxxRuntime),
    hook("__cxa_throw", Front::CxxRuntime),
    hook("backtrace", Front::Libc),
    hook("clock_gettime", Front::Libc),
    waiting("clock_nanosleep", Front::Libc),
    hook("dladdr", Front::Libc),
    hook("dlclose", Front::Libc),
    hook("dlopen", Front::Libc),
    hook("dlsym", Front::Libc),
    hook("get_nprocs", Front::Libc),
    hook("getpid", Front::Libc),
    hook("gettimeofday", Front::Libc),
    hook("memfd_create", Front::Libc),
    hook("mkstemp", Front::Libc),
    hook("mkstemps", Front::Libc),
    waiting("nanosleep", Front::Libc),
    // Time passes in them, and others run: what a kernel sees and leaves there depends on that.
    waiting("npusim_cross_wait", Front::Platform),
    waiting("npusim_dcci", Front::Platform),
    waiting("npusim_gm_load32", Front::Platform),
    waiting("npusim_gm_load64", Front::Platform),
    waiting("npusim_gm_store32", Front::Platform),
    waiting("npusim_gm_store64", Front::Platform),
    hook("popen", Front::Libc),
    waiting("pthread_barrier_wait", Front::Pthread),
    waiting("pthread_cond_broadcast", Front::Pthread),
    waiting("pthread_cond_clockwait", Front::Pthread),
    waiting("pthread_cond_destroy", Front::Pthread),
    waiting("pthread_cond_init", Front::Pthread),
    waiting("pthread_cond_signal", Front::Pthread),
    waiting("pthread_cond_timedwait", Front::Pthread),
    waiting("pthread_cond_wait", Front::Pthread),
    hook("pthread_create", Front::Pthread),
    hook("pthread_detach", Front::Pthread),
    hook("pthread_getspecific", Front::Pthread),
    waiting("pthread_join", Front::Pthread),
    hook("pthread_key_create", Front::Pthread),
    hook("pthread_key_delete", Front::Pthread),
    waiting("pthread_mutex_clocklock", Front::Pthread),
    waiting("pthread_mutex_lock", Front::Pthread),
    waiting("pthread_mutex_timedlock", Front::Pthread),
    waiting("pthread_mutex_trylock", Front::Pthread),
    waiting("pthread_mutex_unlock", Front::Pthread),
    hook("pthread_once", Front::Pthread),
    waiting("pthread_rwlock_rdlock", Front::Pthread),
    waiting("pthread_rwlock_unlock", Front::Pthread),
    waiting("pthread_rwlock_wrlock", Front::Pthread),
    hook("pthread_self", Front::Pthread),
    hook("pthread_setspecific", Front::Pthread),
    waiting("pthread_spin_lock", Front::Pthread),
    waiting("pthread_yield", Front::Pthread),
    hook("read_reg", Front::Platform),
    waiting("sched_yield", Front::Libc),
    waiting("sem_clockwait", Front::Pthread),
    waiting("sem_post", Front::Pthread),
    waiting("sem_timedwait", Front::Pthread),
    waiting("sem_trywait", Front::Pthread),
    waiting("sem_wait", Front::Pthread),
    hook("shm_open", Front::Libc),
    waiting("sleep", Front::Libc),
    hook("syscall", Front::Libc),
    waiting("thrd_sleep", Front::Pthread),
    waiting("thrd_yield", Front::Pthread),
    hook("time", Front::Libc),
    waiting("usleep", Front::Libc),
];

/// A hook that an object imports.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct HookImport {
    /// Its symbol.
    pub symbol: String,
    /// The front it is on.
    pub front: Front,
}

/// Whether a kernel can run on a thread of its own, beside everything else, for as long as its modelled time lasts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case", tag = "runs")]
pub enum Blocking {
    /// It calls nothing that waits: it computes.
    Natively,
    /// It may wait for others, who run only when it gives way: it has to run on its actor's fiber.
    OnFiber {
        /// The import that says so.
        import: String,
    },
}

impl fmt::Display for Blocking {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Blocking::Natively => f.write_str("runs natively"),
            Blocking::OnFiber { import } => {
                write!(f, "may block, so it runs on its fiber (imports {})", readable(import))
            }
        }
    }
}

/// The hooks that an object imports, by front and symbol.
pub fn imported(image: &CodeImage) -> Vec<HookImport> {
    let of = |symbol: &str| find(symbol).map(|front| HookImport { symbol: symbol.to_owned(), front });
    let mut hooks: Vec<_> = image.imports.iter().filter_map(|import| of(&import.name)).collect();
    hooks.sort_by(|a, b| (a.front, &a.symbol).cmp(&(b.front, &b.symbol)));
    hooks
}

/// Whether code of an object may block. Named is the first import by symbol that makes it so.
pub fn blocking(image: &CodeImage) -> Blocking {
    first_wait(image, |_| true)
}

/// As [`blocking`], of a kernel whose mutexes are its own thread's: taking one is no waiting.
pub fn blocking_but_for_mutexes(image: &CodeImage) -> Blocking {
    const MUTEXES: [&str; 3] = ["pthread_mutex_lock", "pthread_mutex_trylock", "pthread_mutex_unlock"];
    first_wait(image, |symbol| !MUTEXES.contains(&symbol))
}

/// The first import by symbol that waits, of those that count.
fn first_wait(image: &CodeImage, counts: impl Fn(&str) -> bool) -> Blocking {
    let waits = |symbol: &&str| known(symbol).is_some_and(|hook| hook.waits) && counts(symbol);
    match image.imports.iter().map(|import| import.name.as_str()).filter(waits).min() {
        Some(import) => Blocking::OnFiber { import: import.to_owned() },
        None => Blocking::Natively,
    }
}

/// Whether code of an object says what it does, instruction by instruction: it is written with the tile API.
pub fn records(image: &CodeImage) -> bool {
    const RECORDER: &str = "npusim_recorder";
    image.imports.iter().any(|import| import.name == RECORDER)
}

/// Whether code of an object hands tiles to other cores of its cluster: it waits for their flags.
pub fn hands_over(image: &CodeImage) -> bool {
    const WAIT: &str = "npusim_cross_wait";
    image.imports.iter().any(|import| import.name == WAIT)
}

/// Whether code of an object waits only by sleeping and looking again: for something that others write.
pub fn only_sleeps(image: &CodeImage) -> bool {
    const SLEEPS: [&str; 5] = ["clock_nanosleep", "nanosleep", "sleep", "thrd_sleep", "usleep"];
    let mut waits = image
        .imports
        .iter()
        .map(|import| import.name.as_str())
        .filter(|symbol| known(symbol).is_some_and(|hook| hook.waits))
        .peekable();
    waits.peek().is_some() && waits.all(|symbol| SLEEPS.contains(&symbol))
}

fn find(symbol: &str) -> Option<Front> {
    let platform = symbol.starts_with(PLATFORM_PREFIX).then_some(Front::Platform);
    platform.or_else(|| known(symbol).map(|hook| hook.front))
}

fn known(symbol: &str) -> Option<&'static Hook> {
    HOOKS.binary_search_by(|hook| hook.symbol.cmp(symbol)).ok().map(|index| &HOOKS[index])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::loader::test_objects::{Language, shared_object};

    fn image(source: &str) -> CodeImage {
        CodeImage::parse("k.so", &shared_object(Language::Cxx, source, &["-O1"])).expect("a loadable object")
    }

    #[test]
    fn is_the_table_sorted_so_that_each_hook_can_be_found() {
        assert!(HOOKS.windows(2).all(|pair| pair[0].symbol < pair[1].symbol));
        assert!(HOOKS.iter().all(|hook| known(hook.symbol) == Some(hook)));
    }

    #[test]
    fn which_hooks_does_an_object_import() {
        let image = image(
            "#include <chrono>
            extern \"C\" int npusim_poll(void);
            volatile unsigned char *sim_get_reg_base();
            unsigned reg_load_acquire(const volatile unsigned *);
            extern \"C\" void *pthread_getspecific(unsigned);
            extern \"C\" long f(void) {
                return npusim_poll() + *sim_get_reg_base() + reg_load_acquire(nullptr) + (pthread_getspecific(1) != nullptr)
                    + std::chrono::steady_clock::now().time_since_epoch().count(); }",
        );
        let found: Vec<_> = imported(&image).into_iter().map(|hook| (hook.front, hook.symbol)).collect();
        let expected = [
            (Front::Platform, "_Z16reg_load_acquirePVKj"),
            (Front::Platform, "_Z16sim_get_reg_basev"),
            (Front::Platform, "npusim_poll"),
            (Front::Pthread, "pthread_getspecific"),
            (Front::CxxRuntime, "_ZNSt6chrono3_V212steady_clock3nowEv"),
        ];
        assert_eq!(found, expected.map(|(front, symbol)| (front, symbol.to_owned())));
        assert_eq!(blocking(&image), Blocking::Natively);
    }

    #[test]
    fn does_code_that_may_wait_run_on_its_fiber() {
        for (source, import) in [
            ("#include <mutex>\nstd::mutex m; void f() { std::lock_guard<std::mutex> lock(m); }", "pthread_mutex_lock"),
            ("#include <sched.h>\nvoid f() { sched_yield(); }", "sched_yield"),
            ("#include <unistd.h>\nvoid f() { usleep(1); }", "usleep"),
            ("#include <semaphore.h>\nvoid f(sem_t *s) { sem_wait(s); }", "sem_wait"),
            ("#include <time.h>\nvoid f(timespec *t) { nanosleep(t, nullptr); }", "nanosleep"),
            (
                "#include <condition_variable>\nvoid f(std::condition_variable &c, std::unique_lock<std::mutex> &l) { c.wait(l); }",
                "_ZNSt18condition_variable4waitERSt11unique_lockISt5mutexE",
            ),
        ] {
            assert_eq!(blocking(&image(source)), Blocking::OnFiber { import: import.to_owned() }, "{source}");
        }
    }

    #[test]
    fn does_code_only_sleep_that_has_no_other_way_to_wait() {
        for (source, sleeps) in [
            ("#include <unistd.h>\nvoid f() { usleep(1); }", true),
            ("#include <unistd.h>\n#include <sched.h>\nvoid f() { usleep(1); sched_yield(); }", false),
            ("void f(int *x) { *x = 1; }", false),
        ] {
            assert_eq!(only_sleeps(&image(source)), sleeps, "{source}");
        }
    }

    #[test]
    fn does_code_that_only_computes_run_natively() {
        let source =
            "#include <cmath>\nextern \"C\" void f(float *x) { static float y = std::exp(x[0]); x[1] = std::log(y); }";
        assert_eq!(blocking(&image(source)), Blocking::Natively);
    }
}
