#include "host/graph_builder.h"

#include <algorithm>
#include <cstdio>
#include <cstring>
#include <new>

#include "npusim/platform.h"

namespace hbg {
namespace {

using npusim::TaskRequest;

constexpr uint32_t MAX_SCOPES = 64;
constexpr uint32_t MAP_BUCKETS = 1024;
constexpr uint32_t FIRST_MAP_ENTRIES = 4096;
constexpr uint64_t DESCRIPTOR_BLOCK = 256ull << 10;

uint64_t descriptor_bytes_of(const rt::Task &task) {
    return rt::rounded(task.tensor_count * sizeof(ChipTensor) + task.scalar_count * sizeof(uint64_t));
}

}  // namespace

GraphTask &GraphBuilder::TaskList::append() {
    if (size_ % PER_BLOCK == 0) blocks_.emplace_back(new GraphTask[PER_BLOCK]());
    return (*this)[size_++];
}

uint8_t *GraphBuilder::Descriptors::take(uint64_t bytes) {
    if (bytes > room_) {
        room_ = std::max(bytes, DESCRIPTOR_BLOCK);
        blocks_.emplace_back(new uint8_t[room_ + rt::BLOCK_ALIGNMENT]);
        const auto address = reinterpret_cast<uintptr_t>(blocks_.back().get());
        next_ = reinterpret_cast<uint8_t *>(rt::rounded(address));
    }
    uint8_t *const taken = next_;
    next_ += bytes;
    room_ -= bytes;
    return taken;
}

GraphBuilder::GraphBuilder(rt::KernelTable kernels, uint32_t clusters, GraphLimits limits, DeviceHeap &heap)
    : kernels_(kernels), clusters_(clusters), limits_(limits), heap_(heap), scope_is_open_(1, false),
      map_entries_(FIRST_MAP_ENTRIES), map_lists_(2 * MAP_BUCKETS),
      map_({map_entries_.data(), map_lists_.data(), FIRST_MAP_ENTRIES, MAP_BUCKETS}), producers_(nullptr, 0) {
    heap_.begin(limits.heap);
}

void GraphBuilder::fail(RuntimeStatus status, const char *reason) {
    if (failed()) return;
    status_ = status;
    std::snprintf(reason_, sizeof(reason_), "%s", reason);
    npusim_log(3, reason_);
}

void GraphBuilder::begin_scope() {
    if (open_scopes_.size() == MAX_SCOPES) fail(STATUS_SCOPE_OVERFLOW, "scopes are nested deeper than 64");
    open_scopes_.push_back(static_cast<uint32_t>(scope_is_open_.size()));
    scope_is_open_.push_back(true);
}

void GraphBuilder::end_scope() {
    if (open_scopes_.empty()) return;
    scope_is_open_[open_scopes_.back()] = false;
    open_scopes_.pop_back();
}

rt::Task *GraphBuilder::find(PTO2TaskId id) {
    return id.is_valid() && id.raw < tasks_.size() ? &tasks_[id.raw] : nullptr;
}

bool GraphBuilder::are_makers_there(const TaskRequest &request) const {
    for (uint32_t index = 0; index < request.tensor_count; ++index) {
        const PTO2TaskId owner = request.tensors[index].owner_task_id;
        if (request.types[index] == TensorArgType::OUTPUT || !owner.is_valid()) continue;
        if (owner.raw >= tasks_.size() || !scope_is_open_[scope_of_[owner.raw]]) return false;
    }
    return true;
}

void GraphBuilder::make_room_in_map(uint32_t entries) {
    if (map_.has_room(entries)) return;
    map_entries_.resize(map_entries_.size() * 2);
    map_.extend(map_entries_.data(), static_cast<uint32_t>(map_entries_.size()));
}

PTO2TaskId GraphBuilder::submit(const TaskRequest &request) {
    if (failed()) return PTO2TaskId::invalid();
    const char *flaw = rt::find_flaw(request, kernels_);
    if (flaw == nullptr && !are_makers_there(request)) flaw = rt::OUTLIVED_SCOPE;
    if (flaw != nullptr) {
        fail(STATUS_INVALID_ARGS, flaw);
        return PTO2TaskId::invalid();
    }
    const uint32_t index = task_count();
    if (index >= limits_.tasks) {
        fail(STATUS_SCOPE_DEADLOCK, "the graph has more tasks than its window");
        return PTO2TaskId::invalid();
    }
    // Of one task's producers there are never more than there are tasks.
    producer_storage_.resize(std::max<size_t>(producer_storage_.size(), index + 1));
    producers_ = rt::ProducerList(producer_storage_.data(), static_cast<uint32_t>(producer_storage_.size()));
    producers_.collect(uint64_t{index} + 1, request, map_, [this](PTO2TaskId id) { return find(id); });
    const rt::RequestSize size = rt::size_of(request);
    if (edges_.size() + producers_.count() > limits_.edges) {
        fail(STATUS_DEP_POOL_OVERFLOW, "the graph has more dependencies than its pool");
        return PTO2TaskId::invalid();
    }
    uint8_t *const outputs = size.heap_bytes == 0 ? nullptr : heap_.take(size.heap_bytes);
    if (outputs == nullptr && size.heap_bytes != 0) {
        fail(STATUS_HEAP_RING_DEADLOCK, "the outputs of the graph do not fit into its heap or the device");
        return PTO2TaskId::invalid();
    }

    GraphTask &task = tasks_.append();
    const PTO2TaskId id = PTO2TaskId::make(0, index);
    rt::fill_task(task, request, id, kernels_, descriptors_.take(size.descriptor_bytes), outputs);
    descriptor_bytes_ += size.descriptor_bytes;
    task.unresolved.store(producers_.count(), std::memory_order_relaxed);
    task.producers_count = producers_.count();
    scope_of_.push_back(open_scopes_.back());
    rt::note_task(task, request, open_scopes_.back());
    record_edges(index);
    make_room_in_map(size.map_entries);
    rt::enter_accesses(map_, task, request);
    return id;
}

void GraphBuilder::record_edges(uint32_t consumer) {
    for (uint32_t index = 0; index < producers_.count(); ++index) {
        const rt::Producer &producer = producers_[index];
        npusim_note_edge(producer.task_id, consumer, producer.argument, producer.source);
        edges_.push_back({PTO2TaskId{producer.task_id}.local(), consumer});
        ++static_cast<GraphTask *>(producer.task)->consumers_count;
    }
}

// ---- the graph in device memory: tasks, descriptors, consumers

uint64_t GraphBuilder::size() const {
    return rt::rounded(tasks_.size() * sizeof(GraphTask)) + descriptor_bytes_ + edges_.size() * sizeof(uint32_t);
}

Graph GraphBuilder::write(uint8_t *bytes, uint8_t *device) const {
    const uint64_t descriptors_at = rt::rounded(tasks_.size() * sizeof(GraphTask));
    const uint64_t consumers_at = descriptors_at + descriptor_bytes_;
    auto *const tasks = reinterpret_cast<GraphTask *>(bytes);
    auto *const consumers = reinterpret_cast<uint32_t *>(bytes + consumers_at);
    uint64_t descriptors = descriptors_at;
    uint32_t next_consumer = 0;
    for (size_t index = 0; index < tasks_.size(); ++index) {
        const GraphTask &source = tasks_[index];
        GraphTask &task = *new (tasks + index) GraphTask();
        task.unresolved.store(source.unresolved.load(std::memory_order_relaxed), std::memory_order_relaxed);
        task.subtasks_left.store(source.subtasks_left.load(std::memory_order_relaxed), std::memory_order_relaxed);
        task.task_id = source.task_id;
        std::memcpy(task.kernels, source.kernels, sizeof(task.kernels));
        task.shape = source.shape;
        task.tensor_count = source.tensor_count;
        task.scalar_count = source.scalar_count;
        const uint64_t size = descriptor_bytes_of(source);
        std::memcpy(bytes + descriptors, source.tensors, size);
        task.tensors = reinterpret_cast<ChipTensor *>(device + descriptors);
        descriptors += size;
        task.producers_count = source.producers_count;
        task.consumers_begin = next_consumer;
        next_consumer += source.consumers_count;
    }
    // In order of submission within each producer: its count grows to what it is.
    for (const Edge &edge : edges_) {
        GraphTask &producer = tasks[edge.producer];
        consumers[producer.consumers_begin + producer.consumers_count++] = edge.consumer;
    }
    return {reinterpret_cast<GraphTask *>(device), reinterpret_cast<uint32_t *>(device + consumers_at), task_count()};
}

}  // namespace hbg
