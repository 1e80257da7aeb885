// A part of a matrix into columns of 16 elements, on an AIV, tile by tile in two sets of buffers. Arguments: from [rows, cols],
// to [cols / 16, rows, 16], float16; total_rows of which `to` has a part, tile_rows, tile_cols (a multiple of 16).
#include "npusim/tile.h"

namespace {

using namespace npusim::tile;

constexpr uint32_t BLOCK = 16;

}  // namespace

void kernel_entry(int64_t *args) {
    Core core(args);
    const auto from = core.global<const half>(0);
    half *const to = core.global<half>(1).address;
    const auto total_rows = core.scalar_argument<uint32_t>(2);
    const auto tile_rows = core.scalar_argument<uint32_t>(3), tile_cols = core.scalar_argument<uint32_t>(4);
    UbTile<half> rows_of[2], blocks_of[2];
    for (uint16_t set = 0; set < 2; ++set) {
        rows_of[set] = core.ub<half>(tile_rows, tile_cols);
        blocks_of[set] = core.ub<half>(tile_cols / BLOCK * tile_rows, BLOCK);
        core.set_flag(Pipe::V, Pipe::MTE2, set);
        core.set_flag(Pipe::MTE3, Pipe::V, set);
    }
    uint16_t set = 0;
    for (uint32_t row = 0; row < from.rows; row += tile_rows) {
        for (uint32_t col = 0; col < from.cols; col += tile_cols, set ^= 1) {
            const uint32_t rows = std::min(tile_rows, from.rows - row), cols = std::min(tile_cols, from.cols - col);
            const auto tile = rows_of[set].block(0, 0, rows, cols);
            const auto blocks = blocks_of[set].block(0, 0, cols / BLOCK * tile_rows, BLOCK);
            core.wait_flag(Pipe::V, Pipe::MTE2, set);
            core.load(tile, from.block(row, col, rows, cols));
            core.sync(Pipe::MTE2, Pipe::V, set);
            core.wait_flag(Pipe::MTE3, Pipe::V, set);
            core.to_fractals(blocks, tile);
            core.set_flag(Pipe::V, Pipe::MTE2, set);
            core.sync(Pipe::V, Pipe::MTE3, set);
            const uint64_t column = uint64_t{total_rows} * BLOCK;
            const Global<half> part{to + col / BLOCK * column + uint64_t{row} * BLOCK, cols / BLOCK, rows * BLOCK, column};
            core.store(part, blocks.reshape(cols / BLOCK, tile_rows * BLOCK).block(0, 0, cols / BLOCK, rows * BLOCK));
            core.set_flag(Pipe::MTE3, Pipe::V, set);
        }
    }
    for (set = 0; set < 2; ++set) {
        core.wait_flag(Pipe::V, Pipe::MTE2, set);
        core.wait_flag(Pipe::MTE3, Pipe::V, set);
    }
}
