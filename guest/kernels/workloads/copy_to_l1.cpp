// Reads a tensor tile by tile into L1, in the cube's layout, on an AIC: what a core gets out of the memory system.
//
// Arguments: input [rows, cols] float16, last [16, 16] float32; tile_rows, tile_cols, passes, first_tile, sections
// (common/read_tiles.h). The product of the first 16 x 16 elements of the tile read last with their own transpose goes to
// `last`; each tile has as many.
#include "kernels/workloads/common/read_tiles.h"

using namespace npusim::tile;

void kernel_entry(int64_t *args) {
    Core core(args);
    const reading::Order order(core, 2);
    const auto buffer = core.l1<half>(order.tile_rows, order.tile_cols);
    reading::read_tiles(core.global<const half>(0), order, [&](Global<const half> tile) {
        core.load(buffer.block(0, 0, tile.rows, tile.cols), tile, Layout::ND2NZ);
    });
    const auto left = core.l0a<half>(16, 16);
    const auto right = core.l0b<half>(16, 16);
    const auto product = core.l0c<float>(16, 16);
    core.sync(Pipe::MTE2, Pipe::MTE1, 0);
    core.move(left, buffer.block(0, 0, 16, 16));
    core.move_transposed(right, buffer.block(0, 0, 16, 16));
    core.sync(Pipe::MTE1, Pipe::M, 0);
    core.matmul(product, left, right);
    core.sync(Pipe::M, Pipe::FIX, 0);
    core.store(core.global<float>(1), product);
}
