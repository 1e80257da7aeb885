// The orchestrations that are registered with the AICPU, by callable id. They stay until their id is registered again.
#pragma once

#include <cstdint>

#include "common/orchestration/orchestration.h"
#include "common/device/run_image.h"

namespace rt {

// That of a run. One that travels with the runs is registered by the first that has it. Null if the id was never
// registered, or not in this generation.
Orchestration *find_orchestration(const Runtime &runtime);

}  // namespace rt
