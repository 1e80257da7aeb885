// The orchestrator: turns submissions into tasks on rings, with their dependencies, and hands them to the schedulers.
//
// It alone allocates and retires. When a ring is short of something it retires what is done with and yields until
// there is room; it gives up at once when the oldest task waits for a scope that only the orchestrator can end.
#pragma once

#include <cstdint>

#include "aicpu/task_ring.h"
#include "aicpu/tensor_map.h"
#include "common/runtime.h"
#include "npusim/orchestration.h"

namespace tmr {

class Orchestrator {
public:
    explicit Orchestrator(RunImage &run);

    PTO2TaskId submit(const npusim::TaskRequest &request);
    void begin_scope();
    void end_scope();
    void fail(RuntimeStatus status, const char *reason);
    bool failed() const { return run_.control.failed.load(std::memory_order_relaxed) != 0; }
    uint32_t cluster_count() const { return run_.order.clusters; }

    // No submission follows: schedulers may end when everything is done.
    void finish();

private:
    static constexpr uint32_t MAX_SCOPES = 64;

    struct OpenScope {
        uint64_t number;
        uint32_t first_task;  // on the scope's ring
    };

    const char *invalid(const npusim::TaskRequest &request) const;
    uint32_t current_ring() const { return scope_count_ > RING_COUNT ? RING_COUNT - 1 : scope_count_ - 1; }
    bool find_producers(const npusim::TaskRequest &request);
    void add_producer(SlotHandle slot, uint32_t argument, uint32_t source);
    bool secure(TaskRing &ring, const RingDemand &demand, uint32_t map_entries);
    void retire_some(TaskRing &ring, uint32_t most);
    void place_arguments(const npusim::TaskRequest &request, PTO2TaskId id, TaskRing &ring, const RingDemand &demand,
                         TaskSlot &slot);
    void link_producers(SlotHandle handle, TaskSlot &slot, TaskRing &ring);
    void publish_accesses(const npusim::TaskRequest &request, SlotHandle handle, TaskSlot &slot);

    RunImage &run_;
    TaskRing rings_[RING_COUNT];
    TensorMap map_;
    OpenScope scopes_[MAX_SCOPES];
    uint32_t scope_count_ = 0;
    uint64_t scopes_opened_ = 0;
    uint64_t submitted_ = 0;
    uint32_t producer_count_ = 0;  // of the task being submitted
};

}  // namespace tmr
