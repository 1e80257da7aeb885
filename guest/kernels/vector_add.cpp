// Arguments: total, addend. total += addend, element by element; float32, contiguous, one shape. On an AIV, by the tile
// API: pieces of the tensor go through two pairs of tiles in turn, so that loading, adding and storing overlap.
#include <algorithm>

#include "npusim/tile.h"

namespace {

using namespace npusim::tile;

constexpr uint32_t PIECE = 4096;  // elements

}  // namespace

void kernel_entry(int64_t *args) {
    Core core(args);
    const auto elements = npusim::tensor(args, 0).numel();
    const auto total = core.global<float>(0).reshape(1, static_cast<uint32_t>(elements));
    const auto addend = core.global<const float>(1).reshape(1, static_cast<uint32_t>(elements));
    const UbTile<float> sums[] = {core.ub<float>(1, PIECE), core.ub<float>(1, PIECE)};
    const UbTile<float> addends[] = {core.ub<float>(1, PIECE), core.ub<float>(1, PIECE)};

    // Event 0 and 1: the pair of tiles of that number.
    for (uint16_t pair : {0, 1}) core.set_flag(Pipe::MTE3, Pipe::MTE2, pair);
    for (uint32_t begin = 0, round = 0; begin < elements; begin += PIECE, ++round) {
        const uint16_t pair = round % 2;
        const uint32_t count = std::min(PIECE, static_cast<uint32_t>(elements) - begin);
        const auto sum = sums[pair].block(0, 0, 1, count), other = addends[pair].block(0, 0, 1, count);
        core.wait_flag(Pipe::MTE3, Pipe::MTE2, pair);
        core.load(sum, total.block(0, begin, 1, count));
        core.load(other, addend.block(0, begin, 1, count));
        core.sync(Pipe::MTE2, Pipe::V, pair);
        core.add(sum, sum, other);
        core.sync(Pipe::V, Pipe::MTE3, pair);
        core.store(total.block(0, begin, 1, count), sum);
        core.set_flag(Pipe::MTE3, Pipe::MTE2, pair);
    }
    for (uint16_t pair : {0, 1}) core.wait_flag(Pipe::MTE3, Pipe::MTE2, pair);
}
