// The part of CANN's `rt` interface that host runtimes call, in declarations of our own. Structures have CANN's layout
// (CANN 9); what the simulator does not look at is there all the same.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef int32_t rtError_t;
typedef void *rtStream_t;
typedef void *rtEvent_t;
typedef void *rtBinHandle;
typedef void *rtFuncHandle;
typedef struct rtSmDesc rtSmDesc_t;

enum { RT_ERROR_NONE = 0 };
enum { RT_MEMORY_HBM = 0x1 };
typedef uint32_t rtMemType_t;
typedef enum rtMemcpyKind {
    RT_MEMCPY_HOST_TO_HOST = 0,
    RT_MEMCPY_HOST_TO_DEVICE = 1,
    RT_MEMCPY_DEVICE_TO_HOST = 2,
    RT_MEMCPY_DEVICE_TO_DEVICE = 3,
} rtMemcpyKind_t;

// ---- device, memory, streams
rtError_t rtSetDevice(int32_t device);
rtError_t rtDeviceReset(int32_t device);
rtError_t rtMalloc(void **device, uint64_t size, rtMemType_t type, uint16_t module_id);
rtError_t rtFree(void *device);
rtError_t rtMemcpy(void *to, uint64_t most, const void *from, uint64_t size, rtMemcpyKind_t kind);
rtError_t rtStreamCreate(rtStream_t *stream, int32_t priority);
rtError_t rtStreamDestroy(rtStream_t stream);
rtError_t rtStreamQuery(rtStream_t stream);
rtError_t rtStreamSynchronize(rtStream_t stream);

// ---- events: whoever waits for one waits for its last record by then
rtError_t rtEventCreate(rtEvent_t *event);
rtError_t rtEventDestroy(rtEvent_t event);
rtError_t rtEventRecord(rtEvent_t event, rtStream_t stream);
rtError_t rtEventSynchronize(rtEvent_t event);
rtError_t rtStreamWaitEvent(rtStream_t stream, rtEvent_t event);

// ---- AICore binaries
enum { RT_DEV_BINARY_MAGIC_ELF = 0x43554245 };
typedef struct rtDevBinary {
    uint32_t magic;
    uint32_t version;
    const void *data;
    uint64_t length;
} rtDevBinary_t;

typedef struct rtArgsEx {
    void *args;  // in host memory, copied by the launch
    void *hostInputInfoPtr;
    uint32_t argsSize;
    uint32_t tilingAddrOffset;
    uint32_t tilingDataOffset;
    uint16_t hostInputInfoNum;
    uint8_t hasTiling;
    uint8_t isNoNeedH2DCopy;
    uint8_t reserved[4];
} rtArgsEx_t;

enum { RT_SCHEM_MODE_NORMAL = 0, RT_SCHEM_MODE_BATCH = 1 };
typedef struct rtTaskCfgInfo {
    uint8_t qos;
    uint8_t partId;
    uint8_t schemMode;
    bool d2dCrossFlag;
    uint32_t blockDimOffset;
    uint8_t dumpflag;
    uint8_t neverTimeout;
    uint8_t reserved[2];
    uint32_t localMemorySize;
} rtTaskCfgInfo_t;

// Registers every kernel of an object. The object is copied to the device by the first launch of the handle.
rtError_t rtRegisterAllKernel(const rtDevBinary_t *binary, void **handle);
rtError_t rtDevBinaryUnRegister(void *handle);
rtError_t rtKernelLaunchWithHandleV2(void *handle, uint64_t tiling_key, uint32_t block_dim, rtArgsEx_t *args,
                                     rtSmDesc_t *shared_memory, rtStream_t stream, const rtTaskCfgInfo_t *config);

