// Memory handed out in order and taken back in the same order. Positions only grow; what lies at one is at its
// remainder by the size. A block never wraps: what is left at the end is skipped and comes back with the block.
#pragma once

#include <cstdint>

namespace rt {

class ByteRing {
public:
    ByteRing() = default;
    ByteRing(uint8_t *base, uint64_t size) : base_(base), size_(size) {}

    // Whether an empty ring could hold it.
    bool could_hold(uint64_t bytes) const { return bytes <= size_; }
    bool fits(uint64_t bytes) const { return padding(bytes) + bytes <= size_ - (head_ - tail_); }

    // Only after `fits`.
    uint8_t *take(uint64_t bytes) {
        head_ += padding(bytes);
        uint8_t *block = base_ + head_ % size_;
        head_ += bytes;
        return block;
    }
    // Everything up to here has been handed out.
    uint64_t end() const { return head_; }
    // Takes back everything up to a position that `end` returned.
    void release(uint64_t end) {
        tail_ = end;
        if (tail_ == head_) tail_ = head_ = 0;  // empty: no reason to skip the end
    }

private:
    uint64_t padding(uint64_t bytes) const {
        const uint64_t room = size_ - head_ % size_;
        return bytes <= room ? 0 : room;
    }

    uint8_t *base_ = nullptr;
    uint64_t size_ = 1;
    uint64_t head_ = 0;
    uint64_t tail_ = 0;
};

}  // namespace rt
