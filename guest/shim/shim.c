// The shim: the first object of every namespace, so that its symbols win over those of everything loaded later,
// libstdc++ included. It has four parts: the platform's functions (platform.h), which only hand over to the hook
// table; those of CANN's driver, which do so too (driver.c); the libc fronts, which hand over when the caller is an actor
// under virtual time and else do what libc does; and the entry points of the simulator (bind).
//
// Rules that keep it sound:
// - no thread_local of its own: the hook table knows who calls;
// - real functions are resolved in the constructor, since libstdc++ calls in here from its own initialisers;
// - locks are never waited for in the kernel by an actor: it tries, and blocks in virtual time when it must.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "driver.h"
#include "npusim/coherence.h"
#include "npusim/hooks.h"

#define CALLER __builtin_return_address(0)
#define NS_PER_S 1000000000ull

// Volatile: gcc may cache statics around functions that glibc declares `leaf`.
static const NpusimHooks *volatile hooks;
static const void *volatile heap;

static struct {
    int (*pthread_create)(pthread_t *, const pthread_attr_t *, void *(*)(void *), void *);
    int (*pthread_join)(pthread_t, void **);
    int (*mutex_lock)(pthread_mutex_t *);
    int (*mutex_unlock)(pthread_mutex_t *);
    int (*cond_wait)(pthread_cond_t *, pthread_mutex_t *);
    int (*cond_timedwait)(pthread_cond_t *, pthread_mutex_t *, const struct timespec *);
    int (*cond_clockwait)(pthread_cond_t *, pthread_mutex_t *, clockid_t, const struct timespec *);
    int (*cond_signal)(pthread_cond_t *);
    int (*cond_broadcast)(pthread_cond_t *);
    int (*once)(pthread_once_t *, void (*)(void));
    int (*sem_wait)(sem_t *);
    int (*sem_post)(sem_t *);
    void *(*dlopen)(const char *, int);
} real;

__attribute__((constructor)) static void resolve_real_functions(void) {
    real.pthread_create = dlsym(RTLD_NEXT, "pthread_create");
    real.pthread_join = dlsym(RTLD_NEXT, "pthread_join");
    real.mutex_lock = dlsym(RTLD_NEXT, "pthread_mutex_lock");
    real.mutex_unlock = dlsym(RTLD_NEXT, "pthread_mutex_unlock");
    // The condition variable functions exist in two versions; plain dlsym may give the old one.
    real.cond_wait = dlvsym(RTLD_NEXT, "pthread_cond_wait", "GLIBC_2.3.2");
    real.cond_timedwait = dlvsym(RTLD_NEXT, "pthread_cond_timedwait", "GLIBC_2.3.2");
    real.cond_signal = dlvsym(RTLD_NEXT, "pthread_cond_signal", "GLIBC_2.3.2");
    real.cond_broadcast = dlvsym(RTLD_NEXT, "pthread_cond_broadcast", "GLIBC_2.3.2");
    if (!real.cond_wait) real.cond_wait = dlsym(RTLD_NEXT, "pthread_cond_wait");
    if (!real.cond_timedwait) real.cond_timedwait = dlsym(RTLD_NEXT, "pthread_cond_timedwait");
    if (!real.cond_signal) real.cond_signal = dlsym(RTLD_NEXT, "pthread_cond_signal");
    if (!real.cond_broadcast) real.cond_broadcast = dlsym(RTLD_NEXT, "pthread_cond_broadcast");
    real.cond_clockwait = dlsym(RTLD_NEXT, "pthread_cond_clockwait");
    real.once = dlsym(RTLD_NEXT, "pthread_once");
    real.sem_wait = dlsym(RTLD_NEXT, "sem_wait");
    real.sem_post = dlsym(RTLD_NEXT, "sem_post");
    real.dlopen = dlsym(RTLD_NEXT, "dlopen");
}

static int on_actor(void) { return hooks && hooks->on_actor(); }

static int flush_streams(void) { return fflush(NULL); }

