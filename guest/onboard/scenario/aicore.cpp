// An AICore object for scenarios of the driver: each core says that it has started, and ends, spins or crashes.
#include <atomic>
#include <cstdint>
#include <sched.h>

namespace {

struct Shared {
    std::atomic<uint32_t> cores_started;
    uint32_t cores_expected;
};

// In the place of profiling flags.
enum Behaviour : uint32_t { END = 0, SPIN = 1, CRASH = 2 };

// Volatile, so that the compiler does not know what it is.
int *volatile no_memory = nullptr;

}  // namespace

extern "C" void aicore_execute_wrapper(void *runtime, int, int, uint32_t, uint64_t, uint32_t behaviour, uint64_t) {
    if (runtime != nullptr) static_cast<Shared *>(runtime)->cores_started.fetch_add(1, std::memory_order_release);
    while (behaviour == SPIN) sched_yield();
    if (behaviour == CRASH) *no_memory = 1;
}
