// A task that never starts, since it comes after itself. Tensors: a, b, f. Kernels: 0 add.
#include "common/orchestration.h"

using namespace sim_shaped;

void aicpu_orchestration_entry(const ChipStorageTaskArgs &args) {
    constexpr int ADD = 0, ITSELF = 0;
    submit(aiv_task(ADD, {args.tensor(0), args.tensor(1), args.tensor(2)}).after(ITSELF));
}
