// A fault: one scope that takes every slot of its ring. Nothing it holds can retire before it ends, and it goes on
// submitting, so the ring never drains. A runtime has to say so (STATUS_SCOPE_DEADLOCK) instead of waiting.
//
// No scalars, no tensors.
#include "npusim/orchestration.h"

namespace {

enum Kernel : int32_t { EMPTY = 0 };

}  // namespace

OrchestrationConfig aicpu_orchestration_config(const ChipStorageTaskArgs &) { return {0}; }

void aicpu_orchestration_entry(const ChipStorageTaskArgs &) {
    npusim::TaskArgs nothing;
    const npusim::Scope never_ends;
    while (!npusim::failed()) npusim::submit_aiv(EMPTY, nothing);
}
