// One run, in memory of the caller: what the device works on, and the threads that are the device.
#pragma once

#include <atomic>
#include <chrono>
#include <thread>
#include <vector>

#include "common/runtime.h"
#include "host/callable.h"
#include "host/run_completion.h"
#include "host/sim_device_runner_base.h"

namespace sim_shaped {

using AicpuExecute = int(Runtime *);
using AicoreExecute = void(Runtime *, int block_idx, CoreType, uint32_t physical_core, uint64_t regs,
                           uint32_t profiling_flags, uint64_t rotation_table);

// What a launch calls.
struct DeviceEntries {
    AicpuExecute *aicpu_execute;
    AicoreExecute *aicore_execute;
};

class PreparedRun {
public:
    // Brings arguments and registers to the device.
    PreparedRun(SimDeviceRunnerBase &device, const Callable &callable, int32_t callable_id,
                const ChipStorageTaskArgs &args);
    // Waits, and frees what is on the device.
    ~PreparedRun();
    PreparedRun(const PreparedRun &) = delete;
    PreparedRun &operator=(const PreparedRun &) = delete;

    void launch(const DeviceEntries &entries);
    int poll() const { return completion_.poll(); }
    int wait();
    void copy_results_back();

    uint64_t registers() const { return reinterpret_cast<uint64_t>(register_table_); }

private:
    // An argument of the host and its copy on the device.
    struct Staged {
        void *host;
        void *device;
        size_t size;
        bool is_result;
    };

    void *allocate(size_t size);
    void stage_arguments(const Callable &callable);
    void prepare_registers();
    void run_core(const DeviceEntries &entries, int core);
    void run_aicpu_thread(const DeviceEntries &entries);
    void report_wall() const;

    SimDeviceRunnerBase &device_;
    Runtime runtime_{};
    std::vector<void *> allocations_;
    std::vector<Staged> staged_;
    uint64_t *register_table_ = nullptr;
    RunCompletion completion_;
    std::atomic<int> aicpu_arrivals_{0};
    std::chrono::steady_clock::time_point launched_;
    std::atomic<uint64_t> wall_ns_{0};
    std::vector<std::thread> threads_;
};

}  // namespace sim_shaped
