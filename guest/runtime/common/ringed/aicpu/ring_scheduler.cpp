#include "common/ringed/aicpu/ring_scheduler.h"

#include "npusim/platform.h"

namespace rt {

// Releases everything that waited for the task. The last thing is its own reference: then its slot may be reused.
void RingScheduler::complete(Task &completed) {
    auto &task = static_cast<TaskSlot &>(completed);
    const RingLayout &ring = run().order.part.rings[task.ring()];
    DependencyNode *const first = task.consumers.exchange(LIST_SEALED, std::memory_order_acq_rel);
    uint32_t consumers = 0;
    for (const DependencyNode *node = first; node != nullptr; node = node->next) ++consumers;
    if (consumers != 0) npusim_charge(NPUSIM_CHARGE_RESOLVE, consumers);
    for (const DependencyNode *node = first; node != nullptr;) {
        TaskSlot *consumer = node->consumer;
        // Once the consumer is released, its nodes may come back to the pool.
        node = node->next;
        const auto shape = static_cast<uint32_t>(consumer->shape);
        if (consumer->unresolved.fetch_sub(1, std::memory_order_acq_rel) == 1) run().order.queues[shape].push(consumer);
    }
    for (uint32_t position = 0; position < task.producers_count; ++position) {
        TaskSlot *producer = ring.node(task.producers_begin, position).producer;
        if (producer != nullptr) producer->references.fetch_sub(1, std::memory_order_release);
    }
    task.references.fetch_sub(1, std::memory_order_release);
}

}  // namespace rt
