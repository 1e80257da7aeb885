#include "common/ringed/aicpu/orchestration_table.h"

#include "npusim/platform.h"

namespace rt {
namespace {

Orchestration table[MAX_REGISTERED_CALLABLE_IDS];

}  // namespace

const Orchestration *find_orchestration(int32_t callable_id, uint64_t generation) {
    const Orchestration &place = table[callable_id];
    return place.object != 0 && place.generation == generation ? &place : nullptr;
}

}  // namespace rt

// The registration of a callable: a launch of its own, of one thread.
extern "C" int simpler_aicpu_register_callable(void *order) {
    if (npusim_aicpu_gate() != 0) return 0;
    auto &registration = *static_cast<rt::RegistrationOrder *>(order);
    rt::Orchestration &place = rt::table[registration.callable_id];
    rt::unload_orchestration(place);
    registration.status = rt::load_orchestration(registration, &place);
    return 0;
}

// For the host, before it unloads this object.
extern "C" void simpler_aicpu_release_callables() {
    for (rt::Orchestration &place : rt::table) rt::unload_orchestration(place);
}
