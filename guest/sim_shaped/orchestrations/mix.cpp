// f = 2 a + 1 and g = 2 b + 1, by a mixed task each: an AIC and an AIV that wait for each other. Tensors: a, b, f, g.
// Kernels: 0 mix_cube, 1 mix_vector.
#include "common/orchestration.h"

using namespace sim_shaped;

void aicpu_orchestration_entry(const ChipStorageTaskArgs &args) {
    constexpr int CUBE = 0, VECTOR = 1;
    for (int index = 0; index < 2; ++index) {
        const ChipTensor &input = args.tensor(index);
        submit(task(CUBE, VECTOR, {input, new_like(input), args.tensor(2 + index)}));
    }
}
