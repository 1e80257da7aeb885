#include "run_memory.h"

#include <cstdio>
#include <cstring>
#include <memory>
#include <new>

#include "common/host/callables.h"
#include "npusim/platform.h"

namespace rt {
namespace {

constexpr RingSizes DEFAULT_SIZES{4096, 4ull << 20, 16384};
constexpr uint64_t MIN_WINDOW = 4;
// Memory runs out long before.
constexpr uint64_t MAX_WINDOW = 1ull << 24;
constexpr uint64_t MIN_HEAP = 1024;
constexpr uint64_t MIN_DEP_POOL = 4;
constexpr uint64_t MAX_DEP_POOL = 1ull << 24;
// Room for the descriptors and scalars of an ordinary task; a ring of small tasks never runs out of it first.
constexpr uint64_t DESCRIPTOR_BYTES_PER_SLOT = 512;
// The largest task has to fit into the smallest ring.
constexpr uint64_t MIN_DESCRIPTOR_BYTES = 64ull << 10;
constexpr uint32_t MAP_BUCKETS = 1024;
constexpr uint64_t MAP_ENTRIES_PER_SLOT = 4;
constexpr uint64_t ALIGNMENT = 64;

bool is_power_of_two(uint64_t value) { return value != 0 && (value & (value - 1)) == 0; }

uint64_t next_power_of_two(uint64_t value) {
    uint64_t power = 1;
    while (power < value) power <<= 1;
    return power;
}

}  // namespace

const char *ArenaSizes::take(const RuntimeEnv &environment) {
    for (uint32_t ring = 0; ring < RING_COUNT; ++ring) {
        RingSizes &own = rings[ring];
        own = DEFAULT_SIZES;
        if (environment.ring_task_window[ring] != 0) own.window = environment.ring_task_window[ring];
        if (environment.ring_heap[ring] != 0) own.heap = environment.ring_heap[ring];
        if (environment.ring_dep_pool[ring] != 0) own.dep_pool = environment.ring_dep_pool[ring];
        const bool usable = is_power_of_two(own.window) && own.window >= MIN_WINDOW && own.window <= MAX_WINDOW &&
                            own.heap >= MIN_HEAP && own.dep_pool >= MIN_DEP_POOL && own.dep_pool <= MAX_DEP_POOL;
        if (!usable) {
            return "a ring size cannot be used: windows are powers of two from 4, heaps have 1024 bytes or more";
        }
    }
    return nullptr;
}

template <typename T>
bool RunMemory::take(T **place, uint64_t count, const char *owner) {
    void *block = npusim_malloc(count * sizeof(T), ALIGNMENT, owner);
    if (block == nullptr) return false;
    blocks_[block_count_++] = block;
    *place = static_cast<T *>(block);
    return true;
}

int RunMemory::allocate(const ArenaSizes &sizes) {
    uint64_t slots = 0;
    uint64_t nodes = 0;
    for (uint32_t ring = 0; ring < RING_COUNT; ++ring) {
        const RingSizes &own = sizes.rings[ring];
        RingLayout &layout = rings_[ring];
        layout.window = static_cast<uint32_t>(own.window);
        layout.node_count = static_cast<uint32_t>(own.dep_pool);
        layout.heap_bytes = own.heap;
        layout.descriptor_bytes = own.window * DESCRIPTOR_BYTES_PER_SLOT;
        if (layout.descriptor_bytes < MIN_DESCRIPTOR_BYTES) layout.descriptor_bytes = MIN_DESCRIPTOR_BYTES;
        char owner[32];
        std::snprintf(owner, sizeof(owner), "ring%u.slots", ring);
        if (!take(&layout.slots, own.window, owner)) return -1;
        std::snprintf(owner, sizeof(owner), "ring%u.dependencies", ring);
        if (!take(&layout.nodes, own.dep_pool, owner)) return -1;
        std::snprintf(owner, sizeof(owner), "ring%u.descriptors", ring);
        if (!take(&layout.descriptors, layout.descriptor_bytes, owner)) return -1;
        std::snprintf(owner, sizeof(owner), "ring%u.heap", ring);
        if (!take(&layout.heap, own.heap, owner)) return -1;
        slots += own.window;
        nodes += own.dep_pool;
    }
    queue_capacity_ = static_cast<uint32_t>(next_power_of_two(slots));
    producer_capacity_ = static_cast<uint32_t>(nodes);
    map_.entry_count = static_cast<uint32_t>(slots * MAP_ENTRIES_PER_SLOT);
    map_.bucket_count = MAP_BUCKETS;
    const bool taken = take(&queues_, SHAPES, "ready queues") &&
                       take(&queue_cells_, uint64_t{SHAPES} * queue_capacity_, "ready queues") &&
                       take(&map_.entries, map_.entry_count, "tensor map") &&
                       take(&map_.lists, uint64_t{MAP_BUCKETS} * 2, "tensor map") &&
                       take(&producers_, producer_capacity_, "orchestrator scratch") &&
                       take(&runtime_, 1, "runtime.image");
    return taken ? 0 : -1;
}

const char *RunMemory::refusal(const RuntimeEnv &environment) {
    ArenaSizes sizes;
    return sizes.take(environment);
}

int RunMemory::prepare(const RuntimeEnv &environment) {
    ArenaSizes sizes;
    sizes.take(environment);
    if (ready_ && sizes == sizes_) return 0;
    release();
    if (allocate(sizes) != 0) {
        const int code = npusim_last_error();
        release();
        return code != 0 ? code : -1;
    }
    sizes_ = sizes;
    ready_ = true;
    return 0;
}

void RunMemory::release() {
    while (block_count_ > 0) npusim_free(blocks_[--block_count_]);
    ready_ = false;
    queues_are_clean_ = false;
    runtime_ = nullptr;
    room_ = 0;
    rings_[0].heap = nullptr;
}

int RunMemory::fill(RunImage &image, const Callable & /*callable*/) {
    RunOrder &order = image.order;
    for (uint32_t ring = 0; ring < RING_COUNT; ++ring) order.part.rings[ring] = rings_[ring];
    order.part.map = map_;
    order.part.producers = producers_;
    order.part.producer_capacity = producer_capacity_;
    order.queues = queues_;
    order.queue_cells = queue_cells_;
    order.queue_capacity = queue_capacity_;
    order.format_queues = !queues_are_clean_;
    return 0;
}

int RunMemory::copy(const RunImage &image, const Callable &callable) {
    const OrchestrationHome &orchestration = callable.orchestration();
    if (!orchestration.travels()) return npusim_copy_to_device(runtime_, &image, sizeof(image));
    const uint64_t room = orchestration.room();
    int code = make_room(room);
    if (code != 0) return code;
    const std::unique_ptr<uint8_t[]> block(new (std::nothrow) uint8_t[room + sizeof(image)]());
    if (block == nullptr) return -1;
    uint8_t *device = reinterpret_cast<uint8_t *>(runtime_) - room;
    orchestration.write(block.get(), device);
    std::memcpy(block.get() + room, &image, sizeof(image));
    return npusim_copy_to_device(device, block.get(), room + sizeof(image));
}

// The runtime structure has to move for that.
int RunMemory::make_room(uint64_t bytes) {
    if (bytes <= room_) return 0;
    auto *block = static_cast<uint8_t *>(npusim_malloc(bytes + sizeof(Runtime), ALIGNMENT, "runtime.image"));
    if (block == nullptr) {
        const int code = npusim_last_error();
        return code != 0 ? code : -1;
    }
    npusim_free(blocks_[block_count_ - 1]);
    blocks_[block_count_ - 1] = block;
    runtime_ = reinterpret_cast<Runtime *>(block + bytes);
    room_ = bytes;
    return 0;
}

}  // namespace rt
