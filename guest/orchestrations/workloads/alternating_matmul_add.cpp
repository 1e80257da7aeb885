// Independent tasks, in turn one for an AIC and one for an AIV: products and sums of several tiles each.
//
// Scalars: matmul_tiles, add_tiles, tiles_per_matmul, tiles_per_add, edge. Tensors, float32, a tile after the other:
//     a, b, c [matmul_tiles, edge, edge]   c = a @ b, tile by tile
//     x, y, z [add_tiles, edge, edge]      z = x + y
#include "npusim/orchestration.h"

namespace {

using npusim::TaskArgs;

enum Kernel : int32_t { MATMUL_TILES = 0, ADD_TILES = 1 };

// The task `index` of those that have `tiles` tiles of three tensors each.
TaskArgs part(const ChipStorageTaskArgs &args, int32_t first_tensor, uint64_t index, uint64_t tiles) {
    const auto begin = static_cast<uint32_t>(index * tiles), end = static_cast<uint32_t>((index + 1) * tiles);
    TaskArgs task;
    task.input(args.tensor(first_tensor).slice(0, begin, end))
        .input(args.tensor(first_tensor + 1).slice(0, begin, end))
        .output_to(args.tensor(first_tensor + 2).slice(0, begin, end));
    return task;
}

}  // namespace

OrchestrationConfig aicpu_orchestration_config(const ChipStorageTaskArgs &) { return {11}; }

void aicpu_orchestration_entry(const ChipStorageTaskArgs &args) {
    const auto scalar = [&](int32_t index) { return npusim::scalar_as<uint64_t>(args, index); };
    const uint64_t matmul_tiles = scalar(0), add_tiles = scalar(1), tiles_per_matmul = scalar(2);
    const uint64_t tiles_per_add = scalar(3);
    if (tiles_per_matmul == 0 || tiles_per_add == 0 || matmul_tiles % tiles_per_matmul != 0 ||
        add_tiles % tiles_per_add != 0) {
        npusim::fail("alternating_matmul_add: the tiles are not a whole number of tasks");
        return;
    }
    const uint64_t matmuls = matmul_tiles / tiles_per_matmul, adds = add_tiles / tiles_per_add;
    for (uint64_t index = 0; index < matmuls || index < adds; ++index) {
        if (npusim::failed()) return;
        if (index < matmuls) {
            TaskArgs task = part(args, 0, index, tiles_per_matmul);
            npusim::submit_aic(MATMUL_TILES, task);
        }
        if (index < adds) {
            TaskArgs task = part(args, 3, index, tiles_per_add);
            npusim::submit_aiv(ADD_TILES, task);
        }
    }
}
