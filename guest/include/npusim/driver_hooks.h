// The part of the hook table that stands behind the driver's functions (cann/*.h). The Rust mirror is
// sim_core::driver_hooks::DriverHookTable. Change both together and raise NPUSIM_HOOK_ABI.
//
// `rt` and `acl` have several names for the same request: each request is one hook. Codes are CANN's.
#pragma once

#include <stdint.h>

#include "cann/runtime.h"

typedef struct NpusimDriverHooks {
    int (*init)(void);
    int (*finalize)(void);
    int (*set_device)(int32_t device);
    int (*get_device)(int32_t *device);
    int (*reset_device)(int32_t device, int force);
    int (*set_op_timeout)(uint64_t timeout_us, uint64_t *actual_us);
    int (*memory_info)(uint64_t *free, uint64_t *total);
    // ---- streams
    int (*stream_create)(void **stream);
    int (*stream_destroy)(void *stream);
    int (*stream_check)(void *stream);
    int (*stream_query)(void *stream);
    int (*stream_synchronize)(void *stream, int32_t timeout_ms);
    int (*device_synchronize)(int32_t timeout_ms);
    int (*stream_limit)(void *stream, uint32_t resource, uint32_t *value);
    // ---- events
    int (*stream_wait_event)(void *stream, void *event);
    int (*event_create)(void **event, uint32_t flags);
    int (*event_destroy)(void *event);
    int (*event_record)(void *event, void *stream);
    int (*event_synchronize)(void *event);
    int (*event_timestamp)(void *event, uint64_t *timestamp);
    // ---- memory
    int (*malloc)(void **device, uint64_t size);
    int (*free)(void *device);
    int (*memcpy)(void *to, uint64_t most, const void *from, uint64_t size, uint32_t kind);
    int (*memset)(void *device, uint64_t most, int32_t value, uint64_t size);
    int (*malloc_host)(void **host, uint64_t size);
    int (*free_host)(void *host);
    // ---- code and launches
    int (*register_binary)(const rtDevBinary_t *binary, void **handle);
    int (*unregister_binary)(void *handle);
    int (*launch_binary)(void *handle, uint32_t block_dim, const rtArgsEx_t *args, void *stream);
    int (*launch_builtin)(uint32_t kernel_type, uint32_t block_dim, const rtAicpuArgsEx_t *args, void *stream);
    int (*load_cpu_binary)(const char *json_path, const rtLoadBinaryConfig_t *config, void **binary);
    int (*unload_cpu_binary)(void *binary);
    int (*cpu_function)(void *binary, const char *name, void **function);
    int (*launch_cpu)(void *function, uint32_t count, const rtCpuKernelArgs_t *args, void *stream);
    int (*device_info)(uint32_t device, int32_t module, int32_t info, int64_t *value);
} NpusimDriverHooks;
