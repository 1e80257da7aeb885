// One kernel on all rows of its tensors: each block gets as many, the last one what is left.
//
// Scalars: rows, blocks, outputs, and what the shapes of the tensors have besides. Tensors: three of `rows` rows, as the
// kernel takes them; the last `outputs` of them are written.
#include "npusim/orchestration.h"

namespace {

using npusim::TaskArgs;

enum Kernel : int32_t { ROWS = 0 };
constexpr int32_t TENSORS = 3;

}  // namespace

OrchestrationConfig aicpu_orchestration_config(const ChipStorageTaskArgs &) { return {TENSORS + 4}; }

void aicpu_orchestration_entry(const ChipStorageTaskArgs &args) {
    const auto rows = npusim::scalar_as<uint64_t>(args, 0), blocks = npusim::scalar_as<uint64_t>(args, 1);
    const auto outputs = npusim::scalar_as<uint64_t>(args, 2);
    if (blocks == 0 || outputs > TENSORS) {
        npusim::fail("rows: no blocks, or more outputs than tensors");
        return;
    }
    const uint64_t share = (rows + blocks - 1) / blocks;
    for (uint64_t begin = 0; begin < rows; begin += share) {
        const uint64_t end = begin + share < rows ? begin + share : rows;
        TaskArgs part;
        for (int32_t index = 0; index < TENSORS; ++index) {
            const ChipTensor view =
                args.tensor(index).slice(0, static_cast<uint32_t>(begin), static_cast<uint32_t>(end));
            if (static_cast<uint64_t>(index) + outputs < TENSORS) part.input(view);
            else part.output_to(view);
        }
        npusim::submit_aiv(ROWS, part);
    }
}