const NpusimShim *npusim_shim_bind(const NpusimHooks *table, const void *own_heap) {
    static NpusimShim shim;
    if (table->abi != NPUSIM_HOOK_ABI || table->size != sizeof(NpusimHooks)) return NULL;
    hooks = table;
    heap = own_heap;
    npusim_driver_bind(table->driver);
    shim = (NpusimShim){NPUSIM_HOOK_ABI, real.pthread_create, real.pthread_join, flush_streams};
    return &shim;
}

// ---- platform ------------------------------------------------------------------------------------------------------

void *npusim_malloc(size_t size, size_t alignment, const char *owner) { return hooks->malloc(size, alignment, owner); }
int npusim_free(void *device) { return hooks->free(device); }
int npusim_copy_to_device(void *device, const void *host, size_t size) {
    return hooks->copy_to_device(device, host, size);
}
int npusim_copy_from_device(void *host, const void *device, size_t size) {
    return hooks->copy_from_device(host, device, size);
}
int npusim_memset(void *device, int value, size_t size) { return hooks->memset(device, value, size); }
size_t npusim_committed(void) { return hooks->committed(); }
int npusim_last_error(void) { return hooks->last_error(); }
uint64_t npusim_load(uint32_t origin, const void *bytes, size_t size, const char *name) {
    return hooks->load(origin, bytes, size, name);
}
void *npusim_symbol(uint64_t object, const char *name) { return hooks->symbol(object, name); }
int npusim_unload(uint64_t object) { return hooks->unload(object); }
int npusim_register_callable(NpusimCallable callable, const void *bytes, size_t size, const char *name, uint64_t *object) {
    return hooks->register_callable(callable, bytes, size, name, object);
}
uint64_t npusim_begin_callable(NpusimCallable callable) { return hooks->begin_callable(callable); }
int npusim_end_callable(NpusimCallable callable) { return hooks->end_callable(callable); }
int npusim_unregister_callable(NpusimCallable callable) { return hooks->unregister_callable(callable); }
size_t npusim_callable_loads(void) { return hooks->callable_loads(); }
uint32_t npusim_object_transfer(void) { return hooks->object_transfer(); }
uint64_t npusim_register_kernel(int32_t func_id, const void *bytes, size_t size) {
    return hooks->register_kernel(func_id, bytes, size);
}
int npusim_unregister_kernel(uint64_t kernel) { return hooks->unregister_kernel(kernel); }
void npusim_topology(NpusimTopology *topology) { hooks->topology(topology); }
int npusim_launch(const NpusimLaunch *launch) { return hooks->launch(launch); }
int npusim_wait(void) { return hooks->wait(); }
int npusim_poll(void) { return hooks->poll(); }
int32_t npusim_aicpu_gate(void) { return hooks->aicpu_gate(); }
const uint64_t *npusim_register_bases(void) { return hooks->register_bases(); }
void npusim_charge(uint32_t operation, uint32_t count) { hooks->charge(operation, count); }
void npusim_reg_store64(volatile uint64_t *words, uint64_t value) { hooks->reg_store64(words, value, CALLER); }
uint32_t npusim_gm_load32(const volatile uint32_t *word) {
    return (uint32_t)hooks->gm_load(word, sizeof(*word), CALLER);
}
uint64_t npusim_gm_load64(const volatile uint64_t *word) { return hooks->gm_load(word, sizeof(*word), CALLER); }
void npusim_gm_store32(volatile uint32_t *word, uint32_t value) {
    hooks->gm_store(word, value, sizeof(*word), CALLER);
}
void npusim_gm_store64(volatile uint64_t *word, uint64_t value) {
    hooks->gm_store(word, value, sizeof(*word), CALLER);
}
void npusim_dcci(const volatile void *address, uint32_t extent) { hooks->dcci(address, extent, CALLER); }
void npusim_execute(const NpusimKernelCall *call) { hooks->execute(call, CALLER); }
NpusimRecorder *npusim_recorder(void) { return hooks->recorder(); }
void npusim_recorder_grow(void) { hooks->recorder_grow(); }
void npusim_cross_set(uint32_t peer, uint32_t flag) { hooks->cross_set(peer, flag); }
void npusim_cross_wait(uint32_t peer, uint32_t flag) { hooks->cross_wait(peer, flag, CALLER); }
void npusim_note_task(const NpusimTaskNote *note) { hooks->note_task(note); }
void npusim_note_edge(uint64_t pred, uint64_t succ, uint32_t arg, uint32_t source) {
    hooks->note_edge(pred, succ, arg, source);
}
void npusim_note_phase(uint32_t phase) { hooks->note_phase(phase); }
void npusim_log(uint32_t level, const char *text) { hooks->log(level, text); }

