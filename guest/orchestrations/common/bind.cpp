// Keeps the runtime's table for the functions of npusim/orchestration.h. Part of every orchestration object.
#include "npusim/orchestration.h"

namespace npusim {

const OrchestrationRuntime *npusim_bound_runtime = nullptr;

}  // namespace npusim

void framework_bind_runtime(const npusim::OrchestrationRuntime *runtime) { npusim::npusim_bound_runtime = runtime; }
