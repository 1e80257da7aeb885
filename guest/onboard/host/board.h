// The board: the one device of this process, from aclInit to aclFinalize, with the two streams of a runtime.
//
// It opens itself for the first object of a runtime and closes after the last.
#pragma once

#include <cstddef>
#include <cstdint>

#include "onboard/host/aicpu_object.h"

namespace onboard {

class Board {
public:
    static Board &get();

    // Codes are CANN's.
    int load_aicpu(const void *bytes, size_t size);
    int load_aicore(const void *bytes, size_t size);
    void unload_aicpu();
    void unload_aicore();

    AicpuObject &aicpu() { return aicpu_; }
    bool has_aicore() const { return aicore_ != nullptr; }

    int launch_cores(void *runtime, uint32_t block_dim, uint32_t profiling_flags, uint64_t rotation_table);
    int launch_aicpu_threads(rtFuncHandle function, void *runtime, uint32_t threads);
    // Waits for both streams, the AICPU's first.
    int wait();
    // 0: both are done. ACL_ERROR_RT_STREAM_NOT_COMPLETE: not yet.
    int poll();

    // The first thing that went wrong and has not been asked for: a code, negated.
    int last_error() const { return last_error_; }
    int note(int code);

private:
    int open();
    void close_if_unused();

    bool is_open_ = false;
    rtStream_t aicpu_stream_ = nullptr;
    rtStream_t aicore_stream_ = nullptr;
    AicpuObject aicpu_;
    void *aicore_ = nullptr;  // registered once: each registration that is launched costs a copy on the device
    int last_error_ = 0;
};

}  // namespace onboard
