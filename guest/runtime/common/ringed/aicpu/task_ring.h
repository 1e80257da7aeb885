// The orchestrator's side of one ring: hands out slots with their memory, and retires the oldest ones.
#pragma once

#include <atomic>
#include <cstdint>

#include "common/ringed/aicpu/byte_ring.h"
#include "common/ringed/ring.h"
#include "npusim/runtime_status.h"

namespace rt {

// What one task takes from its ring. Bytes are already rounded.
struct RingDemand {
    uint64_t descriptor_bytes;
    uint64_t heap_bytes;
    uint32_t nodes;
};

class TaskRing {
public:
    TaskRing() = default;
    explicit TaskRing(const RingLayout &layout)
        : layout_(&layout), descriptors_(layout.descriptors, layout.descriptor_bytes),
          heap_(layout.heap, layout.heap_bytes) {}

    // STATUS_OK, or what there is not enough of at the moment.
    RuntimeStatus shortage(const RingDemand &demand) const {
        if (head_ - tail_ == layout_->window) return STATUS_SCOPE_DEADLOCK;
        if (!heap_.fits(demand.heap_bytes)) return STATUS_HEAP_RING_DEADLOCK;
        if (!descriptors_.fits(demand.descriptor_bytes)) return STATUS_FLOW_CONTROL_DEADLOCK;
        if (demand.nodes > layout_->node_count - nodes_used_) return STATUS_DEP_POOL_OVERFLOW;
        return STATUS_OK;
    }
    // STATUS_OK, or what even an empty ring has too little of.
    RuntimeStatus impossible(const RingDemand &demand) const {
        if (!heap_.could_hold(demand.heap_bytes)) return STATUS_HEAP_RING_DEADLOCK;
        if (!descriptors_.could_hold(demand.descriptor_bytes)) return STATUS_FLOW_CONTROL_DEADLOCK;
        if (demand.nodes > layout_->node_count) return STATUS_DEP_POOL_OVERFLOW;
        return STATUS_OK;
    }

    bool empty() const { return head_ == tail_; }
    uint32_t head() const { return head_; }
    TaskSlot &slot(uint32_t local) const { return layout_->slots[local & (layout_->window - 1)]; }
    bool holds(uint32_t local) const { return local - tail_ < head_ - tail_; }
    TaskSlot &oldest() const { return slot(tail_); }

    // Nothing but the end of a scope can retire the oldest task. The orchestrator ends scopes, so if it waits for this
    // task it waits for itself.
    bool oldest_waits_for_its_scope() const {
        const TaskSlot &slot = oldest();
        return slot.scope_open && slot.references.load(std::memory_order_acquire) == 1;
    }
    bool oldest_is_done_with() const { return oldest().references.load(std::memory_order_acquire) == 0; }

    uint8_t *take_descriptors(uint64_t bytes) { return descriptors_.take(bytes); }
    uint8_t *take_heap(uint64_t bytes) { return heap_.take(bytes); }
    // `count` nodes from the returned index on; the range may wrap.
    uint32_t take_nodes(uint32_t count) {
        const uint32_t begin = next_node_;
        next_node_ = layout_->wrapped_node(begin, count);
        nodes_used_ += count;
        return begin;
    }
    DependencyNode &node(uint32_t begin, uint32_t offset) const { return layout_->node(begin, offset); }

    // The slot at the head becomes a task.
    void commit(TaskSlot &slot) {
        slot.descriptors_end = descriptors_.end();
        slot.heap_end = heap_.end();
        ++head_;
    }
    void retire_oldest() {
        const TaskSlot &slot = oldest();
        descriptors_.release(slot.descriptors_end);
        heap_.release(slot.heap_end);
        nodes_used_ -= slot.producers_count;
        ++tail_;
    }

private:
    const RingLayout *layout_ = nullptr;
    ByteRing descriptors_;
    ByteRing heap_;
    uint32_t head_ = 0;  // local id of the next task
    uint32_t tail_ = 0;  // local id of the oldest task that has not retired
    uint32_t next_node_ = 0;
    uint32_t nodes_used_ = 0;
};

}  // namespace rt
