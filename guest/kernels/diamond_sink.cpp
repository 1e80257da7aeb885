// Arguments: slices [n, elements], output [elements]. output = the sum of the slices, added in order; float32,
// contiguous.
#include "npusim/kernel.h"

void kernel_entry(int64_t *args) {
    const ChipTensor &slices = npusim::tensor(args, 0);
    auto *output = npusim::data<float>(args, 1);
    const uint64_t count = npusim::tensor(args, 1).numel();
    for (uint64_t index = 0; index < count; ++index) output[index] = 0.0f;
    for (uint64_t row = 0; row < slices.shapes[0]; ++row) {
        const float *slice = slices.data<const float>() + row * count;
        for (uint64_t index = 0; index < count; ++index) output[index] += slice[index];
    }
}
