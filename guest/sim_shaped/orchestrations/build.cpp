// out = a, unless the kernel meets what is of another build. Tensors: a, out. Kernels: 0 build.
#include "common/orchestration.h"

using namespace sim_shaped;

void aicpu_orchestration_entry(const ChipStorageTaskArgs &args) {
    constexpr int COPY = 0;
    submit(aiv_task(COPY, {args.tensor(0), args.tensor(1)}));
}
