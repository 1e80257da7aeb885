// What an orchestration object is written against.
//
// It exports, with C linkage,
//     OrchestrationConfig aicpu_orchestration_config(const ChipStorageTaskArgs &args);   // optional
//     void aicpu_orchestration_entry(const ChipStorageTaskArgs &args);
// and framework_bind_runtime, which orchestrations/common/bind.cpp defines. The runtime calls framework_bind_runtime
// first; everything below goes through the table it hands over.
//
// The entry runs inside an outer scope. A task's runtime-allocated outputs live until the scope it was submitted in
// has ended and every consumer is done; using one later is an error. After an error, submissions are ignored and
// `failed()` is true; an orchestration with long loops should look at it.
#pragma once

#include <cstdint>
#include <cstring>
#include <type_traits>

#include "npusim/callable.h"
#include "npusim/runtime_status.h"
#include "npusim/task_args.h"
#include "npusim/task_id.h"
#include "npusim/tensor.h"

#define NPUSIM_EXPORT extern "C" __attribute__((visibility("default")))

struct OrchestrationConfig {
    int32_t expected_arg_count;  // tensors and scalars together
};

namespace npusim {

// Which cores a task occupies. The values index the ready queues.
enum class TaskShape : uint32_t { AIC = 0, AIV = 1, MIX = 2 };

constexpr int32_t NO_KERNEL = -1;

// A task as it is handed to the runtime. Pointers are read before submit returns.
struct TaskRequest {
    TaskShape shape;
    int32_t kernels[3];  // AIC, AIV0, AIV1; NO_KERNEL where there is none
    uint32_t tensor_count;
    uint32_t scalar_count;
    uint32_t dependency_count;
    bool valid;  // false: more arguments were given than fit
    ChipTensor *tensors;  // outputs are completed in place
    const TensorArgType *types;
    const uint64_t *scalars;
    const PTO2TaskId *dependencies;
};

// The runtime as an orchestration sees it. `self` is handed back to each function.
struct OrchestrationRuntime {
    void *self;
    PTO2TaskId (*submit)(void *self, const TaskRequest *request);
    void (*scope_begin)(void *self);
    void (*scope_end)(void *self);
    bool (*failed)(void *self);
    void (*fail)(void *self, const char *reason);
    uint32_t (*cluster_count)(void *self);
};

extern "C" __attribute__((visibility("hidden"))) const OrchestrationRuntime *npusim_bound_runtime;

inline const OrchestrationRuntime &runtime() { return *npusim_bound_runtime; }
inline bool failed() { return runtime().failed(runtime().self); }
inline void fail(const char *reason) { runtime().fail(runtime().self, reason); }
inline uint32_t cluster_count() { return runtime().cluster_count(runtime().self); }

// Tasks submitted while a Scope lives belong to it.
class Scope {
public:
    Scope() { runtime().scope_begin(runtime().self); }
    ~Scope() { runtime().scope_end(runtime().self); }
    Scope(const Scope &) = delete;
    Scope &operator=(const Scope &) = delete;
};

// The arguments of one task, in the order in which its kernel sees them: tensors, then scalars.
class TaskArgs {
public:
    TaskArgs &input(const ChipTensor &tensor) { return add(tensor, TensorArgType::INPUT); }
    TaskArgs &inout(const ChipTensor &tensor) { return add(tensor, TensorArgType::INOUT); }
    // Writes to a tensor that exists already.
    TaskArgs &output_to(const ChipTensor &tensor) { return add(tensor, TensorArgType::OUTPUT_EXISTING); }
    TaskArgs &untracked(const ChipTensor &tensor) { return add(tensor, TensorArgType::NO_DEP); }
    // A new dense tensor, allocated at submission.
    TaskArgs &output(const uint32_t *extents, uint32_t dims, DataType type) {
        return add(make_tensor(nullptr, extents, dims, type, AddressSpace::DEVICE), TensorArgType::OUTPUT);
    }
    TaskArgs &output_like(const ChipTensor &tensor) { return output(tensor.shapes, tensor.ndims, tensor.dtype); }

    template <typename T>
    TaskArgs &scalar(T value) {
        static_assert(std::is_trivially_copyable_v<T> && sizeof(T) <= sizeof(uint64_t));
        if (scalar_count_ == CORE_MAX_SCALAR_ARGS) {
            valid_ = false;
            return *this;
        }
        uint64_t bits = 0;
        std::memcpy(&bits, &value, sizeof(T));
        scalars_[scalar_count_++] = bits;
        return *this;
    }
    // Tasks that must be done first, beyond what the tensors say. The ids are read at submission.
    TaskArgs &after(const PTO2TaskId *tasks, uint32_t count) {
        dependencies_ = tasks;
        dependency_count_ = count;
        return *this;
    }

    // After submission: the tensor at `index`, with its address and its owner.
    const ChipTensor &tensor(uint32_t index) const { return tensors_[index]; }

    PTO2TaskId submit(TaskShape shape, int32_t aic, int32_t aiv0, int32_t aiv1) {
        const TaskRequest request{shape,         {aic, aiv0, aiv1}, tensor_count_, scalar_count_, dependency_count_,
                                  valid_,        tensors_,          types_,        scalars_,      dependencies_};
        return runtime().submit(runtime().self, &request);
    }

private:
    TaskArgs &add(const ChipTensor &tensor, TensorArgType type) {
        if (tensor_count_ == CORE_MAX_TENSOR_ARGS) {
            valid_ = false;
            return *this;
        }
        tensors_[tensor_count_] = tensor;
        types_[tensor_count_++] = type;
        return *this;
    }

    uint32_t tensor_count_ = 0;
    uint32_t scalar_count_ = 0;
    uint32_t dependency_count_ = 0;
    bool valid_ = true;
    const PTO2TaskId *dependencies_ = nullptr;
    // Not initialised: a task without arguments should cost nothing here.
    ChipTensor tensors_[CORE_MAX_TENSOR_ARGS];
    TensorArgType types_[CORE_MAX_TENSOR_ARGS];
    uint64_t scalars_[CORE_MAX_SCALAR_ARGS];
};

inline PTO2TaskId submit_aic(int32_t kernel, TaskArgs &args) {
    return args.submit(TaskShape::AIC, kernel, NO_KERNEL, NO_KERNEL);
}
inline PTO2TaskId submit_aiv(int32_t kernel, TaskArgs &args) {
    return args.submit(TaskShape::AIV, NO_KERNEL, kernel, NO_KERNEL);
}
// One AIC and two AIV kernels that run together on one cluster, with the same arguments.
inline PTO2TaskId submit_mix(int32_t aic, int32_t aiv0, int32_t aiv1, TaskArgs &args) {
    return args.submit(TaskShape::MIX, aic, aiv0, aiv1);
}

// A scalar argument of the run as the type it was given as.
template <typename T>
T scalar_as(const ChipStorageTaskArgs &args, int32_t index) {
    static_assert(std::is_trivially_copyable_v<T> && sizeof(T) <= sizeof(uint64_t));
    const uint64_t bits = args.scalar(index);
    T value;
    std::memcpy(&value, &bits, sizeof(T));
    return value;
}

}  // namespace npusim

NPUSIM_EXPORT void framework_bind_runtime(const npusim::OrchestrationRuntime *runtime);
NPUSIM_EXPORT OrchestrationConfig aicpu_orchestration_config(const ChipStorageTaskArgs &args);
NPUSIM_EXPORT void aicpu_orchestration_entry(const ChipStorageTaskArgs &args);
