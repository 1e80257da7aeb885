// A fault: the orchestration waits for a word in device memory that only a task it has not submitted yet would write.
// It asks nobody whether the run has failed, so nothing but the device can end it.
//
// Tensor: word, one float32 that is 0.0. No scalars.
#include <sched.h>

#include "npusim/orchestration.h"

namespace {

enum Kernel : int32_t { INCREMENT = 0 };

void wait_until_written(const ChipTensor &word) {
    const auto *bits = word.data<const uint32_t>();
    while (__atomic_load_n(bits, __ATOMIC_ACQUIRE) == 0) sched_yield();
}

}  // namespace

OrchestrationConfig aicpu_orchestration_config(const ChipStorageTaskArgs &) { return {1}; }

void aicpu_orchestration_entry(const ChipStorageTaskArgs &args) {
    wait_until_written(args.tensor(0));
    npusim::TaskArgs task;
    task.inout(args.tensor(0));
    npusim::submit_aiv(INCREMENT, task);
}
