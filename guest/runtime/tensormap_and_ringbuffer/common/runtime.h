// The runtime image: the structure in device memory that the host, the AICPU threads and the AICores of a run share.
//
// The host builds the part up to `payloads` anew for each run and copies it over; nothing in it survives from run to
// run. Rings, ready queues and the tensor map lie outside and are reused: their contents are initialised at use.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>

#include "common/dispatch.h"
#include "common/ready_queue.h"
#include "common/ring.h"
#include "common/topology.h"
#include "npusim/runtime_status.h"
#include "npusim/task_args.h"

namespace tmr {

constexpr uint32_t SHAPES = 3;  // AIC, AIV, MIX

// One reader or writer of a buffer in the tensor map.
struct MapEntry {
    uint64_t buffer;  // address of the buffer
    uint64_t begin;   // bytes reached, relative to it
    uint64_t end;
    const ChipTensor *tensor;
    SlotHandle slot;
    uint32_t previous;  // in the bucket's list of readers or writers
    uint32_t next;
    uint32_t next_of_slot;
    uint32_t list;  // bucket * 2 + (1 for readers)
};

struct MapLayout {
    MapEntry *entries;
    uint32_t *lists;  // 2 heads for each bucket
    uint32_t entry_count;
    uint32_t bucket_count;  // a power of two
};

// A task that one being submitted depends on, and why.
struct Producer {
    uint64_t task_id;  // the slot may hold another task by the time it is linked
    SlotHandle slot;
    uint32_t argument;
    uint32_t source;  // NPUSIM_EDGE_*
};

// What the run is to do. Written by the host.
struct RunOrder {
    uint32_t clusters;
    uint32_t schedulers;
    uint32_t format_queues;  // the ready queues hold nothing useful yet
    int32_t callable_id;
    uint64_t callable_generation;  // changes with each registration
    const uint64_t *kernels;  // by function id, 0 where there is none
    uint64_t kernel_count;
    RingLayout rings[RING_COUNT];
    ReadyQueue *queues;  // SHAPES of them
    ReadyCell *queue_cells;
    uint32_t queue_capacity;
    MapLayout map;
    Producer *producers;  // scratch of the orchestrator
    uint32_t producer_capacity;
    ChipStorageTaskArgs args;
};

// What the AICPU is to load when a callable is registered. Written by the host.
struct RegistrationOrder {
    int32_t callable_id;
    uint64_t callable_generation;
    const uint8_t *orchestration;
    uint64_t orchestration_size;
    char entry_name[CALLABLE_FUNC_NAME_MAX];
    char config_name[CALLABLE_FUNC_NAME_MAX];
    int32_t status;  // a RuntimeStatus, or a negated device code; read by the host at the end
};

// What has become of it. Read by the host at the end.
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
    DispatchPayload payloads[MAX_CORES][2];
};

// Records the first failure and tells everyone to wind up.
inline void fail_run(RunImage &run, std::atomic<int32_t> &status, int32_t code) {
    int32_t none = STATUS_OK;
    status.compare_exchange_strong(none, code, std::memory_order_relaxed);
    run.control.failed.store(1, std::memory_order_release);
}

}  // namespace tmr
