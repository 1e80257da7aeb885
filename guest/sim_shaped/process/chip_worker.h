// Drives a host runtime as the Python host process does: finds every function of its C API, makes a device context, and
// runs callables.
#pragma once

#include <stdexcept>
#include <string>

#include "npusim/runtime_c_api.h"
#include "npusim/task_args.h"
#include "process/chip_callable.h"

namespace sim_shaped {

// Something that did not go as it should. What there is to say is in the text.
struct Failure : std::runtime_error {
    using std::runtime_error::runtime_error;
};

// A host runtime, loaded while this lives.
struct HostRuntime {
    // Loads libcpu_sim_context.so for everybody, and for the rest of the process, and libhost_runtime.so for this object.
    explicit HostRuntime(const std::string &directory);
    ~HostRuntime();
    HostRuntime(const HostRuntime &) = delete;
    HostRuntime &operator=(const HostRuntime &) = delete;

    void *object;

    decltype(&::create_device_context) create_device_context;
    decltype(&::destroy_device_context) destroy_device_context;
    decltype(&::simpler_init) init;
    decltype(&::finalize_device) finalize_device;
    decltype(&::get_runtime_size) runtime_size;
    decltype(&::get_runtime_alignment) runtime_alignment;
    decltype(&::simpler_register_callable) register_callable;
    decltype(&::simpler_run) run;
    decltype(&::simpler_prepare_run) prepare_run;
    decltype(&::simpler_launch_run) launch_run;
    decltype(&::simpler_poll_run) poll_run;
    decltype(&::simpler_wait_run) wait_run;
    decltype(&::simpler_finalize_run) finalize_run;
};

// How the end of a run is awaited.
enum class Waiting { IN_ONE_CALL, BY_POLLING };

class ChipWorker {
public:
    ChipWorker(const HostRuntime &host, int device_id, const Bytes &aicpu, const Bytes &aicore);
    ~ChipWorker();
    ChipWorker(const ChipWorker &) = delete;
    ChipWorker &operator=(const ChipWorker &) = delete;

    void register_callable(const Bytes &callable);
    void run(const ChipStorageTaskArgs &args, Waiting waiting);

private:
    int run_in_steps(const ChipStorageTaskArgs &args, const NativeRunDescriptor &descriptor);

    const HostRuntime &host_;
    const DeviceContextHandle context_;
    void *storage_ = nullptr;
    uint64_t runs_ = 0;
};

}  // namespace sim_shaped
