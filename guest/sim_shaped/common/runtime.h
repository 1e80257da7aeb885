// What host, AICPU and AICore share of a run.
#pragma once

#include <atomic>
#include <cstdint>

#include "common/chip.h"
#include "npusim/callable.h"
#include "npusim/kernel.h"
#include "npusim/task_args.h"

namespace sim_shaped {

constexpr int MAX_FUNC_ID = 16;

// What a core has to call next. Written before the token that announces it.
struct KernelCall {
    uint64_t entry;
    int64_t args[KERNEL_ARGUMENT_SLOTS];
};

// One core as the AICPU sees it.
struct Worker {
    std::atomic<uint32_t> aicpu_ready;   // set by the AICPU: the core may report itself
    std::atomic<uint32_t> aicore_ready;  // set by the core: it polls its registers from now on
    KernelCall call;
};

struct Runtime {
    int32_t callable_id;
    const CoreCallable *kernels[MAX_FUNC_ID];  // by function id
    uint8_t *heap;  // for tensors that the orchestration makes; as it came from the allocator
    uint64_t heap_size;
    Worker workers[CORES];
    ChipStorageTaskArgs args;  // tensors on the device
};

// What the host hands to the AICPU when a callable is registered.
struct Registration {
    int32_t callable_id;
    const uint8_t *orchestration;
    uint64_t orchestration_size;
};

}  // namespace sim_shaped
