// The configuration of one run as it crosses the host API: packed, so that one copy moves it.
#pragma once

#include <cstddef>
#include <cstdint>

constexpr int RUNTIME_ENV_RING_COUNT = 4;

#pragma pack(push, 1)
// Sizes of the rings, one entry for each ring; 0 takes the default.
struct RuntimeEnv {
    uint64_t ring_task_window[RUNTIME_ENV_RING_COUNT];  // tasks; a power of two from 4
    uint64_t ring_heap[RUNTIME_ENV_RING_COUNT];         // bytes; from 1024
    uint64_t ring_dep_pool[RUNTIME_ENV_RING_COUNT];     // dependencies; from 4
};

struct CallConfig {
    int32_t aicpu_thread_num;  // 0 takes the architecture's number; else at least 2
    int32_t enable_chip_swimlane;
    int32_t enable_dump_args;
    int32_t enable_pmu;
    int32_t enable_dep_gen;
    int32_t enable_scope_stats;
    RuntimeEnv runtime_env;
    char output_prefix[1024];  // directory of diagnostics; needed when any is enabled
};
#pragma pack(pop)
static_assert(sizeof(RuntimeEnv) == 96);
static_assert(sizeof(CallConfig) == 24 + 96 + 1024);
static_assert(offsetof(CallConfig, runtime_env) == 24);
static_assert(offsetof(CallConfig, output_prefix) == 120);
