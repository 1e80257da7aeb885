#include "aicpu/orchestrator.h"

#include <cstdio>
#include <cstring>

#include "common/pause.h"
#include "npusim/platform.h"

namespace tmr {
namespace {

using npusim::NO_KERNEL;
using npusim::TaskRequest;
using npusim::TaskShape;

// Tasks to retire on the way through a submission: two for each that comes in keep the rings and the map short.
constexpr uint32_t RETIRED_PER_SUBMISSION = 2;

bool reads(TensorArgType type) { return type == TensorArgType::INPUT || type == TensorArgType::INOUT; }
bool writes(TensorArgType type) { return type == TensorArgType::INOUT || type == TensorArgType::OUTPUT_EXISTING; }
bool tracked(const ChipTensor &tensor, TensorArgType type) {
    return (reads(type) || writes(type)) && !tensor.manual_dep;
}

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

Orchestrator::Orchestrator(RunImage &run) : run_(run), map_(run.order.map) {
    for (uint32_t ring = 0; ring < RING_COUNT; ++ring) rings_[ring] = TaskRing(ring, run.order.rings[ring]);
}

void Orchestrator::fail(RuntimeStatus status, const char *reason) {
    if (!failed()) {
        std::snprintf(run_.outcome.reason, sizeof(run_.outcome.reason), "%s", reason);
        npusim_log(3, run_.outcome.reason);
    }
    fail_run(run_, run_.outcome.orchestrator_status, status);
}

void Orchestrator::begin_scope() {
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

void Orchestrator::end_scope() {
    if (scope_count_ == 0) return;
    if (scope_count_ <= MAX_SCOPES) {
        const OpenScope &scope = scopes_[scope_count_ - 1];
        TaskRing &ring = rings_[current_ring()];
        for (uint32_t local = scope.first_task; local != ring.head(); ++local) {
            // On the innermost ring, tasks of scopes that have ended already lie between ours.
            if (!ring.holds(local)) continue;
            TaskSlot &slot = ring.slot(local);
            if (!slot.scope_open || slot.scope != scope.number) continue;
            slot.scope_open = false;
            slot.references.fetch_sub(1, std::memory_order_release);
        }
    }
    --scope_count_;
}

const char *Orchestrator::invalid(const TaskRequest &request) const {
    if (!request.valid) return "a task has more than 32 tensors or 16 scalars";
    static constexpr bool NEEDED[SHAPES][LANES] = {{true, false, false}, {false, true, false}, {true, true, true}};
    for (uint32_t lane = 0; lane < LANES; ++lane) {
        const int32_t kernel = request.kernels[lane];
        if (!NEEDED[static_cast<uint32_t>(request.shape)][lane]) continue;
        if (kernel < 0 || static_cast<uint64_t>(kernel) >= run_.order.kernel_count || run_.order.kernels[kernel] == 0) {
            return "a task names a function id that has no kernel";
        }
    }
    for (uint32_t index = 0; index < request.tensor_count; ++index) {
        const ChipTensor &tensor = request.tensors[index];
        if (element_size(tensor.dtype) == 0 || tensor.ndims == 0 || tensor.ndims > MAX_TENSOR_DIMS) {
            return "a tensor has no valid type or number of dimensions";
        }
        if (request.types[index] == TensorArgType::OUTPUT) continue;
        const uint64_t size = element_size(tensor.dtype);
        if ((tensor.start_offset + tensor.extent_elements()) * size > tensor.buffer.size) {
            return "a tensor view reaches beyond its buffer";
        }
        const PTO2TaskId owner = tensor.owner_task_id;
        if (!owner.is_valid()) continue;
        if (owner.ring() >= RING_COUNT || !rings_[owner.ring()].holds(owner.local()) ||
            !rings_[owner.ring()].slot(owner.local()).scope_open) {
            return "a tensor is used after the scope of the task that made it";
        }
    }
    return nullptr;
}

void Orchestrator::add_producer(SlotHandle handle, uint32_t argument, uint32_t source) {
    TaskSlot &slot = slot_at(run_.order.rings, handle);
    if (slot.visit == submitted_ + 1) return;
    slot.visit = submitted_ + 1;
    if (producer_count_ < run_.order.producer_capacity) run_.order.producers[producer_count_] = {slot.task_id, handle, argument, source};
    ++producer_count_;
}

bool Orchestrator::find_producers(const TaskRequest &request) {
    producer_count_ = 0;
    for (uint32_t index = 0; index < request.dependency_count; ++index) {
        const PTO2TaskId id = request.dependencies[index];
        if (!id.is_valid() || id.ring() >= RING_COUNT) continue;
        const TaskRing &ring = rings_[id.ring()];
        if (ring.holds(id.local())) add_producer(ring.handle(id.local()), UINT32_MAX, NPUSIM_EDGE_EXPLICIT);
    }
    for (uint32_t index = 0; index < request.tensor_count; ++index) {
        const ChipTensor &tensor = request.tensors[index];
        const TensorArgType type = request.types[index];
        if (!reads(type) && !writes(type)) continue;
        const PTO2TaskId owner = tensor.owner_task_id;
        if (owner.is_valid()) {
            add_producer(rings_[owner.ring()].handle(owner.local()), index, NPUSIM_EDGE_CREATOR);
        }
        if (tensor.manual_dep) continue;
        map_.resolve(tensor, writes(type),
                     [&](SlotHandle slot) { add_producer(slot, index, NPUSIM_EDGE_TENSORMAP); });
    }
    return producer_count_ <= run_.order.producer_capacity;
}

void Orchestrator::retire_some(TaskRing &ring, uint32_t most) {
    while (most-- > 0 && !ring.empty() && ring.oldest_is_done_with()) {
        map_.forget(ring.oldest());
        ring.retire_oldest();
    }
}

// Waits until the ring can give what is asked for. False after a failure.
bool Orchestrator::secure(TaskRing &ring, const RingDemand &demand, uint32_t map_entries) {
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
        pause_and_yield();
    }
}

void Orchestrator::place_arguments(const TaskRequest &request, PTO2TaskId id, TaskRing &ring, const RingDemand &demand,
                                   TaskSlot &slot) {
    uint8_t *descriptors = ring.take_descriptors(demand.descriptor_bytes);
    uint8_t *heap = ring.take_heap(demand.heap_bytes);
    slot.tensors = reinterpret_cast<ChipTensor *>(descriptors);
    for (uint32_t index = 0; index < request.tensor_count; ++index) {
        ChipTensor &tensor = request.tensors[index];
        if (request.types[index] == TensorArgType::OUTPUT) {
            tensor.buffer.addr = reinterpret_cast<uint64_t>(heap);
            tensor.owner_task_id = id;
            heap += ByteRing::rounded(tensor.buffer.size);
        }
        slot.tensors[index] = tensor;
    }
    slot.tensor_count = static_cast<uint16_t>(request.tensor_count);
    slot.scalar_count = static_cast<uint16_t>(request.scalar_count);
    std::memcpy(slot.tensors + request.tensor_count, request.scalars, request.scalar_count * sizeof(uint64_t));
}

// Puts the task on the list of each producer that is not finished. A producer that is finished but not done with is
// still held: the task may read its output.
void Orchestrator::link_producers(SlotHandle handle, TaskSlot &slot, TaskRing &ring) {
    const RingLayout *rings = run_.order.rings;
    slot.producers_begin = ring.take_nodes(producer_count_);
    slot.producers_count = producer_count_;
    // One for each producer, and one that keeps the task from running before it is complete.
    slot.unresolved.store(producer_count_ + 1, std::memory_order_relaxed);
    for (uint32_t index = 0; index < producer_count_; ++index) {
        const Producer &producer = run_.order.producers[index];
        TaskSlot &source = slot_at(rings, producer.slot);
        const uint32_t position = ring.wrapped_node(slot.producers_begin, index);
        DependencyNode &node = ring.node(position);
        node.consumer = handle;
        node.producer = producer.slot;
        npusim_note_edge(producer.task_id, slot.task_id, producer.argument, producer.source);
        bool linked = false;
        // The wait for room may have retired the producer, and its slot may be this task's by now.
        if (source.task_id == producer.task_id && take_reference(source)) {
            NodeHandle first = source.consumers.load(std::memory_order_acquire);
            while (first != LIST_SEALED && !linked) {
                node.next = first;
                linked = source.consumers.compare_exchange_weak(first, ring.node_handle(position),
                                                                std::memory_order_acq_rel, std::memory_order_acquire);
            }
        } else {
            node.producer = NO_SLOT;
        }
        if (!linked) slot.unresolved.fetch_sub(1, std::memory_order_relaxed);
    }
}

void Orchestrator::publish_accesses(const TaskRequest &request, SlotHandle handle, TaskSlot &slot) {
    slot.map_entries = TensorMap::NONE;
    for (uint32_t index = 0; index < request.tensor_count; ++index) {
        const TensorArgType type = request.types[index];
        if (tracked(slot.tensors[index], type)) map_.insert(handle, slot, slot.tensors[index], writes(type));
    }
}

PTO2TaskId Orchestrator::submit(const TaskRequest &request) {
    if (failed()) return PTO2TaskId::invalid();
    npusim_charge(NPUSIM_CHARGE_SUBMIT, 1);
    if (const char *reason = invalid(request)) {
        fail(STATUS_INVALID_ARGS, reason);
        return PTO2TaskId::invalid();
    }
    if (!find_producers(request)) {
        fail(STATUS_DEP_POOL_OVERFLOW, "a task depends on more tasks than all dependency pools hold");
        return PTO2TaskId::invalid();
    }

    RingDemand demand{ByteRing::rounded(request.tensor_count * sizeof(ChipTensor) + request.scalar_count * sizeof(uint64_t)),
                      0, producer_count_};
    uint32_t map_entries = 0;
    for (uint32_t index = 0; index < request.tensor_count; ++index) {
        const ChipTensor &tensor = request.tensors[index];
        if (request.types[index] == TensorArgType::OUTPUT) demand.heap_bytes += ByteRing::rounded(tensor.buffer.size);
        if (tracked(tensor, request.types[index])) ++map_entries;
    }
    const uint32_t ring_number = current_ring();
    TaskRing &ring = rings_[ring_number];
    if (!secure(ring, demand, map_entries)) return PTO2TaskId::invalid();

    const uint32_t local = ring.head();
    const SlotHandle handle = ring.handle(local);
    const PTO2TaskId id = PTO2TaskId::make(ring_number, local);
    TaskSlot &slot = ring.slot(local);
    slot.task_id = id.raw;
    slot.shape = request.shape;
    for (uint32_t lane = 0; lane < LANES; ++lane) {
        slot.kernels[lane] = request.kernels[lane] < 0 ? 0 : run_.order.kernels[request.kernels[lane]];
    }
    slot.subtasks_left.store(request.shape == TaskShape::MIX ? LANES : 1, std::memory_order_relaxed);
    slot.references.store(2, std::memory_order_relaxed);  // its scope and itself
    slot.consumers.store(LIST_END, std::memory_order_relaxed);
    slot.scope = scopes_[scope_count_ - 1].number;
    slot.scope_open = true;
    slot.visit = 0;
    place_arguments(request, id, ring, demand, slot);
    const NpusimTaskNote note{id.raw,
                              slot.scope,
                              {request.kernels[0], request.kernels[1], request.kernels[2]},
                              request.tensor_count,
                              slot.tensors,
                              reinterpret_cast<const int32_t *>(request.types)};
    npusim_note_task(&note);
    link_producers(handle, slot, ring);
    publish_accesses(request, handle, slot);
    ring.commit(slot);

    run_.control.submitted.store(++submitted_, std::memory_order_release);
    if (slot.unresolved.fetch_sub(1, std::memory_order_acq_rel) == 1) {
        run_.order.queues[static_cast<uint32_t>(request.shape)].push(handle);
    }
    return id;
}

void Orchestrator::finish() {
    run_.outcome.submitted = submitted_;
    run_.control.orchestration_done.store(1, std::memory_order_release);
}

}  // namespace tmr
