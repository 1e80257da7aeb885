// The entry points of the AICPU object: one for a run, one for the registration of a callable, and one for the host to
// call at the end.
//
// Of the threads that a run launches, the gate lets the active ones through: the first orchestrates, the others
// schedule. The orchestrator prepares what all need and sets `setup_done`; the schedulers wait for it in a loop that
// calls nothing.
#include "aicpu/orchestration_table.h"
#include "aicpu/orchestrator.h"
#include "aicpu/scheduler.h"
#include "npusim/platform.h"

namespace {

using tmr::Orchestrator;
using tmr::Runtime;

constexpr int32_t ORCHESTRATOR = 0;

Orchestrator &orchestrator(void *self) { return *static_cast<Orchestrator *>(self); }

npusim::OrchestrationRuntime table_of(Orchestrator &self) {
    npusim::OrchestrationRuntime table{};
    table.self = &self;
    table.submit = [](void *self, const npusim::TaskRequest *request) { return orchestrator(self).submit(*request); };
    table.scope_begin = [](void *self) { orchestrator(self).begin_scope(); };
    table.scope_end = [](void *self) { orchestrator(self).end_scope(); };
    table.failed = [](void *self) { return orchestrator(self).failed(); };
    table.fail = [](void *self, const char *reason) { orchestrator(self).fail(STATUS_EXPLICIT_ORCH_FATAL, reason); };
    table.cluster_count = [](void *self) { return orchestrator(self).cluster_count(); };
    return table;
}

void run_orchestration(Orchestrator &self, const tmr::RunOrder &order) {
    const tmr::Orchestration *loaded = tmr::find_orchestration(order.callable_id, order.callable_generation);
    if (loaded == nullptr) {
        self.fail(STATUS_INVALID_ARGS, "the callable is not loaded on the AICPU");
        return;
    }
    const int32_t arguments = order.args.tensor_count() + order.args.scalar_count();
    if (loaded->config != nullptr && loaded->config(order.args).expected_arg_count != arguments) {
        self.fail(STATUS_INVALID_ARGS, "the orchestration expects another number of arguments");
        return;
    }
    const npusim::OrchestrationRuntime table = table_of(self);
    loaded->bind(&table);
    self.begin_scope();
    loaded->entry(order.args);
    self.end_scope();
}

void orchestrate(Runtime &runtime) {
    tmr::RunImage &run = runtime.run;
    if (run.order.format_queues) {
        for (uint32_t shape = 0; shape < tmr::SHAPES; ++shape) {
            run.order.queues[shape].format(run.order.queue_cells + shape * run.order.queue_capacity,
                                           run.order.queue_capacity);
        }
    }
    run.control.setup_done.store(1, std::memory_order_release);
    npusim_note_phase(NPUSIM_PHASE_ORCH);
    Orchestrator self(run);
    run_orchestration(self, run.order);
    self.finish();
}

void schedule(Runtime &runtime, uint32_t index) {
    while (!runtime.run.control.setup_done.load(std::memory_order_acquire)) {
    }
    tmr::Scheduler self(runtime, index);
    self.open_cores();
    npusim_note_phase(NPUSIM_PHASE_SCHED);
    self.run();
    npusim_note_phase(NPUSIM_PHASE_POST_ORCH);
    self.close_cores();
}

}  // namespace

extern "C" int aicpu_execute(void *image) {
    auto &runtime = *static_cast<Runtime *>(image);
    const int32_t thread = npusim_aicpu_gate();
    if (thread < 0 || static_cast<uint32_t>(thread) > runtime.run.order.schedulers) return 0;
    npusim_note_phase(NPUSIM_PHASE_PREAMBLE);
    if (thread == ORCHESTRATOR) {
        orchestrate(runtime);
    } else {
        schedule(runtime, static_cast<uint32_t>(thread) - 1);
    }
    npusim_note_phase(NPUSIM_PHASE_COUNT);
    return 0;
}

extern "C" int simpler_aicpu_register_callable(void *order) {
    if (npusim_aicpu_gate() != ORCHESTRATOR) return 0;
    auto &registration = *static_cast<tmr::RegistrationOrder *>(order);
    registration.status = tmr::load_orchestration(registration);
    return 0;
}

// For the host, before it unloads this object.
extern "C" void simpler_aicpu_release_callables() { tmr::release_orchestrations(); }
