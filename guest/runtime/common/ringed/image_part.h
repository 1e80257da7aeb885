// What the image of a runtime with rings has of its own: where rings, tensor map and scratch lie.
#pragma once

#include <cstdint>

#include "common/ringed/ring.h"
#include "common/submission/producers.h"

namespace rt {

struct ImagePart {
    RingLayout rings[RING_COUNT];
    MapLayout map;
    Producer *producers;  // scratch of the orchestrator
    uint32_t producer_capacity;
};

}  // namespace rt
