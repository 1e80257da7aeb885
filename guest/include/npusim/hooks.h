// The table that ties a shim to the simulator. The simulator fills it in and hands it to npusim_shim_bind; the Rust
// mirror is sim_core::shim::HookTable. Change both together and raise NPUSIM_HOOK_ABI.
#pragma once

#include <pthread.h>
#include <stdint.h>

#include "npusim/driver_hooks.h"
#include "npusim/instruction.h"
#include "npusim/platform.h"

enum { NPUSIM_HOOK_ABI = 7 };

#define NPUSIM_NO_DEADLINE UINT64_MAX

typedef struct NpusimHooks {
    uint32_t abi;
    uint32_t size;
    // 1 if the caller is an actor under virtual time; libc fronts ask this first.
    int (*on_actor)(void);
    // ---- the namespace's heap, which goes with it
    void *(*heap_allocate)(const void *heap, size_t size, size_t alignment);
    void *(*heap_resize)(const void *heap, void *block, size_t size);
    void (*heap_release)(const void *heap, void *block);
    // ---- engine
    int (*spin)(void *caller);  // sched_yield; 0: the caller is no actor
    uint64_t (*clock_ns)(void);                              // monotonic and real-time clock
    void (*sleep_ns)(uint64_t span);
    void (*block)(uint32_t kind, const void *key, void *caller);  // until a wake of key
    int (*block_until)(uint32_t kind, const void *key, uint64_t deadline_ns, void *caller);  // 0, or ETIMEDOUT
    void (*wake)(const void *key, uint32_t most);
    int (*thread_create)(pthread_t *thread, void *(*start)(void *), void *arg);
    int (*thread_join)(pthread_t thread, void **result);  // ESRCH: not an actor's
    // ---- device
    uint32_t (*reg_load)(const volatile uint32_t *word, void *caller);
    void (*reg_store)(volatile uint32_t *word, uint32_t value, void *caller);
    volatile uint8_t *(*reg_base)(void *caller);
    void (*reg_store64)(volatile uint64_t *words, uint64_t value, void *caller);
    void (*cache_maintenance)(const void *address, size_t size, int flush);
    uint64_t (*gm_load)(const volatile void *address, uint32_t size, void *caller);
    void (*gm_store)(volatile void *address, uint64_t value, uint32_t size, void *caller);
    void (*dcci)(const volatile void *address, uint32_t extent, void *caller);
    void *(*malloc)(size_t size, size_t alignment, const char *owner);
    int (*free)(void *device);
    int (*copy_to_device)(void *device, const void *host, size_t size);
    int (*copy_from_device)(void *host, const void *device, size_t size);
    int (*memset)(void *device, int value, size_t size);
    size_t (*committed)(void);
    int (*last_error)(void);
    uint64_t (*load)(uint32_t origin, const void *bytes, size_t size, const char *name);
    void *(*symbol)(uint64_t object, const char *name);
    int (*unload)(uint64_t object);
    int (*register_callable)(NpusimCallable callable, const void *bytes, size_t size, const char *name,
                             uint64_t *object);
    uint64_t (*begin_callable)(NpusimCallable callable);
    int (*end_callable)(NpusimCallable callable);
    int (*unregister_callable)(NpusimCallable callable);
    size_t (*callable_loads)(void);
    uint32_t (*object_transfer)(void);
    uint64_t (*register_kernel)(int32_t func_id, const void *bytes, size_t size);
    int (*unregister_kernel)(uint64_t kernel);
    void (*topology)(NpusimTopology *topology);
    int (*launch)(const NpusimLaunch *launch);
    int (*wait)(void);
    int (*poll)(void);
    int32_t (*aicpu_gate)(void);
    const uint64_t *(*register_bases)(void);
    void (*charge)(uint32_t operation, uint32_t count);
    void (*execute)(const NpusimKernelCall *call, void *caller);
    NpusimRecorder *(*recorder)(void);
    void (*recorder_grow)(void);
    void (*cross_set)(uint32_t peer, uint32_t flag);
    void (*cross_wait)(uint32_t peer, uint32_t flag, void *caller);
    void (*note_task)(const NpusimTaskNote *note);
    void (*note_edge)(uint64_t pred, uint64_t succ, uint32_t arg, uint32_t source);
    void (*note_phase)(uint32_t phase);
    void (*log)(uint32_t level, const char *text);
    // ---- driver
    const NpusimDriverHooks *driver;
} NpusimHooks;

// What an actor waits for, in `block`.
enum { NPUSIM_WAIT_MUTEX = 0, NPUSIM_WAIT_CONDITION = 1, NPUSIM_WAIT_ONCE = 2, NPUSIM_WAIT_GUARD = 3, NPUSIM_WAIT_SEMAPHORE = 4 };

// What the simulator resolves in the shim.
typedef struct NpusimShim {
    uint32_t abi;
    int (*pthread_create)(pthread_t *, const pthread_attr_t *, void *(*)(void *), void *);
    int (*pthread_join)(pthread_t, void **);
    int (*flush)(void);  // fflush(NULL) of this namespace
} NpusimShim;

#ifdef __cplusplus
extern "C"
#endif
const NpusimShim *npusim_shim_bind(const NpusimHooks *hooks, const void *heap);
