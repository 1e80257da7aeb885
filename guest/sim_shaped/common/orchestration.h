// What an orchestration object is written against. It exports framework_bind_runtime, which orchestrations/common
// defines, and aicpu_orchestration_entry.
#pragma once

#include <cstdint>
#include <initializer_list>

#include "npusim/task_args.h"

namespace sim_shaped {

constexpr int NONE = -1;
constexpr int MAX_TASK_TENSORS = 4;
constexpr int MAX_PREDECESSORS = 2;

// A task: a kernel for an AIC, one for an AIV, or both, which then run together on one cluster.
struct TaskRequest {
    int32_t aic = NONE;      // function ids
    int32_t aiv = NONE;
    int32_t cluster = NONE;  // where it has to run; on the first AIV of it
    int32_t tensor_count = 0;
    ChipTensor tensors[MAX_TASK_TENSORS];
    int32_t predecessors[MAX_PREDECESSORS] = {NONE, NONE};  // task numbers

    TaskRequest &on_cluster(int32_t number) {
        cluster = number;
        return *this;
    }
    TaskRequest &after(int32_t first, int32_t second = NONE) {
        predecessors[0] = first;
        predecessors[1] = second;
        return *this;
    }
};

// The runtime as an orchestration sees it. `self` is handed back to each function.
struct OrchestrationRuntime {
    void *self;
    int32_t (*submit)(void *self, const TaskRequest &request);  // the number of the task; they count up from 0
    void *(*allocate)(void *self, uint64_t size);
};

extern const OrchestrationRuntime *bound_runtime;

inline TaskRequest task(int32_t aic, int32_t aiv, std::initializer_list<ChipTensor> tensors) {
    TaskRequest request;
    request.aic = aic;
    request.aiv = aiv;
    for (const ChipTensor &tensor : tensors) request.tensors[request.tensor_count++] = tensor;
    return request;
}
inline TaskRequest aiv_task(int32_t kernel, std::initializer_list<ChipTensor> tensors) {
    return task(NONE, kernel, tensors);
}
inline int32_t submit(const TaskRequest &request) { return bound_runtime->submit(bound_runtime->self, request); }

inline void *allocate(uint64_t size) { return bound_runtime->allocate(bound_runtime->self, size); }

// A tensor of the same shape over new memory.
inline ChipTensor new_like(const ChipTensor &tensor) {
    ChipTensor result = tensor;
    result.buffer.addr = reinterpret_cast<uint64_t>(allocate(tensor.nbytes()));
    return result;
}

}  // namespace sim_shaped

extern "C" void framework_bind_runtime(const sim_shaped::OrchestrationRuntime *runtime);
extern "C" void aicpu_orchestration_entry(const ChipStorageTaskArgs &args);
