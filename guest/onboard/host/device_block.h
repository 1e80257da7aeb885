// A block of device memory that goes with its owner.
#pragma once

#include <cstddef>

#include "cann/runtime.h"

namespace onboard {

class DeviceBlock {
public:
    DeviceBlock() = default;
    ~DeviceBlock() {
        if (address_ != nullptr) rtFree(address_);
    }
    DeviceBlock(const DeviceBlock &) = delete;
    DeviceBlock &operator=(const DeviceBlock &) = delete;

    // Allocates, and copies there. 0, or a code of CANN.
    int upload(const void *bytes, size_t size) {
        const int code = rtMalloc(&address_, size, RT_MEMORY_HBM, 0);
        return code != 0 ? code : rtMemcpy(address_, size, bytes, size, RT_MEMCPY_HOST_TO_DEVICE);
    }
    void *address() const { return address_; }

private:
    void *address_ = nullptr;
};

}  // namespace onboard
