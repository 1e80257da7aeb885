#include "common/submission/tensor_map.h"

namespace rt {
namespace {

// The list of an entry that a later write has covered: it is in none, and its task still has to give it back.
constexpr uint32_t IN_NO_LIST = UINT32_MAX;

}  // namespace

TensorMap::TensorMap(const MapLayout &layout) : layout_(layout), room_(layout.entry_count) {
    for (uint32_t list = 0; list < layout.bucket_count * 2; ++list) layout.lists[list] = NONE;
}

void TensorMap::insert(Task &task, const ChipTensor &tensor, bool writes) {
    uint32_t index = free_;
    if (index != NONE) free_ = layout_.entries[index].next;
    else index = fresh_++;
    --room_;

    MapEntry &entry = layout_.entries[index];
    const uint64_t size = element_size(tensor.dtype);
    entry.buffer = tensor.buffer.addr;
    entry.begin = tensor.start_offset * size;
    entry.end = (tensor.start_offset + tensor.extent_elements()) * size;
    entry.tensor = &tensor;
    entry.task = &task;
    entry.list = list_of(bucket_of(tensor.buffer.addr), !writes);
    entry.previous = NONE;
    entry.next = layout_.lists[entry.list];
    if (entry.next != NONE) layout_.entries[entry.next].previous = index;
    layout_.lists[entry.list] = index;
    entry.next_of_task = task.map_entries;
    task.map_entries = index;
}

void TensorMap::unlink(MapEntry &entry) {
    if (entry.list == IN_NO_LIST) return;
    if (entry.previous != NONE) layout_.entries[entry.previous].next = entry.next;
    else layout_.lists[entry.list] = entry.next;
    if (entry.next != NONE) layout_.entries[entry.next].previous = entry.previous;
    entry.list = IN_NO_LIST;
}

void TensorMap::forget(Task &task) {
    for (uint32_t index = task.map_entries; index != NONE;) {
        MapEntry &entry = layout_.entries[index];
        unlink(entry);
        const uint32_t following = entry.next_of_task;
        entry.next = free_;
        free_ = index;
        ++room_;
        index = following;
    }
    task.map_entries = NONE;
}

}  // namespace rt
