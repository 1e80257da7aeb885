// The rings of tasks in device memory. A task of scope depth d lives on ring min(d, RING_COUNT - 1): inner scopes end
// sooner, so their slots come back without waiting for the outer ones.
//
// A ring has slots for the tasks, memory for their descriptors and scalars, a heap for their outputs and a pool of
// dependency nodes. All four are handed out in order of submission and come back in the same order, when the oldest
// task retires. Only the orchestrator moves their ends.
#pragma once

#include <atomic>
#include <cstdint>

#include "common/device/task.h"

namespace rt {

constexpr uint32_t RING_COUNT = 4;

struct TaskSlot;

// One dependency: a node of the producer's list of consumers, and of the consumer's range of producers.
struct DependencyNode {
    DependencyNode *next;
    TaskSlot *consumer;
    TaskSlot *producer;  // null if it was done with when the consumer was submitted
};
// The end of a list is null. In place of a list: the producer is finished, nobody can wait for it any more.
inline DependencyNode *const LIST_SEALED = reinterpret_cast<DependencyNode *>(alignof(DependencyNode));

// A task on its ring.
//
// Life: the orchestrator fills the slot, links it to its producers and drops its own hold on `unresolved`. Whoever
// brings `unresolved` to zero puts the task into a ready queue. A scheduler dispatches it; the last subtask to finish
// seals `consumers` and resolves them. The slot retires when `references` is zero: its scope has ended, every consumer
// is done, and so is the task itself.
struct alignas(64) TaskSlot : Task {
    // Shared with schedulers.
    std::atomic<uint32_t> references;
    std::atomic<DependencyNode *> consumers;
    uint32_t producers_begin;  // first node in the ring's pool; the range may wrap
    uint32_t producers_count;
    // The orchestrator's own.
    uint64_t descriptors_end;
    uint64_t heap_end;
    uint64_t scope;
    TaskSlot *next_built;  // of those that are not published yet
    bool scope_open;

    uint32_t ring() const { return PTO2TaskId{task_id}.ring(); }
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

    // A node by its distance from the first of a range.
    DependencyNode &node(uint32_t begin, uint32_t offset) const { return nodes[wrapped_node(begin, offset)]; }
    uint32_t wrapped_node(uint32_t begin, uint32_t offset) const {
        const uint64_t index = uint64_t{begin} + offset;
        return static_cast<uint32_t>(index < node_count ? index : index - node_count);
    }
};

}  // namespace rt
