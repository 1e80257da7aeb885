// A graph as it lies in device memory: tasks, and for each of them who waits for it. The host has built it; on the device
// nothing of it changes but how many producers each task still waits for.
#pragma once

#include <cstdint>

#include "common/device/task.h"

namespace hbg {

struct GraphTask : rt::Task {
    uint32_t producers_count;
    uint32_t consumers_begin;  // in the graph's list of consumers
    uint32_t consumers_count;
};

struct Graph {
    GraphTask *tasks;
    const uint32_t *consumers;  // indexes of tasks
    uint32_t task_count;
};

}  // namespace hbg
