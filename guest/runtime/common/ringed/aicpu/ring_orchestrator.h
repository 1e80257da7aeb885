// The part of an orchestrator that owns the rings: turns submissions into tasks with their producers.
//
// It alone allocates and retires. When a ring is short of something it retires what is done with and yields until
// there is room; it gives up at once when the oldest task waits for a scope that only the orchestrator can end.
//
// When a task is handed to the schedulers is the runtime's own: it derives from this class, is given each task once it is
// complete (`admit`), and publishes it at once or later, in order of submission. A published task is linked to those of
// its producers that are not finished, counted, and ready as soon as nothing holds it.
#pragma once

#include <cstdint>

#include "common/device/run_image.h"
#include "common/ringed/aicpu/task_ring.h"
#include "common/submission/producers.h"
#include "npusim/orchestration.h"

namespace rt {

class RingOrchestrator {
public:
    explicit RingOrchestrator(RunImage &run);
    RingOrchestrator(const RingOrchestrator &) = delete;
    RingOrchestrator &operator=(const RingOrchestrator &) = delete;

    PTO2TaskId submit(const npusim::TaskRequest &request);
    void begin_scope();
    void end_scope();
    void fail(RuntimeStatus status, const char *reason);
    bool failed() const { return run_.control.failed.load(std::memory_order_relaxed) != 0; }
    uint32_t cluster_count() const { return run_.order.clusters; }

    // No submission follows: schedulers may end when everything is done.
    void finish();

protected:
    ~RingOrchestrator() = default;
    // The task is complete but for its links. It has to be published before its scope ends.
    virtual void admit(TaskSlot &task) = 0;
    // The innermost scope, of this number, is about to end. An inner scope has a higher number than those around it.
    virtual void scope_ends(uint64_t /*scope*/) {}
    // A ring waits for tasks to be done with.
    virtual void room_is_short() {}

    void publish(TaskSlot &task);

private:
    static constexpr uint32_t MAX_SCOPES = 64;

    struct OpenScope {
        uint64_t number;
        uint32_t first_task;  // on the scope's ring
    };

    uint32_t current_ring() const { return scope_count_ > RING_COUNT ? RING_COUNT - 1 : scope_count_ - 1; }
    TaskSlot *find(PTO2TaskId id) const;
    bool are_makers_there(const npusim::TaskRequest &request) const;
    bool secure(TaskRing &ring, const RingDemand &demand, uint32_t map_entries);
    void retire_some(TaskRing &ring, uint32_t most);
    void hold_producers(TaskSlot &task, TaskRing &ring);
    void release_scope(const OpenScope &scope);

    RunImage &run_;
    TaskRing rings_[RING_COUNT];
    TensorMap map_;
    ProducerList producers_;
    OpenScope scopes_[MAX_SCOPES];
    uint32_t scope_count_ = 0;
    uint64_t scopes_opened_ = 0;
    uint64_t submitted_ = 0;
    uint64_t published_ = 0;
};

}  // namespace rt
