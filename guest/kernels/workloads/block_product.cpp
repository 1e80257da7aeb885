// Weights times one block of values, on an AIC. Arguments: weights [queries, block_size], values [block_size, head_dim],
// bfloat16; product [queries, head_dim] float32.
#include "kernels/workloads/common/paged_attention.h"

using namespace npusim::tile;

void kernel_entry(int64_t *args) {
    Core core(args);
    const auto weights = core.global<const bfloat16>(0), values = core.global<const bfloat16>(1);
    paged::multiply_by_values(core, weights, core.global<float>(2), 1, [&](uint32_t) { return values; });
}
