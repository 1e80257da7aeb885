//! Functions that must arrive at the shim: served by anybody else, they read the host's clock, wait in the kernel, where
//! no virtual time passes, or enter it in a way that nobody can tell.

/// By symbol, in the order of bytes.
const ESCAPES: &[&str] = &[
    // libstdc++ waits in these by system calls of its own.
    "_ZNSt28__atomic_futex_unsigned_base19_M_futex_wait_untilEPjjbNSt6chrono8durationIlSt5ratioILl1ELl1EEEENS2_IlS3_ILl1ELl1000000000EEEE",
    "_ZNSt28__atomic_futex_unsigned_base26_M_futex_wait_until_steadyEPjjbNSt6chrono8durationIlSt5ratioILl1ELl1EEEENS2_IlS3_ILl1ELl1000000000EEEE",
    "clock",
    "clock_gettime",
    "clock_nanosleep",
    "cnd_timedwait",
    "cnd_wait",
    "epoll_pwait",
    "epoll_wait",
    "ftime",
    "gettimeofday",
    "mtx_lock",
    "mtx_timedlock",
    "nanosleep",
    "pause",
    "poll",
    "ppoll",
    "pselect",
    "pthread_barrier_wait",
    "pthread_cond_clockwait",
    "pthread_cond_timedwait",
    "pthread_cond_wait",
    "pthread_mutex_clocklock",
    "pthread_mutex_lock",
    "pthread_mutex_timedlock",
    "pthread_rwlock_clockrdlock",
    "pthread_rwlock_clockwrlock",
    "pthread_rwlock_rdlock",
    "pthread_rwlock_timedrdlock",
    "pthread_rwlock_timedwrlock",
    "pthread_rwlock_wrlock",
    "pthread_spin_lock",
    "pthread_yield",
    "sched_yield",
    "select",
    "sem_clockwait",
    "sem_timedwait",
    "sem_wait",
    "sigsuspend",
    "sigtimedwait",
    "sigwait",
    "sigwaitinfo",
    "sleep",
    "syscall",
    "thrd_sleep",
    "thrd_yield",
    "time",
    "times",
    "timespec_get",
    "usleep",
];

/// Whether calls of this function have to arrive at the shim.
pub(super) fn must_be_fronted(symbol: &str) -> bool {
    ESCAPES.binary_search(&symbol).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_the_table_sorted_so_that_each_function_can_be_found() {
        assert!(ESCAPES.is_sorted());
        assert!(ESCAPES.iter().all(|symbol| must_be_fronted(symbol)));
        assert!(!must_be_fronted("getpid"));
    }
}
