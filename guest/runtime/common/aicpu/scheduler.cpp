#include "common/aicpu/scheduler.h"

#include "common/device/pause.h"
#include "npusim/platform.h"

namespace rt {

using npusim::TaskShape;

Scheduler::Scheduler(Runtime &runtime, uint32_t index) : runtime_(runtime), run_(runtime.run), index_(index) {
    const uint64_t *bases = npusim_register_bases();
    const uint32_t clusters = run_.order.clusters;
    for (uint32_t cluster = index; cluster < clusters; cluster += run_.order.schedulers) {
        for (uint32_t lane = 0; lane < LANES; ++lane) {
            Core &own = core(cluster_count_, lane);
            own.physical = physical_core(cluster, lane, clusters);
            own.data_main_base = reinterpret_cast<volatile uint32_t *>(bases[own.physical] + REG_DATA_MAIN_BASE);
            own.cond = reinterpret_cast<volatile uint32_t *>(bases[own.physical] + REG_COND);
            own.payloads = runtime.payloads[own.physical];
        }
        ++cluster_count_;
    }
}

void Scheduler::open_cores() {
    npusim_charge(NPUSIM_CHARGE_ASSIGN, cluster_count_ * LANES * PAYLOADS_PER_CORE);
    npusim_charge(NPUSIM_CHARGE_HANDSHAKE, 1);
    for (uint32_t own = 0; own < cluster_count_ * LANES; ++own) {
        CoreArrival &arrival = run_.arrivals[cores_[own].physical];
        while (!arrival.arrived.load(std::memory_order_acquire)) pause_and_yield();
        const auto type = static_cast<int32_t>(core_type(own % LANES));
        if (arrival.core_type != type || arrival.physical_core != cores_[own].physical) {
            fail_run(run_, run_.outcome.scheduler_status, STATUS_CORE_HANDSHAKE_INVALID);
        }
        reg_store_release(cores_[own].data_main_base, TOKEN_IDLE);
    }
    for (uint32_t own = 0; own < cluster_count_ * LANES; ++own) {
        CoreArrival &arrival = run_.arrivals[cores_[own].physical];
        while (!arrival.ready.load(std::memory_order_acquire)) pause_and_yield();
        const auto type = static_cast<int32_t>(core_type(own % LANES));
        run_.control.idle_cores[type].fetch_add(1, std::memory_order_relaxed);
    }
}

void Scheduler::serve() {
    while (!run_.control.failed.load(std::memory_order_acquire)) {
        bool active = poll_cores();
        active = dispatch_mix() || active;
        active = dispatch_idle(TaskShape::AIC, LANE_AIC, LANE_AIC) || active;
        active = dispatch_idle(TaskShape::AIV, LANE_AIV0, LANE_AIV1) || active;
        active = dispatch_ahead(TaskShape::AIC, LANE_AIC, LANE_AIC) || active;
        active = dispatch_ahead(TaskShape::AIV, LANE_AIV0, LANE_AIV1) || active;
        if (active) {
            idle_turns_ = 0;
            continue;
        }
        if (all_done()) return;
        if (++idle_turns_ % TURNS_PER_CLOCK_LOOK == 0) look_at_clock();
        pause_and_yield();
    }
}

void Scheduler::close_cores() {
    for (uint32_t own = 0; own < cluster_count_ * LANES; ++own) {
        reg_store_release(cores_[own].data_main_base, TOKEN_EXIT);
    }
    const bool failed = run_.control.failed.load(std::memory_order_acquire) != 0;
    const DeviceTime begun = failed ? device_now() : DeviceTime{};
    uint32_t turns = 0;
    for (uint32_t own = 0; own < cluster_count_ * LANES; ++own) {
        if (failed && !cores_[own].is_idle()) continue;
        while (reg_load_acquire(cores_[own].cond) != (COND_FIN | TOKEN_EXIT)) {
            if (failed && ++turns % TURNS_PER_CLOCK_LOOK == 0 && device_now() - begun > EXIT_LIMIT) return;
            pause_and_yield();
        }
    }
}

// ---- completion

bool Scheduler::poll_cores() {
    uint32_t finished = 0;
    busy_.for_each([&](uint32_t own) { finished += poll(own); });
    return finished != 0;
}

// Looks at one core that has a task. Returns how many it has finished.
uint32_t Scheduler::poll(uint32_t own) {
    Core &core = cores_[own];
    const uint32_t value = reg_load_acquire(core.cond);
    const Report report = core.read(value);
    if (report == Report::OLDER_TAKEN) core.older_taken = true;
    if (report != Report::OLDER_DONE && report != Report::BOTH_DONE) return 0;
    uint32_t finished = 1;
    finish_subtask(core.older);
    if (report == Report::BOTH_DONE) {
        finish_subtask(core.younger);
        ++finished;
        core.younger = Subtask{};
    }
    core.advance(core.younger.exists() && value == core.younger.token);
    if (core.is_idle()) {
        busy_.erase(own);
        run_.control.idle_cores[static_cast<int32_t>(core_type(own % LANES))].fetch_add(1, std::memory_order_relaxed);
    }
    return finished;
}

void Scheduler::finish_subtask(const Subtask &subtask) {
    npusim_charge(NPUSIM_CHARGE_COMPLETE, 1);
    Task &task = *subtask.task;
    if (task.subtasks_left.fetch_sub(1, std::memory_order_acq_rel) != 1) return;
    complete(task);
    run_.control.completed[index_].tasks.store(++completed_, std::memory_order_release);
}

// ---- dispatch

// Puts a task into a core's next payload and publishes it.
void Scheduler::dispatch(Core &core, Task &task, uint32_t lane, uint32_t kernel) {
    npusim_charge(NPUSIM_CHARGE_DISPATCH, 1);
    const uint32_t token = next_token(core.last_token);
    DispatchPayload &payload = core.payloads[token & 1];
    payload.local_context = {0, 1};
    payload.global_context = {lane == LANE_AIV1 ? 1 : 0};
    for (uint32_t index = 0; index < task.tensor_count; ++index) {
        payload.args[index] = reinterpret_cast<int64_t>(&task.tensors[index]);
    }
    for (uint32_t index = 0; index < task.scalar_count; ++index) {
        payload.args[task.tensor_count + index] = static_cast<int64_t>(task.scalars()[index]);
    }
    payload.args[KERNEL_LOCAL_CONTEXT_INDEX] = reinterpret_cast<int64_t>(&payload.local_context);
    payload.args[KERNEL_GLOBAL_CONTEXT_INDEX] = reinterpret_cast<int64_t>(&payload.global_context);
    payload.call = {task.kernels[kernel], payload.args, task.tensor_count, task.scalar_count, task.task_id};
    core.last_token = token;
    if (core.is_idle()) {
        core.older = {&task, token};
        busy_.insert(static_cast<uint32_t>(&core - cores_));
        run_.control.idle_cores[static_cast<int32_t>(core_type(lane))].fetch_sub(1, std::memory_order_relaxed);
    } else {
        core.younger = {&task, token};
    }
    reg_store_release(core.data_main_base, token);
}

bool Scheduler::cluster_is_idle(uint32_t cluster) const {
    return core(cluster, LANE_AIC).is_idle() && core(cluster, LANE_AIV0).is_idle() && core(cluster, LANE_AIV1).is_idle();
}

// A mixed task takes a whole cluster. It goes first: single tasks would keep breaking clusters up.
bool Scheduler::dispatch_mix() {
    ReadyQueue &queue = run_.order.queues[static_cast<uint32_t>(TaskShape::MIX)];
    bool any = false;
    for (uint32_t cluster = 0; cluster < cluster_count_ && queue.size() != 0; ++cluster) {
        Task *task;
        if (!cluster_is_idle(cluster) || !queue.pop(&task)) continue;
        for (uint32_t lane = 0; lane < LANES; ++lane) dispatch(core(cluster, lane), *task, lane, lane);
        any = true;
    }
    reserve_clusters(queue.size());
    return any;
}

// Keeps single tasks from clusters that mixed tasks wait for: these would not fall idle as long as there are others.
void Scheduler::reserve_clusters(uint32_t wanted) {
    reserved_ = 0;
    for (uint32_t cluster = 0; cluster < cluster_count_ && wanted > 0; ++cluster, --wanted) {
        reserved_ |= uint64_t{1} << cluster;
    }
}

// The kernel of a single task is in the first lane of its shape.
bool Scheduler::dispatch_idle(TaskShape shape, uint32_t first_lane, uint32_t last_lane) {
    ReadyQueue &queue = run_.order.queues[static_cast<uint32_t>(shape)];
    bool any = false;
    for (uint32_t cluster = 0; cluster < cluster_count_ && queue.size() != 0; ++cluster) {
        if (is_reserved(cluster)) continue;
        for (uint32_t lane = first_lane; lane <= last_lane; ++lane) {
            Task *task;
            if (!core(cluster, lane).is_idle() || !queue.pop(&task)) continue;
            dispatch(core(cluster, lane), *task, lane, first_lane);
            any = true;
        }
    }
    return any;
}

// Only when no core of the device is without a task: else another scheduler can start it sooner.
bool Scheduler::dispatch_ahead(TaskShape shape, uint32_t first_lane, uint32_t last_lane) {
    ReadyQueue &queue = run_.order.queues[static_cast<uint32_t>(shape)];
    const auto type = static_cast<int32_t>(core_type(first_lane));
    bool any = false;
    for (uint32_t cluster = 0; cluster < cluster_count_ && queue.size() != 0; ++cluster) {
        if (run_.control.idle_cores[type].load(std::memory_order_relaxed) > 0) return any;
        if (is_reserved(cluster)) continue;
        for (uint32_t lane = first_lane; lane <= last_lane; ++lane) {
            Task *task;
            if (!core(cluster, lane).can_take_one_ahead() || !queue.pop(&task)) continue;
            dispatch(core(cluster, lane), *task, lane, first_lane);
            any = true;
        }
    }
    return any;
}

// ---- the end

bool Scheduler::all_done() const {
    if (!run_.control.orchestration_done.load(std::memory_order_acquire)) return false;
    return tasks_completed() == run_.control.submitted.load(std::memory_order_acquire);
}

uint64_t Scheduler::tasks_completed() const {
    uint64_t completed = 0;
    for (uint32_t scheduler = 0; scheduler < run_.order.schedulers; ++scheduler) {
        completed += run_.control.completed[scheduler].tasks.load(std::memory_order_acquire);
    }
    return completed;
}

// Being idle is no stall while others get on.
void Scheduler::look_at_clock() {
    const DeviceTime now = device_now();
    const uint64_t progress = tasks_completed() + run_.control.submitted.load(std::memory_order_acquire);
    if (idle_turns_ == TURNS_PER_CLOCK_LOOK || progress != still_progress_) {
        still_since_ = now;
        still_progress_ = progress;
    } else if (now - still_since_ > NO_PROGRESS_LIMIT) {
        run_.outcome.stall_detail.store(classify_stall(), std::memory_order_relaxed);
        fail_run(run_, run_.outcome.scheduler_status, STATUS_SCHEDULER_TIMEOUT);
    }
}

StallDetail Scheduler::classify_stall() const {
    const auto clusters = static_cast<int32_t>(run_.order.clusters);
    const auto &idle = run_.control.idle_cores;
    if (idle[0].load(std::memory_order_relaxed) < clusters || idle[1].load(std::memory_order_relaxed) < 2 * clusters) {
        return STALL_RUNNING;
    }
    for (uint32_t shape = 0; shape < SHAPES; ++shape) {
        if (run_.order.queues[shape].size() != 0) return STALL_READY_IDLE;
    }
    if (tasks_completed() != run_.control.submitted.load(std::memory_order_acquire)) return STALL_DEPENDENCY;
    if (!run_.control.orchestration_done.load(std::memory_order_acquire)) return STALL_ORCHESTRATOR;
    return STALL_UNKNOWN;
}

}  // namespace rt
