// The orchestration objects that are loaded, by callable id. They stay until their id is registered again.
#pragma once

#include <cstdint>

#include "common/runtime.h"
#include "npusim/orchestration.h"

namespace tmr {

struct Orchestration {
    uint64_t object = 0;
    uint64_t generation = 0;
    void (*bind)(const npusim::OrchestrationRuntime *) = nullptr;
    void (*entry)(const ChipStorageTaskArgs &) = nullptr;
    OrchestrationConfig (*config)(const ChipStorageTaskArgs &) = nullptr;  // may be null
};

// Loads the object of a registration in place of what its id held before. A RuntimeStatus, or a negated device code.
int32_t load_orchestration(const RegistrationOrder &order);
// Null if the id was never registered, or not in this generation.
const Orchestration *find_orchestration(int32_t callable_id, uint64_t generation);

// Unloads every orchestration.
void release_orchestrations();

}  // namespace tmr
