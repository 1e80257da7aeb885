// The shim's driver front: the functions of CANN's runtime that host runtimes call. Each hands over to the driver's
// part of the hook table, where the model is; `rt` and `acl` names of the same request lead to the same hook.
#include "driver.h"

#include "cann/acl.h"
#include "cann/hal.h"
#include "cann/runtime.h"

// Volatile: gcc may cache statics around functions that glibc declares `leaf`.
static const NpusimDriverHooks *volatile driver;

void npusim_driver_bind(const NpusimDriverHooks *table) { driver = table; }

enum { NO_LIMIT_MS = -1 };

// ---- process and device --------------------------------------------------------------------------------------------

aclError aclInit(const char *config_path) {
    (void)config_path;
    return driver->init();
}
aclError aclFinalize(void) { return driver->finalize(); }
aclError aclrtSetDevice(int32_t device) { return driver->set_device(device); }
rtError_t rtSetDevice(int32_t device) { return driver->set_device(device); }
aclError aclrtGetDevice(int32_t *device) { return driver->get_device(device); }
aclError aclrtResetDevice(int32_t device) { return driver->reset_device(device, 0); }
rtError_t rtDeviceReset(int32_t device) { return driver->reset_device(device, 0); }
aclError aclrtResetDeviceForce(int32_t device) { return driver->reset_device(device, 1); }
aclError aclrtSetOpExecuteTimeOutV2(uint64_t timeout_us, uint64_t *actual_us) {
    return driver->set_op_timeout(timeout_us, actual_us);
}
aclError aclrtGetMemInfo(aclrtMemAttr attribute, size_t *free, size_t *total) {
    return attribute == ACL_HBM_MEM ? driver->memory_info(free, total) : ACL_ERROR_RT_FEATURE_NOT_SUPPORT;
}
int halGetDeviceInfo(uint32_t device, int32_t module, int32_t info, int64_t *value) {
    return driver->device_info(device, module, info, value);
}

// ---- streams -------------------------------------------------------------------------------------------------------

rtError_t rtStreamCreate(rtStream_t *stream, int32_t priority) {
    (void)priority;
    return driver->stream_create(stream);
}
aclError aclrtCreateStream(aclrtStream *stream) { return driver->stream_create(stream); }
rtError_t rtStreamDestroy(rtStream_t stream) { return driver->stream_destroy(stream); }
aclError aclrtDestroyStream(aclrtStream stream) { return driver->stream_destroy(stream); }
// Every stream stops at the first failure, whatever the mode: the device's work ends with it.
aclError aclrtSetStreamFailureMode(aclrtStream stream, uint64_t mode) {
    return mode <= ACL_STOP_ON_FAILURE ? driver->stream_check(stream) : ACL_ERROR_RT_PARAM_INVALID;
}
rtError_t rtStreamQuery(rtStream_t stream) { return driver->stream_query(stream); }
rtError_t rtStreamSynchronize(rtStream_t stream) { return driver->stream_synchronize(stream, NO_LIMIT_MS); }
aclError aclrtSynchronizeStream(aclrtStream stream) { return driver->stream_synchronize(stream, NO_LIMIT_MS); }
aclError aclrtSynchronizeStreamWithTimeout(aclrtStream stream, int32_t timeout_ms) {
    return driver->stream_synchronize(stream, timeout_ms);
}
aclError aclrtSynchronizeDeviceWithTimeout(int32_t timeout_ms) { return driver->device_synchronize(timeout_ms); }
aclError aclrtGetStreamResLimit(aclrtStream stream, aclrtDevResLimitType type, uint32_t *value) {
    return driver->stream_limit(stream, type, value);
}

// ---- events --------------------------------------------------------------------------------------------------------

