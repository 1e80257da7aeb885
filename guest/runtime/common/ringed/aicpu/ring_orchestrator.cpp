#include "common/ringed/aicpu/ring_orchestrator.h"

#include <cstdio>

#include "common/device/pause.h"
#include "npusim/platform.h"

namespace rt {
namespace {

using npusim::TaskRequest;

// Tasks to retire on the way through a submission: two for each that comes in keep the rings and the map short.
constexpr uint32_t RETIRED_PER_SUBMISSION = 2;

const char *shortage_name(RuntimeStatus status) {
    switch (status) {
    case STATUS_SCOPE_DEADLOCK:
        return "task slots";
    case STATUS_HEAP_RING_DEADLOCK:
        return "heap";
    case STATUS_FLOW_CONTROL_DEADLOCK:
        return "descriptor memory";
    case STATUS_DEP_POOL_OVERFLOW:
        return "dependency nodes";
    case STATUS_TENSORMAP_OVERFLOW:
        return "tensor map entries";
    default:
        return "room";
    }
}

// One more reference to a task, unless it is done with already.
bool take_reference(TaskSlot &slot) {
    uint32_t count = slot.references.load(std::memory_order_acquire);
    while (count != 0) {
        if (slot.references.compare_exchange_weak(count, count + 1, std::memory_order_acquire)) return true;
    }
    return false;
}

}  // namespace

RingOrchestrator::RingOrchestrator(RunImage &run)
    : run_(run), map_(run.order.part.map), producers_(run.order.part.producers, run.order.part.producer_capacity) {
    for (uint32_t ring = 0; ring < RING_COUNT; ++ring) rings_[ring] = TaskRing(run.order.part.rings[ring]);
}

void RingOrchestrator::fail(RuntimeStatus status, const char *reason) {
    if (!failed()) {
        std::snprintf(run_.outcome.reason, sizeof(run_.outcome.reason), "%s", reason);
        npusim_log(3, run_.outcome.reason);
    }
    fail_run(run_, run_.outcome.orchestrator_status, status);
}

void RingOrchestrator::begin_scope() {
    if (scope_count_ == MAX_SCOPES) {
        fail(STATUS_SCOPE_OVERFLOW, "scopes are nested deeper than 64");
        ++scope_count_;
        return;
    }
    if (scope_count_ > MAX_SCOPES) {
        ++scope_count_;
        return;
    }
    ++scope_count_;
    scopes_[scope_count_ - 1] = {++scopes_opened_, rings_[current_ring()].head()};
}

void RingOrchestrator::end_scope() {
    if (scope_count_ == 0) return;
    if (scope_count_ <= MAX_SCOPES) {
        scope_ends(scopes_[scope_count_ - 1].number);
        release_scope(scopes_[scope_count_ - 1]);
    }
    --scope_count_;
}

// The scope lets go of its tasks.
void RingOrchestrator::release_scope(const OpenScope &scope) {
    TaskRing &ring = rings_[current_ring()];
    for (uint32_t local = scope.first_task; local != ring.head(); ++local) {
        // On the innermost ring, tasks of scopes that have ended already lie between ours.
        if (!ring.holds(local)) continue;
        TaskSlot &task = ring.slot(local);
        if (!task.scope_open || task.scope != scope.number) continue;
        task.scope_open = false;
        task.references.fetch_sub(1, std::memory_order_release);
    }
}

TaskSlot *RingOrchestrator::find(PTO2TaskId id) const {
    if (!id.is_valid() || id.ring() >= RING_COUNT || !rings_[id.ring()].holds(id.local())) return nullptr;
    return &rings_[id.ring()].slot(id.local());
}

bool RingOrchestrator::are_makers_there(const TaskRequest &request) const {
    for (uint32_t index = 0; index < request.tensor_count; ++index) {
        const PTO2TaskId owner = request.tensors[index].owner_task_id;
        if (request.types[index] == TensorArgType::OUTPUT || !owner.is_valid()) continue;
        const TaskSlot *maker = find(owner);
        if (maker == nullptr || !maker->scope_open) return false;
    }
    return true;
}

void RingOrchestrator::retire_some(TaskRing &ring, uint32_t most) {
    while (most-- > 0 && !ring.empty() && ring.oldest_is_done_with()) {
        map_.forget(ring.oldest());
        ring.retire_oldest();
    }
}

// Waits until the ring can give what is asked for. False after a failure.
bool RingOrchestrator::secure(TaskRing &ring, const RingDemand &demand, uint32_t map_entries) {
    retire_some(ring, RETIRED_PER_SUBMISSION);
    for (;;) {
        RuntimeStatus shortage = ring.shortage(demand);
        if (shortage == STATUS_OK && !map_.has_room(map_entries)) shortage = STATUS_TENSORMAP_OVERFLOW;
        if (shortage == STATUS_OK) return true;

        RuntimeStatus hopeless = ring.impossible(demand);
        if (shortage == STATUS_TENSORMAP_OVERFLOW && !map_.could_hold(map_entries)) hopeless = shortage;
        // The map is filled by all rings, and any of them can help.
        bool retired = false;
        bool stuck = true;
        for (TaskRing &candidate : rings_) {
            if (&candidate != &ring && shortage != STATUS_TENSORMAP_OVERFLOW) continue;
            if (candidate.empty()) continue;
            if (candidate.oldest_is_done_with()) {
                retire_some(candidate, UINT32_MAX);
                retired = true;
            } else if (!candidate.oldest_waits_for_its_scope()) {
                stuck = false;
            }
        }
        if (hopeless == STATUS_OK && retired) continue;
        if (hopeless == STATUS_OK && stuck) hopeless = shortage;
        if (hopeless != STATUS_OK) {
            char reason[128];
            std::snprintf(reason, sizeof(reason), "ring %u is out of %s, and an open scope holds what it would get back",
                          current_ring(), shortage_name(hopeless));
            fail(hopeless, reason);
            return false;
        }
        if (failed()) return false;
        room_is_short();
        pause_and_yield();
    }
}

// Takes a reference to each producer that is not done with: the task may read its output. Links come later.
void RingOrchestrator::hold_producers(TaskSlot &task, TaskRing &ring) {
    task.producers_begin = ring.take_nodes(producers_.count());
    task.producers_count = producers_.count();
    // One for each producer, and one that keeps the task from running before it is published.
    task.unresolved.store(producers_.count() + 1, std::memory_order_relaxed);
    for (uint32_t index = 0; index < producers_.count(); ++index) {
        const Producer &producer = producers_[index];
        auto *source = static_cast<TaskSlot *>(producer.task);
        npusim_note_edge(producer.task_id, task.task_id, producer.argument, producer.source);
        // The wait for room may have retired the producer, and its slot may be this task's by now.
        const bool held = source->task_id == producer.task_id && take_reference(*source);
        ring.node(task.producers_begin, index) = {nullptr, &task, held ? source : nullptr};
        if (!held) task.unresolved.fetch_sub(1, std::memory_order_relaxed);
    }
}

// Puts the task on the list of each producer that is not finished, and lets go of it.
void RingOrchestrator::publish(TaskSlot &task) {
    const RingLayout &ring = run_.order.part.rings[task.ring()];
    for (uint32_t index = 0; index < task.producers_count; ++index) {
        DependencyNode &node = ring.node(task.producers_begin, index);
        if (node.producer == nullptr) continue;
        std::atomic<DependencyNode *> &consumers = node.producer->consumers;
        DependencyNode *first = consumers.load(std::memory_order_acquire);
        bool linked = false;
        while (first != LIST_SEALED && !linked) {
            node.next = first;
            linked = consumers.compare_exchange_weak(first, &node, std::memory_order_acq_rel, std::memory_order_acquire);
        }
        if (!linked) task.unresolved.fetch_sub(1, std::memory_order_relaxed);
    }
    run_.control.submitted.store(++published_, std::memory_order_release);
    if (task.unresolved.fetch_sub(1, std::memory_order_acq_rel) == 1) {
        run_.order.queues[static_cast<uint32_t>(task.shape)].push(&task);
    }
}

PTO2TaskId RingOrchestrator::submit(const TaskRequest &request) {
    if (failed()) return PTO2TaskId::invalid();
    npusim_charge(NPUSIM_CHARGE_SUBMIT, 1);
    const KernelTable kernels{run_.order.kernels, run_.order.kernel_count};
    const char *flaw = find_flaw(request, kernels);
    if (flaw == nullptr && !are_makers_there(request)) flaw = OUTLIVED_SCOPE;
    if (flaw != nullptr) {
        fail(STATUS_INVALID_ARGS, flaw);
        return PTO2TaskId::invalid();
    }
    producers_.collect(++submitted_, request, map_, [this](PTO2TaskId id) { return find(id); });
    if (!producers_.is_complete()) {
        fail(STATUS_DEP_POOL_OVERFLOW, "a task depends on more tasks than all dependency pools hold");
        return PTO2TaskId::invalid();
    }
    const RequestSize size = size_of(request);
    const uint32_t ring_number = current_ring();
    TaskRing &ring = rings_[ring_number];
    const RingDemand demand{size.descriptor_bytes, size.heap_bytes, producers_.count()};
    if (!secure(ring, demand, size.map_entries)) return PTO2TaskId::invalid();

    const uint32_t local = ring.head();
    const PTO2TaskId id = PTO2TaskId::make(ring_number, local);
    TaskSlot &task = ring.slot(local);
    uint8_t *descriptors = ring.take_descriptors(size.descriptor_bytes);
    fill_task(task, request, id, kernels, descriptors, ring.take_heap(size.heap_bytes));
    task.references.store(2, std::memory_order_relaxed);  // its scope and itself
    task.consumers.store(nullptr, std::memory_order_relaxed);
    task.scope = scopes_[scope_count_ - 1].number;
    task.scope_open = true;
    note_task(task, request, task.scope);
    hold_producers(task, ring);
    enter_accesses(map_, task, request);
    ring.commit(task);
    admit(task);
    return id;
}

void RingOrchestrator::finish() {
    run_.outcome.submitted = published_;
    run_.control.orchestration_done.store(1, std::memory_order_release);
}

}  // namespace rt
