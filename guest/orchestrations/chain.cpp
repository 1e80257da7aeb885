// N tasks, each of which needs the one before: every task adds one to the same tensor.
//
// Scalar: N. Tensor: counter, float32 and contiguous; it ends N higher.
#include "npusim/orchestration.h"
#include "orchestrations/common/scoped_batches.h"

namespace {

enum Kernel : int32_t { INCREMENT = 0 };

}  // namespace

OrchestrationConfig aicpu_orchestration_config(const ChipStorageTaskArgs &) { return {2}; }

void aicpu_orchestration_entry(const ChipStorageTaskArgs &args) {
    npusim::submit_in_scopes(npusim::scalar_as<uint64_t>(args, 0), [&](uint64_t) {
        npusim::TaskArgs task;
        task.inout(args.tensor(0));
        npusim::submit_aiv(INCREMENT, task);
    });
}
