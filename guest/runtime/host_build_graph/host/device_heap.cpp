#include "host/device_heap.h"

#include <algorithm>

#include "common/submission/request.h"
#include "npusim/platform.h"

namespace hbg {
namespace {

constexpr uint64_t FIRST_BLOCK_BYTES = 4ull << 20;
constexpr uint64_t LARGEST_BLOCK_BYTES = 64ull << 20;

}  // namespace

void DeviceHeap::begin(uint64_t limit) {
    current_ = 0;
    used_ = taken_ = 0;
    limit_ = limit;
}

uint8_t *DeviceHeap::take(uint64_t bytes) {
    if (!allows(bytes)) return nullptr;
    for (; current_ < blocks_.size(); ++current_, used_ = 0) {
        const Block &block = blocks_[current_];
        if (bytes > block.size - used_) continue;
        uint8_t *const taken = block.bytes + used_;
        used_ += bytes;
        taken_ += bytes;
        return taken;
    }
    // Each block is as large as those before it together: a graph of any size needs few.
    uint64_t held = 0;
    for (const Block &block : blocks_) held += block.size;
    const uint64_t size = std::max(bytes, std::clamp(held, FIRST_BLOCK_BYTES, LARGEST_BLOCK_BYTES));
    auto *fresh = static_cast<uint8_t *>(npusim_malloc(size, rt::BLOCK_ALIGNMENT, "graph outputs"));
    if (fresh == nullptr) return nullptr;
    blocks_.push_back({fresh, size});
    used_ = bytes;
    taken_ += bytes;
    return fresh;
}

void DeviceHeap::release() {
    for (auto block = blocks_.rbegin(); block != blocks_.rend(); ++block) npusim_free(block->bytes);
    blocks_.clear();
    begin(0);
}

}  // namespace hbg
