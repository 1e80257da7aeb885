// A core's block of C = (A with its scales) · (B with its scales)ᵀ, on an AIC of a5. Arguments: a [m, k / 2], b [n, k / 2],
// bytes of two 4-bit floats (e2m1, the lower half first); the rest as of matmul_mxfp8.
#include "kernels/workloads/common/mx_matmul.h"

void kernel_entry(int64_t *args) { matmul::scaled_product<npusim::tile::fp4_pair>(args); }
