// Arguments: input, tile. tile = input + 1, element by element; float32, contiguous, one shape.
#include "npusim/kernel.h"

void kernel_entry(int64_t *args) {
    const auto *input = npusim::data<const float>(args, 0);
    auto *tile = npusim::data<float>(args, 1);
    const uint64_t count = npusim::tensor(args, 1).numel();
    for (uint64_t index = 0; index < count; ++index) tile[index] = input[index] + 1.0f;
}
