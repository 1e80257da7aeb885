// Convolution of pictures with windows of 3 x 3: a task for each picture and part of the columns of the result.
//
// Scalars: pictures, channels (of 16), height, width, columns, single_columns, and three more that the shapes need. Tensors:
// x [pictures, channels, height, width, 16], weights [channels * 9, columns / 16, 16, 16], y [pictures * height * width,
// columns], float16.
#include <algorithm>

#include "npusim/orchestration.h"

namespace {

using npusim::TaskArgs;

enum Kernel : int32_t { CONV2D = 0 };

}  // namespace

OrchestrationConfig aicpu_orchestration_config(const ChipStorageTaskArgs &) { return {12}; }

void aicpu_orchestration_entry(const ChipStorageTaskArgs &args) {
    const auto scalar = [&](int32_t index) { return npusim::scalar_as<uint32_t>(args, index); };
    const uint32_t pictures = scalar(0), height = scalar(2), width = scalar(3), columns = scalar(4);
    const uint32_t single_columns = scalar(5), pixels = height * width;
    if (pixels == 0 || single_columns == 0 || single_columns % 16 != 0 || columns % 16 != 0) {
        npusim::fail("conv2d: no pixels, or columns are not whole blocks of 16");
        return;
    }
    for (uint32_t picture = 0; picture < pictures; ++picture) {
        for (uint32_t first = 0; first < columns && !npusim::failed(); first += single_columns) {
            const uint32_t extents[2] = {pixels, std::min(single_columns, columns - first)};
            const uint32_t offsets[2] = {picture * pixels, first};
            TaskArgs part;
            part.input(args.tensor(0).slice(0, picture, picture + 1)).input(args.tensor(1));
            part.output_to(args.tensor(2).view(extents, offsets));
            part.scalar(uint64_t{height}).scalar(uint64_t{width}).scalar(uint64_t{first});
            npusim::submit_aic(CONV2D, part);
        }
    }
}
