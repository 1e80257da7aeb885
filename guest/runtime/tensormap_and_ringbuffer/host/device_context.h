// A device context: the objects of the runtime, the arena and the registered callables of one device.
#pragma once

#include <cstddef>
#include <cstdint>

#include "host/arena.h"
#include "host/callables.h"
#include "npusim/platform.h"

namespace tmr {

// Entry points of the loaded objects.
struct Entries {
    uint64_t aicpu_execute = 0;
    uint64_t aicpu_register = 0;
    uint64_t aicore_execute = 0;
};

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

    Arena &arena() { return arena_; }
    const Entries &entries() const { return entries_; }
    const NpusimTopology &topology() const { return topology_; }
    size_t aicpu_loads() const { return aicpu_loads_; }

    // One run at a time is prepared on a context.
    bool claim() {
        const bool free = !claimed_;
        claimed_ = true;
        return free;
    }
    void unclaim() { claimed_ = false; }
    bool is_claimed() const { return claimed_; }

private:
    uint64_t load(uint32_t origin, const uint8_t *bytes, size_t size, const char *name);

    bool ready_ = false;
    bool claimed_ = false;
    uint64_t aicpu_object_ = 0;
    uint64_t aicore_object_ = 0;
    Entries entries_;
    NpusimTopology topology_{};
    Arena arena_;
    Callable callables_[MAX_REGISTERED_CALLABLE_IDS];
    size_t aicpu_loads_ = 0;
};

}  // namespace tmr
