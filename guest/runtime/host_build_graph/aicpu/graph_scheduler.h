// A scheduler of a graph: it hands what is completed to the resolver and goes on dispatching.
#pragma once

#include "common/aicpu/scheduler.h"

namespace hbg {

class GraphScheduler final : public rt::Scheduler {
public:
    using Scheduler::Scheduler;

private:
    void complete(rt::Task &task) override { run().order.part.finished->push(&task); }
};

}  // namespace hbg
