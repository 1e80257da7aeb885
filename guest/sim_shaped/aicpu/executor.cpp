// The entries of the AICPU object, and what its threads do in a run: the first to come prepares it, all greet their
// share of the cores, then the last one orchestrates and the others schedule.
//
// The waits on the way there call nothing at all.
#include <atomic>

#include "aicpu/orchestrations.h"
#include "aicpu/scheduler.h"
#include "npusim/runtime_status.h"

namespace {

using namespace sim_shaped;

constexpr int ORCHESTRATOR = AICPU_THREADS_ACTIVE - 1;
constexpr int SCHEDULERS = AICPU_THREADS_ACTIVE - 1;

class Executor {
public:
    int execute(Runtime &runtime) {
        const int thread = next_thread_.fetch_add(1);
        if (thread == 0) {
            prepare(runtime);
        } else {
            while (!prepared_.load(std::memory_order_acquire)) {
            }
        }
        greet_cores(runtime, thread);
        if (thread == ORCHESTRATOR) {
            orchestrate(runtime);
        } else {
            schedule(runtime, thread);
        }
        const int status = status_.load(std::memory_order_acquire);
        leave();
        return status;
    }

private:
    void prepare(Runtime &runtime) {
        tasks_.clear();
        heap_used_ = 0;
        status_.store(0, std::memory_order_relaxed);
        runtime_ = &runtime;
        prepared_.store(true, std::memory_order_release);
    }

    void greet_cores(Runtime &runtime, int thread) {
        for (int core = thread; core < CORES; core += AICPU_THREADS_ACTIVE) {
            Worker &worker = runtime.workers[core];
            worker.aicpu_ready.store(1, std::memory_order_release);
            while (!worker.aicore_ready.load(std::memory_order_acquire)) {
            }
        }
        arrived_.fetch_add(1, std::memory_order_release);
        while (arrived_.load(std::memory_order_acquire) < AICPU_THREADS_ACTIVE) {
        }
    }

    void orchestrate(Runtime &runtime) {
        const Orchestration *orchestration = find_orchestration(runtime.callable_id);
        if (orchestration == nullptr) {
            fail(STATUS_INVALID_ARGS);
            return;
        }
        const OrchestrationRuntime table{
            this,
            [](void *self, const TaskRequest &request) { return static_cast<Executor *>(self)->submit(request); },
            [](void *self, uint64_t size) { return static_cast<Executor *>(self)->allocate(size); }};
        orchestration->bind(&table);
        orchestration->entry(runtime.args);
        tasks_.close();
    }

    void schedule(Runtime &runtime, int thread) {
        Scheduler scheduler(runtime, tasks_, thread, SCHEDULERS);
        scheduler.run(status_);
        scheduler.stop_cores();
    }

    // The last one leaves everything as the next run needs it.
    void leave() {
        if (left_.fetch_add(1) + 1 < AICPU_THREADS_ACTIVE) return;
        prepared_.store(false);
        next_thread_.store(0);
        arrived_.store(0);
        left_.store(0);
    }

    void fail(RuntimeStatus status) { status_.store(-status, std::memory_order_release); }

    int submit(const TaskRequest &request) {
        const int number = tasks_.append(request);
        if (number < 0) fail(STATUS_FLOW_CONTROL_DEADLOCK);
        return number;
    }

    void *allocate(uint64_t size) {
        constexpr uint64_t ALIGNMENT = 64;
        void *memory = runtime_->heap + heap_used_;
        heap_used_ += (size + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
        if (heap_used_ > runtime_->heap_size) {
            fail(STATUS_HEAP_RING_DEADLOCK);
            return runtime_->heap;
        }
        return memory;
    }

    std::atomic<int> next_thread_{0};
    std::atomic<bool> prepared_{false};
    std::atomic<int> arrived_{0};
    std::atomic<int> left_{0};
    std::atomic<int> status_{0};
    Runtime *runtime_ = nullptr;
    uint64_t heap_used_ = 0;
    TaskTable tasks_;
};

Executor executor;

}  // namespace

extern "C" int aicpu_execute(Runtime *runtime) { return executor.execute(*runtime); }

extern "C" int simpler_aicpu_register_callable(void *registration) {
    return load_orchestration(*static_cast<const Registration *>(registration));
}