// The names under which GCC emits the reference's C++ register functions.
uint32_t _Z16reg_load_acquirePVKj(const volatile uint32_t *word) { return hooks->reg_load(word, CALLER); }
void _Z17reg_store_releasePVjj(volatile uint32_t *word, uint32_t value) { hooks->reg_store(word, value, CALLER); }
volatile uint8_t *_Z16sim_get_reg_basev(void) { return hooks->reg_base(CALLER); }
void _ZN23aicpu_cache_maintenance21invalidate_range_implEPKvm(const void *address, size_t size) {
    hooks->cache_maintenance(address, size, 0);
}
void _ZN23aicpu_cache_maintenance16flush_range_implEPKvm(const void *address, size_t size) {
    hooks->cache_maintenance(address, size, 1);
}

// ---- heap -----------------------------------------------------------------------------------------------------------
//
// Blocks come from three places, and go back where they came from: from the namespace's heap; before the shim is bound,
// from a small pool that is never given back; and from the dynamic linker, which allocates with the first libc of the
// process and leaves it to any libc to free (the thread-local blocks of a stack that is used again).

enum { MALLOC_ALIGNMENT = 16, EARLY_BYTES = 64 << 10 };

static _Alignas(MALLOC_ALIGNMENT) char early_pool[EARLY_BYTES];
static size_t early_used;

// Each early block is preceded by its size. There is one thread at that time.
static void *allocate_early(size_t size, size_t alignment) {
    size_t begin = (early_used + MALLOC_ALIGNMENT + alignment - 1) & ~(alignment - 1);
    if (size > EARLY_BYTES || begin > EARLY_BYTES - size) return NULL;
    *(size_t *)(early_pool + begin - sizeof(size_t)) = size;
    early_used = begin + size;
    return early_pool + begin;
}

static int is_early(const void *block) {
    return (const char *)block >= early_pool && (const char *)block < early_pool + EARLY_BYTES;
}

static void *allocate(size_t size, size_t alignment) {
    if (alignment < MALLOC_ALIGNMENT) alignment = MALLOC_ALIGNMENT;
    void *block = heap ? hooks->heap_allocate(heap, size, alignment) : allocate_early(size, alignment);
    if (!block) errno = ENOMEM;
    return block;
}

void *malloc(size_t size) { return allocate(size, MALLOC_ALIGNMENT); }

void *calloc(size_t count, size_t size) {
    size_t bytes;
    if (__builtin_mul_overflow(count, size, &bytes)) {
        errno = ENOMEM;
        return NULL;
    }
    void *block = allocate(bytes, MALLOC_ALIGNMENT);
    return block ? memset(block, 0, bytes) : NULL;
}

void free(void *block) {
    if (block && heap && !is_early(block)) hooks->heap_release(heap, block);
}

void *memalign(size_t alignment, size_t size) { return allocate(size, alignment); }
void *aligned_alloc(size_t alignment, size_t size) { return allocate(size, alignment); }

int posix_memalign(void **block, size_t alignment, size_t size) {
    if (alignment % sizeof(void *) != 0 || (alignment & (alignment - 1)) != 0 || alignment == 0) return EINVAL;
    void *allocated = allocate(size, alignment);
    if (!allocated) return ENOMEM;
    *block = allocated;
    return 0;
}

void *realloc(void *block, size_t size) {
    if (!block) return malloc(size);
    if (size == 0) {
        free(block);
        return NULL;
    }
    if (is_early(block)) {
        size_t old_size = *(size_t *)((char *)block - sizeof(size_t));
        void *moved = malloc(size);
        return moved ? memcpy(moved, block, old_size < size ? old_size : size) : NULL;
    }
    void *resized = hooks->heap_resize(heap, block, size);
    if (!resized) errno = ENOMEM;
    return resized;
}

