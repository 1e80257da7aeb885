// Waits in the kernel by a function that the shim does not front, and has a sched_yield of its own that nobody can
// take the place of.
#include <pthread.h>

extern "C" {

__attribute__((visibility("protected"))) int sched_yield(void) noexcept { return 7; }
int audit_yields(void) { return sched_yield(); }
int audit_waits(pthread_barrier_t *barrier) { return pthread_barrier_wait(barrier); }
}
