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
    // Registers it with the host's process; the entries are those of its context. 0, or a negative code.
    int load(int32_t id, const ChipCallable &source, uint64_t generation, const Entries &entries);
    void release() { unregister_orchestration(registered_); }

    // A run may find other functions in it than the last.
    Orchestration *registered() const { return &registered_; }

private:
    mutable Orchestration registered_;
};

}  // namespace rt
