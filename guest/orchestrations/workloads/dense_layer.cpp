// A dense layer, y = gelu(relu(x) @ weights + bias), as mixed tasks whose parts hand tiles to each other: vector cores
// rectify and push, the cube core multiplies and pushes back.
//
// Scalars: tile_rows, tiles of a task. Tensors, float32: x [rows, k], weights [k, n], bias [n], y [rows, n].
#include "npusim/orchestration.h"

namespace {

using npusim::TaskArgs;

enum Kernel : int32_t { CUBE = 0, VECTOR = 1 };
constexpr uint32_t SLOTS = 2;

}  // namespace

OrchestrationConfig aicpu_orchestration_config(const ChipStorageTaskArgs &) { return {7}; }

void aicpu_orchestration_entry(const ChipStorageTaskArgs &args) {
    const ChipTensor &x = args.tensor(0), &weights = args.tensor(1), &bias = args.tensor(2), &y = args.tensor(3);
    const auto tile_rows = static_cast<uint32_t>(npusim::scalar_as<uint64_t>(args, 0));
    const auto tiles = static_cast<uint32_t>(npusim::scalar_as<uint64_t>(args, 1));
    const uint32_t rows = tile_rows * tiles;
    if (rows == 0 || tile_rows % 2 != 0 || x.shapes[0] % rows != 0) {
        npusim::fail("dense_layer: the rows are not a whole number of tasks, or a tile has no halves");
        return;
    }
    for (uint32_t begin = 0; begin < x.shapes[0]; begin += rows) {
        if (npusim::failed()) return;
        const uint32_t rectified[] = {SLOTS * tile_rows, weights.shapes[0]};
        const uint32_t products[] = {SLOTS * tile_rows, weights.shapes[1]};
        TaskArgs task;
        task.input(x.slice(0, begin, begin + rows)).input(weights).input(bias);
        task.output_to(y.slice(0, begin, begin + rows));
        task.output(rectified, 2, DataType::FLOAT32).output(products, 2, DataType::FLOAT32);
        npusim::submit_mix(CUBE, VECTOR, VECTOR, task);
    }
}
