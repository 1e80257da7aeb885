// Arguments: tensor, sum, addend (a float). sum = tensor + addend, element by element; float32, contiguous, one shape.
#include "npusim/kernel.h"

void kernel_entry(int64_t *args) {
    const auto *tensor = npusim::data<const float>(args, 0);
    auto *sum = npusim::data<float>(args, 1);
    const auto addend = npusim::scalar<float>(args, 2);
    const uint64_t count = npusim::tensor(args, 1).numel();
    for (uint64_t index = 0; index < count; ++index) sum[index] = tensor[index] + addend;
}