// ---- AICPU, built-in functions by name: both names are in `args`, 32 bytes each with the final zero
enum { RT_AICPU_NAME_BYTES = 32 };
enum { KERNEL_TYPE_AICPU = 2, KERNEL_TYPE_AICPU_KFC = 5 };
typedef struct rtAicpuArgsEx {
    void *args;  // in host memory, copied by the launch
    void *hostInputInfoPtr;
    void *kernelOffsetInfoPtr;
    uint32_t argsSize;
    uint16_t hostInputInfoNum;
    uint16_t kernelOffsetInfoNum;
    uint32_t soNameAddrOffset;
    uint32_t kernelNameAddrOffset;
    bool isNoNeedH2DCopy;
    uint16_t timeout;
    uint8_t reserved;
} rtAicpuArgsEx_t;
rtError_t rtAicpuKernelLaunchExWithArgs(uint32_t kernel_type, const char *op_name, uint32_t block_dim,
                                        const rtAicpuArgsEx_t *args, rtSmDesc_t *shared_memory, rtStream_t stream,
                                        uint32_t flags);

// ---- AICPU, objects of our own
typedef enum rtLoadBinaryOption {
    RT_LOAD_BINARY_OPT_LAZY_LOAD = 1,
    RT_LOAD_BINARY_OPT_MAGIC = 2,
    RT_LOAD_BINARY_OPT_CPU_KERNEL_MODE = 3,
} rtLoadBinaryOption;
typedef union rtLoadBinaryOptionValue {
    uint32_t isLazyLoad;
    uint32_t magic;
    int32_t cpuKernelMode;  // 0: only the JSON file, the object is on the device already
    uint32_t reserved[4];
} rtLoadBinaryOptionValue_t;
typedef struct rtLoadBinaryOptionEntry {
    rtLoadBinaryOption optionId;
    rtLoadBinaryOptionValue_t value;
} rtLoadBinaryOption_t;
typedef struct rtLoadBinaryConfig {
    rtLoadBinaryOption_t *options;
    size_t numOpt;
} rtLoadBinaryConfig_t;

typedef struct rtLaunchKernelAttr {
    uint32_t id;
    uint32_t reserved[5];
} rtLaunchKernelAttr_t;
typedef struct rtKernelLaunchCfg {
    rtLaunchKernelAttr_t *attrs;
    size_t numAttrs;
} rtKernelLaunchCfg_t;
typedef struct rtCpuKernelArgs {
    rtAicpuArgsEx_t baseArgs;
    size_t cpuParamHeadOffset;
    uint32_t reserved[4];
} rtCpuKernelArgs_t;

rtError_t rtsBinaryLoadFromFile(const char *json_path, const rtLoadBinaryConfig_t *config, rtBinHandle *binary);
rtError_t rtsBinaryUnload(rtBinHandle binary);
rtError_t rtsFuncGetByName(rtBinHandle binary, const char *name, rtFuncHandle *function);
// Starts `count` AICPU threads. Each calls the function with the address of a copy of the arguments on the device.
rtError_t rtsLaunchCpuKernel(rtFuncHandle function, uint32_t count, rtStream_t stream,
                             const rtKernelLaunchCfg_t *config, rtCpuKernelArgs_t *args);

#ifdef __cplusplus
}  // extern "C"

static_assert(sizeof(rtDevBinary_t) == 24);
static_assert(sizeof(rtArgsEx_t) == 40 && offsetof(rtArgsEx_t, argsSize) == 16);
static_assert(sizeof(rtTaskCfgInfo_t) == 16);
static_assert(sizeof(rtAicpuArgsEx_t) == 48 && offsetof(rtAicpuArgsEx_t, argsSize) == 24);
static_assert(offsetof(rtAicpuArgsEx_t, soNameAddrOffset) == 32 && offsetof(rtAicpuArgsEx_t, timeout) == 42);
static_assert(sizeof(rtLoadBinaryOption_t) == 20 && sizeof(rtLaunchKernelAttr_t) == 24);
static_assert(sizeof(rtCpuKernelArgs_t) == 72 && offsetof(rtCpuKernelArgs_t, cpuParamHeadOffset) == 48);
#endif
