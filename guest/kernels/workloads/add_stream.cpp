// sum = left + right, element by element, on an AIV. Arguments: left, right, sum, float16, dense and of one shape; piece
// (elements), buffers (common/stream.h).
#include "kernels/workloads/common/stream.h"

void kernel_entry(int64_t *args) {
    using namespace stream;
    Core core(args);
    const Global<const half> from[2] = {core.global<const half>(0), core.global<const half>(1)};
    in_pieces(core, from, core.global<half>(2), core.scalar_argument<uint32_t>(3), core.scalar_argument<uint32_t>(4),
              [&](const UbTile<half> (&inputs)[2], UbTile<half> sum) { core.add(sum, inputs[0], inputs[1]); });
}
