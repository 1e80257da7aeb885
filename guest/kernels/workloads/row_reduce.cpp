// The sum and the largest element of each row, on an AIV. Arguments: input [rows, cols], sums [rows, 1], maxima
// [rows, 1], float32; cols at most 1024. Rows are summed from their first element on.
#include "npusim/tile.h"

namespace {

using namespace npusim::tile;

constexpr uint32_t TILE_ELEMENTS = 16384;

}  // namespace

void kernel_entry(int64_t *args) {
    Core core(args);
    const auto input = core.global<const float>(0);
    const auto sums = core.global<float>(1), maxima = core.global<float>(2);
    const uint32_t tile_rows = std::max(TILE_ELEMENTS / input.cols, 1u);
    UbTile<float> tile[2], sum[2], maximum[2];
    for (uint16_t buffer = 0; buffer < 2; ++buffer) {
        tile[buffer] = core.ub<float>(tile_rows, input.cols);
        sum[buffer] = core.ub<float>(tile_rows, 1);
        maximum[buffer] = core.ub<float>(tile_rows, 1);
        core.set_flag(Pipe::V, Pipe::MTE2, buffer);
        core.set_flag(Pipe::MTE3, Pipe::V, buffer);
    }
    uint16_t now = 0;
    for (uint32_t row = 0; row < input.rows; row += tile_rows, now ^= 1) {
        const uint32_t rows = std::min(tile_rows, input.rows - row);
        const auto part = tile[now].block(0, 0, rows, input.cols);
        const auto part_sum = sum[now].block(0, 0, rows, 1), part_maximum = maximum[now].block(0, 0, rows, 1);
        core.wait_flag(Pipe::V, Pipe::MTE2, now);
        core.load(part, input.block(row, 0, rows, input.cols));
        core.sync(Pipe::MTE2, Pipe::V, now);
        core.wait_flag(Pipe::MTE3, Pipe::V, now);
        core.row_sum(part_sum, part);
        core.row_max(part_maximum, part);
        core.set_flag(Pipe::V, Pipe::MTE2, now);
        core.sync(Pipe::V, Pipe::MTE3, now);
        // Columns of one element lie one after the other on both sides.
        core.store(sums.block(row, 0, rows, 1).reshape(1, rows), part_sum.reshape(1, rows));
        core.store(maxima.block(row, 0, rows, 1).reshape(1, rows), part_maximum.reshape(1, rows));
        core.set_flag(Pipe::MTE3, Pipe::V, now);
    }
    for (uint16_t buffer = 0; buffer < 2; ++buffer) {
        core.wait_flag(Pipe::V, Pipe::MTE2, buffer);
        core.wait_flag(Pipe::MTE3, Pipe::V, buffer);
    }
}
