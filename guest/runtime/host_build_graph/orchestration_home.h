// Where the orchestration of a callable is called: in the host's process. It never reaches the device.
#pragma once

#include <cstdint>

#include "common/host/entries.h"
#include "common/orchestration/orchestration.h"
#include "npusim/callable.h"

namespace rt {

class OrchestrationHome {
public:
    static constexpr bool ON_HOST = true;
    static void before_unloading(uint64_t /*aicpu_object*/) {}

    int take(int32_t /*id*/, const ChipCallable & /*source*/) { return 0; }
    // Loads it into the host's process. 0, or a negative code.
    int load(int32_t id, const ChipCallable &source, uint64_t generation, const Entries &entries);
    void release() { unload_orchestration(loaded_); }

    const Orchestration &loaded() const { return loaded_; }

private:
    Orchestration loaded_;
};

}  // namespace rt
