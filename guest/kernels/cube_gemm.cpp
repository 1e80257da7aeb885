// Arguments: left, right, product: square matrices of one size, row-major in the last two dimensions, float32, small
// enough for L0. On an AIC, by the tile API: both factors go to L1 at once and from there to L0 in steps of K, through
// two pairs of tiles in turn.
//
// Each element of the product is summed in the order of k, beginning with 0, and each product is rounded before it is
// added.
#include <algorithm>

#include "npusim/tile.h"

namespace {

using namespace npusim::tile;

constexpr uint32_t STEP = 32;

}  // namespace

void kernel_entry(int64_t *args) {
    Core core(args);
    const auto left = core.global<const float>(0), right = core.global<const float>(1);
    const auto product = core.global<float>(2);
    const uint32_t edge = product.cols;
    const auto left_l1 = core.l1<float>(edge, edge), right_l1 = core.l1<float>(edge, edge);
    const L0aTile<float> lefts[] = {core.l0a<float>(edge, STEP), core.l0a<float>(edge, STEP)};
    const L0bTile<float> rights[] = {core.l0b<float>(STEP, edge), core.l0b<float>(STEP, edge)};
    const auto sum = core.l0c<float>(edge, edge);

    core.load(left_l1, left, Layout::ND2NZ);
    core.load(right_l1, right, Layout::ND2NZ);
    core.sync(Pipe::MTE2, Pipe::MTE1, 0);
    // Event 0 and 1: the pair of tiles of that number.
    for (uint16_t pair : {0, 1}) core.set_flag(Pipe::M, Pipe::MTE1, pair);
    for (uint32_t k = 0, round = 0; k < edge; k += STEP, ++round) {
        const uint16_t pair = round % 2;
        const uint32_t depth = std::min(STEP, edge - k);
        const auto a = lefts[pair].block(0, 0, edge, depth);
        const auto b = rights[pair].block(0, 0, depth, edge);
        core.wait_flag(Pipe::M, Pipe::MTE1, pair);
        core.move(a, left_l1.block(0, k, edge, depth));
        core.move(b, right_l1.block(k, 0, depth, edge));
        core.sync(Pipe::MTE1, Pipe::M, pair);
        core.matmul(sum, a, b, k != 0);
        core.set_flag(Pipe::M, Pipe::MTE1, pair);
    }
    core.sync(Pipe::M, Pipe::FIX, 0);
    core.store(product, sum);
    for (uint16_t pair : {0, 1}) core.wait_flag(Pipe::M, Pipe::MTE1, pair);
}
