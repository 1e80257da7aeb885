// The orchestrations that are registered: objects that the AICPU loads from bytes, and keeps.
#pragma once

#include <cstdint>

#include "common/orchestration.h"
#include "common/runtime.h"

namespace sim_shaped {

struct Orchestration {
    void (*bind)(const OrchestrationRuntime *);
    void (*entry)(const ChipStorageTaskArgs &);
};

// 0, or -1 if it cannot be loaded.
int load_orchestration(const Registration &registration);
// Null if there is none of that id.
const Orchestration *find_orchestration(int32_t callable_id);

}  // namespace sim_shaped
