// Arguments: left, right, sum. sum = left + right, element by element; float32, one shape.
#include "npusim/kernel.h"

void kernel_entry(int64_t *args) {
    const auto *left = npusim::data<const float>(args, 0);
    const auto *right = npusim::data<const float>(args, 1);
    auto *sum = npusim::data<float>(args, 2);
    const uint64_t count = npusim::tensor(args, 2).numel();
    for (uint64_t index = 0; index < count; ++index) sum[index] = left[index] + right[index];
}
