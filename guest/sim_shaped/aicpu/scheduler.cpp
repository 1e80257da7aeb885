#include "aicpu/scheduler.h"

#include "aicpu/registers.h"
#include "aicpu/settings.h"
#include "common/spin_hint.h"
#include "npusim/runtime_status.h"

namespace sim_shaped {

Scheduler::Scheduler(Runtime &runtime, TaskTable &tasks, int index, int count)
    : runtime_(runtime), tasks_(tasks), index_(index), count_(count) {
    for (int number = 0; number < CORES; ++number) {
        auto *block = reinterpret_cast<volatile uint8_t *>(register_blocks[number]);
        cores_[number].cond = reinterpret_cast<volatile uint32_t *>(block + COND);
        cores_[number].data_main_base = reinterpret_cast<volatile uint32_t *>(block + DATA_MAIN_BASE);
        cores_[number].call = &runtime.workers[number].call;
    }
}

void Scheduler::run(std::atomic<int> &status) {
    using Clock = std::chrono::steady_clock;
    const std::chrono::milliseconds patience(scheduler_timeout_ms);
    Clock::time_point last_progress = Clock::now();
    while (!tasks_.is_done() && status.load(std::memory_order_acquire) == 0) {
        const bool completed = complete_tasks();
        const bool dispatched = dispatch_tasks();
        const Clock::time_point now = Clock::now();
        if (completed || dispatched) {
            last_progress = now;
        } else if (now - last_progress > patience) {
            status.store(-STATUS_SCHEDULER_TIMEOUT, std::memory_order_release);
        }
        spin_hint();
    }
}

void Scheduler::stop_cores() {
    for (int number = 0; number < CORES; ++number) {
        if (owns(cluster_of(number))) reg_store_release(cores_[number].data_main_base, TOKEN_EXIT);
    }
}

bool Scheduler::complete_tasks() {
    bool progress = false;
    for (Core &core : cores_) {
        if (core.task == nullptr || reg_load_acquire(core.cond) != (COND_FIN | core.token)) continue;
        if (--core.task->kernels_running == 0) tasks_.complete(*core.task);
        core.task = nullptr;
        progress = true;
    }
    return progress;
}

// A task that names its cluster belongs to the scheduler of that; the others go round.
bool Scheduler::dispatch_tasks() {
    bool progress = false;
    for (int number = 0; number < tasks_.size(); ++number) {
        Task &task = tasks_.at(number);
        const int32_t cluster = task.request.cluster;
        if (owns(cluster == NONE ? number : cluster) && tasks_.is_ready(task)) progress |= dispatch(task);
    }
    return progress;
}

bool Scheduler::dispatch(Task &task) {
    if (task.request.cluster != NONE) return dispatch_to(task, task.request.cluster);
    for (int turn = 0; turn < CLUSTERS; ++turn) {
        const int cluster = next_cluster_;
        next_cluster_ = (next_cluster_ + 1) % CLUSTERS;
        if (owns(cluster) && dispatch_to(task, cluster)) return true;
    }
    return false;
}

bool Scheduler::dispatch_to(Task &task, int cluster) {
    const TaskRequest &request = task.request;
    Core &aic = cores_[aic_of(cluster)];
    Core *aiv = idle_aiv(task, cluster);
    if (request.aic != NONE && aic.task != nullptr) return false;
    if (request.aiv != NONE && aiv == nullptr) return false;
    if (request.aic != NONE) start(aic, task, request.aic);
    if (request.aiv != NONE) start(*aiv, task, request.aiv);
    task.started = true;
    return true;
}

Scheduler::Core *Scheduler::idle_aiv(const Task &task, int cluster) {
    const int choices = task.request.cluster == NONE ? 2 : 1;
    for (int sub_block = 0; sub_block < choices; ++sub_block) {
        Core &core = cores_[aiv_of(cluster, sub_block)];
        if (core.task == nullptr) return &core;
    }
    return nullptr;
}

void Scheduler::start(Core &core, Task &task, int32_t kernel) {
    core.call->entry = runtime_.kernels[kernel]->resolved_addr_;
    for (int32_t index = 0; index < task.request.tensor_count; ++index) {
        core.call->args[index] = reinterpret_cast<int64_t>(&task.request.tensors[index]);
    }
    core.task = &task;
    core.token = next_token_++;
    ++task.kernels_running;
    reg_store_release(core.data_main_base, core.token);
}

}  // namespace sim_shaped
