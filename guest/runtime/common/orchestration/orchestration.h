// The orchestration of a callable. In some runtimes the AICPU loads and calls it, in others the host. When it is loaded and
// how long it stays is the device's affair (npusim/platform.h): nothing of it is used outside of a run.
#pragma once

#include <cstdint>

#include "npusim/orchestration.h"
#include "npusim/platform.h"

namespace rt {

// Its functions, as long as the object with this handle is loaded.
struct OrchestrationFunctions {
    uint64_t object = 0;
    void (*bind)(const npusim::OrchestrationRuntime *) = nullptr;
    void (*entry)(const ChipStorageTaskArgs &) = nullptr;
    OrchestrationConfig (*config)(const ChipStorageTaskArgs &) = nullptr;  // may be null
};

struct Orchestration {
    bool registered = false;
    NpusimCallable callable{};
    uint64_t generation = 0;
    char entry_name[CALLABLE_FUNC_NAME_MAX];
    char config_name[CALLABLE_FUNC_NAME_MAX];
    OrchestrationFunctions functions;  // of the object that was used last
};

// What is to be loaded when a callable is registered. It may cross from the host to the AICPU.
struct RegistrationOrder {
    int32_t callable_id;
    uint64_t callable_generation;
    const uint8_t *orchestration;
    uint64_t orchestration_size;
    char entry_name[CALLABLE_FUNC_NAME_MAX];
    char config_name[CALLABLE_FUNC_NAME_MAX];
    int32_t status;  // a RuntimeStatus, or a negated device code; read by the host at the end
};

// Takes the object of a registration for a callable of this worker. A RuntimeStatus, or a negated device code.
int32_t register_orchestration(const void *worker, const RegistrationOrder &order, Orchestration *place);
// Gives it up, if it is registered.
void unregister_orchestration(Orchestration &place);

// One run of an orchestration: its functions are there for as long as this is.
class OrchestrationRun {
public:
    explicit OrchestrationRun(Orchestration &registered);
    ~OrchestrationRun();
    OrchestrationRun(const OrchestrationRun &) = delete;
    OrchestrationRun &operator=(const OrchestrationRun &) = delete;

    // A RuntimeStatus, or a device code: then there are no functions.
    int32_t status() const { return status_; }
    const OrchestrationFunctions *operator->() const { return &registered_.functions; }

private:
    Orchestration &registered_;
    int32_t status_;
    bool begun_;
};

}  // namespace rt
