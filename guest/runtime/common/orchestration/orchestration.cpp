#include "common/orchestration/orchestration.h"

#include <cstdio>

#include "npusim/platform.h"
#include "npusim/runtime_status.h"

namespace rt {
namespace {

// What the platform says went wrong, or that the object is not an orchestration.
int32_t failure() {
    const int code = npusim_last_error();
    return code != 0 ? code : STATUS_INVALID_ARGS;
}

template <typename Function>
bool resolve(uint64_t object, const char *name, Function *function) {
    *function = reinterpret_cast<Function>(npusim_symbol(object, name));
    return *function != nullptr;
}

}  // namespace

int32_t load_orchestration(const RegistrationOrder &order, Orchestration *place) {
    char name[48];
    std::snprintf(name, sizeof(name), "libdevice_orch_cid%d.so", order.callable_id);
    Orchestration loaded;
    loaded.generation = order.callable_generation;
    loaded.object = npusim_load(NPUSIM_ORIGIN_ORCHESTRATION, order.orchestration, order.orchestration_size, name);
    if (loaded.object == 0) return failure();
    if (!resolve(loaded.object, "framework_bind_runtime", &loaded.bind) ||
        !resolve(loaded.object, order.entry_name, &loaded.entry)) {
        npusim_unload(loaded.object);
        return failure();
    }
    if (order.config_name[0] != '\0') resolve(loaded.object, order.config_name, &loaded.config);
    *place = loaded;
    return STATUS_OK;
}

void unload_orchestration(Orchestration &loaded) {
    if (loaded.object != 0) npusim_unload(loaded.object);
    loaded = Orchestration{};
}

}  // namespace rt
