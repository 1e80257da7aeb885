// A device context: the AICPU object, loaded once, the AICore object, loaded for every run, callables, and one run.
#pragma once

#include <cstdint>
#include <map>
#include <vector>

#include "host/callable.h"
#include "host/prepared_run.h"
#include "host/sim_device_runner_base.h"
#include "npusim/task_args.h"

class DeviceRunner : public SimDeviceRunnerBase {
public:
    int init(int device_id, const uint8_t *aicpu, size_t aicpu_size, const uint8_t *aicore, size_t aicore_size);
    int finalize();

    int register_callable(int32_t id, const ChipCallable &source);
    void unregister_callable(int32_t id) { callables_.erase(id); }
    size_t callables_loaded() const { return callables_loaded_; }

    int prepare(void *storage, int32_t id, const ChipStorageTaskArgs &args);
    // The run in this storage, or null.
    sim_shaped::PreparedRun *run_in(void *storage) const { return run_ == storage ? run_ : nullptr; }
    int launch();
    int finalize_run();

private:
    int load_aicore();

    std::vector<uint8_t> aicore_bytes_;
    sim_shaped::TemporaryObject aicpu_;
    sim_shaped::TemporaryObject aicore_;
    std::map<int32_t, sim_shaped::Callable> callables_;
    size_t callables_loaded_ = 0;
    sim_shaped::PreparedRun *run_ = nullptr;
};
