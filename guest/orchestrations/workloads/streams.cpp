// One kernel on all elements of its tensors: each block gets as many rows, the first ones one more if they do not come out
// even.
//
// Scalars: rows, cols, blocks, and for the kernel piece, buffers. Tensors: [rows, cols], the last one is written.
#include "npusim/orchestration.h"

namespace {

using npusim::TaskArgs;

enum Kernel : int32_t { STREAM = 0 };
constexpr int32_t SCALARS = 5;

}  // namespace

OrchestrationConfig aicpu_orchestration_config(const ChipStorageTaskArgs &args) {
    return {args.tensor_count() + SCALARS};
}

void aicpu_orchestration_entry(const ChipStorageTaskArgs &args) {
    const auto scalar = [&](int32_t index) { return npusim::scalar_as<uint64_t>(args, index); };
    const uint64_t rows = scalar(0), blocks = scalar(2), piece = scalar(3), buffers = scalar(4);
    if (blocks == 0 || piece == 0 || buffers == 0 || buffers > 2) {
        npusim::fail("streams: no blocks, no elements in a piece, or not 1 or 2 buffers");
        return;
    }
    const int32_t tensors = args.tensor_count();
    uint32_t begin = 0;
    for (uint64_t block = 0; block < blocks; ++block) {
        const auto end = static_cast<uint32_t>(begin + rows / blocks + (block < rows % blocks ? 1 : 0));
        if (begin == end || npusim::failed()) return;
        TaskArgs part;
        for (int32_t index = 0; index + 1 < tensors; ++index) part.input(args.tensor(index).slice(0, begin, end));
        part.output_to(args.tensor(tensors - 1).slice(0, begin, end)).scalar(piece).scalar(buffers);
        npusim::submit_aiv(STREAM, part);
        begin = end;
    }
}
