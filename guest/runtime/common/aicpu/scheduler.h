// A scheduler: dispatches ready tasks to the cores of its clusters, and completes them.
//
// A turn looks at COND of each core that has a task, hands ready tasks to cores without one, and, when no core of the
// device is without a task, gives cores a second one in advance. A turn in which nothing happened ends with a spin
// hint.
//
// What a completed task sets free is the runtime's own: it derives from this class.
#pragma once

#include <cstdint>

#include "common/aicpu/clock.h"
#include "common/aicpu/core.h"
#include "common/aicpu/core_set.h"
#include "common/device/run_image.h"

namespace rt {

class Scheduler {
public:
    Scheduler(Runtime &runtime, uint32_t index);
    Scheduler(const Scheduler &) = delete;
    Scheduler &operator=(const Scheduler &) = delete;

    // Waits for the cores, opens their registers, and waits until they have seen it. It goes on after a failure: a core
    // that is never opened can never leave.
    void open_cores();
    // Until every task is done, or somebody failed.
    void serve();
    // Tells the cores to end and waits until they have. After a failure it does not wait for cores that hold a task,
    // and for the others only as long as EXIT_LIMIT.
    void close_cores();

protected:
    ~Scheduler() = default;
    // All of the task has run. Its memory may be used again once the runtime has let go of it here.
    virtual void complete(Task &task) = 0;
    RunImage &run() { return run_; }

private:
    static constexpr uint32_t MAX_OWN_CORES = MAX_CORES;

    bool poll_cores();
    uint32_t poll(uint32_t own);
    void finish_subtask(const Subtask &subtask);
    bool dispatch_mix();
    void reserve_clusters(uint32_t wanted);
    bool is_reserved(uint32_t cluster) const { return (reserved_ >> cluster & 1) != 0; }
    bool dispatch_idle(npusim::TaskShape shape, uint32_t first_lane, uint32_t last_lane);
    bool dispatch_ahead(npusim::TaskShape shape, uint32_t first_lane, uint32_t last_lane);
    void dispatch(Core &core, Task &task, uint32_t lane, uint32_t kernel);
    bool cluster_is_idle(uint32_t cluster) const;
    bool all_done() const;
    uint64_t tasks_completed() const;
    void look_at_clock();
    StallDetail classify_stall() const;
    Core &core(uint32_t cluster, uint32_t lane) { return cores_[cluster * LANES + lane]; }
    const Core &core(uint32_t cluster, uint32_t lane) const { return cores_[cluster * LANES + lane]; }

    Runtime &runtime_;
    RunImage &run_;
    uint32_t index_;
    uint32_t cluster_count_ = 0;  // own ones
    Core cores_[MAX_OWN_CORES];
    CoreSet busy_;
    uint64_t completed_ = 0;
    // Clusters that get no single task until a waiting mixed task fits.
    uint64_t reserved_ = 0;
    static_assert(MAX_CLUSTERS <= 64);
    // Idle turns since something happened here; when nothing had happened anywhere, and what had been done by then.
    uint32_t idle_turns_ = 0;
    DeviceTime still_since_{};
    uint64_t still_progress_ = 0;
};

}  // namespace rt