rtError_t rtEventCreate(rtEvent_t *event) { return driver->event_create(event, 0); }
aclError aclrtCreateEventExWithFlag(aclrtEvent *event, uint32_t flags) { return driver->event_create(event, flags); }
rtError_t rtEventDestroy(rtEvent_t event) { return driver->event_destroy(event); }
aclError aclrtDestroyEvent(aclrtEvent event) { return driver->event_destroy(event); }
rtError_t rtEventRecord(rtEvent_t event, rtStream_t stream) { return driver->event_record(event, stream); }
aclError aclrtRecordEvent(aclrtEvent event, aclrtStream stream) { return driver->event_record(event, stream); }
rtError_t rtEventSynchronize(rtEvent_t event) { return driver->event_synchronize(event); }
aclError aclrtSynchronizeEvent(aclrtEvent event) { return driver->event_synchronize(event); }
rtError_t rtStreamWaitEvent(rtStream_t stream, rtEvent_t event) { return driver->stream_wait_event(stream, event); }
aclError aclrtStreamWaitEvent(aclrtStream stream, aclrtEvent event) { return driver->stream_wait_event(stream, event); }
aclError aclrtEventGetTimestamp(aclrtEvent event, uint64_t *timestamp) {
    return driver->event_timestamp(event, timestamp);
}

// ---- memory --------------------------------------------------------------------------------------------------------

rtError_t rtMalloc(void **device, uint64_t size, rtMemType_t type, uint16_t module_id) {
    (void)type;
    (void)module_id;
    return driver->malloc(device, size);
}
aclError aclrtMalloc(void **device, size_t size, aclrtMemMallocPolicy policy) {
    (void)policy;
    return driver->malloc(device, size);
}
rtError_t rtFree(void *device) { return driver->free(device); }
aclError aclrtFree(void *device) { return driver->free(device); }
rtError_t rtMemcpy(void *to, uint64_t most, const void *from, uint64_t size, rtMemcpyKind_t kind) {
    return driver->memcpy(to, most, from, size, kind);
}
aclError aclrtMemcpy(void *to, size_t most, const void *from, size_t size, aclrtMemcpyKind kind) {
    return driver->memcpy(to, most, from, size, kind);
}
aclError aclrtMemset(void *device, size_t most, int32_t value, size_t size) {
    return driver->memset(device, most, value, size);
}
aclError aclrtMallocHost(void **host, size_t size) { return driver->malloc_host(host, size); }
aclError aclrtFreeHost(void *host) { return driver->free_host(host); }

// ---- code and launches ---------------------------------------------------------------------------------------------

rtError_t rtRegisterAllKernel(const rtDevBinary_t *binary, void **handle) {
    return driver->register_binary(binary, handle);
}
rtError_t rtDevBinaryUnRegister(void *handle) { return driver->unregister_binary(handle); }
rtError_t rtKernelLaunchWithHandleV2(void *handle, uint64_t tiling_key, uint32_t block_dim, rtArgsEx_t *args,
                                     rtSmDesc_t *shared_memory, rtStream_t stream, const rtTaskCfgInfo_t *config) {
    (void)shared_memory;
    (void)config;
    return tiling_key == 0 ? driver->launch_binary(handle, block_dim, args, stream) : ACL_ERROR_RT_FEATURE_NOT_SUPPORT;
}
rtError_t rtAicpuKernelLaunchExWithArgs(uint32_t kernel_type, const char *op_name, uint32_t block_dim,
                                        const rtAicpuArgsEx_t *args, rtSmDesc_t *shared_memory, rtStream_t stream,
                                        uint32_t flags) {
    (void)op_name;
    (void)shared_memory;
    (void)flags;
    return driver->launch_builtin(kernel_type, block_dim, args, stream);
}
rtError_t rtsBinaryLoadFromFile(const char *json_path, const rtLoadBinaryConfig_t *config, rtBinHandle *binary) {
    return driver->load_cpu_binary(json_path, config, binary);
}
rtError_t rtsBinaryUnload(rtBinHandle binary) { return driver->unload_cpu_binary(binary); }
rtError_t rtsFuncGetByName(rtBinHandle binary, const char *name, rtFuncHandle *function) {
    return driver->cpu_function(binary, name, function);
}
rtError_t rtsLaunchCpuKernel(rtFuncHandle function, uint32_t count, rtStream_t stream,
                             const rtKernelLaunchCfg_t *config, rtCpuKernelArgs_t *args) {
    (void)config;
    return driver->launch_cpu(function, count, args, stream);
}
