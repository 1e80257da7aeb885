// How runs share a device: the runtime's declaration of what a run occupies, and the identity of one prepared run.
#pragma once

#include <stddef.h>
#include <stdint.h>

enum { PTO_PIPELINE_CONTRACT_ABI_VERSION = 1, PTO_PIPELINE_MAX_RESOURCES = 8, PTO_PIPELINE_MAX_DEPTH = 2 };

// How many copies of a resource a pipeline of runs needs.
typedef enum PipelineResourceClass {
    PTO_PIPELINE_HOST_PER_RUN = 0,    // one for each run in flight
    PTO_PIPELINE_DEVICE_SCRATCH = 1,  // one
    PTO_PIPELINE_EXEC_HANDLE = 2,     // one for each run in flight
} PipelineResourceClass;

typedef enum PipelineResourceKind {
    PTO_PIPELINE_KIND_UNSPECIFIED = 0,
    PTO_PIPELINE_GM_HEAP = 1,
    PTO_PIPELINE_GM_SM = 2,
    PTO_PIPELINE_RUNTIME_IMAGE = 3,
    PTO_PIPELINE_TASK_ARGS = 4,
    PTO_PIPELINE_AICPU_STREAM = 5,
    PTO_PIPELINE_AICORE_STREAM = 6,
} PipelineResourceKind;

typedef struct PipelineResource {
    uint32_t kind;
    uint32_t resource_class;
    uint64_t bytes_per_copy;  // reserved, 0
} PipelineResource;

typedef struct PipelineContract {
    uint32_t abi_version;
    uint32_t resource_count;
    uint32_t pipeline_depth;
    PipelineResource resources[PTO_PIPELINE_MAX_RESOURCES];
} PipelineContract;

typedef struct PipelineSlotLease {
    uint32_t slot_id;
    uint32_t reserved;
    uint64_t generation;  // 0: no lease
} PipelineSlotLease;

typedef struct NativeRunDescriptor {
    uint32_t pipeline_slot;
    uint32_t arena_bank;
    uint64_t run_id;
    uint64_t generation;
    uint64_t dispatch_id;
    uint64_t run_epoch;
    volatile int32_t *accepted_state;  // written once the launch is real; may be null
    int32_t accepted_value;
} NativeRunDescriptor;

#ifdef __cplusplus
static_assert(sizeof(PipelineResource) == 16);
static_assert(sizeof(PipelineContract) == 144);
static_assert(offsetof(PipelineContract, resources) == 16);
static_assert(sizeof(PipelineSlotLease) == 16);
static_assert(sizeof(NativeRunDescriptor) == 56);
static_assert(offsetof(NativeRunDescriptor, run_epoch) == 32);
static_assert(offsetof(NativeRunDescriptor, accepted_state) == 40);
static_assert(offsetof(NativeRunDescriptor, accepted_value) == 48);
#endif
