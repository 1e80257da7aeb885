// What the image of this runtime has of its own: the graph, and the queue of what is finished and not resolved.
#pragma once

#include "common/device/ready_queue.h"
#include "graph.h"

namespace hbg {

// Tasks that a ready queue holds. The resolver waits for room in them; it never waits with a queue that schedulers have
// to fill, since all that can be finished then fits into that.
constexpr uint32_t READY_CAPACITY = 1024;
constexpr uint32_t FINISHED_CAPACITY = 4096;
constexpr uint32_t TASKS_ON_CORES = 2 * rt::MAX_CORES;
static_assert(FINISHED_CAPACITY >= rt::SHAPES * READY_CAPACITY + TASKS_ON_CORES);

}  // namespace hbg

namespace rt {

struct ImagePart {
    hbg::Graph graph;
    ReadyQueue *finished;
    ReadyCell *finished_cells;
};

}  // namespace rt
