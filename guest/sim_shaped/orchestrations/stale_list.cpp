// f = a + b, after a bug: a list is looked through that nobody has ever set up, by whoever gets its lock. Free is zero,
// so memory without any zero hides the bug as well as memory that is all zero. Tensors: a, b, f. Kernels: 0 add.
#include <atomic>

#include "common/orchestration.h"

using namespace sim_shaped;

namespace {

struct Waiter {
    const int *task;
};

struct WaitList {
    std::atomic<int> busy;
    int count;
    Waiter waiters[4];
};

int last_task(WaitList &list) {
    int last = NONE;
    int free = 0;
    if (!list.busy.compare_exchange_strong(free, 1)) return last;
    for (int i = 0; i < list.count; i++) last = *list.waiters[i].task;
    list.busy = 0;
    return last;
}

}  // namespace

void aicpu_orchestration_entry(const ChipStorageTaskArgs &args) {
    constexpr int ADD = 0;
    auto &list = *static_cast<WaitList *>(allocate(sizeof(WaitList)));
    submit(aiv_task(ADD, {args.tensor(0), args.tensor(1), args.tensor(2)}).after(last_task(list)));
}
