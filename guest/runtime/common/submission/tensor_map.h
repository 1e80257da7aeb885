// Who reads and writes which part of which buffer, among the tasks that are kept.
//
// A task that reads depends on the writers of what it reads; a task that writes depends on the readers as well. An
// access that a new write covers entirely is forgotten: whoever would depend on it depends on the new writer, which
// depends on it. Only whoever builds the graph uses the map.
#pragma once

#include <cstdint>

#include "common/device/task.h"
#include "common/submission/overlap.h"

namespace rt {

// One reader or writer of a buffer.
struct MapEntry {
    uint64_t buffer;  // address of the buffer
    uint64_t begin;   // bytes reached, relative to it
    uint64_t end;
    const ChipTensor *tensor;
    Task *task;
    uint32_t previous;  // in the bucket's list of readers or writers
    uint32_t next;
    uint32_t next_of_task;
    uint32_t list;  // bucket * 2 + (1 for readers)
};

// Where the map lies.
struct MapLayout {
    MapEntry *entries;
    uint32_t *lists;  // 2 heads for each bucket
    uint32_t entry_count;
    uint32_t bucket_count;  // a power of two
};

class TensorMap {
public:
    TensorMap() = default;
    explicit TensorMap(const MapLayout &layout);

    bool has_room(uint32_t entries) const { return entries <= room_; }
    bool could_hold(uint32_t entries) const { return entries <= layout_.entry_count; }

    // More entries, which begin with those that there were.
    void extend(MapEntry *entries, uint32_t count) {
        room_ += count - layout_.entry_count;
        layout_.entries = entries;
        layout_.entry_count = count;
    }

    // Calls found(task) for each task that an access to `tensor` has to wait for. A write forgets what it covers.
    template <typename Found>
    void resolve(const ChipTensor &tensor, bool writes, Found found) {
        const uint32_t bucket = bucket_of(tensor.buffer.addr);
        scan(list_of(bucket, false), tensor, writes, found);
        if (writes) scan(list_of(bucket, true), tensor, writes, found);
    }
    // Only after has_room. `tensor` has to stay until the task is forgotten.
    void insert(Task &task, const ChipTensor &tensor, bool writes);
    void forget(Task &task);

    static constexpr uint32_t NONE = UINT32_MAX;

private:
    uint32_t bucket_of(uint64_t buffer) const {
        return static_cast<uint32_t>((buffer * 0x9E3779B97F4A7C15ull) >> 32) & (layout_.bucket_count - 1);
    }
    static uint32_t list_of(uint32_t bucket, bool readers) { return bucket * 2 + (readers ? 1 : 0); }
    void unlink(MapEntry &entry);

    template <typename Found>
    void scan(uint32_t list, const ChipTensor &tensor, bool writes, Found &found) {
        const uint64_t size = element_size(tensor.dtype);
        const uint64_t begin = tensor.start_offset * size;
        const uint64_t end = (tensor.start_offset + tensor.extent_elements()) * size;
        for (uint32_t index = layout_.lists[list]; index != NONE;) {
            MapEntry &entry = layout_.entries[index];
            index = entry.next;
            if (entry.buffer != tensor.buffer.addr || entry.begin >= end || begin >= entry.end) continue;
            const Overlap common = overlap(tensor, *entry.tensor);
            if (common == Overlap::NONE) continue;
            found(*entry.task);
            if (writes && common == Overlap::COVERED) unlink(entry);
        }
    }

    MapLayout layout_{};
    uint32_t free_ = NONE;  // list of entries that came back
    uint32_t fresh_ = 0;    // entries from here on have never been used
    uint32_t room_ = 0;
};

}  // namespace rt
