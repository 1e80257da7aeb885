#include "common/submission/request.h"

#include <cstring>

#include "npusim/platform.h"

namespace rt {

using npusim::TaskRequest;
using npusim::TaskShape;

RequestSize size_of(const TaskRequest &request) {
    RequestSize size{rounded(request.tensor_count * sizeof(ChipTensor) + request.scalar_count * sizeof(uint64_t)), 0, 0};
    for (uint32_t index = 0; index < request.tensor_count; ++index) {
        const ChipTensor &tensor = request.tensors[index];
        if (request.types[index] == TensorArgType::OUTPUT) size.heap_bytes += rounded(tensor.buffer.size);
        if (is_tracked(tensor, request.types[index])) ++size.map_entries;
    }
    return size;
}

const char *find_flaw(const TaskRequest &request, KernelTable kernels) {
    if (!request.valid) return "a task has more than 32 tensors or 16 scalars";
    static constexpr bool NEEDED[SHAPES][LANES] = {{true, false, false}, {false, true, false}, {true, true, true}};
    for (uint32_t lane = 0; lane < LANES; ++lane) {
        if (!NEEDED[static_cast<uint32_t>(request.shape)][lane]) continue;
        if (kernels.at(request.kernels[lane]) == 0) return "a task names a function id that has no kernel";
    }
    for (uint32_t index = 0; index < request.tensor_count; ++index) {
        const ChipTensor &tensor = request.tensors[index];
        if (element_size(tensor.dtype) == 0 || tensor.ndims == 0 || tensor.ndims > MAX_TENSOR_DIMS) {
            return "a tensor has no valid type or number of dimensions";
        }
        if (request.types[index] == TensorArgType::OUTPUT) continue;
        const uint64_t size = element_size(tensor.dtype);
        if ((tensor.start_offset + tensor.extent_elements()) * size > tensor.buffer.size) {
            return "a tensor view reaches beyond its buffer";
        }
    }
    return nullptr;
}

void fill_task(Task &task, const TaskRequest &request, PTO2TaskId id, KernelTable kernels, uint8_t *descriptors,
               uint8_t *heap) {
    task.task_id = id.raw;
    task.shape = request.shape;
    for (uint32_t lane = 0; lane < LANES; ++lane) task.kernels[lane] = kernels.at(request.kernels[lane]);
    task.subtasks_left.store(request.shape == TaskShape::MIX ? LANES : 1, std::memory_order_relaxed);
    task.visit = 0;
    task.map_entries = TensorMap::NONE;
    task.tensors = reinterpret_cast<ChipTensor *>(descriptors);
    for (uint32_t index = 0; index < request.tensor_count; ++index) {
        ChipTensor &tensor = request.tensors[index];
        if (request.types[index] == TensorArgType::OUTPUT) {
            tensor.buffer.addr = reinterpret_cast<uint64_t>(heap);
            tensor.owner_task_id = id;
            heap += rounded(tensor.buffer.size);
        }
        task.tensors[index] = tensor;
    }
    task.tensor_count = static_cast<uint16_t>(request.tensor_count);
    task.scalar_count = static_cast<uint16_t>(request.scalar_count);
    if (request.scalar_count != 0) {
        std::memcpy(task.scalars(), request.scalars, request.scalar_count * sizeof(uint64_t));
    }
}

void note_task(const Task &task, const TaskRequest &request, uint64_t scope) {
    const NpusimTaskNote note{task.task_id,
                              scope,
                              {request.kernels[0], request.kernels[1], request.kernels[2]},
                              request.tensor_count,
                              task.tensors,
                              reinterpret_cast<const int32_t *>(request.types)};
    npusim_note_task(&note);
}

void enter_accesses(TensorMap &map, Task &task, const TaskRequest &request) {
    for (uint32_t index = 0; index < request.tensor_count; ++index) {
        const TensorArgType type = request.types[index];
        if (is_tracked(task.tensors[index], type)) map.insert(task, task.tensors[index], writes(type));
    }
}

}  // namespace rt
