// The AICPU object: tasks run while the orchestration still submits others.
#include "common/ringed/aicpu/entry.h"
#include "common/ringed/aicpu/ring_orchestrator.h"

namespace tmr {

// Publishes each task as soon as it is submitted.
class Orchestrator final : public rt::RingOrchestrator {
public:
    using RingOrchestrator::RingOrchestrator;

private:
    void admit(rt::TaskSlot &task) override { publish(task); }
};

}  // namespace tmr

extern "C" int aicpu_execute(void *image) { return rt::execute<tmr::Orchestrator>(image); }
