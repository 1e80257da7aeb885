// What a runtime with rings holds on the device for its runs: the arena. It is allocated once for given ring sizes; its
// contents are initialised by whoever uses them.
#pragma once

#include <cstdint>

#include "common/device/run_image.h"
#include "npusim/call_config.h"

namespace rt {

class Callable;

struct RingSizes {
    uint64_t window;
    uint64_t heap;
    uint64_t dep_pool;

    bool operator==(const RingSizes &other) const {
        return window == other.window && heap == other.heap && dep_pool == other.dep_pool;
    }
};

struct ArenaSizes {
    RingSizes rings[RING_COUNT];

    bool operator==(const ArenaSizes &other) const {
        for (uint32_t ring = 0; ring < RING_COUNT; ++ring) {
            if (!(rings[ring] == other.rings[ring])) return false;
        }
        return true;
    }
    // Why the sizes cannot be used, or null.
    const char *take(const RuntimeEnv &environment);
};

class RunMemory {
public:
    RunMemory() = default;
    ~RunMemory() { release(); }
    RunMemory(const RunMemory &) = delete;
    RunMemory &operator=(const RunMemory &) = delete;

    // Why memory cannot be had like that, or null.
    static const char *refusal(const RuntimeEnv &environment);
    // Allocates for an environment that is not refused, unless it is there already. 0, or a negative code.
    int prepare(const RuntimeEnv &environment);
    void release();

    // Completes the image of a run of this callable, whose arguments are in it. 0, or a negative code.
    int fill(RunImage &image, const Callable &callable);
    // Copies the image to the device, with whatever of its callable travels with it. 0, or a negative code.
    int copy(const RunImage &image, const Callable &callable);
    Runtime *runtime() const { return runtime_; }
    // The ready queues may hold nothing useful yet, or tasks of a run that failed.
    bool queues_are_clean() const { return queues_are_clean_; }
    void set_queues_clean(bool clean) { queues_are_clean_ = clean; }
    uint64_t heap_base() const { return reinterpret_cast<uint64_t>(rings_[0].heap); }

private:
    static constexpr uint32_t MAX_BLOCKS = 32;

    template <typename T>
    bool take(T **place, uint64_t count, const char *owner);
    int allocate(const ArenaSizes &sizes);
    int make_room(uint64_t bytes);

    ArenaSizes sizes_{};
    bool ready_ = false;
    bool queues_are_clean_ = false;
    void *blocks_[MAX_BLOCKS] = {};
    uint32_t block_count_ = 0;
    RingLayout rings_[RING_COUNT] = {};
    ReadyQueue *queues_ = nullptr;
    ReadyCell *queue_cells_ = nullptr;
    uint32_t queue_capacity_ = 0;
    MapLayout map_{};
    Producer *producers_ = nullptr;
    uint32_t producer_capacity_ = 0;
    Runtime *runtime_ = nullptr;  // in the last of the blocks
    uint64_t room_ = 0;           // in front of it, in that block
};

}  // namespace rt
