// Where the orchestration of a callable is called: on the AICPU, which fetches it from device memory.
#pragma once

#include <cstdint>

#include "common/host/entries.h"
#include "npusim/callable.h"

namespace rt {

class OrchestrationHome {
public:
    static constexpr bool ON_HOST = false;
    // What has to be done before the AICPU object goes: the orchestrations that it has loaded would stay.
    static void before_unloading(uint64_t aicpu_object);

    // Copies the orchestration to the device. 0, or a negative code.
    int take(int32_t id, const ChipCallable &source);
    // Has the AICPU load it. 0, or a negative code.
    int load(int32_t id, const ChipCallable &source, uint64_t generation, const Entries &entries);
    // Gives its memory back. It stays loaded until its id is loaded again.
    void release();

private:
    uint8_t *bytes_ = nullptr;  // on the device
};

}  // namespace rt
