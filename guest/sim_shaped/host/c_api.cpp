// The C API of the host runtime. Communication between devices is in a file of its own.
#include "host/device_runner.h"
#include "npusim/call_config.h"
#include "npusim/runtime_c_api.h"

namespace {

DeviceRunner *runner(DeviceContextHandle context) { return static_cast<DeviceRunner *>(context); }

// The run that this context has in this storage, or null.
sim_shaped::PreparedRun *find_run(DeviceContextHandle context, RuntimeHandle storage) {
    return context != nullptr && storage != nullptr ? runner(context)->run_in(storage) : nullptr;
}

bool is_callable_id(int32_t id) { return id >= 0 && id < MAX_REGISTERED_CALLABLE_IDS; }

constexpr PipelineContract CONTRACT = {PTO_PIPELINE_CONTRACT_ABI_VERSION,
                                       1,
                                       1,
                                       {{PTO_PIPELINE_RUNTIME_IMAGE, PTO_PIPELINE_HOST_PER_RUN, 0}}};

}  // namespace

extern "C" {

// ---- life of a device context

DeviceContextHandle create_device_context() { return new DeviceRunner; }

void destroy_device_context(DeviceContextHandle context) { delete runner(context); }

int simpler_init(DeviceContextHandle context, int device_id, const uint8_t *aicpu, size_t aicpu_size,
                 const uint8_t *aicore, size_t aicore_size, const uint8_t *, size_t, const CallConfig *) {
    if (context == nullptr || aicpu == nullptr || aicore == nullptr || device_id < 0) return PTO_RUNTIME_ERR_INVALID;
    return runner(context)->init(device_id, aicpu, aicpu_size, aicore, aicore_size);
}

int finalize_device(DeviceContextHandle context) {
    return context != nullptr ? runner(context)->finalize() : PTO_RUNTIME_ERR_INVALID;
}

int ensure_acl_ready_ctx(DeviceContextHandle context, int) { return context != nullptr ? 0 : PTO_RUNTIME_ERR_INVALID; }

// ---- sizes and declarations

size_t get_runtime_size() { return sizeof(sim_shaped::PreparedRun); }
size_t get_runtime_alignment() { return alignof(sim_shaped::PreparedRun); }
const PipelineContract *get_pipeline_contract() { return &CONTRACT; }
int supports_concurrent_native_prepare_ctx(DeviceContextHandle) { return 0; }
uint64_t get_arena_bank_gm_heap_base_ctx(DeviceContextHandle, uint32_t) { return 0; }
uint64_t get_retained_temp_addr_ctx(DeviceContextHandle, uint32_t) { return 0; }

// ---- device memory

void *device_malloc_ctx(DeviceContextHandle context, size_t size) {
    return context != nullptr ? runner(context)->memory().alloc(size) : nullptr;
}

void device_free_ctx(DeviceContextHandle context, void *device) {
    if (context != nullptr) runner(context)->memory().free(device);
}

size_t committed_device_memory_ctx(DeviceContextHandle context) {
    return context != nullptr ? runner(context)->memory().committed() : 0;
}

int copy_to_device_ctx(DeviceContextHandle context, void *device, const void *host, size_t size) {
    if (context == nullptr || device == nullptr || host == nullptr) return PTO_RUNTIME_ERR_INVALID;
    return runner(context)->copy_to_device(device, host, size);
}

int copy_from_device_ctx(DeviceContextHandle context, void *host, const void *device, size_t size) {
    if (context == nullptr || device == nullptr || host == nullptr) return PTO_RUNTIME_ERR_INVALID;
    return runner(context)->copy_from_device(host, device, size);
}

int simpler_provision_dma_workspace(DeviceContextHandle, uint32_t, const void *, uint64_t) {
    return PTO_RUNTIME_ERR_UNSUPPORTED;
}

// ---- callables

int simpler_register_callable(DeviceContextHandle context, int32_t id, const void *callable) {
    if (context == nullptr || callable == nullptr || !is_callable_id(id)) return PTO_RUNTIME_ERR_INVALID;
    return runner(context)->register_callable(id, *static_cast<const ChipCallable *>(callable));
}

int simpler_unregister_callable(DeviceContextHandle context, int32_t id) {
    if (context == nullptr || !is_callable_id(id)) return PTO_RUNTIME_ERR_INVALID;
    runner(context)->unregister_callable(id);
    return 0;
}

size_t get_aicpu_dlopen_count(DeviceContextHandle context) {
    return context != nullptr ? runner(context)->callables_loaded() : 0;
}
size_t get_host_dlopen_count(DeviceContextHandle) { return 0; }
size_t get_run_stream_set_create_count(DeviceContextHandle) { return 0; }

// ---- runs

int simpler_prepare_run(DeviceContextHandle context, RuntimeHandle storage, int32_t id, const void *args,
                        const CallConfig *config, const NativeRunDescriptor *descriptor) {
    if (!context || !storage || !args || !config || !descriptor) return PTO_RUNTIME_ERR_INVALID;
    return runner(context)->prepare(storage, id, *static_cast<const ChipStorageTaskArgs *>(args));
}

int simpler_launch_run(DeviceContextHandle context, RuntimeHandle storage) {
    return find_run(context, storage) != nullptr ? runner(context)->launch() : PTO_RUNTIME_ERR_INVALID;
}

int simpler_poll_run(DeviceContextHandle context, RuntimeHandle storage) {
    const sim_shaped::PreparedRun *run = find_run(context, storage);
    return run != nullptr ? run->poll() : SIMPLER_NATIVE_RUN_POLL_ERROR;
}

int simpler_wait_run(DeviceContextHandle context, RuntimeHandle storage) {
    sim_shaped::PreparedRun *run = find_run(context, storage);
    return run != nullptr ? run->wait() : PTO_RUNTIME_ERR_INVALID;
}

int simpler_finalize_run(DeviceContextHandle context, RuntimeHandle storage) {
    return find_run(context, storage) != nullptr ? runner(context)->finalize_run() : PTO_RUNTIME_ERR_INVALID;
}

int simpler_run(DeviceContextHandle context, RuntimeHandle storage, int32_t id, const void *args,
                const CallConfig *config, const NativeRunDescriptor *descriptor) {
    int code = simpler_prepare_run(context, storage, id, args, config, descriptor);
    if (code != 0) return code;
    code = simpler_launch_run(context, storage);
    const int end = simpler_finalize_run(context, storage);
    return code != 0 ? code : end;
}

int simpler_host_log_bind_state(SimplerHostLogState *) { return 0; }

}  // extern "C"
