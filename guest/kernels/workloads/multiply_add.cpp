// result = a · b + a, element by element, streamed through two sets of buffers, on an AIV. Arguments: a, b, result,
// float32, dense and of one shape [rows, cols]; cols at most 4,096.
#include "kernels/workloads/common/stream.h"

namespace {

constexpr uint32_t PIECE = 4096;  // elements, or as many whole rows as they have

}  // namespace

void kernel_entry(int64_t *args) {
    using namespace stream;
    Core core(args);
    const Global<const float> from[2] = {core.global<const float>(0), core.global<const float>(1)};
    const uint32_t cols = from[0].cols, piece = std::max(PIECE / cols, 1u) * cols;
    in_pieces(core, from, core.global<float>(2), piece, 2,
              [&](const UbTile<float> (&inputs)[2], UbTile<float> result) {
                  core.mul(result, inputs[0], inputs[1]);
                  core.barrier(Pipe::V);
                  core.add(result, result, inputs[0]);
              });
}
