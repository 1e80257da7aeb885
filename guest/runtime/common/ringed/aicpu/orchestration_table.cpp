#include "common/ringed/aicpu/orchestration_table.h"

#include "common/ringed/travelling_orchestration.h"
#include "npusim/platform.h"
#include "npusim/runtime_status.h"

namespace rt {
namespace {

Orchestration table[MAX_REGISTERED_CALLABLE_IDS];

}  // namespace

Orchestration *find_orchestration(const Runtime &runtime) {
    const RunOrder &order = runtime.run.order;
    Orchestration &place = table[order.callable_id];
    if (place.registered && place.generation == order.callable_generation) return &place;
    if (npusim_object_transfer() == NPUSIM_TRANSFER_SEPARATE) return nullptr;
    const RegistrationOrder &travelling = order_in_front_of(&runtime);
    const bool is_of_run = travelling.callable_generation == order.callable_generation;
    return is_of_run && register_orchestration(table, travelling, &place) == STATUS_OK ? &place : nullptr;
}

}  // namespace rt

// The registration of a callable: a launch of its own, of one thread.
extern "C" int simpler_aicpu_register_callable(void *order) {
    if (npusim_aicpu_gate() != 0) return 0;
    auto &registration = *static_cast<rt::RegistrationOrder *>(order);
    rt::Orchestration &place = rt::table[registration.callable_id];
    registration.status = rt::register_orchestration(rt::table, registration, &place);
    return 0;
}

// For the host, before it unloads this object.
extern "C" void simpler_aicpu_release_callables() {
    for (rt::Orchestration &place : rt::table) rt::unregister_orchestration(place);
}
