// Reads a tensor tile by tile into L1, in the cube's layout, on an AIC: what a core gets out of the memory system.
//
// Arguments: input [rows, cols] float16, last [16, 16] float32; tile_rows, tile_cols, passes, first_tile. Tiles are read
// as by copy_to_ub. The product of the first 16 x 16 elements of the tile read last with their own transpose goes to
// `last`; each tile has as many.
#include "npusim/tile.h"

using namespace npusim::tile;

void kernel_entry(int64_t *args) {
    Core core(args);
    const auto input = core.global<const half>(0);
    const auto last = core.global<float>(1);
    const auto tile_rows = core.scalar_argument<uint32_t>(2), tile_cols = core.scalar_argument<uint32_t>(3);
    const auto passes = core.scalar_argument<uint32_t>(4), first_tile = core.scalar_argument<uint32_t>(5);
    const uint32_t across = (input.cols + tile_cols - 1) / tile_cols;
    const uint32_t tiles = (input.rows + tile_rows - 1) / tile_rows * across;
    const auto buffer = core.l1<half>(tile_rows, tile_cols);
    for (uint32_t count = 0; count < passes * tiles; ++count) {
        const uint32_t tile = (first_tile + count) % tiles;
        const uint32_t row = tile / across * tile_rows, col = tile % across * tile_cols;
        const uint32_t rows = std::min(tile_rows, input.rows - row), cols = std::min(tile_cols, input.cols - col);
        core.load(buffer.block(0, 0, rows, cols), input.block(row, col, rows, cols), Layout::ND2NZ);
    }
    const auto left = core.l0a<half>(16, 16);
    const auto right = core.l0b<half>(16, 16);
    const auto product = core.l0c<float>(16, 16);
    core.sync(Pipe::MTE2, Pipe::MTE1, 0);
    core.move(left, buffer.block(0, 0, 16, 16));
    core.move_transposed(right, buffer.block(0, 0, 16, 16));
    core.sync(Pipe::MTE1, Pipe::M, 0);
    core.matmul(product, left, right);
    core.sync(Pipe::M, Pipe::FIX, 0);
    core.store(last, product);
}
