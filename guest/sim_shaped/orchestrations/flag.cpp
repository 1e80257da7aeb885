// f = a + b, copied by a task that sleeps until a flag says that the sum is there. Tensors: a, b, flag, f.
// Kernels: 0 add, 1 flag_set, 2 flag_wait.
#include "common/orchestration.h"

using namespace sim_shaped;

void aicpu_orchestration_entry(const ChipStorageTaskArgs &args) {
    constexpr int ADD = 0, SET = 1, WAIT = 2;
    const ChipTensor &flag = args.tensor(2);
    const ChipTensor sum = new_like(args.tensor(0));
    submit(aiv_task(WAIT, {flag, sum, args.tensor(3)}));
    const int added = submit(aiv_task(ADD, {args.tensor(0), args.tensor(1), sum}));
    submit(aiv_task(SET, {flag}).after(added));
}
