// f = (a + b + 1)(a + b + 2) + (a + b), by five tasks on AIV cores.
//
// Tensors: a, b, f, all of one shape and contiguous, float32. No scalars.
//
//     c = a + b ──┬── d = c + 1 ──┐
//                 ├── e = c + 2 ──┴── g = d * e ── f = g + c
//                 └───────────────────────────────────┘
// c belongs to the outer scope; everything else to an inner one, on a ring of its own.
#include "npusim/orchestration.h"

namespace {

enum Kernel : int32_t { ADD = 0, ADD_SCALAR = 1, MUL = 2 };

using npusim::Scope;
using npusim::submit_aiv;
using npusim::TaskArgs;

ChipTensor plus(const ChipTensor &tensor, float addend) {
    TaskArgs task;
    task.input(tensor).output_like(tensor).scalar(addend);
    submit_aiv(ADD_SCALAR, task);
    return task.tensor(1);
}

}  // namespace

OrchestrationConfig aicpu_orchestration_config(const ChipStorageTaskArgs &) { return {3}; }

void aicpu_orchestration_entry(const ChipStorageTaskArgs &args) {
    const ChipTensor &a = args.tensor(0);
    TaskArgs sum;
    sum.input(a).input(args.tensor(1)).output_like(a);
    submit_aiv(ADD, sum);
    const ChipTensor &c = sum.tensor(2);

    const Scope inner;
    const ChipTensor d = plus(c, 1.0f);
    const ChipTensor e = plus(c, 2.0f);
    TaskArgs product;
    product.input(d).input(e).output_like(d);
    submit_aiv(MUL, product);
    TaskArgs result;
    result.input(product.tensor(2)).input(c).output_to(args.tensor(2));
    submit_aiv(ADD, result);
}
