// Where the orchestration of a callable is called: on the AICPU, which fetches it from device memory. There it has an
// allocation of its own, or it travels with each run.
#pragma once

#include <cstdint>
#include <vector>

#include "common/host/entries.h"
#include "common/orchestration/orchestration.h"
#include "npusim/callable.h"

namespace rt {

class OrchestrationHome {
public:
    static constexpr bool ON_HOST = false;
    // What has to be done before the AICPU object goes: the orchestrations that it has loaded would stay.
    static void before_unloading(uint64_t aicpu_object);

    // Copies the orchestration to the device, unless it travels. 0, or a negative code.
    int take(int32_t id, const ChipCallable &source);
    // Registers it with the AICPU, unless it travels. 0, or a negative code.
    int load(int32_t id, const ChipCallable &source, uint64_t generation, const Entries &entries);
    // Gives its memory back. It stays loaded until its id is loaded again.
    void release();

    bool travels() const { return !travelling_.empty(); }
    // What a run of it needs in front of the runtime structure.
    uint64_t room() const;
    // Writes that for a runtime structure with `device` in front of it.
    void write(uint8_t *host, const uint8_t *device) const;

private:
    uint8_t *bytes_ = nullptr;  // on the device
    RegistrationOrder order_{};
    std::vector<uint8_t> travelling_;  // its bytes, and what is left of the buffer
};

}  // namespace rt
