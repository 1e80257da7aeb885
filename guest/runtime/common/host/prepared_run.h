// A run between prepare and finalize, in storage that belongs to the caller.
//
//   (zeroed) --prepare--> PREPARED --launch--> LAUNCHED --wait or poll--> ENDED
//        ^                    |                    |                        |
//        '--------------------'------- finalize ---'------------------------'
//
// finalize waits if it has to, copies results back and gives up what the run held on the device.
#pragma once

#include <cstdint>

#include "common/host/device_context.h"
#include "npusim/call_config.h"
#include "npusim/pipeline.h"
#include "npusim/task_args.h"

namespace rt {

class PreparedRun {
public:
    int prepare(DeviceContext &context, int32_t callable_id, const ChipStorageTaskArgs &args, const CallConfig &config,
                const NativeRunDescriptor &descriptor);
    int launch(DeviceContext &context);
    int poll(DeviceContext &context);
    int wait(DeviceContext &context);
    int finalize(DeviceContext &context);

private:
    enum class Phase : uint32_t { NONE = 0, PREPARED, LAUNCHED, ENDED };

    // A tensor that lives in host memory, and its copy on the device.
    struct Staged {
        void *host;
        void *device;
        uint64_t bytes;
        uint32_t copy_back;
    };

    int stage_tensors(const Callable &callable, ChipStorageTaskArgs &args);
    int stage(ChipTensor &tensor, ArgDirection direction, int32_t argument);
    int copy_image(DeviceContext &context, int32_t callable_id, const Callable &callable,
                   const ChipStorageTaskArgs &args);
    int end(DeviceContext &context, int device_code);
    int copy_back();
    void release();

    Phase phase_;
    DeviceContext *owner_;
    int32_t result_;
    uint32_t schedulers_;
    uint32_t staged_count_;
    volatile int32_t *accepted_state_;
    int32_t accepted_value_;
    Staged staged_[CHIP_MAX_TENSOR_ARGS];
};

}  // namespace rt
