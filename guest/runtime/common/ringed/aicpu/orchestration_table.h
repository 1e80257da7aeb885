// The orchestrations that the AICPU has loaded, by callable id. They stay until their id is registered again.
#pragma once

#include <cstdint>

#include "common/orchestration/orchestration.h"

namespace rt {

// Null if the id was never registered, or not in this generation.
const Orchestration *find_orchestration(int32_t callable_id, uint64_t generation);

}  // namespace rt
