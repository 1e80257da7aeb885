// How the threads of a run tell the host that they are done: a state that it can poll.
#pragma once

#include <atomic>

#include "npusim/runtime_c_api.h"

namespace sim_shaped {

class RunCompletion {
public:
    void expect(int threads) {
        running_.store(threads);
        state_.store(SIMPLER_NATIVE_RUN_POLL_NOT_READY, std::memory_order_release);
    }
    void thread_finished(int status) {
        int none = 0;
        if (status != 0) first_error_.compare_exchange_strong(none, status);
        if (running_.fetch_sub(1) == 1) state_.store(SIMPLER_NATIVE_RUN_POLL_COMPLETE, std::memory_order_release);
    }
    int poll() const { return state_.load(std::memory_order_acquire); }
    int first_error() const { return first_error_.load(); }

private:
    std::atomic<int> running_{0};
    std::atomic<int> state_{SIMPLER_NATIVE_RUN_POLL_ERROR};  // until there is something to wait for
    std::atomic<int> first_error_{0};
};

}  // namespace sim_shaped
