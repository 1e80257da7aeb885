// Reads a tensor tile by tile into the unified buffer, on an AIV: what a core gets out of the memory system.
//
// Arguments: input [rows, cols] and last [1, 16], float16; tile_rows, tile_cols, passes, first_tile. Tiles are read row
// by row of tiles, from first_tile on round to the one before it, each pass again. The first 16 elements of the tile read
// last go to `last`; those at the edges are smaller, but they have at least 16 columns.
#include "npusim/tile.h"

using namespace npusim::tile;

void kernel_entry(int64_t *args) {
    Core core(args);
    const auto input = core.global<const half>(0);
    const auto last = core.global<half>(1);
    const auto tile_rows = core.scalar_argument<uint32_t>(2), tile_cols = core.scalar_argument<uint32_t>(3);
    const auto passes = core.scalar_argument<uint32_t>(4), first_tile = core.scalar_argument<uint32_t>(5);
    const uint32_t across = (input.cols + tile_cols - 1) / tile_cols;
    const uint32_t tiles = (input.rows + tile_rows - 1) / tile_rows * across;
    const auto buffer = core.ub<half>(tile_rows, tile_cols);
    // Nobody looks at a tile before it is overwritten, so nothing waits but for the last one.
    for (uint32_t count = 0; count < passes * tiles; ++count) {
        const uint32_t tile = (first_tile + count) % tiles;
        const uint32_t row = tile / across * tile_rows, col = tile % across * tile_cols;
        const uint32_t rows = std::min(tile_rows, input.rows - row), cols = std::min(tile_cols, input.cols - col);
        core.load(buffer.block(0, 0, rows, cols), input.block(row, col, rows, cols));
    }
    core.sync(Pipe::MTE2, Pipe::MTE3, 0);
    core.store(last, buffer.block(0, 0, 1, 16));
}
