// Tasks of all three shapes side by side: mixed ones, which take a whole cluster, among single ones for AIC and AIV.
//
// Scalar: N. Tensors, float32 and contiguous: input [elements], rows [N, 3, elements].
//
//     mixed i    on AIC   rows[i][0] = input + input
//                on AIV0  rows[i][1] = input + 1
//                on AIV1  rows[i][2] = input + 2
//     between them, an empty task for an AIC and one for an AIV
#include "npusim/orchestration.h"
#include "orchestrations/common/scoped_batches.h"

namespace {

using npusim::TaskArgs;

enum Kernel : int32_t { CUBE = 0, VECTOR = 1, EMPTY = 2 };
constexpr uint32_t LANES = 3;

}  // namespace

OrchestrationConfig aicpu_orchestration_config(const ChipStorageTaskArgs &) { return {3}; }

void aicpu_orchestration_entry(const ChipStorageTaskArgs &args) {
    const ChipTensor &input = args.tensor(0);
    const ChipTensor &rows = args.tensor(1);
    const auto count = npusim::scalar_as<uint64_t>(args, 0);
    if (rows.ndims != 3 || rows.shapes[0] != count || rows.shapes[1] != LANES || rows.shapes[2] != input.numel()) {
        npusim::fail("mixed: the second tensor is not of shape [N, 3, elements of the first]");
        return;
    }
    TaskArgs nothing;
    npusim::submit_in_scopes(3 * count, [&](uint64_t index) {
        const auto row = static_cast<uint32_t>(index / 3);
        if (index % 3 == 1) {
            npusim::submit_aic(EMPTY, nothing);
        } else if (index % 3 == 2) {
            npusim::submit_aiv(EMPTY, nothing);
        } else {
            TaskArgs mixed;
            mixed.input(input).output_to(rows.slice(0, row, row + 1));
            npusim::submit_mix(CUBE, VECTOR, VECTOR, mixed);
        }
    });
}
