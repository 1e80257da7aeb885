// The orchestrator: builds a graph, scope by scope.
//
// The tasks of a scope and the edges between them are complete before one of them can run: nothing is published before the
// scope ends. A graph can be larger than the rings: what does not fit has to wait for tasks that run, and so everything
// that has been built is published then.
#pragma once

#include <cstdint>

#include "common/ringed/aicpu/ring_orchestrator.h"

namespace abg {

class GraphBuilder final : public rt::RingOrchestrator {
public:
    using RingOrchestrator::RingOrchestrator;

private:
    // What is built and not published, in order of submission. Scopes nest, so those of the innermost are the last.
    class BuiltTasks {
    public:
        void push(rt::TaskSlot &task);
        // Takes off those of this scope and of scopes in it. What is left belongs to scopes around it.
        rt::TaskSlot *take_from(uint64_t scope);

    private:
        rt::TaskSlot *first_ = nullptr;
        rt::TaskSlot *last_ = nullptr;
    };

    void admit(rt::TaskSlot &task) override { built_.push(task); }
    void scope_ends(uint64_t scope) override { publish_from(scope); }
    void room_is_short() override { publish_from(0); }
    void publish_from(uint64_t scope);

    BuiltTasks built_;
};

}  // namespace abg
