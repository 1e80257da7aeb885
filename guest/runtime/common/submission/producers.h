// The tasks that one being submitted depends on, each once, and why: those the orchestration names, those that made its
// tensors, and those that the tensor map finds by what is read and written.
#pragma once

#include <cstdint>

#include "common/device/task.h"
#include "common/submission/request.h"
#include "common/submission/tensor_map.h"
#include "npusim/platform.h"

namespace rt {

struct Producer {
    uint64_t task_id;  // its memory may hold another task by the time it is linked
    Task *task;
    uint32_t argument;
    uint32_t source;  // NPUSIM_EDGE_*
};

class ProducerList {
public:
    ProducerList(Producer *storage, uint32_t capacity) : storage_(storage), capacity_(capacity) {}

    // Collects the producers of submission `number`, counted from 1. `find(id)` gives a task, or null if there is none of
    // that id any more.
    template <typename Find>
    void collect(uint64_t number, const npusim::TaskRequest &request, TensorMap &map, Find find) {
        number_ = number;
        count_ = 0;
        for (uint32_t index = 0; index < request.dependency_count; ++index) {
            add(find(request.dependencies[index]), UINT32_MAX, NPUSIM_EDGE_EXPLICIT);
        }
        for (uint32_t index = 0; index < request.tensor_count; ++index) {
            const ChipTensor &tensor = request.tensors[index];
            const TensorArgType type = request.types[index];
            if (!reads(type) && !writes(type)) continue;
            add(find(tensor.owner_task_id), index, NPUSIM_EDGE_CREATOR);
            if (tensor.manual_dep) continue;
            map.resolve(tensor, writes(type), [&](Task &task) { add(&task, index, NPUSIM_EDGE_TENSORMAP); });
        }
    }

    uint32_t count() const { return count_; }
    // False: there were more than the list can hold.
    bool is_complete() const { return count_ <= capacity_; }
    const Producer &operator[](uint32_t index) const { return storage_[index]; }

private:
    void add(Task *task, uint32_t argument, uint32_t source) {
        if (task == nullptr || task->visit == number_) return;
        task->visit = number_;
        if (count_ < capacity_) storage_[count_] = {task->task_id, task, argument, source};
        ++count_;
    }

    Producer *storage_;
    uint32_t capacity_;
    uint32_t count_ = 0;
    uint64_t number_ = 0;
};

}  // namespace rt
