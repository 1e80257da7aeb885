// The AICPU object: one thread resolves, the others schedule. The graph is complete when they start.
#include "aicpu/graph_scheduler.h"
#include "aicpu/resolver.h"
#include "common/aicpu/threads.h"

namespace {

void resolve(rt::Runtime &runtime) {
    rt::RunImage &run = runtime.run;
    const rt::ImagePart &part = run.order.part;
    if (run.order.format_queues) part.finished->format(part.finished_cells, hbg::FINISHED_CAPACITY);
    rt::set_up(run);
    npusim_note_phase(NPUSIM_PHASE_SCHED);
    hbg::Resolver(run).serve();
}

}  // namespace

extern "C" int aicpu_execute(void *image) {
    return rt::run_thread<hbg::GraphScheduler>(*static_cast<rt::Runtime *>(image), resolve);
}
