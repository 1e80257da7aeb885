// What the threads of an AICPU object have in common, whatever the runtime.
//
// Of the threads that a run launches, the gate lets the active ones through. The first is the runtime's own (it
// orchestrates, or resolves); it prepares what all need and sets `setup_done`. The others schedule; they wait for it in a
// loop that calls nothing.
#pragma once

#include "common/device/run_image.h"
#include "common/identity/identity.h"
#include "npusim/platform.h"

namespace rt {

constexpr int32_t FIRST_THREAD = 0;

// To be called by the first thread, before it does anything else.
inline void set_up(RunImage &run) {
    if (run.order.format_queues) {
        for (uint32_t shape = 0; shape < SHAPES; ++shape) {
            run.order.queues[shape].format(run.order.queue_cells + shape * run.order.queue_capacity,
                                           run.order.queue_capacity);
        }
    }
    run.control.setup_done.store(1, std::memory_order_release);
}

// A scheduler's life. `SchedulerType` is the runtime's.
template <typename SchedulerType>
void schedule(Runtime &runtime, uint32_t index) {
    while (!runtime.run.control.setup_done.load(std::memory_order_acquire)) {
    }
    SchedulerType self(runtime, index);
    self.open_cores();
    npusim_note_phase(NPUSIM_PHASE_SCHED);
    self.serve();
    npusim_note_phase(NPUSIM_PHASE_POST_ORCH);
    self.close_cores();
}

// The body of a launched thread. `lead(runtime)` is what the first one does.
template <typename SchedulerType, typename Lead>
int run_thread(Runtime &runtime, Lead lead) {
    const int32_t thread = npusim_aicpu_gate();
    if (thread < 0 || static_cast<uint32_t>(thread) > runtime.run.order.schedulers) return 0;
    npusim_note_phase(NPUSIM_PHASE_PREAMBLE);
    if (!identity_is_own()) fail_run(runtime.run, runtime.run.outcome.scheduler_status, STATUS_INVALID_ARGS);
    if (thread == FIRST_THREAD) {
        lead(runtime);
    } else {
        schedule<SchedulerType>(runtime, static_cast<uint32_t>(thread) - 1);
    }
    npusim_note_phase(NPUSIM_PHASE_COUNT);
    return 0;
}

}  // namespace rt
