// The memory of a device: the process's own, not set to anything.
#pragma once

#include <cstddef>
#include <map>
#include <mutex>

class MemoryAllocator {
public:
    ~MemoryAllocator();
    void *alloc(size_t size);
    // 0, or -1 if this is not an allocation.
    int free(void *memory);
    // Frees what is left.
    int finalize();
    size_t committed() const;

private:
    mutable std::mutex mutex_;
    std::map<void *, size_t> sizes_;
};
