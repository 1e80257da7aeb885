#include "run_memory.h"

#include <cstdio>
#include <memory>
#include <new>

#include "common/host/callables.h"
#include "common/orchestration/run_orchestration.h"
#include "npusim/platform.h"

namespace rt {
namespace {

constexpr uint64_t DEFAULT_TASKS = 1ull << 21;
constexpr uint64_t DEFAULT_EDGES = 1ull << 24;
constexpr uint64_t CELLS = SHAPES * hbg::READY_CAPACITY + hbg::FINISHED_CAPACITY;

int last_error() {
    const int code = npusim_last_error();
    return code != 0 ? code : -1;
}

template <typename T>
int take(T **place, uint64_t count, const char *owner) {
    *place = static_cast<T *>(npusim_malloc(count * sizeof(T), BLOCK_ALIGNMENT, owner));
    return *place == nullptr ? last_error() : 0;
}

template <typename T>
void give_back(T **place) {
    if (*place != nullptr) npusim_free(*place);
    *place = nullptr;
}

// The rings of other runtimes together; 0 takes the default.
uint64_t sum_of(const uint64_t (&rings)[RUNTIME_ENV_RING_COUNT], uint64_t otherwise) {
    uint64_t sum = 0;
    for (const uint64_t size : rings) sum += size;
    return sum == 0 ? otherwise : sum;
}

}  // namespace

const char *RunMemory::refusal(const RuntimeEnv &environment) {
    const bool fits = sum_of(environment.ring_task_window, DEFAULT_TASKS) <= UINT32_MAX / 2 &&
                      sum_of(environment.ring_dep_pool, DEFAULT_EDGES) <= UINT32_MAX / 2;
    return fits ? nullptr : "a graph has at most 2,147,483,647 tasks and as many dependencies";
}

int RunMemory::prepare(const RuntimeEnv &environment) {
    limits_ = {sum_of(environment.ring_task_window, DEFAULT_TASKS), sum_of(environment.ring_heap, UINT64_MAX / 2),
               sum_of(environment.ring_dep_pool, DEFAULT_EDGES)};
    if (runtime_ != nullptr) return 0;
    int code = take(&queues_, SHAPES + 1, "queues");
    if (code == 0) code = take(&cells_, CELLS, "queues");
    if (code == 0) code = take(&runtime_, 1, "runtime.image");
    if (code != 0) release();
    return code;
}

void RunMemory::release() {
    give_back(&graph_);
    graph_bytes_ = 0;
    heap_.release();
    give_back(&runtime_);
    give_back(&cells_);
    give_back(&queues_);
    queues_are_clean_ = false;
}

int RunMemory::fill(RunImage &image, const Callable &callable) {
    RunOrder &order = image.order;
    const KernelTable kernels{callable.kernels().data(), callable.kernels().size()};
    hbg::GraphBuilder builder(kernels, order.clusters, limits_, heap_);
    run_orchestration(builder, callable.orchestration().registered(), order.args);

    order.queues = queues_;
    order.queue_cells = cells_;
    order.queue_capacity = hbg::READY_CAPACITY;
    order.format_queues = !queues_are_clean_;
    order.part.finished = queues_ + SHAPES;
    order.part.finished_cells = cells_ + SHAPES * hbg::READY_CAPACITY;
    image.control.orchestration_done.store(1, std::memory_order_relaxed);
    if (builder.failed()) {
        // The device learns of it as of any failure, and winds up.
        std::snprintf(image.outcome.reason, sizeof(image.outcome.reason), "%s", builder.reason());
        fail_run(image, image.outcome.orchestrator_status, builder.status());
        return 0;
    }
    image.outcome.submitted = builder.task_count();
    image.control.submitted.store(builder.task_count(), std::memory_order_relaxed);
    return upload(builder, &order.part.graph);
}

int RunMemory::copy(const RunImage &image, const Callable & /*callable*/) {
    return npusim_copy_to_device(runtime_, &image, sizeof(image));
}

// One copy, whatever the graph consists of: a copy has a price of its own.
int RunMemory::upload(const hbg::GraphBuilder &builder, hbg::Graph *graph) {
    const uint64_t bytes = builder.size();
    *graph = hbg::Graph{};
    if (bytes == 0) return 0;
    const int code = make_room_for_graph(bytes);
    if (code != 0) return code;
    const std::unique_ptr<uint8_t[]> block(new (std::nothrow) uint8_t[bytes]);
    if (block == nullptr) return -1;
    *graph = builder.write(block.get(), graph_);
    return npusim_copy_to_device(graph_, block.get(), bytes);
}

int RunMemory::make_room_for_graph(uint64_t bytes) {
    if (bytes <= graph_bytes_) return 0;
    give_back(&graph_);
    graph_bytes_ = 0;
    const int code = take(&graph_, bytes, "graph");
    if (code == 0) graph_bytes_ = bytes;
    return code;
}

}  // namespace rt
