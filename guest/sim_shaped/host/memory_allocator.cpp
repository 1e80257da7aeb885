#include "host/memory_allocator.h"

#include <cstdlib>

MemoryAllocator::~MemoryAllocator() { finalize(); }

void *MemoryAllocator::alloc(size_t size) {
    void *memory = std::malloc(size);
    if (memory == nullptr) return nullptr;
    const std::lock_guard<std::mutex> lock(mutex_);
    sizes_[memory] = size;
    return memory;
}

int MemoryAllocator::free(void *memory) {
    const std::lock_guard<std::mutex> lock(mutex_);
    if (sizes_.erase(memory) == 0) return -1;
    std::free(memory);
    return 0;
}

int MemoryAllocator::finalize() {
    const std::lock_guard<std::mutex> lock(mutex_);
    for (const auto &[memory, size] : sizes_) std::free(memory);
    sizes_.clear();
    return 0;
}

size_t MemoryAllocator::committed() const {
    const std::lock_guard<std::mutex> lock(mutex_);
    size_t sum = 0;
    for (const auto &[memory, size] : sizes_) sum += size;
    return sum;
}
