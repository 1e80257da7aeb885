// A pipe between the AIC and an AIV of one cluster: one chunk at a time, each waits for the other.
//
// It lies in memory that the context shares among a cluster's cores. That is zero at first, which is how a mutex and a
// condition variable begin.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <dlfcn.h>
#include <mutex>

class Pipe {
public:
    static constexpr uint64_t CHUNKS = 4;

    // The pipe of this core's cluster for this key.
    static Pipe &find(uint64_t key) {
        using GetState = void *(*)(uint64_t, size_t);
        const auto get_state = reinterpret_cast<GetState>(dlsym(RTLD_DEFAULT, "pto_sim_get_pipe_shared_state"));
        return *static_cast<Pipe *>(get_state(key, sizeof(Pipe)));
    }

    // Says that the next chunk is there; returns when it has been taken.
    void push() {
        std::unique_lock<std::mutex> lock(mutex_);
        full_ = true;
        changed_.notify_all();
        while (full_) changed_.wait(lock);
    }
    // Returns when a chunk is there.
    void await() {
        std::unique_lock<std::mutex> lock(mutex_);
        while (!full_) changed_.wait(lock);
    }
    // Says that it has been taken.
    void pop() {
        const std::lock_guard<std::mutex> lock(mutex_);
        full_ = false;
        changed_.notify_all();
    }

private:
    std::mutex mutex_;
    std::condition_variable changed_;
    bool full_;
};
