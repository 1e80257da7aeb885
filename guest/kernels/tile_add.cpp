// Arguments: total, addend. total += addend, element by element; float32, contiguous, one shape.
#include "npusim/kernel.h"

void kernel_entry(int64_t *args) {
    auto *total = npusim::data<float>(args, 0);
    const auto *addend = npusim::data<const float>(args, 1);
    const uint64_t count = npusim::tensor(args, 0).numel();
    for (uint64_t index = 0; index < count; ++index) total[index] += addend[index];
}
