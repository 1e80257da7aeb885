// What the tasks of the scenarios of notices share, in device memory. Each part has cache lines of its own. Words that the
// scenarios are about are loaded and stored by the platform's functions; the others plainly, which both sides see at once.
#pragma once

#include <sched.h>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <ctime>

namespace notice {

constexpr size_t LINE = 64;

// What cores do, in the place of profiling flags.
enum Behaviour : uint32_t {
    TELL_BY_MEMORY = 0,      // store and dcci
    TELL_BY_COND = 1,        // the time as a plain store, then COND
    TELL_BY_COND_DCCI = 2,   // the time by store and dcci, then COND
    FORGET_DCCI = 3,         // store, load and share a line, without a dcci but for the shared line
    MIND_DCCI = 4,           // the same as it should be
    READ_TOKENS = 5,         // count tokens of which half is old
};

// How far both sides are.
enum Stage : uint32_t { AICPU_IS_THERE = 1, CORE_IS_READY = 2 };

struct Shared {
    // Set by the host.
    uint32_t data_main_base;
    uint32_t cond;
    uint64_t notices;
    // What the core tells.
    alignas(LINE) uint64_t told;
    uint64_t told_at;
    // What the AICPU tells.
    alignas(LINE) uint64_t order;
    // What two cores write to.
    alignas(LINE) uint64_t halves[LINE / sizeof(uint64_t)];
    alignas(LINE) std::atomic<uint32_t> stage;
    // What the AICPU has found: latencies in ns, or what it saw in the end.
    alignas(LINE) uint64_t least;
    uint64_t most;
    uint64_t sum;
    uint64_t seen;
    uint64_t halves_seen[2];
    // What the core has found.
    alignas(LINE) uint64_t loads;
    uint64_t acted;
    uint64_t torn;
    uint64_t order_seen;
};

inline uint64_t now() {
    timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return static_cast<uint64_t>(time.tv_sec) * 1'000'000'000 + static_cast<uint64_t>(time.tv_nsec);
}

inline void wait_for(const Shared &shared, Stage stage) {
    while (shared.stage.load(std::memory_order_acquire) < stage) sched_yield();
}

inline void rest(uint64_t ns) {
    const timespec span{0, static_cast<long>(ns)};
    nanosleep(&span, nullptr);
}

// How long one side waits for what it may never see.
constexpr uint64_t PATIENCE_NS = 20'000;

// A token of 64 bits: its halves say of each other whether they belong together.
constexpr uint64_t token(uint32_t number) { return uint64_t{~number} << 32 | number; }
constexpr bool is_whole(uint64_t token) {
    return static_cast<uint32_t>(token) == ~static_cast<uint32_t>(token >> 32);
}

}  // namespace notice
