// Device memory for the outputs of a graph. Every output has memory of its own: nothing runs while a graph is built, so
// nothing comes back. Blocks stay for the next graph, which begins again with the first.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace hbg {

class DeviceHeap {
public:
    DeviceHeap() = default;
    ~DeviceHeap() { release(); }
    DeviceHeap(const DeviceHeap &) = delete;
    DeviceHeap &operator=(const DeviceHeap &) = delete;

    // A graph begins that may take so many bytes.
    void begin(uint64_t limit);
    // Null if the limit is reached or the device has no memory left; `bytes` is a multiple of the alignment.
    uint8_t *take(uint64_t bytes);
    // Whether a graph may take so many more.
    bool allows(uint64_t bytes) const { return bytes <= limit_ - taken_; }
    void release();
    uint64_t base() const { return blocks_.empty() ? 0 : reinterpret_cast<uint64_t>(blocks_.front().bytes); }

private:
    struct Block {
        uint8_t *bytes;
        uint64_t size;
    };

    std::vector<Block> blocks_;
    size_t current_ = 0;
    uint64_t used_ = 0;  // of the current block
    uint64_t taken_ = 0;
    uint64_t limit_ = 0;
};

}  // namespace hbg
