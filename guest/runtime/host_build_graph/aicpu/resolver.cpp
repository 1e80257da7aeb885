#include "aicpu/resolver.h"

#include "common/device/pause.h"
#include "npusim/platform.h"

namespace hbg {
namespace {

// Roots to bring in between two looks at what is finished.
constexpr uint32_t ROOTS_PER_TURN = 16;

}  // namespace

void Resolver::serve() {
    while (resolved_ < graph_.task_count && !failed()) {
        bool active = resolve_finished();
        active = bring_in_roots() || active;
        if (!active) rt::pause_and_yield();
    }
}

bool Resolver::resolve_finished() {
    GraphTask *task = aside_first_;
    if (task != nullptr) aside_first_ = next_aside(*task);
    else if (!pop_finished(&task)) return false;
    resolve(*task);
    ++resolved_;
    return true;
}

bool Resolver::pop_finished(GraphTask **task) {
    rt::Task *finished;
    if (!run_.order.part.finished->pop(&finished)) return false;
    *task = static_cast<GraphTask *>(finished);
    return true;
}

// Schedulers must never wait for the resolver while it waits for them.
bool Resolver::set_aside() {
    GraphTask *task;
    if (!pop_finished(&task)) return false;
    task->visit = 0;
    if (aside_first_ == nullptr) aside_first_ = task;
    else aside_last_->visit = reinterpret_cast<uint64_t>(task);
    aside_last_ = task;
    return true;
}

// The builder has no more use for `visit`, so it links tasks that were set aside.
GraphTask *Resolver::next_aside(const GraphTask &task) { return reinterpret_cast<GraphTask *>(task.visit); }

void Resolver::resolve(const GraphTask &task) {
    if (task.consumers_count == 0) return;
    npusim_charge(NPUSIM_CHARGE_RESOLVE, task.consumers_count);
    for (uint32_t index = 0; index < task.consumers_count; ++index) {
        GraphTask &consumer = graph_.tasks[graph_.consumers[task.consumers_begin + index]];
        if (consumer.unresolved.fetch_sub(1, std::memory_order_relaxed) == 1 && !push(consumer)) return;
    }
}

// Only tasks that had no producer from the start: of the others, `resolve` knows.
bool Resolver::bring_in_roots() {
    uint32_t brought = 0;
    for (; looked_at_ < graph_.task_count && brought < ROOTS_PER_TURN; ++looked_at_) {
        GraphTask &task = graph_.tasks[looked_at_];
        if (task.producers_count != 0) continue;
        if (!has_room(task)) break;
        queue_of(task).push(&task);
        ++brought;
    }
    return brought != 0;
}

bool Resolver::push(GraphTask &task) {
    while (!has_room(task)) {
        if (failed()) return false;
        if (!set_aside()) rt::pause_and_yield();
    }
    queue_of(task).push(&task);
    return true;
}

}  // namespace hbg
