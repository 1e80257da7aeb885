// The platform on the board: what the host part of a runtime asks of its platform, by CANN's functions.
//
// The runtime's host sources are compiled a second time and linked with this file. Its functions have the names of the
// simulator's platform layer and are hidden, so that the linker binds the runtime to them and not to the shim. What CANN
// has no word for stays with the shim: the topology of the runtime's own threads, kernels, log lines, and objects that
// the host loads for itself.
#pragma GCC visibility push(hidden)
#include "npusim/platform.h"
#pragma GCC visibility pop

#include <cstring>

#include "cann/acl.h"
#include "cann/runtime.h"
#include "onboard/host/board.h"
#include "onboard/host/own_objects.h"

namespace {

using onboard::AicpuFunction;
using onboard::Board;

// The objects of a runtime; there is one of each. The shim counts its objects upwards.
constexpr uint64_t NO_OBJECT = 0;
constexpr uint64_t AICPU_OBJECT = UINT64_MAX;
constexpr uint64_t AICORE_OBJECT = UINT64_MAX - 1;

// What rtMalloc gives at least.
constexpr size_t ALIGNMENT = 512;

Board &board() { return Board::get(); }

int negated(int code) { return -board().note(code); }

// The host calls this function itself: it is on the device, so that is a launch of its own.
void release_callables() {
    const rtFuncHandle function = board().aicpu().function(AicpuFunction::RELEASE_CALLABLES);
    if (board().launch_aicpu_threads(function, nullptr, 1) == 0) board().wait();
}

}  // namespace

extern "C" {

void *npusim_malloc(size_t size, size_t alignment, const char *) {
    void *device = nullptr;
    if (alignment > ALIGNMENT) {
        board().note(ACL_ERROR_RT_PARAM_INVALID);
        return nullptr;
    }
    return board().note(rtMalloc(&device, size, RT_MEMORY_HBM, 0)) == 0 ? device : nullptr;
}

int npusim_free(void *device) { return negated(rtFree(device)); }

int npusim_copy_to_device(void *device, const void *host, size_t size) {
    return negated(rtMemcpy(device, size, host, size, RT_MEMCPY_HOST_TO_DEVICE));
}

int npusim_copy_from_device(void *host, const void *device, size_t size) {
    return negated(rtMemcpy(host, size, device, size, RT_MEMCPY_DEVICE_TO_HOST));
}

int npusim_memset(void *device, int value, size_t size) { return negated(aclrtMemset(device, size, value, size)); }

size_t npusim_committed(void) {
    size_t free = 0;
    size_t total = 0;
    return aclrtGetMemInfo(ACL_HBM_MEM, &free, &total) == 0 ? total - free : 0;
}

int npusim_last_error(void) { return board().last_error(); }

uint64_t npusim_load(uint32_t origin, const void *bytes, size_t size, const char *name) {
    switch (origin) {
        case NPUSIM_ORIGIN_AICPU: return board().load_aicpu(bytes, size) == 0 ? AICPU_OBJECT : NO_OBJECT;
        case NPUSIM_ORIGIN_AICORE: return board().load_aicore(bytes, size) == 0 ? AICORE_OBJECT : NO_OBJECT;
        default: break;
    }
    const onboard::OwnObjects &own = onboard::OwnObjects::get();
    const uint64_t object = own.load(origin, bytes, size, name);
    if (object == NO_OBJECT) board().note(-own.last_error());
    return object;
}

// A function of the AICPU object is its handle, the entry of the AICore object the handle of the object.
void *npusim_symbol(uint64_t object, const char *name) {
    if (object == AICORE_OBJECT && board().has_aicore()) return reinterpret_cast<void *>(AICORE_OBJECT);
    if (object != AICPU_OBJECT) return onboard::OwnObjects::get().symbol(object, name);
    const rtFuncHandle function = board().aicpu().function(name);
    if (function == nullptr) board().note(ACL_ERROR_RT_PARAM_INVALID);
    const bool is_release = function == board().aicpu().function(AicpuFunction::RELEASE_CALLABLES);
    return is_release && function != nullptr ? reinterpret_cast<void *>(release_callables) : function;
}

int npusim_unload(uint64_t object) {
    if (object == AICPU_OBJECT) {
        board().unload_aicpu();
    } else if (object == AICORE_OBJECT) {
        board().unload_aicore();
    } else {
        return onboard::OwnObjects::get().unload(object);
    }
    return 0;
}

int npusim_register_callable(NpusimCallable callable, const void *bytes, size_t size, const char *name, uint64_t *object) {
    const onboard::OwnObjects &own = onboard::OwnObjects::get();
    const int code = own.register_callable(callable, bytes, size, name, object);
    if (code != 0) board().note(-own.last_error());
    return code;
}

uint64_t npusim_begin_callable(NpusimCallable callable) {
    const onboard::OwnObjects &own = onboard::OwnObjects::get();
    const uint64_t object = own.begin_callable(callable);
    if (object == NO_OBJECT) board().note(-own.last_error());
    return object;
}

int npusim_end_callable(NpusimCallable callable) { return onboard::OwnObjects::get().end_callable(callable); }

int npusim_unregister_callable(NpusimCallable callable) { return onboard::OwnObjects::get().unregister_callable(callable); }

size_t npusim_callable_loads(void) { return onboard::OwnObjects::get().callable_loads(); }

uint32_t npusim_object_transfer(void) { return onboard::OwnObjects::get().object_transfer(); }

// The cores come first: loading their object takes a thousand times longer while AICPU threads spin.
int npusim_launch(const NpusimLaunch *launch) {
    if (launch == nullptr) return -1;
    int code = 0;
    if (launch->block_dim > 0) {
        code = board().launch_cores(launch->runtime, launch->block_dim, launch->profiling_flags, launch->rotation_table);
    }
    if (code == 0 && launch->aicpu_threads > 0) {
        const auto function = reinterpret_cast<rtFuncHandle>(launch->aicpu_entry);
        code = board().launch_aicpu_threads(function, launch->runtime, launch->aicpu_threads);
    }
    return -code;
}

int npusim_wait(void) { return -board().wait(); }

int npusim_poll(void) {
    const int code = board().poll();
    return code == 0 ? 1 : code == ACL_ERROR_RT_STREAM_NOT_COMPLETE ? 0 : -code;
}

}  // extern "C"