void *reallocarray(void *block, size_t count, size_t size) {
    size_t bytes;
    if (__builtin_mul_overflow(count, size, &bytes)) {
        errno = ENOMEM;
        return NULL;
    }
    return realloc(block, bytes);
}

// ---- time ----------------------------------------------------------------------------------------------------------

int sched_yield(void) {
    if (hooks && hooks->spin(CALLER)) return 0;
    return (int)syscall(SYS_sched_yield);
}

static uint64_t timespec_ns(const struct timespec *time) {
    return (uint64_t)time->tv_sec * NS_PER_S + (uint64_t)time->tv_nsec;
}

int clock_gettime(clockid_t clock, struct timespec *time) {
    if (!on_actor() || (clock != CLOCK_MONOTONIC && clock != CLOCK_REALTIME && clock != CLOCK_MONOTONIC_RAW &&
                        clock != CLOCK_MONOTONIC_COARSE && clock != CLOCK_REALTIME_COARSE && clock != CLOCK_BOOTTIME))
        return (int)syscall(SYS_clock_gettime, clock, time);
    uint64_t now = hooks->clock_ns();
    time->tv_sec = (time_t)(now / NS_PER_S);
    time->tv_nsec = (long)(now % NS_PER_S);
    return 0;
}

int nanosleep(const struct timespec *span, struct timespec *remaining) {
    if (!on_actor()) return (int)syscall(SYS_nanosleep, span, remaining);
    if (span->tv_nsec < 0 || span->tv_nsec >= (long)NS_PER_S || span->tv_sec < 0) {
        errno = EINVAL;
        return -1;
    }
    hooks->sleep_ns(timespec_ns(span));
    return 0;
}

int clock_nanosleep(clockid_t clock, int flags, const struct timespec *span, struct timespec *remaining) {
    if (!on_actor()) return syscall(SYS_clock_nanosleep, clock, flags, span, remaining) == 0 ? 0 : errno;
    uint64_t target = timespec_ns(span);
    if (flags & TIMER_ABSTIME) {
        uint64_t now = hooks->clock_ns();
        target = target > now ? target - now : 0;
    }
    hooks->sleep_ns(target);
    return 0;
}

int usleep(useconds_t span) {
    struct timespec time = {span / 1000000, (long)(span % 1000000) * 1000};
    return nanosleep(&time, NULL);
}

unsigned sleep(unsigned seconds) {
    struct timespec time = {seconds, 0}, left = {0, 0};
    return nanosleep(&time, &left) == 0 ? 0 : (unsigned)left.tv_sec;
}

// ---- locks ---------------------------------------------------------------------------------------------------------

int pthread_mutex_lock(pthread_mutex_t *mutex) {
    if (!on_actor()) return real.mutex_lock(mutex);
    int status;
    while ((status = pthread_mutex_trylock(mutex)) == EBUSY) hooks->block(NPUSIM_WAIT_MUTEX, mutex, CALLER);
    return status;
}

int pthread_mutex_unlock(pthread_mutex_t *mutex) {
    int status = real.mutex_unlock(mutex);
    if (status == 0 && on_actor()) hooks->wake(mutex, 1);
    return status;
}

static int wait_on_condition(pthread_cond_t *condition, pthread_mutex_t *mutex, uint64_t deadline, void *caller) {
    pthread_mutex_unlock(mutex);
    int status = hooks->block_until(NPUSIM_WAIT_CONDITION, condition, deadline, caller);
    pthread_mutex_lock(mutex);
    return status;
}

int pthread_cond_wait(pthread_cond_t *condition, pthread_mutex_t *mutex) {
    if (!on_actor()) return real.cond_wait(condition, mutex);
    return wait_on_condition(condition, mutex, NPUSIM_NO_DEADLINE, CALLER);
}

int pthread_cond_timedwait(pthread_cond_t *condition, pthread_mutex_t *mutex, const struct timespec *deadline) {
    if (!on_actor()) return real.cond_timedwait(condition, mutex, deadline);
    return wait_on_condition(condition, mutex, timespec_ns(deadline), CALLER);
}

