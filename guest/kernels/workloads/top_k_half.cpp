// The largest elements of each row with their places, on an AIV: float16 (common/top_k.h).
#include "kernels/workloads/common/top_k.h"

void kernel_entry(int64_t *args) { top_k::TopK<npusim::tile::half>(args).run(); }
