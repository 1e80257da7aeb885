// Scores of a tile of queries with one block of keys, on an AIC. Arguments: queries [queries, head_dim], keys [block_size,
// head_dim], bfloat16; scores [queries, block_size] float32.
#include "kernels/workloads/common/paged_attention.h"

using namespace npusim::tile;

void kernel_entry(int64_t *args) {
    Core core(args);
    const auto keys = core.global<const bfloat16>(1);
    paged::multiply_by_keys(core, core.global<const bfloat16>(0), core.global<float>(2), 1, [&](uint32_t) { return keys; });
}
