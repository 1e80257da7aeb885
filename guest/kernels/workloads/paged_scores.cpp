// Scores of a tile of queries with blocks of keys that a table names, on an AIC. Arguments: queries [queries, head_dim],
// keys [all blocks * block_size, head_dim], bfloat16; table int32; scores [blocks * queries, block_size] float32; blocks,
// first (the place of the first block in the table).
#include "kernels/workloads/common/paged_attention.h"

using namespace npusim::tile;

void kernel_entry(int64_t *args) {
    Core core(args);
    const auto keys = core.global<const bfloat16>(1);
    const auto table = core.global<const int32_t>(2);
    const auto scores = core.global<float>(3);
    const auto blocks = core.scalar_argument<uint32_t>(4), first = core.scalar_argument<uint32_t>(5);
    const uint32_t block_size = scores.cols;
    paged::multiply_by_keys(core, core.global<const bfloat16>(0), scores, blocks, [&](uint32_t index) {
        core.scalar(1);
        const auto block = static_cast<uint32_t>(table.address[first + index]);
        return keys.block(block * block_size, 0, block_size, keys.cols);
    });
}
