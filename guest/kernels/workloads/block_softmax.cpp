// Softmax over the scores of one block, without the division, on an AIV. Arguments: scores [queries, block_size] float32,
// weights likewise bfloat16; maxima, sums [queries] float32; scale f32, valid (columns that count).
#include "kernels/workloads/common/paged_attention.h"

using namespace npusim::tile;
using paged::line;

void kernel_entry(int64_t *args) {
    Core core(args);
    const auto scores = core.global<const float>(0);
    const auto weights = core.global<bfloat16>(1);
    const auto maxima = core.global<float>(2), sums = core.global<float>(3);
    const auto scale = core.scalar_argument<float>(4);
    const auto valid = core.scalar_argument<uint32_t>(5);
    const auto tile = core.ub<float>(scores.rows, scores.cols), weight = core.ub<float>(scores.rows, scores.cols);
    const auto rounded = core.ub<bfloat16>(scores.rows, scores.cols);
    const auto maximum = core.ub<float>(scores.rows, 1), sum = core.ub<float>(scores.rows, 1);

    core.load(tile, scores);
    core.sync(Pipe::MTE2, Pipe::V, 0);
    paged::mask(core, tile, valid);
    core.muls(tile, tile, scale);
    core.barrier(Pipe::V);
    core.row_max(maximum, tile);
    core.barrier(Pipe::V);
    core.row_expand_sub(weight, tile, maximum);
    core.barrier(Pipe::V);
    core.exp(weight, weight);
    core.barrier(Pipe::V);
    core.convert(rounded, weight);
    core.set_flag(Pipe::V, Pipe::MTE3, 0);
    // The sum is that of the weights as they will be multiplied; meanwhile they are stored.
    core.barrier(Pipe::V);
    core.convert(weight, rounded);
    core.barrier(Pipe::V);
    core.row_sum(sum, weight);
    core.set_flag(Pipe::V, Pipe::MTE3, 1);
    core.wait_flag(Pipe::V, Pipe::MTE3, 0);
    core.store(weights, rounded);
    core.store(line(maxima), line(maximum));
    core.wait_flag(Pipe::V, Pipe::MTE3, 1);
    core.store(line(sums), line(sum));
    core.sync(Pipe::MTE3, Pipe::S, 7);
}
