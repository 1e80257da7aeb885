// The registration of callables: a launch of its own, of one thread.
#include "common/orchestration/orchestration_table.h"
#include "npusim/platform.h"

extern "C" int simpler_aicpu_register_callable(void *order) {
    if (npusim_aicpu_gate() != 0) return 0;
    auto &registration = *static_cast<rt::RegistrationOrder *>(order);
    registration.status = rt::load_orchestration(registration);
    return 0;
}

// For the host, before it unloads this object.
extern "C" void simpler_aicpu_release_callables() { rt::release_orchestrations(); }
