// A task as every side of every runtime knows it. Where tasks lie, what follows from their completion and when their
// memory comes back is each runtime's own: it derives from this.
#pragma once

#include <atomic>
#include <cstdint>

#include "common/device/topology.h"
#include "npusim/orchestration.h"

namespace rt {

constexpr uint32_t SHAPES = 3;  // AIC, AIV, MIX

struct Task {
    // Whoever brings it to zero puts the task into a ready queue.
    std::atomic<uint32_t> unresolved;
    std::atomic<uint32_t> subtasks_left;
    uint64_t task_id;
    uint64_t kernels[LANES];
    npusim::TaskShape shape;
    uint16_t tensor_count;
    uint16_t scalar_count;
    ChipTensor *tensors;  // scalars follow
    // Of whoever builds the graph.
    uint64_t visit;        // number of the submission that last took this task as a producer
    uint32_t map_entries;  // its first one in the tensor map

    uint64_t *scalars() const { return reinterpret_cast<uint64_t *>(tensors + tensor_count); }
};

}  // namespace rt
