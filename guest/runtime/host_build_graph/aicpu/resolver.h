// The resolver: the thread that finds out what can run. It takes completed tasks from the schedulers and walks their
// consumers; in between it brings in the tasks that wait for nothing, as far as the ready queues have room. While it waits
// for room it goes on taking completed tasks, and sets them aside: else schedulers that have nowhere to put one would wait
// for it, and it for them.
#pragma once

#include <cstdint>

#include "common/device/run_image.h"

namespace hbg {

class Resolver {
public:
    explicit Resolver(rt::RunImage &run) : run_(run), graph_(run.order.part.graph) {}

    // Until every task of the graph is resolved, or somebody failed.
    void serve();

private:
    bool failed() const { return run_.control.failed.load(std::memory_order_acquire) != 0; }
    bool resolve_finished();
    bool pop_finished(GraphTask **task);
    // Takes a task out of the queue of what is finished, to be resolved later. False if there is none.
    bool set_aside();
    static GraphTask *next_aside(const GraphTask &task);
    bool bring_in_roots();
    void resolve(const GraphTask &task);
    // False after a failure.
    bool push(GraphTask &task);
    bool has_room(const GraphTask &task) const { return queue_of(task).size() < READY_CAPACITY; }
    rt::ReadyQueue &queue_of(const GraphTask &task) const {
        return run_.order.queues[static_cast<uint32_t>(task.shape)];
    }

    rt::RunImage &run_;
    const Graph &graph_;
    uint32_t resolved_ = 0;
    GraphTask *aside_first_ = nullptr;  // set aside, the oldest first
    GraphTask *aside_last_ = nullptr;
    uint32_t looked_at_ = 0;  // tasks before this one are no roots, or have been brought in
};

}  // namespace hbg
