// result = a · b + a, element by element, streamed through two sets of buffers, on an AIV. Arguments: a, b, result,
// float32, one shape [rows, cols]; cols at most 256.
#include "npusim/tile.h"

namespace {

using namespace npusim::tile;

constexpr uint32_t TILE_ELEMENTS = 4096;

}  // namespace

void kernel_entry(int64_t *args) {
    Core core(args);
    const auto a = core.global<const float>(0), b = core.global<const float>(1);
    const auto result = core.global<float>(2);
    const uint32_t tile_rows = std::max(TILE_ELEMENTS / a.cols, 1u);
    UbTile<float> left[2], right[2], out[2];
    for (uint16_t buffer = 0; buffer < 2; ++buffer) {
        left[buffer] = core.ub<float>(tile_rows, a.cols);
        right[buffer] = core.ub<float>(tile_rows, a.cols);
        out[buffer] = core.ub<float>(tile_rows, a.cols);
        core.set_flag(Pipe::V, Pipe::MTE2, buffer);
        core.set_flag(Pipe::MTE3, Pipe::V, buffer);
    }
    uint16_t now = 0;
    for (uint32_t row = 0; row < a.rows; row += tile_rows, now ^= 1) {
        const uint32_t rows = std::min(tile_rows, a.rows - row);
        const auto x = left[now].block(0, 0, rows, a.cols), y = right[now].block(0, 0, rows, a.cols);
        const auto z = out[now].block(0, 0, rows, a.cols);
        core.wait_flag(Pipe::V, Pipe::MTE2, now);
        core.load(x, a.block(row, 0, rows, a.cols));
        core.load(y, b.block(row, 0, rows, a.cols));
        core.sync(Pipe::MTE2, Pipe::V, now);
        core.wait_flag(Pipe::MTE3, Pipe::V, now);
        core.mul(z, x, y);
        core.barrier(Pipe::V);
        core.add(z, z, x);
        core.set_flag(Pipe::V, Pipe::MTE2, now);
        core.sync(Pipe::V, Pipe::MTE3, now);
        core.store(result.block(row, 0, rows, a.cols), z);
        core.set_flag(Pipe::MTE3, Pipe::V, now);
    }
    for (uint16_t buffer = 0; buffer < 2; ++buffer) {
        core.wait_flag(Pipe::V, Pipe::MTE2, buffer);
        core.wait_flag(Pipe::MTE3, Pipe::V, buffer);
    }
}
