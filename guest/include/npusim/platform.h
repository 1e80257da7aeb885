// The platform: what guest objects may call. Every function here is defined by the shim, which is the first object of
// each namespace; nothing needs to be linked. Device pointers are ordinary pointers into the device's fixed address
// range. Codes: 0 is success, negative is an error (a device code is returned negated, e.g. -207001).
#pragma once

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

// ---- device errors (negated when returned) -------------------------------------------------------------------------
enum {
    NPUSIM_HBM_EXHAUSTED = 207001,     // no device memory left
    NPUSIM_AICORE_TIMEOUT = 507014,    // a kernel ran beyond its limit
    NPUSIM_AICORE_EXCEPTION = 507015,  // a kernel faulted
    NPUSIM_AICPU_TIMEOUT = 507017,     // AICPU code ran beyond its limit
    NPUSIM_AICPU_EXCEPTION = 507018,   // AICPU code faulted
    NPUSIM_STREAM_SYNC_TIMEOUT = 507046,  // nothing can make progress any more
    NPUSIM_CONTEXT_POISONED = 507899,  // an earlier fault ended this device
};

// ---- host: device memory -------------------------------------------------------------------------------------------
// Allocates `size` bytes of HBM for `owner` (the name in the residency ledger). Null when there is none left.
void *npusim_malloc(size_t size, size_t alignment, const char *owner);
int npusim_free(void *device);
int npusim_copy_to_device(void *device, const void *host, size_t size);
int npusim_copy_from_device(void *host, const void *device, size_t size);
int npusim_memset(void *device, int value, size_t size);
size_t npusim_committed(void);
// The device code of the last npusim_malloc, npusim_load or npusim_register_* that failed, negated; 0 if none did.
int npusim_last_error(void);

// ---- host and AICPU: code ------------------------------------------------------------------------------------------
enum { NPUSIM_ORIGIN_AICPU = 1, NPUSIM_ORIGIN_AICORE = 2, NPUSIM_ORIGIN_ORCHESTRATION = 3 };
// Loads a shared object from bytes into this namespace. The handle is never 0; 0 means it could not be loaded.
uint64_t npusim_load(uint32_t origin, const void *bytes, size_t size, const char *name);
// The address of a symbol of a loaded object, null if it has none of that name.
void *npusim_symbol(uint64_t object, const char *name);
int npusim_unload(uint64_t object);

// The object of a callable, an orchestration: when it is loaded, how long it stays and who shares it is a setting of the
// device.
typedef struct NpusimCallable {
    const void *worker;  // whose callables have these ids: any address of its own
    int32_t id;          // 0 to 63
} NpusimCallable;
// Gives a callable its object, in place of the one that it may have. `object` receives the handle, or 0 if the first run
// will load it. 0, or -1 (see npusim_last_error).
int npusim_register_callable(NpusimCallable callable, const void *bytes, size_t size, const char *name, uint64_t *object);
// A run of the callable begins: the handle of its object, which may be another than last time; 0 if it could not be loaded.
uint64_t npusim_begin_callable(NpusimCallable callable);
// It has ended. The handle may be no good any more.
int npusim_end_callable(NpusimCallable callable);
int npusim_unregister_callable(NpusimCallable callable);
// How often an object was loaded for a callable of this device so far.
size_t npusim_callable_loads(void);
// How the object of a callable gets to the device: in a buffer of this size in front of the runtime structure, in as many
// bytes as it has in front of it, both with each run; or in an allocation of its own, once.
enum { NPUSIM_TRANSFER_FIXED_BUFFER = 0, NPUSIM_TRANSFER_RIGHT_SIZED = 1, NPUSIM_TRANSFER_SEPARATE = 2 };
enum { NPUSIM_FIXED_BUFFER = 4 << 20 };
uint32_t npusim_object_transfer(void);

// Loads a kernel from bytes and resolves `kernel_entry`. Returns the value to put into a task as its kernel; 0 if it
// could not be loaded. The same bytes give the same kernel.
uint64_t npusim_register_kernel(int32_t func_id, const void *bytes, size_t size);
int npusim_unregister_kernel(uint64_t kernel);

// ---- host: launch --------------------------------------------------------------------------------------------------
typedef struct NpusimLaunch {
    uint64_t aicpu_entry;      // int aicpu_execute(void *runtime)
    uint64_t aicore_entry;     // void aicore_execute_wrapper(void *, int, int, uint32_t, uint64_t, uint32_t, uint64_t)
    void *runtime;             // device address of the runtime structure, handed to both
    uint32_t aicpu_threads;    // threads to launch; the gate lets the profile's active number through
    uint32_t block_dim;        // clusters to launch, each 1 AIC and 2 AIV
    uint32_t profiling_flags;  // handed to the AICore entry
    uint32_t reserved;
    uint64_t rotation_table;  // handed to the AICore entry
} NpusimLaunch;

