// The AICPU object on the board: it gets to the device once, and its functions are launched by handles.
#pragma once

#include <cstddef>
#include <cstdint>

#include "cann/runtime.h"

namespace onboard {

// A function of the object. The host calls the last one itself.
enum class AicpuFunction : uint32_t { EXECUTE, REGISTER_CALLABLE, RELEASE_CALLABLES, COUNT };

class AicpuObject {
public:
    // Has the object written to the device and asks for its functions. 0, or a code of CANN; then nothing is left.
    int load(const void *bytes, size_t size, int32_t device, rtStream_t stream);
    void unload();
    bool is_loaded() const { return binary_ != nullptr; }

    // The handle of the function that the runtime knows by this name; null if it is none.
    rtFuncHandle function(const char *name) const;
    rtFuncHandle function(AicpuFunction which) const { return functions_[static_cast<uint32_t>(which)]; }

private:
    int bootstrap(const void *bytes, size_t size, int32_t device, rtStream_t stream);
    int list(const char *file_name);

    rtBinHandle binary_ = nullptr;
    rtFuncHandle functions_[static_cast<uint32_t>(AicpuFunction::COUNT)] = {};
};

// Starts so many threads of a function on a stream.
int launch_aicpu(rtFuncHandle function, void *runtime, uint32_t threads, rtStream_t stream);

}  // namespace onboard
