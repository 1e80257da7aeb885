// What the image of this runtime has of its own: the graph, and the queue of what is finished and not resolved.
#pragma once

#include "common/device/ready_queue.h"
#include "graph.h"

namespace hbg {

// Tasks that a ready queue holds, and the queue of what is finished. The resolver waits for room in the former, and empties
// the latter meanwhile.
constexpr uint32_t READY_CAPACITY = 1024;
constexpr uint32_t FINISHED_CAPACITY = 4096;

}  // namespace hbg

namespace rt {

struct ImagePart {
    hbg::Graph graph;
    ReadyQueue *finished;
    ReadyCell *finished_cells;
};

}  // namespace rt