int pthread_cond_clockwait(pthread_cond_t *condition, pthread_mutex_t *mutex, clockid_t clock,
                           const struct timespec *deadline) {
    if (!on_actor()) return real.cond_clockwait(condition, mutex, clock, deadline);
    return wait_on_condition(condition, mutex, timespec_ns(deadline), CALLER);
}

int pthread_cond_signal(pthread_cond_t *condition) {
    if (on_actor()) hooks->wake(condition, 1);
    return real.cond_signal(condition);
}

int pthread_cond_broadcast(pthread_cond_t *condition) {
    if (on_actor()) hooks->wake(condition, UINT32_MAX);
    return real.cond_broadcast(condition);
}

// glibc's states of a pthread_once_t.
enum { ONCE_NEW = 0, ONCE_RUNNING = 1, ONCE_DONE = 2 };

int pthread_once(pthread_once_t *once, void (*routine)(void)) {
    if (!on_actor()) return real.once(once, routine);
    volatile int *state = (volatile int *)once;
    while (__atomic_load_n(state, __ATOMIC_ACQUIRE) != ONCE_DONE) {
        int expected = ONCE_NEW;
        if (__atomic_compare_exchange_n(state, &expected, ONCE_RUNNING, 0, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE)) {
            routine();
            __atomic_store_n(state, ONCE_DONE, __ATOMIC_RELEASE);
            hooks->wake((const void *)once, UINT32_MAX);
        } else if (expected != ONCE_DONE) {
            hooks->block(NPUSIM_WAIT_ONCE, (const void *)once, CALLER);
        }
    }
    return 0;
}

int sem_wait(sem_t *semaphore) {
    if (!on_actor()) return real.sem_wait(semaphore);
    while (sem_trywait(semaphore) != 0) {
        if (errno != EAGAIN) return -1;
        hooks->block(NPUSIM_WAIT_SEMAPHORE, semaphore, CALLER);
    }
    return 0;
}

int sem_post(sem_t *semaphore) {
    int status = real.sem_post(semaphore);
    if (status == 0 && on_actor()) hooks->wake(semaphore, 1);
    return status;
}

// ---- static-init guards: byte 0 says initialised, byte 1 says somebody is at it -------------------------------------

int __cxa_guard_acquire(uint64_t *guard) {
    unsigned char *bytes = (unsigned char *)guard;
    for (;;) {
        if (__atomic_load_n(&bytes[0], __ATOMIC_ACQUIRE)) return 0;
        unsigned char free_guard = 0;
        if (__atomic_compare_exchange_n(&bytes[1], &free_guard, 1, 0, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE)) {
            if (!__atomic_load_n(&bytes[0], __ATOMIC_ACQUIRE)) return 1;
            __atomic_store_n(&bytes[1], 0, __ATOMIC_RELEASE);
            return 0;
        }
        if (on_actor())
            hooks->block(NPUSIM_WAIT_GUARD, guard, CALLER);
        else
            syscall(SYS_sched_yield);
    }
}

static void end_guard(uint64_t *guard, int initialised) {
    unsigned char *bytes = (unsigned char *)guard;
    if (initialised) __atomic_store_n(&bytes[0], 1, __ATOMIC_RELEASE);
    __atomic_store_n(&bytes[1], 0, __ATOMIC_RELEASE);
    if (on_actor()) hooks->wake(guard, UINT32_MAX);
}

void __cxa_guard_release(uint64_t *guard) { end_guard(guard, 1); }
void __cxa_guard_abort(uint64_t *guard) { end_guard(guard, 0); }

// ---- threads and objects -------------------------------------------------------------------------------------------

int pthread_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*start)(void *), void *arg) {
    if (!on_actor()) return real.pthread_create(thread, attributes, start, arg);
    return hooks->thread_create(thread, start, arg);
}

int pthread_join(pthread_t thread, void **result) {
    if (!on_actor()) return real.pthread_join(thread, result);
    int status = hooks->thread_join(thread, result);
    return status == ESRCH ? real.pthread_join(thread, result) : status;
}

// RTLD_GLOBAL inside a namespace crashes ld.so; local is what a namespace's objects need anyway.
void *dlopen(const char *path, int flags) { return real.dlopen(path, flags & ~RTLD_GLOBAL); }
