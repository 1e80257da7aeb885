// Argument: counter, float32 and contiguous. Adds one to each element.
#include "npusim/kernel.h"

void kernel_entry(int64_t *args) {
    auto *counter = npusim::data<float>(args, 0);
    const uint64_t count = npusim::tensor(args, 0).numel();
    for (uint64_t index = 0; index < count; ++index) counter[index] += 1.0f;
}
