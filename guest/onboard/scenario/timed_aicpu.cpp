// An AICPU object for scenarios of the driver whose tasks take as long as their arguments say.
#include <cstdint>
#include <unistd.h>

extern "C" {

// Rests for so many microseconds.
int scenario_rest(void *args) {
    const uint64_t us = *static_cast<const uint64_t *>(args);
    if (us != 0) usleep(static_cast<useconds_t>(us));
    return 0;
}

}  // extern "C"
