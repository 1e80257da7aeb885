// The entry point of a run in the AICPU object of a runtime with rings. The first thread orchestrates while the others
// schedule. `Orchestrator` is the runtime's.
#pragma once

#include "common/aicpu/threads.h"
#include "common/orchestration/run_orchestration.h"
#include "common/ringed/aicpu/orchestration_table.h"
#include "common/ringed/aicpu/ring_scheduler.h"

namespace rt {

template <typename Orchestrator>
void orchestrate(Runtime &runtime) {
    RunImage &run = runtime.run;
    set_up(run);
    npusim_note_phase(NPUSIM_PHASE_ORCH);
    Orchestrator self(run);
    run_orchestration(self, find_orchestration(runtime), run.order.args);
    self.finish();
}

template <typename Orchestrator>
int execute(void *image) {
    return run_thread<RingScheduler>(*static_cast<Runtime *>(image), orchestrate<Orchestrator>);
}

}  // namespace rt
