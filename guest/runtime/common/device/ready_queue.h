// Ready tasks of one shape: a bounded queue for many producers and many consumers, without locks. Each cell carries a
// sequence number that says whose turn it is: equal to the position, the cell is free to fill; one more, it is filled.
#pragma once

#include <atomic>
#include <cstdint>

#include "common/device/pause.h"
#include "common/device/task.h"

namespace rt {

struct ReadyCell {
    std::atomic<uint32_t> sequence;
    Task *task;
};

struct ReadyQueue {
    alignas(64) std::atomic<uint32_t> tail;
    alignas(64) std::atomic<uint32_t> head;
    alignas(64) ReadyCell *cells;
    uint32_t mask;

    // Makes the queue empty. Nobody else may use it yet.
    void format(ReadyCell *storage, uint32_t capacity) {
        cells = storage;
        mask = capacity - 1;
        for (uint32_t position = 0; position < capacity; ++position) {
            cells[position].sequence.store(position, std::memory_order_relaxed);
        }
        tail.store(0, std::memory_order_relaxed);
        head.store(0, std::memory_order_relaxed);
    }

    // The queue has a cell for every task that can be unfinished, so there is always room.
    void push(Task *task) {
        uint32_t position = tail.fetch_add(1, std::memory_order_relaxed);
        ReadyCell &cell = cells[position & mask];
        // Its last user has taken the task and is about to free the cell.
        while (cell.sequence.load(std::memory_order_acquire) != position) pause_and_yield();
        cell.task = task;
        cell.sequence.store(position + 1, std::memory_order_release);
    }

    bool pop(Task **task) {
        uint32_t position = head.load(std::memory_order_relaxed);
        for (;;) {
            ReadyCell &cell = cells[position & mask];
            const auto lead = static_cast<int32_t>(cell.sequence.load(std::memory_order_acquire) - (position + 1));
            if (lead < 0) return false;
            if (lead > 0) {
                position = head.load(std::memory_order_relaxed);
                continue;
            }
            if (head.compare_exchange_weak(position, position + 1, std::memory_order_relaxed)) {
                *task = cell.task;
                cell.sequence.store(position + mask + 1, std::memory_order_release);
                return true;
            }
        }
    }

    // A hint: others may push and pop meanwhile.
    uint32_t size() const {
        const auto size = static_cast<int32_t>(tail.load(std::memory_order_relaxed) - head.load(std::memory_order_relaxed));
        return size > 0 ? static_cast<uint32_t>(size) : 0;
    }
};

}  // namespace rt
