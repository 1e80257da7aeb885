// An orchestration object that is loaded. In some runtimes the AICPU loads and calls it, in others the host.
#pragma once

#include <cstdint>

#include "npusim/orchestration.h"

namespace rt {

struct Orchestration {
    uint64_t object = 0;
    uint64_t generation = 0;
    void (*bind)(const npusim::OrchestrationRuntime *) = nullptr;
    void (*entry)(const ChipStorageTaskArgs &) = nullptr;
    OrchestrationConfig (*config)(const ChipStorageTaskArgs &) = nullptr;  // may be null
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

// Loads the object of a registration. A RuntimeStatus, or a negated device code.
int32_t load_orchestration(const RegistrationOrder &order, Orchestration *loaded);
// Unloads it, if it is loaded.
void unload_orchestration(Orchestration &loaded);

}  // namespace rt
