// Arguments: tile, slice, factor (a float). slice = tile * factor, element by element; float32, contiguous, as many
// elements in both.
#include "npusim/kernel.h"

void kernel_entry(int64_t *args) {
    const auto *tile = npusim::data<const float>(args, 0);
    auto *slice = npusim::data<float>(args, 1);
    const auto factor = npusim::scalar<float>(args, 2);
    const uint64_t count = npusim::tensor(args, 1).numel();
    for (uint64_t index = 0; index < count; ++index) slice[index] = tile[index] * factor;
}
