// The functions of an AICPU object for the board: each takes the arguments of its launch and enters the runtime, whose
// sources are the same as elsewhere. A runtime need not have all of them.
#include "onboard/common/launch_args.h"

extern "C" {

__attribute__((weak)) int aicpu_execute(void *runtime);
__attribute__((weak)) int simpler_aicpu_register_callable(void *order);
__attribute__((weak)) void simpler_aicpu_release_callables();

constexpr int NOT_THERE = -1;

int onboard_execute(void *args) {
    return aicpu_execute != nullptr ? aicpu_execute(static_cast<onboard::AicpuArgs *>(args)->runtime) : NOT_THERE;
}

int onboard_register_callable(void *args) {
    if (simpler_aicpu_register_callable == nullptr) return NOT_THERE;
    return simpler_aicpu_register_callable(static_cast<onboard::AicpuArgs *>(args)->runtime);
}

int onboard_release_callables(void *) {
    if (simpler_aicpu_release_callables == nullptr) return NOT_THERE;
    simpler_aicpu_release_callables();
    return 0;
}

// The name under which the server on the device calls the object that it has written, when a host launches it by name.
int DynTileFwkBackendKernelServer(void *args) { return onboard_execute(args); }

}  // extern "C"
