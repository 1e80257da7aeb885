// The part of the driver library's interface that host runtimes probe the topology with.
#pragma once

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

enum { MODULE_TYPE_SYSTEM = 0, MODULE_TYPE_AICPU = 1, MODULE_TYPE_CCPU = 2, MODULE_TYPE_AICORE = 4, MODULE_TYPE_VECTOR_CORE = 7 };
enum { INFO_TYPE_CORE_NUM = 3, INFO_TYPE_OCCUPY = 8 };

// 0, or an error of the driver; what it has no answer for is 65534.
enum { DRV_ERROR_NONE = 0, DRV_ERROR_INVALID_VALUE = 3, DRV_ERROR_NOT_SUPPORT = 65534 };
int halGetDeviceInfo(uint32_t device, int32_t module, int32_t info, int64_t *value);

#ifdef __cplusplus
}  // extern "C"
#endif
