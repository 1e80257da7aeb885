// The C API: checks what callers pass, and hands over.
#include <new>

#include "common/host/device_context.h"
#include "common/host/prepared_run.h"
#include "npusim/runtime_c_api.h"

using rt::DeviceContext;
using rt::PreparedRun;

namespace {

DeviceContext *context_of(DeviceContextHandle handle) { return static_cast<DeviceContext *>(handle); }
PreparedRun *run_of(RuntimeHandle handle) { return static_cast<PreparedRun *>(handle); }

DeviceContext *ready_context(DeviceContextHandle handle) {
    DeviceContext *context = context_of(handle);
    return context != nullptr && context->is_ready() ? context : nullptr;
}

bool is_callable_id(int32_t id) { return id >= 0 && id < MAX_REGISTERED_CALLABLE_IDS; }

// One phase of a run, on a context and a storage that exist.
int phase(DeviceContextHandle context, RuntimeHandle runtime, int (PreparedRun::*step)(DeviceContext &)) {
    DeviceContext *ready = ready_context(context);
    if (ready == nullptr || runtime == nullptr) return PTO_RUNTIME_ERR_INVALID;
    return (run_of(runtime)->*step)(*ready);
}

constexpr PipelineContract CONTRACT = {
    PTO_PIPELINE_CONTRACT_ABI_VERSION,
    6,
    1,
    {{PTO_PIPELINE_GM_HEAP, PTO_PIPELINE_DEVICE_SCRATCH, 0},
     {PTO_PIPELINE_GM_SM, PTO_PIPELINE_DEVICE_SCRATCH, 0},
     {PTO_PIPELINE_RUNTIME_IMAGE, PTO_PIPELINE_HOST_PER_RUN, 0},
     {PTO_PIPELINE_TASK_ARGS, PTO_PIPELINE_HOST_PER_RUN, 0},
     {PTO_PIPELINE_AICPU_STREAM, PTO_PIPELINE_EXEC_HANDLE, 0},
     {PTO_PIPELINE_AICORE_STREAM, PTO_PIPELINE_EXEC_HANDLE, 0}},
};

}  // namespace

