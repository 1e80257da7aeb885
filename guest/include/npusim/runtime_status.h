// Status codes of a runtime on the device. A run reports them negated.
#pragma once

#include <cstdint>

enum RuntimeStatus : int32_t {
    STATUS_OK = 0,
    // ---- found by the orchestrator
    STATUS_SCOPE_DEADLOCK = 1,         // an open scope holds every slot of its ring
    STATUS_HEAP_RING_DEADLOCK = 2,     // the ring's heap cannot hold the outputs
    STATUS_FLOW_CONTROL_DEADLOCK = 3,  // the ring has no room for the descriptors
    STATUS_DEP_POOL_OVERFLOW = 4,      // the ring has no room for the dependencies
    STATUS_INVALID_ARGS = 5,
    STATUS_SYNC_START_INVALID = 7,
    STATUS_TENSOR_WAIT_TIMEOUT = 8,
    STATUS_EXPLICIT_ORCH_FATAL = 9,
    STATUS_SCOPE_OVERFLOW = 10,      // scopes are nested too deep
    STATUS_TENSORMAP_OVERFLOW = 11,  // the tensor map has no room and nothing will retire
    // ---- found by a scheduler
    STATUS_SCHEDULER_TIMEOUT = 100,
    STATUS_ASYNC_COMPLETION_INVALID = 101,
    STATUS_ASYNC_WAIT_OVERFLOW = 102,
    STATUS_ASYNC_REGISTRATION_FAILED = 103,
    STATUS_CORE_HANDSHAKE_INVALID = 104,
};

// What a scheduler saw when nothing had made progress for too long.
enum StallDetail : int32_t {
    STALL_NONE = 0,
    STALL_RUNNING = 1,     // a task is on a core and does not finish
    STALL_READY_IDLE = 3,  // tasks are ready, cores are idle, nothing is dispatched
    STALL_DEPENDENCY = 4,  // tasks wait for others that will never finish
    STALL_ORCHESTRATOR = 5,  // every submitted task is done and the orchestration does not end
    STALL_UNKNOWN = 99,
};
