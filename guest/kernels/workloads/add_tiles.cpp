// Sums of tiles, one after the other, on an AIV. Arguments: left, right, sum [tiles, edge, edge], float32; edge at most
// 128.
#include "npusim/tile.h"

using namespace npusim::tile;

void kernel_entry(int64_t *args) {
    Core core(args);
    const auto left = core.global<const float>(0), right = core.global<const float>(1);
    const auto sum = core.global<float>(2);
    const uint32_t edge = left.cols;
    const auto a = core.ub<float>(edge, edge), b = core.ub<float>(edge, edge);
    for (uint32_t row = 0; row < left.rows; row += edge) {
        core.load(a, left.block(row, 0, edge, edge));
        core.load(b, right.block(row, 0, edge, edge));
        core.sync(Pipe::MTE2, Pipe::V, 0);
        core.add(a, a, b);
        core.sync(Pipe::V, Pipe::MTE3, 0);
        core.store(sum.block(row, 0, edge, edge), a);
        // The next tile begins when this one is in GM.
        core.sync(Pipe::MTE3, Pipe::S, 7);
    }
}
