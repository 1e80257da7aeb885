// What this runtime holds on the device for its runs: queues and image, which are always the same, and the graph with
// its outputs, which are as large as the largest so far.
#pragma once

#include <cstdint>

#include "common/device/run_image.h"
#include "host/device_heap.h"
#include "host/graph_builder.h"
#include "npusim/call_config.h"

namespace rt {

class Callable;

class RunMemory {
public:
    RunMemory() = default;
    ~RunMemory() { release(); }
    RunMemory(const RunMemory &) = delete;
    RunMemory &operator=(const RunMemory &) = delete;

    // Why memory cannot be had like that, or null.
    static const char *refusal(const RuntimeEnv &environment);
    // Allocates for an environment that is not refused, unless it is there already. 0, or a negative code.
    int prepare(const RuntimeEnv &environment);
    void release();

    // Has the orchestration of this callable build the graph of a run whose arguments are in the image, and copies the
    // graph to the device. 0, or a negative code; an orchestration that fails is the run's failure and not this call's.
    int fill(RunImage &image, const Callable &callable);
    // Copies the image to the device. 0, or a negative code.
    int copy(const RunImage &image, const Callable &callable);

    Runtime *runtime() const { return runtime_; }
    // The queues may hold nothing useful yet, or tasks of a run that failed.
    bool queues_are_clean() const { return queues_are_clean_; }
    void set_queues_clean(bool clean) { queues_are_clean_ = clean; }
    uint64_t heap_base() const { return heap_.base(); }

private:
    int upload(const hbg::GraphBuilder &builder, hbg::Graph *graph);
    int make_room_for_graph(uint64_t bytes);

    hbg::GraphLimits limits_{};
    bool queues_are_clean_ = false;
    Runtime *runtime_ = nullptr;
    ReadyQueue *queues_ = nullptr;  // one for each shape, and one for what is finished
    ReadyCell *cells_ = nullptr;
    hbg::DeviceHeap heap_;
    uint8_t *graph_ = nullptr;
    uint64_t graph_bytes_ = 0;
};

}  // namespace rt
