// A core's block of C = A · Bᵀ, on an AIC; C is float32. Arguments: see half_product.
#include "kernels/workloads/common/matmul.h"

void kernel_entry(int64_t *args) { matmul::half_product<float>(args); }
