// f = 4 (a + b), by five tasks. Tensors: a, b, f. Kernels: 0 add.
//
//     c = a + b ──┬── d = c + a ──┐
//                 ├── e = c + b ──┴── g = d + e ── f = g + c
//                 └────────────────────────────────┘
#include "common/orchestration.h"

using namespace sim_shaped;

void aicpu_orchestration_entry(const ChipStorageTaskArgs &args) {
    constexpr int ADD = 0;
    const ChipTensor &a = args.tensor(0);
    const ChipTensor &b = args.tensor(1);
    const ChipTensor c = new_like(a), d = new_like(a), e = new_like(a), g = new_like(a);
    const int sum = submit(aiv_task(ADD, {a, b, c}));
    const int left = submit(aiv_task(ADD, {c, a, d}).after(sum));
    const int right = submit(aiv_task(ADD, {c, b, e}).after(sum));
    const int both = submit(aiv_task(ADD, {d, e, g}).after(left, right));
    submit(aiv_task(ADD, {g, c, args.tensor(2)}).after(both));
}
