// The tasks of a run in order of submission. One orchestrator appends; each task belongs to one scheduler.
#pragma once

#include <atomic>

#include "common/orchestration.h"

namespace sim_shaped {

struct Task {
    TaskRequest request;
    bool started;                // its scheduler's
    int kernels_running;         // its scheduler's
    std::atomic<bool> complete;  // read by every scheduler
};

class TaskTable {
public:
    static constexpr int CAPACITY = 64;

    void clear() {
        submitted_.store(0, std::memory_order_relaxed);
        completed_.store(0, std::memory_order_relaxed);
        closed_.store(false, std::memory_order_relaxed);
    }

    // The number of the new task, or -1 if there is no room.
    int append(const TaskRequest &request) {
        const int number = size();
        if (number == CAPACITY) return -1;
        Task &task = tasks_[number];
        task.request = request;
        task.started = false;
        task.kernels_running = 0;
        task.complete.store(false, std::memory_order_relaxed);
        submitted_.store(number + 1, std::memory_order_release);
        return number;
    }
    // There will be no further task.
    void close() { closed_.store(true, std::memory_order_release); }

    void complete(Task &task) {
        task.complete.store(true, std::memory_order_release);
        completed_.fetch_add(1, std::memory_order_release);
    }

    int size() const { return submitted_.load(std::memory_order_acquire); }
    Task &at(int number) { return tasks_[number]; }
    bool is_ready(const Task &task) const {
        for (const int number : task.request.predecessors) {
            if (number != NONE && !tasks_[number].complete.load(std::memory_order_acquire)) return false;
        }
        return !task.started;
    }
    bool is_done() const {
        return closed_.load(std::memory_order_acquire) && completed_.load(std::memory_order_acquire) == size();
    }

private:
    Task tasks_[CAPACITY];
    std::atomic<int> submitted_{0};
    std::atomic<int> completed_{0};
    std::atomic<bool> closed_{false};
};

}  // namespace sim_shaped
