// Fan-out and fan-in, 1 -> N -> 1, on AIV cores.
//
// Scalar: N. Tensors, float32 and contiguous: input [elements], slices [N, elements], output [elements].
//
//     source     tile = input + 1, a runtime-allocated tensor
//     middle i   slices[i] = tile * (i + 1)
//     sink       output = sum of the slices in order = (input + 1) * N (N + 1) / 2
#include "npusim/orchestration.h"
#include "orchestrations/common/scoped_batches.h"

namespace {

using npusim::submit_aiv;
using npusim::TaskArgs;

enum Kernel : int32_t { SOURCE = 0, MIDDLE = 1, SINK = 2 };

}  // namespace

OrchestrationConfig aicpu_orchestration_config(const ChipStorageTaskArgs &) { return {4}; }

void aicpu_orchestration_entry(const ChipStorageTaskArgs &args) {
    const ChipTensor &input = args.tensor(0);
    const ChipTensor &slices = args.tensor(1);
    const auto width = npusim::scalar_as<uint64_t>(args, 0);
    if (slices.ndims != 2 || slices.shapes[0] != width || slices.shapes[1] != input.numel()) {
        npusim::fail("diamond: the second tensor is not of shape [N, elements of the first]");
        return;
    }
    TaskArgs source;
    source.input(input).output_like(input);
    submit_aiv(SOURCE, source);
    const ChipTensor &tile = source.tensor(1);

    npusim::submit_in_scopes(width, [&](uint64_t index) {
        const auto row = static_cast<uint32_t>(index);
        TaskArgs middle;
        middle.input(tile).output_to(slices.slice(0, row, row + 1)).scalar(static_cast<float>(row + 1));
        submit_aiv(MIDDLE, middle);
    });

    TaskArgs sink;
    sink.input(slices).output_to(args.tensor(2));
    submit_aiv(SINK, sink);
}
