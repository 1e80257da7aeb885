// An AICore object for scenarios of the driver: each core rests for as many microseconds as stand in the place of the
// runtime's structure.
#include <cstdint>
#include <unistd.h>

extern "C" void aicore_execute_wrapper(void *us, int, int, uint32_t, uint64_t, uint32_t, uint64_t) {
    if (us != nullptr) usleep(static_cast<useconds_t>(reinterpret_cast<uintptr_t>(us)));
}
