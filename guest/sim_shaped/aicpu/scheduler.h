// A scheduler: gives the tasks that belong to it to idle cores of its clusters, and notices when they are done.
#pragma once

#include <chrono>
#include <cstdint>

#include "aicpu/task_table.h"
#include "common/runtime.h"

namespace sim_shaped {

class Scheduler {
public:
    // Every `count`-th cluster from `index` on is this scheduler's.
    Scheduler(Runtime &runtime, TaskTable &tasks, int index, int count);

    // Until every task is complete or `status` is not 0; sets it if nothing has happened for too long.
    void run(std::atomic<int> &status);
    // Ends every core of its clusters.
    void stop_cores();

private:
    struct Core {
        const volatile uint32_t *cond = nullptr;
        volatile uint32_t *data_main_base = nullptr;
        KernelCall *call = nullptr;
        Task *task = nullptr;  // what it runs; null when idle
        uint32_t token = 0;
    };

    bool owns(int number) const { return number % count_ == index_; }
    bool complete_tasks();
    bool dispatch_tasks();
    bool dispatch(Task &task);
    bool dispatch_to(Task &task, int cluster);
    Core *idle_aiv(const Task &task, int cluster);
    void start(Core &core, Task &task, int32_t kernel);

    Runtime &runtime_;
    TaskTable &tasks_;
    const int index_;
    const int count_;
    int next_cluster_ = 0;
    uint32_t next_token_ = 1;
    Core cores_[CORES];
};

}  // namespace sim_shaped
