// A task as the orchestration asks for it: whether it can be, what it takes, and how it is put into memory.
#pragma once

#include <cstdint>

#include "common/device/task.h"
#include "common/submission/tensor_map.h"
#include "npusim/orchestration.h"

namespace rt {

constexpr uint64_t BLOCK_ALIGNMENT = 64;
constexpr uint64_t rounded(uint64_t bytes) { return (bytes + BLOCK_ALIGNMENT - 1) & ~(BLOCK_ALIGNMENT - 1); }

inline bool reads(TensorArgType type) { return type == TensorArgType::INPUT || type == TensorArgType::INOUT; }
inline bool writes(TensorArgType type) {
    return type == TensorArgType::INOUT || type == TensorArgType::OUTPUT_EXISTING;
}
// Whether the tensor map has to know of it.
inline bool is_tracked(const ChipTensor &tensor, TensorArgType type) {
    return (reads(type) || writes(type)) && !tensor.manual_dep;
}

// The kernels of a callable.
struct KernelTable {
    const uint64_t *kernels;  // by function id, 0 where there is none
    uint64_t count;

    uint64_t at(int32_t id) const { return id >= 0 && static_cast<uint64_t>(id) < count ? kernels[id] : 0; }
};

// What a request takes, in rounded bytes.
struct RequestSize {
    uint64_t descriptor_bytes;  // of tensors and scalars
    uint64_t heap_bytes;        // of outputs
    uint32_t map_entries;
};
RequestSize size_of(const npusim::TaskRequest &request);

// Why the request itself cannot be, or null. Whether the makers of its tensors are still there is not looked at.
const char *find_flaw(const npusim::TaskRequest &request, KernelTable kernels);

// What has to be said if the maker of a tensor is not there any more.
constexpr const char *OUTLIVED_SCOPE = "a tensor is used after the scope of the task that made it";

// Completes the outputs of the request, which lie at `heap`, and makes a task of it whose descriptors and scalars lie at
// `descriptors`. It is in no map yet, and waits for nothing.
void fill_task(Task &task, const npusim::TaskRequest &request, PTO2TaskId id, KernelTable kernels, uint8_t *descriptors,
               uint8_t *heap);
// Tells the trace of it.
void note_task(const Task &task, const npusim::TaskRequest &request, uint64_t scope);
// Enters what the task reads and writes.
void enter_accesses(TensorMap &map, Task &task, const npusim::TaskRequest &request);

}  // namespace rt
