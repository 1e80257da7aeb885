// x = x / (1 + exp(-1.595769 (x + 0.044715 x³))) in place, on an AIV. Arguments: x [rows, cols] float32, a part of a
// matrix; tile_rows, tile_cols: what is worked on at once.
#include "kernels/workloads/common/gelu.h"

using namespace npusim::tile;

void kernel_entry(int64_t *args) {
    Core core(args);
    const auto x = core.global<float>(0);
    const auto tile_rows = core.scalar_argument<uint32_t>(1), tile_cols = core.scalar_argument<uint32_t>(2);
    const auto read = core.ub<float>(tile_rows, tile_cols), result = core.ub<float>(tile_rows, tile_cols);
    core.set_flag(Pipe::V, Pipe::MTE2, 0);
    core.set_flag(Pipe::MTE3, Pipe::V, 0);
    for (uint32_t row = 0; row < x.rows; row += tile_rows) {
        for (uint32_t col = 0; col < x.cols; col += tile_cols) {
            const uint32_t rows = std::min(tile_rows, x.rows - row), cols = std::min(tile_cols, x.cols - col);
            // Tiles are dense in the unified buffer, so that operations see one run of elements.
            const auto part = read.reshape(rows, cols), out = result.reshape(rows, cols);
            core.wait_flag(Pipe::V, Pipe::MTE2, 0);
            core.load(part, x.block(row, col, rows, cols));
            core.sync(Pipe::MTE2, Pipe::V, 0);
            core.wait_flag(Pipe::MTE3, Pipe::V, 0);
            gelu(core, out.reshape(1, rows * cols), part.reshape(1, rows * cols));
            core.set_flag(Pipe::V, Pipe::MTE2, 0);
            core.sync(Pipe::V, Pipe::MTE3, 0);
            core.store(x.block(row, col, rows, cols), out);
            core.set_flag(Pipe::MTE3, Pipe::V, 0);
        }
    }
    core.wait_flag(Pipe::V, Pipe::MTE2, 0);
    core.wait_flag(Pipe::MTE3, Pipe::V, 0);
}
