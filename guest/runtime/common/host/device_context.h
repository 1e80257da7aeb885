// A device context: the objects of the runtime, the memory of its runs and the registered callables of one device.
#pragma once

#include <cstddef>
#include <cstdint>

#include "common/host/callables.h"
#include "common/host/entries.h"
#include "npusim/platform.h"
#include "run_memory.h"  // each runtime has its own

namespace rt {

class DeviceContext {
public:
    DeviceContext() = default;
    ~DeviceContext() { finalize(); }
    DeviceContext(const DeviceContext &) = delete;
    DeviceContext &operator=(const DeviceContext &) = delete;

    int init(const uint8_t *aicpu, size_t aicpu_size, const uint8_t *aicore, size_t aicore_size,
             const CallConfig *prewarm);
    void finalize();
    bool is_ready() const { return ready_; }

    int register_callable(int32_t id, const ChipCallable &source);
    int unregister_callable(int32_t id);
    const Callable *callable(int32_t id) const;

    RunMemory &memory() { return memory_; }
    const Entries &entries() const { return entries_; }
    const NpusimTopology &topology() const { return topology_; }
    // Of orchestrations.
    size_t aicpu_loads() const { return OrchestrationHome::ON_HOST ? 0 : npusim_callable_loads(); }
    size_t host_loads() const { return OrchestrationHome::ON_HOST ? npusim_callable_loads() : 0; }

    // One run at a time is prepared on a context.
    bool claim() {
        const bool free = !claimed_;
        claimed_ = true;
        return free;
    }
    void unclaim() { claimed_ = false; }
    bool is_claimed() const { return claimed_; }

private:
    bool ready_ = false;
    bool claimed_ = false;
    uint64_t aicpu_object_ = 0;
    uint64_t aicore_object_ = 0;
    Entries entries_;
    NpusimTopology topology_{};
    RunMemory memory_;
    Callable callables_[MAX_REGISTERED_CALLABLE_IDS];
};

}  // namespace rt
