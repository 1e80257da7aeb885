// The orchestration's counterpart on the host: records every task of a run and who depends on whom.
//
// Edges follow from the tensors by the same rules as in the runtimes that find them on the AICPU (common/submission). The
// difference is when: here all are known before the first task runs. So there is nothing to retire and nothing to wait
// for; a graph has an end, at `limits`.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "common/submission/producers.h"
#include "graph.h"
#include "host/device_heap.h"
#include "npusim/runtime_status.h"

namespace hbg {

// What a graph may take.
struct GraphLimits {
    uint64_t tasks;
    uint64_t heap;
    uint64_t edges;
};

class GraphBuilder {
public:
    GraphBuilder(rt::KernelTable kernels, uint32_t clusters, GraphLimits limits, DeviceHeap &heap);
    GraphBuilder(const GraphBuilder &) = delete;
    GraphBuilder &operator=(const GraphBuilder &) = delete;

    // ---- what the orchestration sees
    PTO2TaskId submit(const npusim::TaskRequest &request);
    void begin_scope();
    void end_scope();
    void fail(RuntimeStatus status, const char *reason);
    bool failed() const { return status_ != STATUS_OK; }
    uint32_t cluster_count() const { return clusters_; }

    // ---- what has come of it
    RuntimeStatus status() const { return status_; }
    const char *reason() const { return reason_; }
    uint32_t task_count() const { return static_cast<uint32_t>(tasks_.size()); }
    // Bytes that the graph takes in device memory.
    uint64_t size() const;
    // Writes the graph as it will lie at `device` to `bytes`, which has size() of them. Null addresses in it are null.
    Graph write(uint8_t *bytes, uint8_t *device) const;

private:
    struct Edge {
        uint32_t producer;
        uint32_t consumer;
    };
    // Tasks that stay where they are, in blocks.
    class TaskList {
    public:
        GraphTask &append();
        GraphTask &operator[](size_t index) { return blocks_[index / PER_BLOCK][index % PER_BLOCK]; }
        const GraphTask &operator[](size_t index) const { return blocks_[index / PER_BLOCK][index % PER_BLOCK]; }
        size_t size() const { return size_; }

    private:
        static constexpr size_t PER_BLOCK = 1024;

        std::vector<std::unique_ptr<GraphTask[]>> blocks_;
        size_t size_ = 0;
    };
    // Memory for descriptors and scalars that stays where it is.
    class Descriptors {
    public:
        uint8_t *take(uint64_t bytes);

    private:
        std::vector<std::unique_ptr<uint8_t[]>> blocks_;
        uint64_t room_ = 0;
        uint8_t *next_ = nullptr;
    };

    rt::Task *find(PTO2TaskId id);
    bool are_makers_there(const npusim::TaskRequest &request) const;
    void make_room_in_map(uint32_t entries);
    void record_edges(uint32_t consumer);

    rt::KernelTable kernels_;
    uint32_t clusters_;
    GraphLimits limits_;
    DeviceHeap &heap_;
    RuntimeStatus status_ = STATUS_OK;
    char reason_[128] = {};
    TaskList tasks_;
    std::vector<uint32_t> scope_of_;     // by task
    std::vector<bool> scope_is_open_;    // by number of scope; 0 is none
    std::vector<uint32_t> open_scopes_;  // the innermost last
    std::vector<Edge> edges_;
    Descriptors descriptors_;
    uint64_t descriptor_bytes_ = 0;
    std::vector<rt::MapEntry> map_entries_;
    std::vector<uint32_t> map_lists_;
    rt::TensorMap map_;
    std::vector<rt::Producer> producer_storage_;
    rt::ProducerList producers_;
};

}  // namespace hbg
