// result = x / (1 + exp(-1.595769 (x + 0.044715 x³))), element by element, on an AIV. Arguments: x, result, float32, dense
// and of one shape; piece (elements), buffers (common/stream.h).
#include "kernels/workloads/common/gelu.h"
#include "kernels/workloads/common/stream.h"

void kernel_entry(int64_t *args) {
    using namespace stream;
    Core core(args);
    const Global<const float> from[1] = {core.global<const float>(0)};
    in_pieces(core, from, core.global<float>(1), core.scalar_argument<uint32_t>(2), core.scalar_argument<uint32_t>(3),
              [&](const UbTile<float> (&inputs)[1], UbTile<float> result) { gelu(core, result, inputs[0]); });
}