extern "C" {

// ---- life of a device context

DeviceContextHandle create_device_context(void) { return new (std::nothrow) DeviceContext(); }

void destroy_device_context(DeviceContextHandle context) {
    if (context_of(context) != nullptr && !context_of(context)->is_claimed()) delete context_of(context);
}

int simpler_init(DeviceContextHandle context, int device_id, const uint8_t *aicpu_binary, size_t aicpu_size,
                 const uint8_t *aicore_binary, size_t aicore_size, const uint8_t * /*dispatcher_binary*/,
                 size_t /*dispatcher_size*/, const CallConfig *prewarm_config) {
    if (context == nullptr || device_id < 0) return PTO_RUNTIME_ERR_INVALID;
    if (aicpu_binary == nullptr || aicpu_size == 0 || aicore_binary == nullptr || aicore_size == 0) {
        return PTO_RUNTIME_ERR_INVALID;
    }
    return context_of(context)->init(aicpu_binary, aicpu_size, aicore_binary, aicore_size, prewarm_config);
}

int finalize_device(DeviceContextHandle context) {
    if (context == nullptr || context_of(context)->is_claimed()) return PTO_RUNTIME_ERR_INVALID;
    context_of(context)->finalize();
    return 0;
}

int ensure_acl_ready_ctx(DeviceContextHandle context, int device_id) {
    return context != nullptr && device_id >= 0 ? 0 : PTO_RUNTIME_ERR_INVALID;
}

// ---- sizes and declarations

size_t get_runtime_size(void) { return sizeof(PreparedRun); }
size_t get_runtime_alignment(void) { return alignof(PreparedRun); }
const PipelineContract *get_pipeline_contract(void) { return &CONTRACT; }
int supports_concurrent_native_prepare_ctx(DeviceContextHandle) { return 0; }

uint64_t get_arena_bank_gm_heap_base_ctx(DeviceContextHandle context, uint32_t bank_id) {
    DeviceContext *ready = ready_context(context);
    return ready != nullptr && bank_id == 0 ? ready->memory().heap_base() : 0;
}

uint64_t get_retained_temp_addr_ctx(DeviceContextHandle, uint32_t) { return 0; }

// ---- device memory

void *device_malloc_ctx(DeviceContextHandle context, size_t size) {
    return ready_context(context) != nullptr && size != 0 ? npusim_malloc(size, 64, "host process") : nullptr;
}

void device_free_ctx(DeviceContextHandle context, void *device) {
    if (ready_context(context) != nullptr && device != nullptr) npusim_free(device);
}

size_t committed_device_memory_ctx(DeviceContextHandle context) {
    return ready_context(context) != nullptr ? npusim_committed() : 0;
}

int copy_to_device_ctx(DeviceContextHandle context, void *device, const void *host, size_t size) {
    if (ready_context(context) == nullptr || device == nullptr || host == nullptr) return PTO_RUNTIME_ERR_INVALID;
    return npusim_copy_to_device(device, host, size);
}

int copy_from_device_ctx(DeviceContextHandle context, void *host, const void *device, size_t size) {
    if (ready_context(context) == nullptr || device == nullptr || host == nullptr) return PTO_RUNTIME_ERR_INVALID;
    return npusim_copy_from_device(host, device, size);
}

int simpler_provision_dma_workspace(DeviceContextHandle context, uint32_t required_mask, const void *, uint64_t) {
    if (ready_context(context) == nullptr) return PTO_RUNTIME_ERR_INVALID;
    return required_mask == 0 ? 0 : PTO_RUNTIME_ERR_UNSUPPORTED;
}

// ---- callables

int simpler_register_callable(DeviceContextHandle context, int32_t callable_id, const void *callable) {
    DeviceContext *ready = ready_context(context);
    if (ready == nullptr || callable == nullptr || !is_callable_id(callable_id)) return PTO_RUNTIME_ERR_INVALID;
    if (ready->is_claimed()) return PTO_RUNTIME_ERR_INVALID;
    return ready->register_callable(callable_id, *static_cast<const ChipCallable *>(callable));
}

int simpler_unregister_callable(DeviceContextHandle context, int32_t callable_id) {
    DeviceContext *ready = ready_context(context);
    if (ready == nullptr || !is_callable_id(callable_id) || ready->is_claimed()) return PTO_RUNTIME_ERR_INVALID;
    return ready->unregister_callable(callable_id);
}

size_t get_aicpu_dlopen_count(DeviceContextHandle context) {
    DeviceContext *ready = ready_context(context);
    return ready != nullptr ? ready->aicpu_loads() : 0;
}

size_t get_host_dlopen_count(DeviceContextHandle context) {
    DeviceContext *ready = ready_context(context);
    return ready != nullptr ? ready->host_loads() : 0;
}

size_t get_run_stream_set_create_count(DeviceContextHandle) { return 0; }

// ---- runs

int simpler_prepare_run(DeviceContextHandle context, RuntimeHandle runtime, int32_t callable_id, const void *args,
                        const CallConfig *config, const NativeRunDescriptor *descriptor) {
    DeviceContext *ready = ready_context(context);
    if (ready == nullptr || runtime == nullptr || args == nullptr || config == nullptr || descriptor == nullptr) {
        return PTO_RUNTIME_ERR_INVALID;
    }
    if (!is_callable_id(callable_id)) return PTO_RUNTIME_ERR_INVALID;
    return run_of(runtime)->prepare(*ready, callable_id, *static_cast<const ChipStorageTaskArgs *>(args), *config,
                                    *descriptor);
}

int simpler_launch_run(DeviceContextHandle context, RuntimeHandle runtime) {
    return phase(context, runtime, &PreparedRun::launch);
}

int simpler_poll_run(DeviceContextHandle context, RuntimeHandle runtime) {
    return phase(context, runtime, &PreparedRun::poll);
}

int simpler_wait_run(DeviceContextHandle context, RuntimeHandle runtime) {
    return phase(context, runtime, &PreparedRun::wait);
}

int simpler_finalize_run(DeviceContextHandle context, RuntimeHandle runtime) {
    return phase(context, runtime, &PreparedRun::finalize);
}

int simpler_run(DeviceContextHandle context, RuntimeHandle runtime, int32_t callable_id, const void *args,
                const CallConfig *config, const NativeRunDescriptor *descriptor) {
    int code = simpler_prepare_run(context, runtime, callable_id, args, config, descriptor);
    if (code != 0) return code;
    const int launched = simpler_launch_run(context, runtime);
    const int waited = launched == 0 ? simpler_wait_run(context, runtime) : launched;
    code = simpler_finalize_run(context, runtime);
    return waited != 0 ? waited : code;
}

int simpler_host_log_bind_state(struct SimplerHostLogState *) { return 0; }

}  // extern "C"
