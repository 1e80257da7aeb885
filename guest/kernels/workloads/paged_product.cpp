// Weights times blocks of values that a table names, on an AIC. Arguments: weights [blocks * queries, block_size], values
// [all blocks * block_size, head_dim], bfloat16; table int32; product [queries, head_dim] float32; blocks, first (the place
// of the first block in the table).
#include "kernels/workloads/common/paged_attention.h"

using namespace npusim::tile;

void kernel_entry(int64_t *args) {
    Core core(args);
    const auto weights = core.global<const bfloat16>(0), values = core.global<const bfloat16>(1);
    const auto table = core.global<const int32_t>(2);
    const auto blocks = core.scalar_argument<uint32_t>(4), first = core.scalar_argument<uint32_t>(5);
    const uint32_t block_size = weights.cols;
    paged::multiply_by_values(core, weights, core.global<float>(3), blocks, [&](uint32_t index) {
        core.scalar(1);
        const auto block = static_cast<uint32_t>(table.address[first + index]);
        return values.block(block * block_size, 0, block_size, values.cols);
    });
}
