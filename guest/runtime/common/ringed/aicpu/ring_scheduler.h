// A scheduler of tasks on rings: what a completed task sets free, it sets free itself.
#pragma once

#include "common/aicpu/scheduler.h"
#include "common/ringed/ring.h"

namespace rt {

class RingScheduler final : public Scheduler {
public:
    using Scheduler::Scheduler;

private:
    void complete(Task &task) override;
};

}  // namespace rt
