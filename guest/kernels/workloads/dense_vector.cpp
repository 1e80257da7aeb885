// An AIV's part of a dense layer, y = gelu(relu(x) @ weights + bias), with half of each tile: pushes relu(x) one tile ahead,
// pops the product, and stores. Arguments as those of dense_cube.
#include "kernels/workloads/common/dense_layer.h"

void kernel_entry(int64_t *args) {
    npusim::tile::MixCore core(args);
    dense_layer::VectorPart part(core);
    const uint32_t tiles = part.tiles();
    for (uint32_t step = 0; step <= tiles; ++step) {
        if (step < tiles) part.push(step);
        if (step > 0) part.pop(step - 1);
    }
    part.close();
}
