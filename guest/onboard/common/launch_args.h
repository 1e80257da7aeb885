// What launches hand over: the host writes it, a copy on the device is what AICPU functions and cores get.
#pragma once

#include <cstddef>
#include <cstdint>

namespace onboard {

struct AicpuArgs {
    void *runtime;  // on the device
};

struct AicoreArgs {
    void *runtime;  // on the device
    uint64_t rotation_table;
    uint64_t profiling_flags;
};

// The arguments of the server on the device that installs an AICPU object.
struct BootstrapArgs {
    uint64_t reserved[5];
    void *order;  // on the device
    char so_name[32];
    char kernel_name[32];
};

// What `order` points to.
struct BootstrapOrder {
    uint64_t reserved[12];
    uint64_t dispatcher;
    uint64_t dispatcher_size;
    uint64_t device_id;
    uint64_t inner;
    uint64_t inner_size;
    uint64_t unused[3];
};

static_assert(sizeof(AicoreArgs) == 24);
static_assert(offsetof(BootstrapArgs, order) == 40);
static_assert(sizeof(BootstrapOrder) == 160 && offsetof(BootstrapOrder, dispatcher) == 96);
static_assert(offsetof(BootstrapOrder, device_id) == 112 && offsetof(BootstrapOrder, inner) == 120);

}  // namespace onboard
