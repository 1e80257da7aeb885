// The runtime image: the structure in device memory that the host, the AICPU threads and the AICores of a run share.
//
// The host builds the part up to `payloads` anew for each run and copies it over; nothing in it survives from run to
// run. What lies outside (ready queues, and what the runtime's ImagePart points at) is reused: its contents are
// initialised at use, or copied for each run as well.
#pragma once

#include <atomic>
#include <cstdint>

#include "common/device/dispatch.h"
#include "common/device/ready_queue.h"
#include "common/device/topology.h"
#include "image_part.h"  // each runtime has its own
#include "npusim/runtime_status.h"
#include "npusim/task_args.h"

namespace rt {

// What the run is to do. Written by the host.
struct RunOrder {
    uint32_t clusters;
    uint32_t schedulers;
    uint32_t format_queues;  // the ready queues hold nothing useful yet
    int32_t callable_id;
    uint64_t callable_generation;  // changes with each registration
    const uint64_t *kernels;       // by function id, 0 where there is none
    uint64_t kernel_count;
    ReadyQueue *queues;  // SHAPES of them
    ReadyCell *queue_cells;
    uint32_t queue_capacity;
    ImagePart part;
    ChipStorageTaskArgs args;
};

// What has become of the run. Read by the host at the end.
struct RunOutcome {
    std::atomic<int32_t> orchestrator_status;
    std::atomic<int32_t> scheduler_status;
    std::atomic<int32_t> stall_detail;
    uint64_t submitted;
    char reason[128];  // of the first failure, when there is more to say
};

// Words through which AICPU threads meet.
struct RunControl {
    alignas(64) std::atomic<uint32_t> setup_done;
    std::atomic<uint32_t> failed;  // a status is set: everyone winds up
    alignas(64) std::atomic<uint64_t> submitted;
    std::atomic<uint32_t> orchestration_done;
    alignas(64) std::atomic<int32_t> idle_cores[2];  // by CoreType: cores without a task
    struct alignas(64) Completed {
        std::atomic<uint64_t> tasks;
    } completed[MAX_SCHEDULERS];
};

// A core reports itself here, waits until a scheduler has opened its registers, and says that it has seen it: only then
// may a token follow, since DATA_MAIN_BASE can hold the exit token of the run before.
struct alignas(64) CoreArrival {
    std::atomic<uint32_t> arrived;
    std::atomic<uint32_t> ready;
    int32_t block_idx;
    int32_t core_type;
    uint32_t physical_core;
};

// The part that is copied for each run.
struct RunImage {
    RunOutcome outcome;
    RunControl control;
    CoreArrival arrivals[MAX_CORES];
    RunOrder order;
};

struct Runtime {
    RunImage run;
    DispatchPayload payloads[MAX_CORES][PAYLOADS_PER_CORE];
};

// Records the first failure and tells everyone to wind up.
inline void fail_run(RunImage &run, std::atomic<int32_t> &status, int32_t code) {
    int32_t none = STATUS_OK;
    status.compare_exchange_strong(none, code, std::memory_order_relaxed);
    run.control.failed.store(1, std::memory_order_release);
}

}  // namespace rt
