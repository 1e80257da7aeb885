// A core's block of C = A · Bᵀ, on an AIC. Arguments: a [m, k] and b [n, k], float16; c [m, n], float32; tile_m, tile_n, step_k,
// steps_a, steps_b, buffers, unit_flag (common/matmul.h).
#include "kernels/workloads/common/matmul.h"

void kernel_entry(int64_t *args) {
    using namespace matmul;
    Core core(args);
    const Tiling tiling = tiling_argument(core, 3);
    const Plain<half> factors(core, core.global<const half>(0), core.global<const half>(1), tiling);
    Product<Plain<half>, float>(core, factors, core.global<float>(2), tiling).run();
}
