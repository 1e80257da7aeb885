#include "aicpu/graph_builder.h"

namespace abg {

using rt::TaskSlot;

void GraphBuilder::BuiltTasks::push(TaskSlot &task) {
    task.next_built = nullptr;
    if (last_ != nullptr) last_->next_built = &task;
    else first_ = &task;
    last_ = &task;
}

TaskSlot *GraphBuilder::BuiltTasks::take_from(uint64_t scope) {
    TaskSlot *around = nullptr;
    TaskSlot *taken = first_;
    for (; taken != nullptr && taken->scope < scope; taken = taken->next_built) around = taken;
    last_ = around;
    if (around != nullptr) around->next_built = nullptr;
    else first_ = nullptr;
    return taken;
}

void GraphBuilder::publish_from(uint64_t scope) {
    for (TaskSlot *task = built_.take_from(scope); task != nullptr;) {
        // Once it is published it may run, retire and come back as another task; only this thread hands slots out.
        TaskSlot *const next = task->next_built;
        publish(*task);
        task = next;
    }
}

}  // namespace abg
