// Reads a tensor tile by tile into the unified buffer, on an AIV: what a core gets out of the memory system.
//
// Arguments: input [rows, cols] and last [1, 16], float16; tile_rows, tile_cols, passes, first_tile, sections
// (common/read_tiles.h). The first 16 elements of the tile read last go to `last`; each tile has at least 16 columns.
#include "kernels/workloads/common/read_tiles.h"

using namespace npusim::tile;

void kernel_entry(int64_t *args) {
    Core core(args);
    const reading::Order order(core, 2);
    const auto buffer = core.ub<half>(order.tile_rows, order.tile_cols);
    // Nobody looks at a tile before it is overwritten, so nothing waits but for the last one.
    reading::read_tiles(core.global<const half>(0), order, [&](Global<const half> tile) {
        core.load(buffer.block(0, 0, tile.rows, tile.cols), tile);
    });
    core.sync(Pipe::MTE2, Pipe::MTE3, 0);
    core.store(core.global<half>(1), buffer.block(0, 0, 1, 16));
}
