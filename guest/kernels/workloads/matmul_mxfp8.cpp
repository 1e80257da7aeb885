// A core's block of C = (A with its scales) · (B with its scales)ᵀ, on an AIC of a5. Arguments: a [m, k], b [n, k], bits of
// 8-bit floats (e5m2); scales_a [m, k / 32], scales_b [n, k / 32], exponents (e8m0); c [m, n] bfloat16; tile_m, tile_n,
// step_k, steps_a, steps_b, buffers, l0_buffers, unit_flag, scale_stages (common/mx_matmul.h).
#include "kernels/workloads/common/mx_matmul.h"

void kernel_entry(int64_t *args) { matmul::scaled_product<npusim::tile::fp8_e5m2>(args); }
