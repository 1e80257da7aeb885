// A kernel that reads a counter of the host by an instruction.
#include <cstdint>

namespace {

uint64_t counter() {
#if defined(__x86_64__)
    uint32_t low, high;
    asm volatile("rdtsc" : "=a"(low), "=d"(high));
    return uint64_t{high} << 32 | low;
#else
    uint64_t count;
    asm volatile("mrs %0, cntvct_el0" : "=r"(count));
    return count;
#endif
}

uint64_t last;

}  // namespace

extern "C" void kernel_entry(int64_t *) { last = counter(); }
