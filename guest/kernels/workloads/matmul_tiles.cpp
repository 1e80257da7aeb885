// Products of square tiles, one after the other, on an AIC. Arguments: left, right, product [tiles, edge, edge], float32;
// edge at most 128. Each element is summed in the order of k, beginning with 0.
#include "npusim/tile.h"

using namespace npusim::tile;

void kernel_entry(int64_t *args) {
    Core core(args);
    const auto left = core.global<const float>(0), right = core.global<const float>(1);
    const auto product = core.global<float>(2);
    const uint32_t edge = left.cols;
    const auto staged_left = core.l1<float>(edge, edge), staged_right = core.l1<float>(edge, edge);
    const auto a = core.l0a<float>(edge, edge);
    const auto b = core.l0b<float>(edge, edge);
    const auto c = core.l0c<float>(edge, edge);
    for (uint32_t row = 0; row < left.rows; row += edge) {
        core.load(staged_left, left.block(row, 0, edge, edge), Layout::ND2NZ);
        core.load(staged_right, right.block(row, 0, edge, edge), Layout::ND2NZ);
        core.sync(Pipe::MTE2, Pipe::MTE1, 0);
        core.move(a, staged_left);
        core.move(b, staged_right);
        core.sync(Pipe::MTE1, Pipe::M, 0);
        core.matmul(c, a, b);
        core.sync(Pipe::M, Pipe::FIX, 0);
        core.store(product.block(row, 0, edge, edge), c);
        // The next tile begins when this one is in GM.
        core.sync(Pipe::FIX, Pipe::S, 7);
    }
}
