// f = a + b, after a bug: the head of a list is used that nobody has ever set. Nothing happens if device memory is
// zero when it is allocated. Tensors: a, b, f. Kernels: 0 add.
#include "common/orchestration.h"

using namespace sim_shaped;

namespace {

struct Waiter {
    Waiter *next;
    int task;
};

}  // namespace

void aicpu_orchestration_entry(const ChipStorageTaskArgs &args) {
    constexpr int ADD = 0;
    int last = NONE;
    const auto *list = static_cast<Waiter *>(allocate(sizeof(Waiter)));
    for (const Waiter *waiter = list->next; waiter != nullptr; waiter = waiter->next) last = waiter->task;
    submit(aiv_task(ADD, {args.tensor(0), args.tensor(1), args.tensor(2)}).after(last));
}
