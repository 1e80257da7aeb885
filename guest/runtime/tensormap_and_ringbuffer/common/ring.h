// The rings of tasks in device memory. A task of scope depth d lives on ring min(d, RING_COUNT - 1): inner scopes end
// sooner, so their slots come back without waiting for the outer ones.
//
// A ring has slots for the tasks, memory for their descriptors and scalars, a heap for their outputs and a pool of
// dependency nodes. All four are handed out in order of submission and come back in the same order, when the oldest
// task retires. Only the orchestrator moves their ends; schedulers see slots through handles.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>

#include "npusim/orchestration.h"

namespace tmr {

constexpr uint32_t RING_COUNT = 4;

// Ring and index in one word.
using SlotHandle = uint32_t;
using NodeHandle = uint32_t;
constexpr uint32_t HANDLE_RING_SHIFT = 30;
constexpr uint32_t HANDLE_INDEX_MASK = (1u << HANDLE_RING_SHIFT) - 1;
constexpr SlotHandle NO_SLOT = UINT32_MAX;
constexpr uint32_t make_handle(uint32_t ring, uint32_t index) { return (ring << HANDLE_RING_SHIFT) | index; }

// One dependency: a node of the producer's list of consumers, and of the consumer's range of producers.
struct DependencyNode {
    NodeHandle next;
    SlotHandle consumer;
    SlotHandle producer;  // NO_SLOT if it was done with when the consumer was submitted
};
constexpr NodeHandle LIST_END = UINT32_MAX - 1;
constexpr NodeHandle LIST_SEALED = UINT32_MAX;  // the producer is finished: nobody can wait for it any more

// A task on its ring.
//
// Life: the orchestrator fills the slot, links it to its producers and drops its own hold on `unresolved`. Whoever
// brings `unresolved` to zero puts the slot into a ready queue. A scheduler dispatches it; the last subtask to finish
// seals `consumers` and resolves them. The slot retires when `references` is zero: its scope has ended, every consumer
// is done, and so is the task itself.
struct alignas(64) TaskSlot {
    // Shared with schedulers.
    std::atomic<uint32_t> unresolved;
    std::atomic<uint32_t> references;
    std::atomic<NodeHandle> consumers;
    std::atomic<uint32_t> subtasks_left;
    uint64_t task_id;
    uint64_t kernels[3];
    npusim::TaskShape shape;
    uint16_t tensor_count;
    uint16_t scalar_count;
    uint32_t producers_begin;  // first node in the ring's pool; the range may wrap
    uint32_t producers_count;
    // The orchestrator's own.
    alignas(64) ChipTensor *tensors;  // scalars follow
    uint64_t descriptors_end;
    uint64_t heap_end;
    uint64_t scope;
    uint64_t visit;  // number of the submission that last took this task as a producer
    uint32_t map_entries;
    bool scope_open;

    const uint64_t *scalars() const { return reinterpret_cast<const uint64_t *>(tensors + tensor_count); }
};
static_assert(sizeof(TaskSlot) == 128);

// Where a ring lies.
struct RingLayout {
    TaskSlot *slots;
    DependencyNode *nodes;
    uint8_t *descriptors;
    uint8_t *heap;
    uint32_t window;  // slots, a power of two
    uint32_t node_count;
    uint64_t descriptor_bytes;
    uint64_t heap_bytes;
};

inline TaskSlot &slot_at(const RingLayout *rings, SlotHandle handle) {
    return rings[handle >> HANDLE_RING_SHIFT].slots[handle & HANDLE_INDEX_MASK];
}
inline DependencyNode &node_at(const RingLayout *rings, NodeHandle handle) {
    return rings[handle >> HANDLE_RING_SHIFT].nodes[handle & HANDLE_INDEX_MASK];
}
// The producers of a task, in order.
inline uint32_t producer_index(const RingLayout &ring, const TaskSlot &slot, uint32_t position) {
    const uint64_t index = uint64_t{slot.producers_begin} + position;
    return static_cast<uint32_t>(index < ring.node_count ? index : index - ring.node_count);
}

}  // namespace tmr