typedef struct NpusimTopology {
    uint32_t clusters;       // of this device, after --clusters
    uint32_t aicpu_launched; // threads to launch
    uint32_t aicpu_active;   // threads that pass the gate
    uint32_t schedulers;     // of those, how many schedule; the others orchestrate
    uint64_t counter_hz;     // rate of the system counter
} NpusimTopology;
void npusim_topology(NpusimTopology *topology);

// Starts AICores (actors in order of core id, AIC first) and then AICPU threads. Returns when they are launched.
int npusim_launch(const NpusimLaunch *launch);
// Waits until everything that was launched has ended. Returns 0, or the negated device code of the fault.
int npusim_wait(void);
// 1 when everything that was launched has ended, 0 when not, negative after a fault. Costs one poll interval.
int npusim_poll(void);

// ---- AICPU ---------------------------------------------------------------------------------------------------------
// The number of this thread among the active ones, or -1: this thread has to return at once.
int32_t npusim_aicpu_gate(void);
// The array of register bases, indexed by physical core id (AIC 0.., then AIV).
const uint64_t *npusim_register_bases(void);
// Register offsets are those of the architecture (see npusim/registers.h).

enum {
    NPUSIM_CHARGE_SUBMIT = 0,     // the orchestrator submits one task
    NPUSIM_CHARGE_DISPATCH = 1,   // a scheduler builds the payload of one task and publishes it
    NPUSIM_CHARGE_COMPLETE = 2,   // a scheduler handles one finished task
    NPUSIM_CHARGE_RESOLVE = 3,    // one consumer of a finished task is released
    NPUSIM_CHARGE_SETUP = 4,      // an AICore prepares a received task
    NPUSIM_CHARGE_HANDSHAKE = 5,  // one thread's share of the start-up handshake
    NPUSIM_CHARGE_ASSIGN = 6,     // a scheduler prepares one payload of its cores; free once they are warm
    NPUSIM_CHARGE_FILL = 7,       // an AICPU thread fills one byte of device memory
    NPUSIM_CHARGE_COUNT = 8,
};
// Adds the profile's cost of `count` operations to this actor's time and changes nothing else.
void npusim_charge(uint32_t operation, uint32_t count);

// ---- AICore --------------------------------------------------------------------------------------------------------
typedef struct NpusimKernelCall {
    uint64_t kernel;        // from npusim_register_kernel
    int64_t *args;          // tensor_count pointers to tensor descriptors, then scalar_count scalars
    uint32_t tensor_count;
    uint32_t scalar_count;
    uint64_t task_id;       // (ring << 32) | local
} NpusimKernelCall;
// Runs the kernel. Returns when its modelled time is over.
void npusim_execute(const NpusimKernelCall *call);

// ---- notes for the trace: they cost nothing and change nothing ------------------------------------------------------
enum { NPUSIM_EDGE_EXPLICIT = 0, NPUSIM_EDGE_CREATOR = 1, NPUSIM_EDGE_TENSORMAP = 2 };
// How a task uses a tensor: the values of TensorArgType (npusim/tensor.h).
typedef enum NpusimAccess {
    NPUSIM_ACCESS_INPUT = 0,
    NPUSIM_ACCESS_OUTPUT = 1,
    NPUSIM_ACCESS_INOUT = 2,
    NPUSIM_ACCESS_OUTPUT_EXISTING = 3,
    NPUSIM_ACCESS_NO_DEP = 4,
} NpusimAccess;
typedef struct NpusimTaskNote {
    uint64_t task_id;
    uint64_t scope;          // number of the scope that owns the task
    int32_t kernel_ids[3];   // AIC, AIV0, AIV1; -1 for none
    uint32_t tensor_count;
    const void *tensors;     // tensor descriptors, 128 bytes each
    const int32_t *access;   // one NpusimAccess per tensor
} NpusimTaskNote;
void npusim_note_task(const NpusimTaskNote *note);
void npusim_note_edge(uint64_t pred, uint64_t succ, uint32_t arg, uint32_t source);

enum {
    NPUSIM_PHASE_PREAMBLE = 0,   // from entry to the end of the handshake
    NPUSIM_PHASE_ORCH = 1,       // the orchestration function
    NPUSIM_PHASE_SCHED = 2,      // the scheduler's loop
    NPUSIM_PHASE_POST_ORCH = 3,  // shutdown
    NPUSIM_PHASE_COUNT = 4,
};
// This thread enters a phase (and leaves the one it was in). NPUSIM_PHASE_COUNT: it leaves without entering another.
void npusim_note_phase(uint32_t phase);
// Text for the report: `level` 0 debug, 1 info, 2 warning, 3 error.
void npusim_log(uint32_t level, const char *text);

#ifdef __cplusplus
}  // extern "C"

// The reference's own names for the register hooks, with C++ linkage as there.
uint32_t reg_load_acquire(const volatile uint32_t *word);
void reg_store_release(volatile uint32_t *word, uint32_t value);
// The register block of the AICore that calls. Called before every inline load or store of a register.
volatile uint8_t *sim_get_reg_base();

namespace aicpu_cache_maintenance {
void invalidate_range_impl(const void *address, size_t size);
void flush_range_impl(const void *address, size_t size);
}  // namespace aicpu_cache_maintenance
#endif
