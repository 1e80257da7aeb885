// The C API of a host runtime: the 43 functions that the host process resolves in libhost_runtime.so.
//
// A run goes prepare -> launch -> (poll | wait) -> finalize; simpler_run does all of it. Its storage belongs to the
// caller: get_runtime_size bytes, zeroed before the first use, not moved from prepare to finalize. Codes: 0 is success,
// negative is an error. Null pointers, ids out of range and calls out of order give a negative code.
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "npusim/pipeline.h"

struct CallConfig;
struct SimplerHostLogState;

#ifdef __cplusplus
extern "C" {
#endif

typedef void *DeviceContextHandle;
typedef void *RuntimeHandle;
typedef void *CommHandle;

enum {
    PTO_RUNTIME_ERR_INVALID = -1,
    PTO_RUNTIME_ERR_UNSUPPORTED = -2,
    PTO_RUNTIME_ERR_PREPARED_INCOMPATIBLE = -3,
};
enum {
    SIMPLER_NATIVE_RUN_POLL_ERROR = -1,
    SIMPLER_NATIVE_RUN_POLL_NOT_READY = 0,
    SIMPLER_NATIVE_RUN_POLL_COMPLETE = 1,
};

// ---- life of a device context
DeviceContextHandle create_device_context(void);
void destroy_device_context(DeviceContextHandle context);
// Takes the AICPU and AICore objects (copied) and sizes the arena by `prewarm_config`, or by the defaults if it is null.
int simpler_init(DeviceContextHandle context, int device_id, const uint8_t *aicpu_binary, size_t aicpu_size,
                 const uint8_t *aicore_binary, size_t aicore_size, const uint8_t *dispatcher_binary,
                 size_t dispatcher_size, const struct CallConfig *prewarm_config);
int finalize_device(DeviceContextHandle context);
int ensure_acl_ready_ctx(DeviceContextHandle context, int device_id);

// ---- sizes and declarations
size_t get_runtime_size(void);
size_t get_runtime_alignment(void);
const PipelineContract *get_pipeline_contract(void);
int supports_concurrent_native_prepare_ctx(DeviceContextHandle context);
uint64_t get_arena_bank_gm_heap_base_ctx(DeviceContextHandle context, uint32_t bank_id);
uint64_t get_retained_temp_addr_ctx(DeviceContextHandle context, uint32_t slot_id);

// ---- device memory
void *device_malloc_ctx(DeviceContextHandle context, size_t size);
void device_free_ctx(DeviceContextHandle context, void *device);
size_t committed_device_memory_ctx(DeviceContextHandle context);
int copy_to_device_ctx(DeviceContextHandle context, void *device, const void *host, size_t size);
int copy_from_device_ctx(DeviceContextHandle context, void *host, const void *device, size_t size);
int simpler_provision_dma_workspace(DeviceContextHandle context, uint32_t required_mask, const void *warmup_binary,
                                    uint64_t warmup_size);

// ---- callables: `callable` is a ChipCallable (callable.h); ids are 0..63
int simpler_register_callable(DeviceContextHandle context, int32_t callable_id, const void *callable);
int simpler_unregister_callable(DeviceContextHandle context, int32_t callable_id);
size_t get_aicpu_dlopen_count(DeviceContextHandle context);
size_t get_host_dlopen_count(DeviceContextHandle context);
size_t get_run_stream_set_create_count(DeviceContextHandle context);

// ---- runs: `args` is a ChipStorageTaskArgs (task_args.h)
int simpler_run(DeviceContextHandle context, RuntimeHandle runtime, int32_t callable_id, const void *args,
                const struct CallConfig *config, const NativeRunDescriptor *descriptor);
int simpler_prepare_run(DeviceContextHandle context, RuntimeHandle runtime, int32_t callable_id, const void *args,
                        const struct CallConfig *config, const NativeRunDescriptor *descriptor);
int simpler_launch_run(DeviceContextHandle context, RuntimeHandle runtime);
int simpler_poll_run(DeviceContextHandle context, RuntimeHandle runtime);
int simpler_wait_run(DeviceContextHandle context, RuntimeHandle runtime);
int simpler_finalize_run(DeviceContextHandle context, RuntimeHandle runtime);

// ---- communication between devices
void *create_comm_stream_ctx(DeviceContextHandle context);
int destroy_comm_stream_ctx(DeviceContextHandle context, void *stream);
CommHandle comm_init(int rank, int rank_count, void *stream, const char *rootinfo_path);
int comm_alloc_windows(CommHandle comm, size_t window_size, uint64_t *device_context);
int comm_get_local_window_base(CommHandle comm, uint64_t *base);
int comm_get_window_size(CommHandle comm, size_t *size);
int comm_derive_context(CommHandle comm, const uint32_t *ranks, size_t rank_count, uint32_t domain_rank,
                        size_t window_offset, size_t window_size, uint64_t *device_context);
int comm_alloc_domain_windows(CommHandle comm, uint64_t allocation_id, const uint32_t *ranks, size_t rank_count,
                              uint32_t domain_rank, size_t window_size, uint64_t *device_context,
                              uint64_t *local_window_base);
int comm_release_domain_windows(CommHandle comm, uint64_t allocation_id, size_t rank_count, uint32_t domain_rank);
int comm_global_domain_prepare(uint64_t domain_id, uint32_t domain_rank, uint32_t rank_count, size_t window_size,
                               uint32_t profile, void *descriptor, uint64_t *local_window_base);
int comm_global_domain_import(uint64_t domain_id, const void *descriptors, size_t descriptor_count,
                              uint64_t *device_context);
int comm_global_domain_release(uint64_t domain_id);
int comm_barrier(CommHandle comm);
int comm_destroy(CommHandle comm);

int simpler_host_log_bind_state(struct SimplerHostLogState *state);

#ifdef __cplusplus
}  // extern "C"
#endif
