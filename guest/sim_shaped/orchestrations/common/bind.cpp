// Keeps the runtime's table for common/orchestration.h. Part of every orchestration object.
#include "common/orchestration.h"

const sim_shaped::OrchestrationRuntime *sim_shaped::bound_runtime = nullptr;

void framework_bind_runtime(const sim_shaped::OrchestrationRuntime *runtime) { sim_shaped::bound_runtime = runtime; }
