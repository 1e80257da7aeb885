// An AICPU object for scenarios of the driver: a function for each thing that a task can do.
#include <atomic>
#include <cstdint>
#include <sched.h>

namespace {

// What the tasks of a scenario share, in device memory. The cores' object has the same.
struct Shared {
    std::atomic<uint32_t> cores_started;
    uint32_t cores_expected;
};

struct Args {
    Shared *shared;
};

// Volatile, so that the compiler does not know what it is.
int *volatile no_memory = nullptr;

Shared &shared_of(void *args) { return *static_cast<Args *>(args)->shared; }

}  // namespace

extern "C" {

int scenario_return(void *) { return 0; }

// Ends when every core has started.
int scenario_wait_for_cores(void *args) {
    Shared &shared = shared_of(args);
    while (shared.cores_started.load(std::memory_order_acquire) < shared.cores_expected) sched_yield();
    return 0;
}

int scenario_spin(void *) {
    for (;;) sched_yield();
}

int scenario_crash(void *) {
    *no_memory = 1;
    return 0;
}

// What the server on the device calls when a host launches it by name.
int DynTileFwkBackendKernelServer(void *) { return 0; }

}  // extern "C"
