// What every simulated device has: memory, copies, and threads that are bound to it.
#pragma once

#include <cstddef>
#include <functional>
#include <thread>

#include "host/memory_allocator.h"

class SimDeviceRunnerBase {
public:
    int copy_to_device(void *device, const void *host, size_t size);
    int copy_from_device(void *host, const void *device, size_t size);
    int device_memset(void *device, int value, size_t size);
    std::thread create_thread(std::function<void()> work);

    MemoryAllocator &memory() { return memory_; }
    int device_id() const { return device_id_; }

protected:
    void attach(int device_id);
    void detach();

private:
    MemoryAllocator memory_;
    int device_id_ = -1;
};
