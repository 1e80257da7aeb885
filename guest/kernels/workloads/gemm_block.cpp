// A core's block of C = A · Bᵀ, on an AIC. Arguments: a [m, k] and b [n, k], float16; c [m, n], float32. Tiles of 128 x 256
// x 64, four steps of k of both in one load, two buffers.
#include "kernels/workloads/common/matmul.h"

void kernel_entry(int64_t *args) {
    using namespace matmul;
    Core core(args);
    const Tiling tiling{128, 256, 64, 4, 4, 2, 2, false};
    const Plain<half> factors(core, core.global<const half>(0), core.global<const half>(1), tiling);
    Product<Plain<half>, float>(core, factors, core.global<float>(2), tiling).run();
}
