#include "common/orchestration/orchestration.h"

#include <cstdio>
#include <cstring>

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

// Finds the functions of an object that is loaded. Handles are never used again, so those of one that is gone are not
// mistaken for its.
bool find_functions(Orchestration &place, uint64_t object) {
    OrchestrationFunctions found;
    found.object = object;
    place.functions = OrchestrationFunctions{};
    if (!resolve(object, "framework_bind_runtime", &found.bind) || !resolve(object, place.entry_name, &found.entry)) {
        return false;
    }
    if (place.config_name[0] != '\0') resolve(object, place.config_name, &found.config);
    place.functions = found;
    return true;
}

}  // namespace

int32_t register_orchestration(const void *worker, const RegistrationOrder &order, Orchestration *place) {
    unregister_orchestration(*place);
    char name[48];
    std::snprintf(name, sizeof(name), "libdevice_orch_cid%d.so", order.callable_id);
    uint64_t object = 0;
    const NpusimCallable callable{worker, order.callable_id};
    if (npusim_register_callable(callable, order.orchestration, order.orchestration_size, name, &object) != 0) {
        return failure();
    }
    place->registered = true;
    place->callable = callable;
    place->generation = order.callable_generation;
    std::memcpy(place->entry_name, order.entry_name, sizeof(place->entry_name));
    std::memcpy(place->config_name, order.config_name, sizeof(place->config_name));
    if (object == 0 || find_functions(*place, object)) return STATUS_OK;
    const int32_t status = failure();
    unregister_orchestration(*place);
    return status;
}

void unregister_orchestration(Orchestration &place) {
    if (place.registered) npusim_unregister_callable(place.callable);
    place = Orchestration{};
}

OrchestrationRun::OrchestrationRun(Orchestration &registered) : registered_(registered), status_(STATUS_OK) {
    const uint64_t object = npusim_begin_callable(registered.callable);
    begun_ = object != 0;
    if (begun_ && (object == registered.functions.object || find_functions(registered, object))) return;
    const int32_t code = failure();
    status_ = code < 0 ? -code : code;
}

OrchestrationRun::~OrchestrationRun() {
    if (begun_) npusim_end_callable(registered_.callable);
}

}  // namespace rt
